"""For pipes and programs: what was said as lines, or every event as a line of JSON.

Data goes to stdout and talk to stderr. A reader that goes away (`livechat talk | head -1`) sets `quit`.
"""

import asyncio
import contextlib
import dataclasses
import json
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError
from typing import BinaryIO, TextIO

from livechat import process
from livechat.errors import INTERRUPTED, LivechatError, UsageError
from livechat.events import Command, Levels, Output, Preview, Speaking, Summary, Typed, UserText
from livechat.paths import Lines
from livechat.process import Outlet
from livechat.ui import slash_words
from livechat.ui.display import tolerant, write_no_more
from livechat.ui.safe_text import LONGEST, clean
from livechat.ui.transcript_lines import TranscriptLine, closing, lines

# Bytes of a line that a terminal passes on, where it does the editing; it throws the rest away in silence.
CANONICAL = 4_095 if sys.platform == "linux" else 1_023
_AHEAD = 64  # lines read before somebody wants them
_LAST_WORDS_S = 1.0  # for a reader that is slow while the person wants to leave
SLASHES: dict[str, Command] = {
    "/mute": "mute",
    "/interrupt": "interrupt",
    "/video": "video",
}  # and /quit, where they are typed
_PAINT = {"warning": "\x1b[33m", "error": "\x1b[31m", "hint": "\x1b[2m", "thought": "\x1b[2m", "note": "\x1b[2m"}


class _LineDisplay:
    """What both displays share: they have no screen to keep alive, and their reader may go away."""

    def __init__(self, out: TextIO, stdin: BinaryIO | None, by_line: bool) -> None:
        self.quit = asyncio.Event()
        self._out = out
        self._outlet = Outlet()
        self._code = 0  # with which the conversation ended
        tolerant(out)
        self._stdin = stdin
        self._typed = stdin is not None and stdin.isatty()
        self._by_line = by_line or self._typed
        self._asked: asyncio.Queue[Command] = asyncio.Queue()

    def refuse(self, error: LivechatError) -> None:
        """Say that a line was not sent. The conversation goes on."""
        raise NotImplementedError

    async def run(self) -> None:
        """Wait to be cancelled, or for a stream that takes no more: everything is written as it is shown."""
        await asyncio.shield(asyncio.wrap_future(self._outlet.broken))
        self.quit.set()

    async def lines(self) -> AsyncIterator[Typed]:
        """What is read from `stdin`, line by line or as one text, or nothing.

        At a terminal a slash command is no line, and the end asks to leave.
        """
        if self._stdin is not None:
            canonical = CANONICAL if self._typed else None
            async for line in piped_lines(self._stdin, canonical) if self._by_line else piped_text(self._stdin):
                if isinstance(line, LivechatError):
                    self.refuse(line)
                    continue
                if self._typed and line == "/quit":
                    break
                if self._typed and (command := SLASHES.get(line)):
                    self._asked.put_nowait(command)
                    continue
                try:
                    yield (slash_words.typed(line) if self._typed else None) or line
                except UsageError as error:
                    self.refuse(error)
            if self._typed:
                self.quit.set()

    async def commands(self) -> AsyncIterator[Command]:
        """What was typed with a slash, at a terminal: a pipe asks for nothing."""
        while True:
            yield await self._asked.get()

    def close(self) -> None:
        """Wait until everything has been read, or for a moment where the person has interrupted.

        Raises OSError, once, if it could not all be written. Safe to call twice.
        """
        if not self._outlet.drain(_LAST_WORDS_S) and self._code != INTERRUPTED:
            with contextlib.suppress(ValueError):  # not the main thread
                # Only the waiting is left, and the loop does not run: so an interrupt must end it by itself.
                signal.signal(signal.SIGINT, signal.default_int_handler)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._outlet.drain(None)
        broken, self._outlet = self._outlet.broken, Outlet()
        if broken.done():
            self._gone(broken.result())

    def _write(self, line: str) -> None:
        if self.quit.is_set():
            return
        try:
            self._outlet.write(self._out, line + "\n")
        except OSError as error:
            self._gone(error)

    def _gone(self, error: OSError) -> None:
        self.quit.set()
        write_no_more(self._out)
        if not isinstance(error, BrokenPipeError):
            raise error


class Plain(_LineDisplay):
    """The Display for pipes and screen readers: `you: …` and `model: …` on `out`, notes and warnings on `err`."""

    unit = "turn"  # what the last lines count

    def __init__(
        self,
        out: TextIO,
        err: TextIO,
        *,
        color: bool,
        quiet: bool = False,
        stdin: BinaryIO | None = None,
        by_line: bool = False,
        echoed: bool = False,
    ) -> None:
        """`color`: the talk on `err` is coloured; data never is. `quiet`: there is no talk.

        `stdin` holds what to say, if anything: one text, or `by_line` several, as always at a terminal. `echoed`: the
        terminal that shows `out` has shown it already.
        """
        super().__init__(out, stdin, by_line)
        self._quiet, self._echoed = quiet, echoed
        self._err = err
        tolerant(err)
        self._color = color

    def show(self, event: Output) -> None:
        if self._echoed and isinstance(event, UserText) and event.source == "text":
            return
        for line in lines(event):
            if line.kind in ("you", "model") and not line.restored:
                self._write(_utterance(line))
            elif line.kind in ("you", "model"):
                self._talk("note", _utterance(line))
            else:
                self._talk(line.kind, line.text)
        if isinstance(event, Summary):
            self._code = event.exit_code
            for text in closing(event, self.unit):
                self._talk("", text)

    def refuse(self, error: LivechatError) -> None:
        """Say it also where `quiet` leaves out the talk."""
        with contextlib.suppress(BrokenPipeError):
            self._outlet.write(self._err, error_lines(error, color=self._color))

    def _talk(self, kind: str, text: str) -> None:
        if not self._quiet:
            with contextlib.suppress(BrokenPipeError):
                self._outlet.write(self._err, _said(kind, text, color=self._color))


class Json(_LineDisplay):
    """The Display for programs: one object a line, flushed, with `t` in seconds since this was made."""

    def __init__(
        self, out: TextIO, *, clock: Callable[[], float], stdin: BinaryIO | None = None, by_line: bool = False
    ) -> None:
        """`clock` is monotonic seconds; `stdin` and `by_line` as for Plain."""
        super().__init__(out, stdin, by_line)
        self._clock = clock
        self._began = clock()

    def show(self, event: Output) -> None:
        """Write `event`: its `type` first, then `t`, then its fields. Levels and Speaking are left out."""
        if isinstance(event, Levels | Speaking | Preview):
            return
        if isinstance(event, Summary):
            self._code = event.exit_code
        elapsed = round(self._clock() - self._began, 3)
        self._write(json.dumps({"type": event.type, "t": elapsed} | dataclasses.asdict(event)))

    def refuse(self, error: LivechatError) -> None:
        """Show it as a warning, for whoever reads the lines."""
        self.show(error.notice)


def error_lines(error: LivechatError, *, color: bool) -> str:
    """`error: …` and, with a remedy, `hint: …`, each a line."""
    hint = _said("hint", clean(error.hint), color=color) if error.hint else ""
    return _said("error", clean(error.message), color=color) + hint


_Put = Callable[[str | LivechatError], None]


def piped_lines(stream: BinaryIO, canonical: int | None = None) -> AsyncIterator[str | LivechatError]:
    """The lines of `stream` (pipe, file, device), without line ends, until it ends; no blank ones.

    Each line is whole; an error takes the place of one that is too long. `canonical`: `stream` is a terminal, which
    cuts off what is longer than so many bytes. Bytes that are no text become �.
    """

    def read(put: _Put) -> None:
        cut, endless = Lines(), False
        with contextlib.suppress(OSError):  # a device that broke has ended
            while chunk := process.read(stream.fileno(), 65_536):
                for line in cut.feed(chunk):
                    put_whole(line, put, cut=endless)
                    endless = False
                if len(cut.rest) > LONGEST:
                    cut.rest, endless = "", True
        for line in cut.feed(b"", final=True):
            put_whole(line, put, cut=endless)

    def put_whole(line: str, put: _Put, *, cut: bool) -> None:
        text = line.strip()
        if canonical and len(line.encode()) >= canonical:
            limit = (
                f"the terminal passes on only the first {canonical:,} bytes of a line, so a longer one was not sent"
            )
            put(UsageError(limit, "send it in parts, or through a pipe"))
        elif cut or len(text) > LONGEST:
            put(UsageError(f"a line of more than {LONGEST:,} characters was not sent", "send it in parts"))
        elif text:
            put(text)

    return _read_in_a_thread(read)


def piped_text(stream: BinaryIO) -> AsyncIterator[str | LivechatError]:
    """All that comes from `stream`, as one text, once it has ended; nothing if it is blank, an error if too long."""

    def read(put: _Put) -> None:
        cut, text = Lines(), ""
        with contextlib.suppress(OSError):  # a device that broke has ended
            while len(text) <= LONGEST and (chunk := process.read(stream.fileno(), 65_536)):
                text += "".join(line + "\n" for line in cut.feed(chunk))
                if len(cut.rest) > LONGEST:
                    break
        text = (text + "\n".join(cut.feed(b"", final=True))).replace("\r\n", "\n").strip()
        if len(text) > LONGEST:
            put(UsageError(f"a text of more than {LONGEST:,} characters was not sent", "send it in parts"))
        elif text:
            put(text)

    return _read_in_a_thread(read)


async def _read_in_a_thread(read: Callable[[_Put], None]) -> AsyncIterator[str | LivechatError]:
    """What `read` puts, until it returns.

    It reads a descriptor in a thread, so that neither the loop nor the end of the program waits for a writer that
    says nothing. It must not use Python's buffer: if a thread holds its lock at exit, the interpreter aborts.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | LivechatError | None] = asyncio.Queue(_AHEAD)

    def put(line: str | LivechatError | None) -> None:
        waiting = queue.put(line)
        try:
            asyncio.run_coroutine_threadsafe(waiting, loop).result()
        except RuntimeError:
            waiting.close()
            raise

    def run() -> None:
        # The loop has closed or is closing: nobody wants more.
        with contextlib.suppress(RuntimeError, CancelledError):
            read(put)
            put(None)

    threading.Thread(target=run, name="stdin", daemon=True).start()
    while (line := await queue.get()) is not None:
        yield line


def _utterance(line: TranscriptLine) -> str:
    return f"{line.kind}: {line.text}{' —' if line.cut else ''}"


def _said(kind: str, text: str, *, color: bool) -> str:
    label = f"{kind}: " if kind in ("warning", "error", "hint", "thought") else ""
    on, off = (_PAINT[kind], "\x1b[0m") if color and kind in _PAINT else ("", "")
    return f"{on}{label}{off}{text}\n" if label else f"{on}{text}{off}\n"
