"""I/O. The line a person types, on prompt_toolkit's key decoder and editing buffer, and keys that ask for things.

Keys: printable characters and pastes go into the line; Enter sends it, Alt-Enter and Ctrl-J begin a new row of
it; Up and Down bring back what was sent before; the usual editing keys (arrows, Home, End, Backspace, Delete,
Ctrl-A/E/K/U/W) work; Ctrl-C leaves, and so does Ctrl-D on an empty line; Ctrl-Z stops the program. On an empty
line a key of `commands` asks for its thing instead: a letter once no other has followed it for a moment, for
then it was no word. The same things can be typed: /mute.
Import this only where there is a terminal: prompt_toolkit takes a tenth of a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from livechat.ui.shortcuts import Wish
from livechat.ui.text import clean

EARLIER = 100  # lines that Up brings back
LONGEST = 8_000  # characters in one line: about what a Live turn takes without being a document


def _word_back(line: Buffer) -> None:
    line.delete_before_cursor(-(line.document.find_start_of_previous_word(WORD=True) or 0))


def _to(where: Callable[[Buffer], int]) -> Callable[[Buffer], None]:
    def move(line: Buffer) -> None:
        line.cursor_position = where(line)

    return move


_EDITS: dict[str, Callable[[Buffer], object]] = {
    Keys.Backspace: Buffer.delete_before_cursor,
    Keys.Delete: Buffer.delete,
    Keys.ControlD: Buffer.delete,
    Keys.ControlW: _word_back,
    Keys.ControlU: lambda line: line.delete_before_cursor(line.cursor_position),
    Keys.ControlK: lambda line: line.delete(len(line.text) - line.cursor_position),
    Keys.Left: Buffer.cursor_left,
    Keys.Right: Buffer.cursor_right,
    Keys.Home: _to(lambda _: 0),
    Keys.ControlA: _to(lambda _: 0),
    Keys.End: _to(lambda line: len(line.text)),
    Keys.ControlE: _to(lambda line: len(line.text)),
}


class TypedLine:
    """Edits one line at a time and says when it is sent, and what the person asks for."""

    def __init__(
        self,
        *,
        send: Callable[[str], object],
        leave: Callable[[], object],
        suspend: Callable[[], object],
        ask: Callable[[Wish], object],
        commands: Mapping[str, Wish],
        typing: bool = True,
    ) -> None:
        """`send` gets each finished line; `leave` and `suspend` hear each wish to. Without `typing` there is no text.

        `commands`: keys, and what each makes `ask` be called with.
        """
        self._buffer = Buffer()
        self._send = send
        self._leave = leave
        self._suspend = suspend
        self._ask = ask
        self.commands = commands
        self._typing = typing
        self.waiting = ""  # a letter that may be a command, or the first of a word
        self.begun = False  # the person has asked for a line: its first key is no command
        self._earlier: deque[str] = deque(maxlen=EARLIER)
        self._recalled = 0  # which of them is in the line; their number: none
        self._draft = ""  # what was in the line before

    @property
    def empty(self) -> bool:
        """Nothing is being written: a key may be a command."""
        return not (self.begun or self.waiting or self._buffer.text)

    def parts(self) -> tuple[str, str]:
        """What stands before the cursor and what stands after it."""
        return self._buffer.document.text_before_cursor + self.waiting, self._buffer.document.text_after_cursor

    def settle(self) -> None:
        """No other key has followed the waiting one for a moment: it is a command."""
        if key := self.waiting:
            self.waiting = ""
            self._ask(self.commands[key])

    def press(self, presses: Sequence[KeyPress]) -> None:
        """Take in what was typed since the last call."""
        before = None
        for press in presses:
            self._one(press, after_escape=before == Keys.Escape)
            before = press.key

    def _one(self, press: KeyPress, *, after_escape: bool) -> None:
        line, key = self._buffer, press.key
        if self.empty and key in self.commands and not after_escape:
            self.waiting = key
            if not (key.isalpha() and self._typing):
                self.settle()
            return
        self._insert(self.waiting)
        self.waiting = ""
        if key == Keys.ControlC or (key == Keys.ControlD and not line.text):
            self._leave()
        elif key == Keys.ControlZ:
            self._suspend()
        elif key == Keys.Enter and not after_escape:
            self._finish()
        elif key in (Keys.Enter, Keys.ControlJ):
            self._insert("\n")
        elif key in (Keys.Up, Keys.Down):
            self._recall(self._recalled + (1 if key == Keys.Down else -1))
        elif key == Keys.Backspace and not line.text:
            self.begun = False
        elif edit := _EDITS.get(key):
            edit(line)
        elif key == Keys.BracketedPaste:
            self._insert(press.data)
        elif not isinstance(key, Keys) and not after_escape:  # Alt with a letter is no text
            self._insert(key)

    def _insert(self, text: str) -> None:
        if self._typing:
            self._buffer.insert_text(clean(text, newlines=True)[: LONGEST - len(self._buffer.text)])

    def _finish(self) -> None:
        text = self._buffer.text.strip()
        self._buffer.reset()
        self.begun = False
        if text:
            if text not in list(self._earlier)[-1:]:
                self._earlier.append(text)
            self._send(text)
        self._recalled = len(self._earlier)

    def _recall(self, number: int) -> None:
        """Put an earlier line in the place of this one; after the last of them comes this one again."""
        if not 0 <= number <= len(self._earlier):
            return
        if self._recalled == len(self._earlier):
            self._draft = self._buffer.text
        self._recalled = number
        self._buffer.reset(Document([*self._earlier, self._draft][number]))
