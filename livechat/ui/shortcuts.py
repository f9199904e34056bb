"""PURE. What a person can ask the screen for: a key on an empty line, a word after a slash, and the help on both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from livechat.events import Command

Wish = Command | Literal["help", "details", "save", "text", "quit"]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """`key` on an empty line, or `/wish` typed; `does` fits into what is left of COLUMN."""

    key: str
    wish: Wish
    does: str


SHORTCUTS = (
    Shortcut("?", "help", "these keys"),
    Shortcut("m", "mute", "mic off, or on"),
    Shortcut("i", "interrupt", "hush the model"),
    Shortcut(" ", "talk", "push to talk"),
    Shortcut("d", "details", "of the links"),
    Shortcut("s", "save", "to a text file"),
    Shortcut("t", "text", "begin a line"),
    Shortcut("q", "quit", "leave"),
)
SLASHES: dict[str, Wish] = {shortcut.wish: shortcut.wish for shortcut in SHORTCUTS}
COLUMN = 28  # cells: two columns of help at 60

_WRITING = (
    ("Enter", "send"),
    ("Alt-Enter", "new row (Ctrl-J)"),
    ("Up, Down", "sent before"),
    ("//text", "send /text"),
)
_ALWAYS = (("Ctrl-Z", "stop; fg goes on"), ("Ctrl-C", "leave"))


def keys(*, microphone: bool, typing: bool, push_to_talk: bool) -> dict[str, Wish]:
    """The keys that this conversation has."""
    lacking = {"mute"} if not microphone else set[str]()
    lacking |= {"talk"} if not (microphone and push_to_talk) else set()
    lacking |= {"text"} if not typing else set()
    return {shortcut.key: shortcut.wish for shortcut in SHORTCUTS if shortcut.wish not in lacking}


def help_rows(has: Mapping[str, Wish], width: int, *, typing: bool) -> list[str]:
    """Every key and every slash command in as many columns as `width` cells hold."""
    cells = [
        f"{'␣' if shortcut.key == ' ' else shortcut.key} {f'/{shortcut.wish}' if typing else '':<11}{shortcut.does}"
        for shortcut in SHORTCUTS
        if shortcut.key in has
    ]
    cells += [f"{key:<10}{does}" for key, does in (*_WRITING, *_ALWAYS)[0 if typing else len(_WRITING) :]]
    columns = max(1, width // COLUMN)
    height = -(-len(cells) // columns)
    return ["".join(cell.ljust(COLUMN) for cell in cells[row::height]).rstrip() for row in range(height)]
