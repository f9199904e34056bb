"""What the status bar says, in fake time, and how it is laid out and escaped."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat import events as ev
from livechat.ui import safe_text
from livechat.ui.status import KEYBOARD, SIGNS, Status, ViewState
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


def said(status: Status, width: int = 79) -> str:
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


levels = st.floats(0, 1)
statuses = st.builds(
    Status,
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
def test_the_bar_fits_and_keeps_what_matters(status: Status, width: int) -> None:
    status = replace(
        status,
        urgent=status.urgent and bool(status.goaway),
        compression="off" if status.filled is None else "102k→51k",
    )
    shown = said(status, width)
    assert len(shown) <= width
    assert len("".join(part for part, _ in foot(status, width))) <= width
    if width >= 50:
        assert (status.goaway or "–") in shown
        assert status.handle in shown
        assert status.compression in shown
    if width >= 79:
        assert "GoAway " in shown
        assert "handle " in shown
        assert status.filled is None or "━" in shown or "─" in shown


def test_three_layouts() -> None:
    view = talking((110, ev.HandleState("a", True, 7200)), (110, ev.Usage(26_000, 0, 26_000)))
    status = view.status(151)
    assert said(status, 119) == (
        "○ listening     0:51  GoAway ~9:01  handle 0:41 ✓ valid 1h59  context 26k  compress ━━────── 102k→51k"
    )
    assert said(status, 79) == ("○ listening     0:51  GoAway ~9:01  handle 0:41 ✓ 1h59  compress ━─── 102k→51k")
    assert "".join(part for part, _ in foot(status, 31)) == "link 1 0:49  mic ────  spk ────"
    assert said(status, 50) == "○ listening  GoAway ~9:01  h 0:41 ✓  ━─── 102k→51k"


@pytest.mark.parametrize(("compression", "shown"), [(None, "off"), (COMPRESSION, "102k→51k")])
def test_compression_is_told_beside_an_old_and_expired_handle(compression: dict[str, int] | None, shown: str) -> None:
    view = view_of((0, start(compression=compression)), (0, ev.HandleState("a", True, 60)))
    view.apply(ev.LinkState(1, "connecting"), 4361)
    bar = said(view.status(4361), 50)
    assert bar.startswith("◌ connecting ")
    assert " 1:12:41 " in bar
    assert bar.endswith(shown)


@given(st.text())
def test_clean_leaves_nothing_a_terminal_obeys(given_text: str) -> None:
    cleaned = safe_text.clean(given_text)
    assert safe_text.clean(cleaned) == cleaned
    for char in cleaned:
        kept = char in "\u200c\u200d" or ord(char) in range(0x600, 0x8E3) or ord(char) > 0xFFFF
        assert unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp")
        assert kept or unicodedata.category(char) != "Cf"
    cleaned.encode()


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x9b31m", "�31m"),
        ("a\u202eb\u2066c", "a�b�c"),
        ("pay\u200bpal", "pay�pal"),
        ("\ud83d", "�"),
        ("one\r\ntwo\ttabs\u2028three", "one two    tabs three"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        ("👩\u200d🚀 می\u200cخواهم", "👩\u200d🚀 می\u200cخواهم"),
    ],
)
def test_clean_examples(hostile: str, shown: str) -> None:
    assert safe_text.clean(hostile) == shown


def test_clean_can_keep_line_ends() -> None:
    assert safe_text.clean("one\r\ntwo\u0085three", newlines=True) == "one\ntwo\nthree"


@given(st.text(st.sampled_from("ab 東\n"), max_size=80), st.integers(2, 20))
def test_wrap_loses_nothing_and_never_overflows(given_text: str, width: int) -> None:
    def cells(char: str) -> int:
        return 2 if char == "東" else 1

    rows = safe_text.wrap(given_text, width, cells)
    assert all(sum(map(cells, row)) <= width for row in rows)
    assert "".join(rows).replace(" ", "") == given_text.replace(" ", "").replace("\n", "")


def test_wrap_breaks_at_spaces() -> None:
    assert safe_text.wrap("one two  three\n  four", 8, len) == ["one two", "three", "  four"]
    assert safe_text.wrap("", 8, len) == [""]


def test_numbers_read_well() -> None:
    assert [safe_text.age(s) for s in (-3, 7.9, 724, 3724)] == ["0:00", "0:07", "12:04", "1:02:04"]
    assert [safe_text.validity(s) for s in (7199, 3600, 3599, 20)] == ["1h59", "1h00", "59m", "20s"]
    assert [safe_text.tokens(n) for n in (940, 9_400, 102_400, 999_600)] == ["940", "9.4k", "102k", "1.0M"]
    assert [safe_text.duration(ms) for ms in (80, 400, 12_000, 200_000)] == ["80 ms", "0.4 s", "12 s", "3:20 min"]
    assert [safe_text.gauge(s, 4) for s in (0, 0.01, 0.5, 2)] == [
        ("", "────"), ("━", "───"), ("━━", "──"), ("━━━━", ""),
    ]  # fmt: skip
