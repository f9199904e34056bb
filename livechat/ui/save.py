"""I/O. The words of a conversation in a text file of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from livechat.ui.text import clean


def save(turns: Iterable[tuple[str, str]], conversation: str, folder: Path, day: date) -> Path:
    """Write each question and its answer to a new file in `folder`, named after day and conversation.

    Returns its path; a file that is there already is left alone, and the next free number taken. Raises OSError,
    and leaves nothing behind then.
    """
    words = [
        f"{who}: {clean(text.strip(), newlines=True)}\n"
        for turn in turns
        for who, text in zip(("you", "model"), turn, strict=True)
        if text.strip()
    ]
    for number in itertools.count(1):
        path = folder / f"livechat-{day}-{conversation}{f'-{number}' if number > 1 else ''}.txt"
        try:
            file = path.open("x", encoding="utf-8")
        except FileExistsError:
            continue
        try:
            with file:
                file.writelines(words)
        except OSError:
            path.unlink()
            raise
        return path
    raise AssertionError  # itertools.count has no end
