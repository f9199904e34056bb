"""Keys and slash words: what the help says of them, and that none of them writes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from livechat.ui.shortcuts import LEGEND, SHORTCUTS, available, help_rows, keys
from tests.ui.test_screen import Driven, at, opened

__all__ = ["at"]  # a fixture


@pytest.mark.parametrize(("columns", "rows"), [(60, 20), (80, 24), (120, 40)])
def test_help_lists_every_key_and_any_key_ends_it(at: Callable[..., Driven], columns: int, rows: int) -> None:
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
    assert (
        sum(row.startswith("  ") and "·" not in row for row in terminal.rows())
        == {60: 16, 80: 9 + 6, 120: 6 + 4}[columns]
    )
    assert [row for row in terminal.rows() if row][-1].startswith("○ listening")
    terminal.press("q")  # it closes, and does nothing else
    terminal.until(lambda: "/quit" not in "".join(terminal.rows()))
    terminal.press("?")
    terminal.until_shown("GoAway    when the server ends this connection" if rows > 20 else "these, as does ?")
    terminal.press("\x7f")
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
    assert max(len(row) for row in help_rows(everything, 57, typing=True)) <= 67
    assert len(help_rows(everything, 118, typing=True)) <= 6 + 1 + len(LEGEND)


def test_no_key_that_writes_is_a_command() -> None:
    assert [key for key in keys(available(microphone=True, push_to_talk=True)) if len(key) == 1] == [" "]
    assert all(len(key) > 1 for key in keys(available(microphone=True, push_to_talk=False)))
    taken = {"c-a", "c-d", "c-e", "c-h", "c-i", "c-j", "c-k", "c-m", "c-q", "c-s", "c-u", "c-w", "c-z"}
    assert not taken & {shortcut.key for shortcut in SHORTCUTS}
    assert len({shortcut.key for shortcut in SHORTCUTS if shortcut.key}) == sum(bool(s.key) for s in SHORTCUTS)


def test_slash_quit_leaves(at: Callable[..., Driven]) -> None:
    terminal = opened(at)
    terminal.press("/quit\r")
    assert terminal.until_ended() == 0
    assert terminal.reports() == ["left"]
    assert terminal.restored()
