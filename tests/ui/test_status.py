"""What the status bar says, in fake time, and how it is laid out and escaped."""

from __future__ import annotations

from livechat import events as ev
from livechat.ui.status import KEYBOARD, SIGNS, StatusView, ViewState
from livechat.ui.status_bar import bar, foot

COMPRESSION = {"trigger_tokens": 102_400, "target_tokens": 51_200}


def start(input: str = "mic", compression: dict[str, int] | None = COMPRESSION) -> ev.Start:  # noqa: A002
    return ev.Start("0.1", "offline", "gemini-3.8-live", None, input, "speaker", compression, "k3f9", 0)


def view_of(*events: tuple[float, ev.Output], lifetime_s: float = 590) -> ViewState:
    view = ViewState(lifetime_s=lifetime_s)
    for now, event in events:
        view.apply(event, now)
    return view


def talking(*events: tuple[float, ev.Output]) -> ViewState:
    """A conversation whose first link opened at 102 s, and then `events`."""
    return view_of((100, start()), (100, ev.LinkState(1, "connecting")), (102, ev.LinkState(1, "open")), *events)


def said(status: StatusView, width: int = 79) -> str:
    return "".join(part for part, _ in bar(status, width))


def test_each_state_has_its_word() -> None:
    view, seen = ViewState(), list[str]()
    asked = ev.UserText("what time is it", True, "speech")
    for event in (
        start(), ev.LinkState(1, "connecting"), ev.LinkState(1, "open"), ev.Speaking(True, False),
        ev.Speaking(False, False), asked, ev.ModelText("ten", False), ev.Speaking(False, True),
        ev.Turn(1, 800), ev.Speaking(False, False), ev.LinkState(1, "closing"), ev.LinkState(1, "closed"),
        ev.LinkState(1, "waiting", retry_in_s=3), ev.LinkState(2, "connecting"), ev.LinkState(2, "open"),
    ):  # fmt: skip
        view.apply(event, 0)
        state = view.status(0).state
        seen += [] if seen and seen[-1] == state else [state]
    assert seen == [
        "connecting", "listening", "hearing you", "thinking", "listening", "speaking", "listening",
        "handing over", "waiting to retry", "handing over", "listening",
    ]  # fmt: skip
    assert set(seen) < set(SIGNS)


def test_without_a_microphone_it_says_so() -> None:
    view = view_of((0, start(input=KEYBOARD)), (0, ev.LinkState(1, "open")))
    assert view.status(1).state == "typing only"
    view.apply(ev.UserText("hello", True, "text"), 2)
    assert view.status(2).state == "thinking"


def test_a_person_who_cuts_in_is_heard_and_then_answered() -> None:
    view = talking((110, ev.Speaking(False, True)), (111, ev.Speaking(True, True)))
    assert view.status(111).state == "hearing you"
    view.apply(ev.Interrupted(900), 111.2)
    view.apply(ev.ModelText("It is", True, cut=True), 111.2)
    view.apply(ev.Speaking(False, False), 112)
    view.apply(ev.UserText("no, in Rome", True, "speech"), 112)
    assert view.status(112).state == "thinking"


def test_a_cough_is_not_waited_on() -> None:
    view = talking((110, ev.Speaking(True, False)), (110.3, ev.Speaking(False, False)))
    assert view.status(111).state == "thinking"
    assert view.status(115).state == "listening"


def test_the_countdown_is_ours_until_the_server_says_better() -> None:
    view = talking()
    assert (view.status(112).goaway, view.status(112).urgent) == ("~9:40", False)
    assert view.status(102 + 561).urgent
    view.apply(ev.GoAwayNotice(50), 650)
    assert (view.status(660).goaway, view.status(660).urgent) == ("0:40", True)
    assert "GoAway 0:40 !" in said(view.status(660))
    assert view.status(800).goaway == "0:00"
    view.apply(ev.LinkState(1, "closed"), 801)
    assert view.status(801).goaway == ""
    view.apply(ev.LinkState(2, "open", resumed=True), 802)
    assert view.status(802).goaway == "~9:50"


def test_handle_age_counts_from_the_newest_resumable_one() -> None:
    view = talking()
    assert view.status(110).handle == "none"
    view.apply(ev.HandleState("a", True, 7200), 110)
    view.apply(ev.HandleState("b", False, 7200), 140)
    status = view.status(151)
    assert (status.handle, status.resumable, status.valid) == ("0:41", False, "1h59")
    assert view.status(110 + 7200).valid == "expired"
    assert "expired !" in said(view.status(110 + 7200))


def test_the_context_stands_against_the_trigger() -> None:
    view = talking((110, ev.Usage(25_000, 600, 25_600)))
    status = view.status(110)
    assert (status.compression, status.context, status.filled) == ("102k→51k", "26k", 0.25)
    view.apply(ev.Compression(102_400, 51_200), 111)
    assert view.status(111).filled == 0.5
    off = view_of((0, start(compression=None)), (0, ev.Usage(2000, 0, 2000))).status(0)
    assert (off.compression, off.filled) == ("off", None)
    assert "compression off" in said(off)


def test_a_compression_is_news_for_some_seconds() -> None:
    view = talking((110, ev.Compression(103_000, 51_200)))
    assert (view.status(119).compressed, view.status(121).compressed) == ("103k→51k", "")
    view.apply(ev.HandleState("a", True, 7200), 110)
    for width, news in ((59, ""), (79, "↓ 103k→51k"), (119, "compressed 103k→51k")):
        for part in (news, "102k→51k", "0:09", "~9:33"):
            assert part in said(view.status(119), width)


def test_what_is_spent_stands_where_there_is_room() -> None:
    view = talking((110, ev.Spent(145_200, None)))
    assert view.status(111).spent == "145k"
    view.apply(ev.Spent(145_200, 0.123), 112)
    assert "spent 145k 0.1230" in "".join(part for part, _ in foot(view.status(112), 77))
    assert "spent" not in "".join(part for part, _ in foot(view.status(112), 40))


def test_levels_go_stale() -> None:
    view = talking((110, ev.Levels(-6, -60)))
    assert (view.status(110).mic, view.status(110).speaker) == (1.0, 0.0)
    assert view.status(112).mic == 0.0


def test_losses_and_delays_are_told_once_there_are_any() -> None:
    view = talking((110, ev.Turn(1, 820)))
    assert (view.status(110).reply, view.status(110).lost) == ("0.8 s", "")
    view.apply(ev.Handover(2, "the network was unreachable", "resumed", 900, 0, 120), 120)
    view.apply(ev.Handover(3, "the network was unreachable", "resumed", 900, 0, 120), 130)
    assert view.status(130).lost == "lost 0.2 s"
    assert "! lost 0.2 s" in said(view.status(130))
    assert "reply 0.8 s" in "".join(part for part, _ in foot(view.status(130), 60))


def test_silent_until_late_then_what_and_for_how_long() -> None:
    view = talking()
    assert view.status(400).notice == ""
    view.apply(ev.LinkState(1, "closed", why="the network is\x1b[2J unreachable"), 400)
    assert view.status(401).notice == ""
    assert view.status(405).notice == "no link for 5 s: the network is␛[2J unreachable"
    view.apply(ev.LinkState(1, "waiting", retry_in_s=8), 405)
    assert view.status(407).notice.startswith("no link for 7 s; next try in 6 s: the network")
    view.apply(ev.LinkState(2, "open", resumed=True), 410)
    assert view.status(410).notice == ""
    view.apply(ev.UserText("are you there", True, "text"), 420)
    assert view.status(429).notice == ""
    assert view.status(432).notice == "no answer for 12 s"


def test_what_was_said_before_is_no_question() -> None:
    view = talking((110, ev.UserText("hello", True, "restored")))
    assert view.status(111).state == "listening"
