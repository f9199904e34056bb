"""The line a person types, on prompt_toolkit's key decoder and editing buffer, and keys that ask for things.

Printable characters and pastes go into the line. Enter sends it; Alt-Enter and Ctrl-J begin a new row of it. Up and
Down bring back what was sent before. The usual editing keys (arrows, Home, End, Backspace, Delete, Ctrl-A/E/K/U/W)
work. Ctrl-C leaves, and so does Ctrl-D on an empty line; Ctrl-Z stops the program. A key of `commands` asks for its
thing at any time, except the space bar, which does so only on an empty line.
Import this only where there is a terminal: prompt_toolkit takes a tenth of a second.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from livechat.ui.safe_text import LONGEST, clean
from livechat.ui.shortcuts import Wish

EARLIER = 100  # so many sent lines can be brought back

WRITING = "writing"  # the name of characters, one or more that came together
PASTE = Keys.BracketedPaste.value
LEAVE, STOP = Keys.ControlC.value, Keys.ControlZ.value
NEW_ROW = "new row"  # Alt-Enter, which is Escape and Enter


@dataclass(frozen=True, slots=True)
class TypedKey:
    """One key: prompt_toolkit's name for it, or one of the names above; and what it writes."""

    name: str
    text: str = ""


def decoded(presses: Sequence[KeyPress]) -> list[TypedKey]:
    """The keys of what was read at once.

    A letter after Escape is the letter: Alt with a letter looks the same as the two keys one after the other, and
    only this way no character is lost.
    """
    keys: list[TypedKey] = []
    before = None
    for press in presses:
        if not isinstance(press.key, Keys) or press.key == Keys.ControlI:
            text = "\t" if isinstance(press.key, Keys) else press.key
            if keys and keys[-1].name == WRITING:
                keys[-1] = replace(keys[-1], text=keys[-1].text + text)
            else:
                keys.append(TypedKey(WRITING, text))
        elif press.key == Keys.Enter and before == Keys.Escape:
            keys[-1] = TypedKey(NEW_ROW)
        else:
            keys.append(TypedKey(press.key.value, press.data if press.key == Keys.BracketedPaste else ""))
        before = press.key
    return keys


def _word_back(line: Buffer) -> None:
    line.delete_before_cursor(-(line.document.find_start_of_previous_word(WORD=True) or 0))


def _to(where: Callable[[Buffer], int]) -> Callable[[Buffer], None]:
    def move(line: Buffer) -> None:
        line.cursor_position = where(line)

    return move


_EDITS: dict[str, Callable[[Buffer], object]] = {
    Keys.Backspace.value: Buffer.delete_before_cursor,
    Keys.Delete.value: Buffer.delete,
    Keys.ControlD.value: Buffer.delete,
    Keys.ControlW.value: _word_back,
    Keys.ControlU.value: lambda line: line.delete_before_cursor(line.cursor_position),
    Keys.ControlK.value: lambda line: line.delete(len(line.text) - line.cursor_position),
    Keys.Left.value: Buffer.cursor_left,
    Keys.Right.value: Buffer.cursor_right,
    Keys.Home.value: _to(lambda _: 0),
    Keys.ControlA.value: _to(lambda _: 0),
    Keys.End.value: _to(lambda line: len(line.text)),
    Keys.ControlE.value: _to(lambda line: len(line.text)),
}


class TypedLine:
    """Edits one line at a time and says when it is sent, and what the person asks for."""

    def __init__(
        self,
        *,
        send: Callable[[str], bool],
        leave: Callable[[], object],
        suspend: Callable[[], object],
        ask: Callable[[Wish], object],
        refuse: Callable[[], object],
        commands: Mapping[str, Wish],
        typing: bool = True,
    ) -> None:
        """`send` gets each finished line and returns whether it took it; else the line stays. `typing`: there is one.

        `leave` and `suspend` are called when the person wants to; `refuse` for a paste that would make the line
        longer than LONGEST. `commands`: for names of keys, what `ask` is called with.
        """
        self._buffer = Buffer()
        self._send = send
        self._leave = leave
        self._suspend = suspend
        self._ask = ask
        self._refuse = refuse
        self.commands = commands
        self._typing = typing
        self._earlier: deque[str] = deque(maxlen=EARLIER)
        self._recalled = 0  # the index of the one in the line; len(_earlier) for none
        self._draft = ""  # what was in the line before

    @property
    def empty(self) -> bool:
        return not self._buffer.text

    def parts(self) -> tuple[str, str]:
        """What stands before the cursor and what stands after it."""
        return self._buffer.document.text_before_cursor, self._buffer.document.text_after_cursor

    def press(self, key: TypedKey) -> None:
        line, name = self._buffer, key.name
        if name == LEAVE or (name == Keys.ControlD.value and not line.text):
            self._leave()
        elif name == STOP:
            self._suspend()
        elif wish := self._wish(key):
            self._ask(wish)
        elif name == Keys.Enter.value:
            self._finish()
        elif name in (NEW_ROW, Keys.ControlJ.value):
            self._insert("\n")
        elif name in (Keys.Up.value, Keys.Down.value):
            self._recall(self._recalled + (1 if name == Keys.Down.value else -1))
        elif edit := _EDITS.get(name):
            edit(line)
        elif name == PASTE and len(line.text) + len(key.text) > LONGEST:
            self._refuse()
        else:
            self._insert(key.text)

    def _wish(self, key: TypedKey) -> Wish | None:
        if key.name != WRITING:
            return self.commands.get(key.name)
        # Only spaces: with more behind them at once they are the beginning of a paste.
        return self.commands.get(" ") if self.empty and not key.text.strip(" ") else None

    def _insert(self, text: str) -> None:
        if self._typing:
            self._buffer.insert_text(clean(text, newlines=True))

    def _finish(self) -> None:
        text = self._buffer.text.strip()
        if text and not self._send(text):
            return
        self._buffer.reset()
        if text and text not in list(self._earlier)[-1:]:
            self._earlier.append(text)
        self._recalled = len(self._earlier)

    def _recall(self, number: int) -> None:
        """Put an earlier line in the place of this one; after the newest of them this one comes back."""
        if not 0 <= number <= len(self._earlier):
            return
        if self._recalled == len(self._earlier):
            self._draft = self._buffer.text
        self._recalled = number
        self._buffer.reset(Document([*self._earlier, self._draft][number]))
