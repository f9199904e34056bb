"""What a person can ask the screen for: a word after a slash, a Ctrl or function key, and the help on both.

No command is a key that writes: a sentence may begin with any letter, and be typed at any speed. The one
exception is the space bar on an empty line with --ptt, which the person has asked for.

Few Ctrl keys are free. A terminal sends Ctrl-H, I, J and M as Backspace, Tab, and the two line ends. A, D, E, K, U
and W edit. C and Z leave and stop. S and Q hold a terminal's output. B, F, N, P, R, T, V and Y are habits of line
editors: nobody expects them to shut the microphone. Alt is not used: on a Mac it writes letters, and Escape before a
typed letter looks the same.
"""

import textwrap
from dataclasses import dataclass
from typing import Literal

from livechat.events import Command

Wish = Command | Literal["help", "details", "save", "quit"]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """`key` (prompt_toolkit's name for it, "" for none) or `/wish` asks for `wish`. `does`: the help on it."""

    key: str
    wish: Wish
    does: str

    @property
    def label(self) -> str:
        """What is written on the key: Ctrl-O, F1, space."""
        if self.key.startswith("c-"):
            return f"Ctrl-{self.key[2:].upper()}"
        return "space" if self.key == " " else self.key.upper()


SHORTCUTS = (
    Shortcut("f1", "help", "these, as does ?"),
    Shortcut("c-o", "mute", "mic off, or on"),
    Shortcut("c-g", "interrupt", "hush the model"),
    Shortcut(" ", "talk", "push to talk"),
    Shortcut("f2", "video", "screen, on or off"),
    Shortcut("c-l", "details", "of the links"),
    Shortcut("", "save", "to a text file"),
    Shortcut("c-c", "quit", "leave"),
)
# Slash words with something behind them (slash_words.py): what that is, and the help on each.
TEXTS = {
    "system": ("TEXT|@FILE", "how to behave"), "context": ("TEXT|@FILE", "to be known"),
    "ask": ("TEXT|@FILE", "a question"), "video": ("screen|FILE|off", "what it sees"),
    "look": ("[FILE]", "one picture"),
}  # fmt: skip
SLASHES: dict[str, Wish] = {shortcut.wish: shortcut.wish for shortcut in SHORTCUTS}
LABELS: dict[Wish, str] = {shortcut.wish: shortcut.label for shortcut in SHORTCUTS}
COLUMN = 36  # cells, so that a terminal of 80 shows two columns of help; `does` fits into what is left of one

_WRITING = (
    ("Enter", "send"),
    ("Alt-Enter", "new row (Ctrl-J)"),
    ("Up, Down", "sent before"),
    ("//text", "send /text"),
)
_ALWAYS = (("Ctrl-Z", "stop; fg goes on"),)
# What stands in the status bar, and what it means.
LEGEND = (
    ("GoAway", "when the server ends this connection; ~ until it has said so"),
    ("handle", "the ticket to resume with: its age, whether it is ready (✓), its validity"),
    ("compress", "how full the context is; the size at which it is compressed → to which"),
    ("link", "the number of the connection, and its age; reply: the last delay"),
)
_NAME = 10  # cells


def available(*, microphone: bool, push_to_talk: bool) -> frozenset[Wish]:
    """What can be asked for in this conversation."""
    lacking = set[Wish]() if microphone else {"mute"}
    lacking |= set[Wish]() if microphone and push_to_talk else {"talk"}
    return frozenset(shortcut.wish for shortcut in SHORTCUTS if shortcut.wish not in lacking)


def keys(has: frozenset[Wish]) -> dict[str, Wish]:
    """Which key asks for what."""
    return {shortcut.key: shortcut.wish for shortcut in SHORTCUTS if shortcut.key and shortcut.wish in has}


def help_rows(has: frozenset[Wish], width: int, *, typing: bool) -> list[str]:
    """Every key and every slash command in as many columns as `width` cells hold."""
    cells = [
        f"{shortcut.label:<7}{f'/{shortcut.wish}' if typing else '':<11}{shortcut.does}"
        for shortcut in SHORTCUTS
        if shortcut.wish in has and (typing or shortcut.key)
    ]
    cells += [f"{key:<10}{does}" for key, does in (*_ALWAYS, *(_WRITING if typing else ()))]
    cells += [f"{f'/{word} {what}':<23}{does}" for word, (what, does) in TEXTS.items() if typing]
    columns = max(1, width // COLUMN)
    height = -(-len(cells) // columns)
    rows = ["".join(cell.ljust(COLUMN) for cell in cells[row::height]).rstrip() for row in range(height)]
    return [*rows, "", *legend_rows(width)]


def legend_rows(width: int) -> list[str]:
    """What the fields of the status bar mean, in at most `width` cells; broken at words."""
    below = " " * _NAME
    rows: list[str] = []
    for name, meaning in LEGEND:
        head = name.ljust(_NAME)
        rows += textwrap.wrap(meaning, max(20, width), initial_indent=head, subsequent_indent=below)
    return rows
