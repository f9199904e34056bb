"""The terminal: Rich's Live keeps the status bar below a transcript that scrolls away as usual.

Finished lines are printed once and belong to the terminal from then on. Below them are redrawn in place: what is
being said, the line being typed, the status bar. One asyncio task draws, at most ten times a second, and only if
something has changed. Import this only where there is a terminal: it loads Rich and prompt_toolkit.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyPress
from rich.cells import cell_len
from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from livechat.errors import LivechatError, Notice, UsageError
from livechat.events import Command, LinkState, ModelText, Output, Preview, Seeing, Start, Summary, Typed, UserText
from livechat.ticks import tick
from livechat.ui import shortcuts, slash_words, styles, typed_ahead
from livechat.ui.details import Details
from livechat.ui.display import tolerant
from livechat.ui.line_editor import LEAVE, PASTE, STOP, WRITING, TypedKey, TypedLine, decoded
from livechat.ui.safe_text import LONGEST, clean
from livechat.ui.save import save
from livechat.ui.shortcuts import LABELS, SLASHES, TEXTS, Wish
from livechat.ui.status import KEYBOARD, ViewState
from livechat.ui.terminal import Terminal
from livechat.ui.transcript_lines import TranscriptLine, closing, lines, said

WIDE = 90  # columns: room for more words in the hint
FRAME_S = 0.1
REPEAT_S = 0.15  # a key that comes again so soon is held down: terminals repeat it 30 times a second
SHORT = 60  # a warning repeats so many characters of a line
ESCAPE_S = 0.5  # after this an ESC is the key, and no sequence begins with it; prompt_toolkit's value


class _Region:
    """What is redrawn in place. Live holds this one object, and draws its newest rows whenever it prints."""

    def __init__(self) -> None:
        self.rows: list[Text] = []

    def __rich__(self) -> Group:
        return Group(*self.rows)


class Screen:
    """The Display for a person at a terminal."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        console: Console | None = None,
        keyboard: Input | None = None,
        lifetime_s: float = 590.0,
        typing: bool = True,
        push_to_talk: bool = False,
        said: Callable[[str], list[tuple[str, str]]] = lambda _: [],
    ) -> None:
        """`clock` is monotonic seconds. `lifetime_s` is how long a link lasts, for the countdown.

        `typing`: there is a line to write in; without it keys only ask for things. `push_to_talk`: space is the key.
        `said` returns each question of a conversation with its answer, to be saved.
        """
        self.quit = asyncio.Event()
        self._clock = clock
        self._console = console or Console(highlight=False)
        tolerant(self._console.file)
        self._key_at: float | None = None
        self._typing = typing
        self._typed: asyncio.Queue[Typed | None] = asyncio.Queue()
        self._asked: asyncio.Queue[Command | None] = asyncio.Queue()
        self._push_to_talk = push_to_talk
        self._space_at = float("-inf")
        self._terminal = Terminal(
            self._console.file,
            keyboard=keyboard,
            drawing=self._drawing,
            releases=push_to_talk,
            pressed=self._pressed,
            gone=self._end,
        )
        self._line = TypedLine(
            send=self._send,
            leave=self._leave,
            suspend=self._terminal.suspend,
            ask=self._ask,
            refuse=self._refuse,
            commands={},
            typing=typing,
        )
        self._offer(microphone=False)
        self._view = ViewState(lifetime_s=lifetime_s)
        self._details = Details()
        self._helping = self._detailed = False  # which panel is open
        self._preview: Preview | None = None  # of what the model sees
        self._conversation = ""
        self._said = said
        self._region = _Region()
        self._live = Live(
            self._region, console=self._console, auto_refresh=False, transient=True, vertical_overflow="visible"
        )
        self._finals: list[TranscriptLine] = []  # to be printed with the next refresh
        self._partials: dict[str, TranscriptLine] = {}  # by speaker
        self._summary: Summary | None = None
        self._size = self._console.size
        self._closed = self._ended = False

    def show(self, event: Output) -> None:
        """Show `event` with the next refresh; once closed, at once."""
        self._view.apply(event, self._clock())
        self._details.apply(event, self._clock())
        if isinstance(event, UserText | ModelText):
            line = said(event, newlines=True)
            self._partials.pop(line.kind, None)
            if not event.final:
                self._partials[line.kind] = line
        if not isinstance(event, LinkState):  # the status bar shows it
            self._finals += lines(event, newlines=True, bar=True)
        if isinstance(event, Start):
            self._offer(microphone=event.input != KEYBOARD)
            self._conversation = event.conversation
        if isinstance(event, Summary):
            self._summary = event
        if isinstance(event, Preview):
            self._preview = event
        elif isinstance(event, Seeing):
            self._preview = None
        if self._closed:
            self._show_finals()
        if self._ended:
            self._last_words()

    async def run(self) -> None:
        """Draw and read keys until cancelled; then close."""
        try:
            self._terminal.take()
            while not self._terminal.lost():
                self._draw()
                await tick(FRAME_S)
            self._end()
        except OSError:
            self._end()  # the terminal has gone
        finally:
            self.close()

    async def commands(self) -> AsyncIterator[Command]:
        while (command := await self._asked.get()) is not None:
            yield command

    async def lines(self) -> AsyncIterator[Typed]:
        while (line := await self._typed.get()) is not None:
            yield line

    def close(self) -> None:
        """Take the bar away. At the process's end, give the terminal back and say the last words."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(OSError):
                self._terminal.release()
            self._show_finals()
            typed_ahead.last(self._last_words)

    def _show_finals(self) -> None:
        self._finals += self._partials.values()
        self._partials.clear()
        with contextlib.suppress(OSError):
            for text in self._take_finals():
                self._console.print(text)

    def _last_words(self) -> None:
        with contextlib.suppress(OSError):
            self._terminal.end()
        self._ended = True
        summary, self._summary = self._summary, None
        with contextlib.suppress(OSError):
            if summary:
                *head, last = closing(summary)
                words = Text.assemble(("\n" + "\n".join(head) + "\n", "dim"), (last, "bold"))
                # Each on one line however narrow the terminal is, so that the command can be copied.
                self._console.print(words, soft_wrap=True)

    def _send(self, text: str) -> bool:
        """Send it; returns whether it was taken. An unknown command stays in the line, to be corrected."""
        if not text.startswith("/") or text.startswith("//"):
            self._typed.put_nowait(text.removeprefix("/") if text.startswith("//") else text)
        elif wish := SLASHES.get(text[1:].strip().lower()):
            self._ask(wish)
        else:
            return self._send_with_text(text)
        return True

    def _send_with_text(self, text: str) -> bool:
        try:
            asked = slash_words.typed(text)
        except UsageError as error:
            self.show(Notice(error.message, error.hint))
            return False
        if asked is None:
            names = ", ".join(f"/{name}" for name in (*SLASHES, *TEXTS))
            first = text[:SHORT] + "…" * (len(text) > SHORT)
            self.show(Notice(f"there is no command {first}", f"there are {names}; //text sends /text"))
            return False
        self._typed.put_nowait(asked)
        return True

    def _refuse(self) -> None:
        self.show(
            Notice(f"the paste is too long and was left out: a line holds {LONGEST:,} characters", "send it in parts")
        )

    def _ask(self, wish: Wish) -> None:
        match wish:
            case "help":
                self._helping = True
            case "details":
                self._detailed = not self._detailed
            case "save":
                self._save()
            case "quit":
                self._end()
            case "talk":
                self._talk()
            case _:
                self._asked.put_nowait(wish)

    def _talk(self) -> None:
        if self._terminal.kitty.supported:
            self._asked.put_nowait("press")
            return
        before, self._space_at = self._space_at, self._clock()
        if self._space_at - before >= REPEAT_S:
            self._asked.put_nowait("talk")

    def _save(self) -> None:
        try:
            turns = self._said(self._conversation)
            if not turns:
                raise LivechatError("there is nothing to save yet")
            path = save(turns, self._conversation, Path.cwd(), datetime.now().astimezone().date())
        except OSError as error:
            self.show(Notice(f"the conversation cannot be saved here: {error.strerror}"))
        except LivechatError as error:
            self.show(Notice(error.message))
        else:
            self._finals.append(TranscriptLine("note", clean(f"saved as {path}")))

    def _leave(self) -> None:
        if self.quit.is_set():
            signal.raise_signal(signal.SIGINT)  # asked twice; raw mode has swallowed the terminal's own
        else:
            self._end()

    def _end(self) -> None:
        self.quit.set()
        self._typed.put_nowait(None)
        self._asked.put_nowait(None)

    # ------------------------------------------------------------------------------------- the terminal

    def _pressed(self, presses: Sequence[KeyPress]) -> None:
        self._key_at = self._clock()
        self._keys(presses)
        if self._terminal.kitty.released:
            self._terminal.kitty.released = False
            self._asked.put_nowait("release")

    def _keys(self, presses: Sequence[KeyPress]) -> None:
        for key in decoded(presses):
            if not self.quit.is_set():
                self._key(key)
            elif key.name == LEAVE:  # other keys write to nobody any more
                self._leave()

    def _key(self, key: TypedKey) -> None:
        if self._helping:
            self._helping = False
            if key.name == WRITING:
                key = TypedKey(WRITING, key.text[1:])  # the first closes the help; the others came with it in a paste
            elif key.name not in (LEAVE, STOP, PASTE):
                return
        if key != TypedKey(WRITING):
            self._line.press(key)

    @contextlib.contextmanager
    def _drawing(self) -> Iterator[None]:
        self._live.start()
        try:
            yield
        finally:
            self._region.rows.clear()
            self._live.stop()

    # ------------------------------------------------------------------------------------------ drawing

    def _draw(self) -> None:
        now = self._clock()
        if self._key_at is not None and now - self._key_at > ESCAPE_S:
            self._key_at = None
            self._keys(self._terminal.flush())
        size = self._console.size
        rows = self._rows(now, size.width - 1, size.height)
        finals = self._take_finals()
        if rows == self._region.rows and size == self._size and not finals:
            return
        if size.width < self._size.width and reflows(os.environ):
            self._follow_reflow(size.width)
        self._region.rows, self._size = rows, size
        if finals:
            self._console.print(Group(*finals))  # in one write with the rows below it
        else:
            self._live.refresh()

    def _rows(self, now: float, width: int, height: int) -> list[Text]:
        """What is redrawn in place, never more than the screen holds. Of long speech only the end is shown."""
        status = self._view.status(now)
        before, after = self._line.parts()
        rows = [styles.status_line(status, width)]
        if not self._line.empty:
            rows.insert(0, styles.typed(before, after, width))
        if status.notice:
            rows.insert(0, styles.notice(status, width))
        elif len(rows) == 1:
            rows.insert(0, styles.prompt(status, width, hint=self._hint(width)))
        room = max(0, height - len(rows) - 1)
        helping = self._helping or before + after == "?"  # a line that is only a question mark asks for help
        panel = styles.panel(self._panel(now, width, helping=helping), width, room - 1)
        if self._detailed and not helping and self._preview:
            panel += styles.preview(self._preview, width, room - 1 - len(panel))
        rows = [*panel, *rows]
        spoken = [text for line in self._partials.values() for text in styles.entry(line, width)]
        room = max(0, height - len(rows) - 1)
        return [*spoken[max(0, len(spoken) - room) :], Text(), *rows]

    def _panel(self, now: float, width: int, *, helping: bool) -> list[str]:
        if helping:
            return shortcuts.help_rows(self._offered, width - 2, typing=self._typing)
        return self._details.rows(now) if self._detailed else []

    def _offer(self, *, microphone: bool) -> None:
        self._offered = shortcuts.available(microphone=microphone, push_to_talk=self._push_to_talk)
        self._line.commands = shortcuts.keys(self._offered)

    def _hint(self, width: int) -> str:
        talk = "talk" in self._offered
        keys = [
            "hold space to talk" if talk and self._terminal.kitty.supported else "space to talk" if talk else "",
            ("type to write" if width > WIDE else "type") if self._typing else "",
            f"{LABELS['mute']} mutes" if "mute" in self._offered and width > WIDE else "",
            "/help" if self._typing else f"{LABELS['help']} help",
            styles.LEAVE,
        ]
        return " · ".join(filter(None, keys))

    def _take_finals(self) -> list[Text]:
        taken, self._finals = self._finals, []
        return [text for line in taken for text in styles.entry(line, self._console.width - 1)]

    def _follow_reflow(self, width: int) -> None:
        """Clear the rows into which a narrower terminal has broken ours: Live counts only those it has drawn."""
        more = sum(max(0, -(-cell_len(text.plain) // width) - 1) for text in self._region.rows)
        for _ in range(more):
            self._console.control(Control((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)))


def reflows(env: Mapping[str, str]) -> bool:
    """Whether the terminal breaks long lines anew when it gets narrower. Nearly all do; xterm and screen do not."""
    if "TMUX" in env:
        return True
    return "XTERM_VERSION" not in env and not env.get("TERM", "").startswith(("screen", "linux"))
