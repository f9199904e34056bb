"""Rich Text for what the screen shows: transcript entries, the line being typed, the status bar.

Everything is a `Text` with styles laid over it, so that markup in a model's words is never interpreted. No row is
wider than asked for: a row that the terminal wrapped would break what is drawn in place.
"""

import re

from rich.cells import get_character_cell_size
from rich.color import Color
from rich.style import Style
from rich.text import Text

from livechat.events import Preview
from livechat.ui.safe_text import clean, wrap
from livechat.ui.status import StatusView
from livechat.ui.status_bar import Emphasis, Spans, bar, foot
from livechat.ui.transcript_lines import TranscriptLine

INDENT = 7  # cells: a label, right-aligned, and a gap
MEASURE = 100  # cells: longer lines are hard to read
LEAVE = "Ctrl-C to leave"
_COMMAND = re.compile(r"`[^`]+`|\b(?:apt|dnf|pacman|brew) (?:install|-S) [\w-]+")
_LAST_COMMAND = re.compile(r"(?:^|: )(?:`([^`]+)`|((?:\S*python\S*|pip|pipx|uv) [^`]+))$")
_GLUE = "\ue000"  # stands for a space within a command while rows are broken

_ROLES: dict[Emphasis, str] = {
    "quiet": "dim", "plain": "", "state": "cyan", "strong": "bold", "full": "cyan", "empty": "dim",
    "good": "green", "late": "bold yellow",
}  # fmt: skip
_LABELS = {"you": "you", "model": "model", "thought": "think", "note": "·", "warning": "!", "hint": "·"}
_STYLES = {"you": "cyan", "model": "green", "thought": "dim", "note": "dim", "warning": "bold yellow", "hint": "dim"}


def entry(line: TranscriptLine, width: int) -> list[Text]:
    """The rows of one transcript entry, its label in front of the first, the others below its text."""
    label_style = f"{_STYLES[line.kind]}{' dim' if line.restored else ''}"
    text_style = "dim" if line.restored or line.kind in ("thought", "note", "hint") else ""
    room = max(2, min(width, MEASURE) - INDENT - 2 * line.cut)
    rows = _wrapped_hint(line.text, room) if line.kind == "hint" else wrap(line.text, room, cells)
    texts = []
    for number, row in enumerate(rows):
        label = "" if number else _LABELS[line.kind]
        texts.append(Text.assemble((label.rjust(INDENT - 2), label_style), "  ", (row, text_style)))
    if line.cut:
        texts[-1].append(" —", "dim")
    return texts


def _wrapped_hint(text: str, width: int) -> list[str]:
    """A command that a hint ends with has a row of its own, to be copied; no command is broken at its spaces."""
    last = _LAST_COMMAND.search(text)
    before = text if last is None else f"{text[: last.start()]}:" if last.start() else ""
    parts = [_COMMAND.sub(lambda found: found[0].replace(" ", _GLUE), before)] if before else []
    if last is not None:
        parts.append((last[1] or last[2]).replace(" ", _GLUE))
    return [row.replace(_GLUE, " ") for row in wrap("\n".join(parts), width, cells)]


def status_line(status: StatusView, width: int) -> Text:
    return _assemble(bar(status, width))


def notice(status: StatusView, width: int) -> Text:
    """What is late, and how to leave, in one row. How to leave is never cut off."""
    text = Text(f"! {status.notice}", "yellow")
    text.truncate(max(1, width - len(LEAVE) - 3), overflow="ellipsis")
    text.append(f" · {LEAVE}", "dim")
    text.truncate(width)
    return text


def prompt(status: StatusView, width: int, *, hint: str) -> Text:
    """The row above the bar while nothing is being typed: the keys there are, the levels, the last delay."""
    left = Text(f"› {hint}", "dim")
    left.truncate(width)
    right = _assemble(foot(status, width - left.cell_len - 2))
    return Text.assemble(left, " " * (width - left.cell_len - right.cell_len), right)


def panel(rows: list[str], width: int, height: int) -> list[Text]:
    """Help or details: as many rows as `height` has room for, each cut off at the edge."""
    texts = [Text(f"  {row}", "dim") for row in rows[: max(0, height)]]
    for text in texts:
        text.truncate(width, overflow="ellipsis")
    return texts


def preview(picture: Preview, width: int, height: int) -> list[Text]:
    """What the model sees, two pixels in a cell; nothing where there is no room for all of it."""
    rows = picture.height // 2
    if width < picture.width + 2 or height < rows:
        return []
    pixels = [picture.rgb[at : at + 3] for at in range(0, len(picture.rgb), 3)]
    texts = []
    for row in range(rows):
        upper, lower = (pixels[y * picture.width : (y + 1) * picture.width] for y in (2 * row, 2 * row + 1))
        text = Text("  ")
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
        texts.append(text)
    return texts


def typed(before: str, after: str, width: int) -> Text:
    """What is being typed, as one row. The cursor, between `before` and `after`, is always shown."""
    room = max(1, width - 2 - 2)  # the prompt, and a cursor on a wide character
    # Only what fits is looked at: this happens ten times a second, with lines of any length.
    before, after = (clean(part.replace("\n", "⏎")) for part in (before[-room:], after[:width]))
    under = after[:1] or " "
    while before and sum(map(cells, before)) > room:
        before = before[1:]
    text = Text.assemble(("› ", "cyan"), before, (under, "reverse"), after[1:])
    text.truncate(width)
    return text


def cells(char: str) -> int:
    """How many columns one character takes at most. The emoji variation selector widens what stands before it."""
    return 1 if char == "\ufe0f" else get_character_cell_size(char)


def _assemble(parts: Spans) -> Text:
    return Text.assemble(*((text, _ROLES[role]) for text, role in parts))
