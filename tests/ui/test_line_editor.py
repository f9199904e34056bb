"""Keys and slash commands at a pseudo-terminal: what they open, write and leave."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from livechat import events as ev
from livechat.ui.details import Details
from livechat.ui.save import save
from livechat.ui.shortcuts import SHORTCUTS, available, help_rows, keys
from tests.ui.test_screen import OPEN, START, Driven, at

__all__ = ["at"]  # a fixture

At = Callable[..., Driven]


def opened(at: At, columns: int = 80, rows: int = 24, **more: str) -> Driven:
    terminal = at(columns, rows, **more)
    terminal.show(*OPEN)
    terminal.until_shown("listening")
    return terminal


@pytest.mark.parametrize(("columns", "rows"), [(60, 20), (80, 24), (120, 40)])
def test_help_lists_every_key_and_any_key_ends_it(at: At, columns: int, rows: int) -> None:
    terminal = opened(at, columns, rows)
    terminal.until_shown("/help")
    terminal.press("\x1bOP")
    terminal.until_shown("Ctrl-C /quit      leave")
    shown = "\n".join(terminal.rows())
    for shortcut in SHORTCUTS:
        known = f"{shortcut.label:<7}/{shortcut.wish}".ljust(18) + shortcut.does
        assert (known in shown) == (shortcut.wish != "talk")
    for part in ("Enter     send", "Alt-Enter new row", "Up, Down  ", "//text    ", "Ctrl-Z    stop"):
        assert part in shown
    assert sum(row.startswith("  ") and "·" not in row for row in terminal.rows()) == {60: 11, 80: 6, 120: 4}[columns]
    assert [row for row in terminal.rows() if row][-1].startswith("○ listening")
    terminal.press("q")  # it closes, and does nothing else
    terminal.until(lambda: "/quit" not in "".join(terminal.rows()))
    terminal.press("/help\r")
    terminal.until_shown("F1     /help")
    terminal.press("x")
    terminal.until(lambda: "/quit" not in "".join(terminal.rows()))
    terminal.press("hello")
    terminal.until_shown("› hello")
    assert not terminal.reports()
    terminal.press("\x15\x03")
    assert terminal.until_ended() == 0
    assert terminal.restored()


def test_help_has_the_keys_there_are() -> None:
    spoken = help_rows(available(microphone=True, push_to_talk=True), 60, typing=False)
    assert "space             push to talk" in "\n".join(spoken)
    assert not {"/mute", "Enter", "to a text file"} & set(" ".join(spoken).split())
    silent = available(microphone=False, push_to_talk=True)
    assert not {"mute", "talk"} & {*silent, *keys(silent).values()}
    everything = available(microphone=True, push_to_talk=True)
    assert max(len(row) for row in help_rows(everything, 57, typing=True)) <= 57
    assert len(help_rows(everything, 118, typing=True)) <= 4


def test_no_key_that_writes_is_a_command() -> None:
    assert [key for key in keys(available(microphone=True, push_to_talk=True)) if len(key) == 1] == [" "]
    assert all(len(key) > 1 for key in keys(available(microphone=True, push_to_talk=False)))
    taken = {"c-a", "c-d", "c-e", "c-h", "c-i", "c-j", "c-k", "c-m", "c-q", "c-s", "c-u", "c-w", "c-z"}
    assert not taken & {shortcut.key for shortcut in SHORTCUTS}
    assert len({shortcut.key for shortcut in SHORTCUTS if shortcut.key}) == sum(bool(s.key) for s in SHORTCUTS)


def test_what_was_sent_comes_back(at: At) -> None:
    terminal = opened(at)
    terminal.press("first one\rsecond one\r/details\rdraft")
    terminal.until_shown("› draft")
    terminal.press("\x1b[A\x1b[A")
    terminal.until_shown("› second one")
    terminal.press("\x1b[A\x1b[A\x1b[A")
    terminal.until_shown("› first one")
    terminal.press("!\r")
    terminal.press("\x1b[A\x1b[A\x1b[B\x1b[B\x1b[B")
    terminal.until_shown("/help")
    terminal.press("my draft\x1b[A")
    terminal.until_shown("› first one!")
    terminal.press("\x1b[B and more\r")
    said = ["typed first one", "typed second one", "typed first one!", "typed my draft and more"]
    terminal.until(lambda: terminal.reports() == said)


def test_several_rows_are_sent_as_one(at: At) -> None:
    terminal = opened(at)
    terminal.press("one\x1b\rtwo\nthree\x1b[200~\r\nfour\nfive\x1b[201~")
    terminal.until_shown("› one⏎two⏎three⏎four⏎five")
    terminal.press("\r")
    terminal.until(lambda: terminal.reports() == ["typed one|two|three|four|five"])


def test_slash_quit_leaves(at: At) -> None:
    terminal = opened(at)
    terminal.press("/quit\r")
    assert terminal.until_ended() == 0
    assert terminal.reports() == ["left"]
    assert terminal.restored()


def test_details_open_and_close(at: At) -> None:
    terminal = opened(at)
    terminal.press("/details\r")
    terminal.until_shown("handle    a, 0:00 old, valid 2h00; 1 so far")
    terminal.show(ev.Usage(2000, 30, 2030))
    terminal.until_shown("tokens    2.0k in the context, 30 in the last answer")
    terminal.press("hello\r")
    terminal.until(lambda: terminal.reports() == ["typed hello"])
    assert "handle    a" in "\n".join(terminal.rows())  # while one goes on
    terminal.press("\x0c")
    terminal.until(lambda: "handle    a" not in "\n".join(terminal.rows()))


def test_details_of_two_links() -> None:
    details = Details()
    for now, event in (
        (100, START),
        (100, ev.LinkState(1, "connecting")),
        (101, ev.LinkState(1, "open", setup_ms=300)),
        (101, ev.HandleState("3fa2", True, 7200)),
        (102, ev.Turn(1, 800)),
        (103, ev.Turn(2, 1200)),
        (104, ev.Usage(26_000, 600, 26_600)),
        (104, ev.Spent(90_000, 0.5)),
        (105, ev.Compression(102_400, 51_200)),
        (161, ev.LinkState(1, "closing")),
        (162, ev.LinkState(1, "closed", code=1011, reason="Internal\x1b[2J", why="the server failed")),
        (162, ev.LinkState(2, "connecting")),
        (162.2, ev.LinkState(2, "open", resumed=True, setup_ms=250)),
        (162.2, ev.Handover(2, "the server failed", "resumed", 230, 1500, 0)),
    ):
        details.apply(event, now)
    assert details.rows(170) == [
        "link 2    since 1:02, open for 0:07, resumed after 0.2 s, set up in 0.2 s",
        "link 1    since 0:00, lasted 1:01, set up in 0.3 s, ended: the server failed: 1011 Internal␛[2J",
        "handle    3fa2, 1:09 old, valid 1h58; 1 so far",
        "handovers 1, longest gap 0.2 s, 1.5 s sent again, nothing lost",
        "tokens    26k in the context, 600 in the last answer",
        "spent     90k 0.5000",
        "compressed 1 times, last 102k→51k",
        "replies   1.2 s the last, 0.8 s to 1.2 s",
    ]


def test_details_stay_few_over_many_links() -> None:
    details = Details()
    for n in range(1, 500):
        details.apply(ev.LinkState(n, "connecting"), n)
        details.apply(ev.LinkState(n, "closed", why="no network"), n)
    rows = details.rows(500)
    assert len(rows) == 4
    assert rows[0] == "link 499  since 8:18, never open, ended: no network"


def test_saved_where_one_is(at: At, tmp_path: Path) -> None:
    terminal = opened(at, 120, FOLDER=str(tmp_path))
    terminal.press("/save\r")
    terminal.until_shown("saved as ")
    terminal.press("/save\r")
    terminal.until(lambda: len(list(tmp_path.iterdir())) == 2)
    first, second = sorted(tmp_path.iterdir(), key=lambda path: len(path.name))
    assert first.name.startswith("livechat-")
    assert first.name.endswith("-k3f9.txt")
    assert second.name == first.name.replace(".txt", "-2.txt")
    assert first.read_text() == second.read_text() == "you: hello\nmodel: Hi!\nThere.\nyou: unanswered\n"


def test_what_cannot_be_saved_is_one_line(at: At, tmp_path: Path) -> None:
    terminal = opened(at)
    terminal.press("/save\r")
    terminal.until_shown("!  there is nothing to save yet")
    with pytest.raises(OSError, match="Not a directory"):
        save([("a", "b")], "k3f9", Path("/dev/null"), datetime.date(2026, 7, 1))
    saved = save([("a\x1b[2J", "b")], "k3f9", tmp_path, datetime.date(2026, 7, 1))
    assert saved.name == "livechat-2026-07-01-k3f9.txt"
    assert saved.read_text() == "you: a␛[2J\nmodel: b\n"
