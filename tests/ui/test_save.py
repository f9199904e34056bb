"""The transcript in a file: where it is, what it is called, and that it can be read anywhere."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from livechat.ui.save import save
from tests.ui.test_screen import Driven, at, opened

__all__ = ["at"]  # a fixture


def test_saved_where_one_is(at: Callable[..., Driven], tmp_path: Path) -> None:
    terminal = opened(at, 120, FOLDER=str(tmp_path))
    terminal.press("/save\r")
    terminal.until_shown("saved as")
    terminal.press("/save\r")
    terminal.until(lambda: len(list(tmp_path.iterdir())) == 2)
    first, second = sorted(tmp_path.iterdir(), key=lambda path: len(path.name))
    assert first.name.startswith("livechat-")
    assert first.name.endswith("-k3f9.txt")
    assert second.name == first.name.replace(".txt", "-2.txt")
    assert first.read_text() == second.read_text() == "you: hello\nmodel: Hi! There.\nyou: unanswered\n"


def test_what_cannot_be_saved_is_one_line(at: Callable[..., Driven], tmp_path: Path) -> None:
    terminal = opened(at)
    terminal.press("/save\r")
    terminal.until_shown("!  there is nothing to save yet")
    with pytest.raises(OSError, match="Not a directory"):
        save([("a", "b")], "k3f9", Path("/dev/null"), datetime.date(2026, 7, 1))
    saved = save([("a\x1b[2J", "b")], "k3f9", tmp_path, datetime.date(2026, 7, 1))
    assert saved.name == "livechat-2026-07-01-k3f9.txt"
    assert saved.read_text() == "you: a␛[2J\nmodel: b\n"
