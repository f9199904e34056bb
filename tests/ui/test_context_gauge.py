"""How full the context is between two counts of the server's."""

from __future__ import annotations

from livechat import events as ev
from tests.ui.test_status import start, talking, view_of


def test_between_two_counts_the_context_is_predicted() -> None:
    view = talking((110, ev.Usage(2_000, 0, 2_000)))
    assert view.status(120).context == "2.0k"
    view.apply(ev.Speaking(True, False), 120)
    assert view.status(140).context == "2.5k"
    view.apply(ev.Speaking(False, False), 140)
    view.apply(ev.UserText("four" * 100, True, "text"), 150)
    assert view.status(190).context == "2.6k"
    view.apply(ev.ModelText("I", False), 200)
    view.apply(ev.Speaking(False, True), 200)
    assert view.status(208).context == "2.8k"
    view.apply(ev.Usage(2_100, 100, 2_200), 208)  # the answer is in it, though it sounds on
    assert view.status(300).context == "2.2k"
    view.apply(ev.Handover(2, "the server gave up this session", "seeded", 200, 0, 0), 300)
    assert view.status(300).context == "0"
    assert view_of((0, start()), (0, ev.Speaking(True, False))).status(100).context == ""
