"""A link that used to talk and has gone quiet, and one that never talked."""

from __future__ import annotations

import pytest

from livechat.session.pulse import Pulse


@pytest.mark.parametrize(
    ("beats", "now", "stopped"),
    [((), 100.0, False), ((1.0,), 100.0, False), ((1.0, 2.0), 6.0, False), ((1.0, 2.0), 7.5, True),
     ((1.0, 30.0), 100.0, False), ((1.0, 30.0, 31.0), 100.0, True)],
)  # fmt: skip
def test_only_a_steady_link_can_stop(beats: tuple[float, ...], now: float, stopped: bool) -> None:
    pulse = Pulse()
    for at in beats:
        pulse.beat(at)
    assert pulse.stopped(now) is stopped
