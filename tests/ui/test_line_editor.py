"""The line that is typed, at a pseudo-terminal: what is sent, and what comes back."""

from __future__ import annotations

from collections.abc import Callable

from tests.ui.test_screen import Driven, at, opened

__all__ = ["at"]  # a fixture


def test_what_was_sent_comes_back(at: Callable[..., Driven]) -> None:
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


def test_several_rows_are_sent_as_one(at: Callable[..., Driven]) -> None:
    terminal = opened(at)
    terminal.press("one\x1b\rtwo\nthree\x1b[200~\r\nfour\nfive\x1b[201~")
    terminal.until_shown("› one⏎two⏎three⏎four⏎five")
    terminal.press("\r")
    terminal.until(lambda: terminal.reports() == ["typed one|two|three|four|five"])
