"""The display of captions: growing words in place, whole lines on stdout."""

from __future__ import annotations

import io

import pyte
from rich.cells import get_character_cell_size

from livechat.errors import Notice
from livechat.events import Handover, ModelText, UserText
from livechat.ui.caption_lines import Captions


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def captions(width: int = 40, *, translating: bool = False, quiet: bool = False) -> tuple[Captions, Terminal]:
    both = Terminal()
    shown = Captions(
        both, both, color=False, quiet=quiet, translating=translating, width=lambda: width,
        cells=get_character_cell_size,
    )  # fmt: skip
    return shown, both


def screen(written: str, width: int = 40) -> list[str]:
    terminal = pyte.Screen(width, 12)
    pyte.Stream(terminal).feed(written.replace("\n", "\r\n"))
    return [row.rstrip() for row in terminal.display if row.strip()]


def heard(text: str, *, final: bool) -> UserText:
    return UserText(text, final=final, source="speech")


def test_words_grow_in_one_place_and_the_whole_line_takes_it() -> None:
    shown, both = captions()
    shown.show(heard("one", final=False))
    shown.show(heard("one two", final=False))
    assert screen(both.getvalue()) == ["one two"]
    shown.show(heard("One two.", final=True))
    shown.show(heard("three", final=False))
    assert screen(both.getvalue()) == ["One two.", "three"]
    shown.show(Notice("a warning"))
    shown.show(heard("three four", final=False))
    assert screen(both.getvalue()) == ["One two.", "warning: a warning", "three four"]
    shown.close()
    assert screen(both.getvalue()) == ["One two.", "warning: a warning"]


def test_a_long_line_shows_its_end_in_one_row_and_obeys_nothing() -> None:
    shown, both = captions(width=20)
    shown.show(heard("word " * 30 + "\x1b[2J終わり", final=False))
    (row,) = screen(both.getvalue(), 20)
    assert row.replace(" ", "").endswith("終わり")
    assert "\x1b[2J" not in both.getvalue()


def test_a_translation_is_data_and_what_was_heard_is_talk() -> None:
    out, err = io.StringIO(), io.StringIO()
    shown = Captions(
        out, err, color=False, quiet=False, translating=True, width=lambda: 40, cells=get_character_cell_size
    )
    shown.show(heard("Hello.", final=True))
    shown.show(ModelText("Hal", final=False))
    shown.show(ModelText("Hallo.", final=True))
    shown.show(Handover(2, "the connection was cut", "fresh", 200, 0, 0))
    assert out.getvalue() == "Hallo.\n"
    assert err.getvalue().splitlines() == ["Hello.", "link 2 after 0.2 s (the connection was cut)"]


def test_quiet_leaves_only_the_lines() -> None:
    shown, both = captions(quiet=True)
    shown.show(heard("one", final=False))
    shown.show(heard("One.", final=True))
    shown.show(Notice("a warning"))
    assert both.getvalue() == "One.\n"
