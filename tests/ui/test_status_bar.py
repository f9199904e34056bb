"""The status bar: what it shows at which width."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat import events as ev
from livechat.ui.status import SIGNS, StatusView
from livechat.ui.status_bar import foot
from tests.ui.test_status import COMPRESSION, said, start, talking, view_of

levels = st.floats(0, 1)


statuses = st.builds(
    StatusView,
    state=st.sampled_from(list(SIGNS)),
    time=st.sampled_from(["0:00", "12:04", "10:02:04"]),
    link=st.sampled_from(["", "1", "312"]),
    link_age=st.sampled_from(["", "9:41"]),
    goaway=st.sampled_from(["", "~9:41", "0:24"]),
    handle=st.sampled_from(["none", "0:41", "1:12:41"]),
    valid=st.sampled_from(["", "1h59", "expired"]),
    compression=st.sampled_from(["102k→51k", "off"]),
    context=st.sampled_from(["", "26k"]),
    compressed=st.sampled_from(["", "103k→51k"]),
    filled=st.none() | levels,
    mic=levels,
    speaker=levels,
    lost=st.sampled_from(["", "lost 0.1 s"]),
    reply=st.sampled_from(["", "0.8 s"]),
    spent=st.sampled_from(["", "145k 0.1230"]),
    notice=st.sampled_from(["", "no link for 5 s"]),
)


@given(statuses, st.integers(1, 200))
def test_the_bar_fits_and_keeps_what_matters(status: StatusView, width: int) -> None:
    status = replace(
        status,
        urgent=status.urgent and bool(status.goaway),
        compression="off" if status.filled is None else "102k→51k",
    )
    shown = said(status, width)
    assert len(shown) <= width
    assert len("".join(part for part, _ in foot(status, width))) <= width
    if width >= 50:
        assert (status.goaway.removeprefix("~") or "–") in shown
        assert status.handle in shown
        assert status.compression in shown.replace(" to ", "→")
    if width >= 79:
        assert "GoAway " in shown
        assert "handle " in shown
        assert status.filled is None or "━" in shown or "─" in shown


def test_four_layouts_and_in_the_wide_ones_words_instead_of_signs() -> None:
    view = talking((110, ev.HandleState("a", True, 7200)), (110, ev.Usage(26_000, 0, 26_000)))
    status = view.status(151)
    assert said(status, 125) == (
        "○ listening          0:51  GoAway in about 9:01  handle 0:41 old, valid 1h59  context 26k    "
        "compress ━━────── at 102k to 51k"
    )
    assert said(status, 99) == (
        "○ listening      0:51  GoAway in about 9:01  handle 0:41 old, valid 1h59  compress ━─── 102k to 51k"
    )
    assert said(status, 79) == ("○ listening     0:51  GoAway ~9:01  handle 0:41 ✓ 1h59  compress ━─── 102k→51k")
    assert "".join(part for part, _ in foot(status, 31)) == "link 1 0:49  mic ────  spk ────"
    assert said(status, 50) == "○ listening  GoAway ~9:01  h 0:41 ✓  ━─── 102k→51k"


def test_the_fields_stand_still_while_they_count() -> None:
    view = talking((110, ev.HandleState("a", True, 7200)))
    wide = {tuple(map(said(view.status(at), 120).index, ("GoAway", "handle", "compress"))) for at in (115, 165, 229)}
    assert len(wide) == 1


@pytest.mark.parametrize(("compression", "shown"), [(None, "off"), (COMPRESSION, "102k→51k")])
def test_compression_is_told_beside_an_old_and_expired_handle(compression: dict[str, int] | None, shown: str) -> None:
    view = view_of((0, start(compression=compression)), (0, ev.HandleState("a", True, 60)))
    view.apply(ev.LinkState(1, "connecting"), 4361)
    bar = said(view.status(4361), 50)
    assert bar.startswith("◌ connecting ")
    assert " 1:12:41 " in bar
    assert bar.endswith(shown)
