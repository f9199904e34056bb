"""I/O. For pipes and programs: what was said as lines, or every event as a line of JSON.

Data goes to stdout and talk to stderr. A reader that goes away (`livechat talk | head -1`) sets `quit`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError
from functools import partial
from typing import BinaryIO, TextIO

from livechat.errors import LivechatError, UsageError
from livechat.events import Command, Levels, Output, Speaking, Summary, UserText, Warned
from livechat.ui import ending
from livechat.ui.base import colored, tolerant, write_no_more
from livechat.ui.text import LONGEST, clean
from livechat.ui.transcript import Line, closing, lines

# Bytes of a line that a terminal passes on while it lets it be edited; the rest it throws away in silence.
CANONICAL = 4_095 if sys.platform == "linux" else 1_023
_AHEAD = 64  # lines read before somebody wants them
SLASHES: dict[str, Command] = {"/mute": "mute", "/interrupt": "interrupt"}  # and /quit, where they are typed
_PAINT = {"warning": "\x1b[33m", "error": "\x1b[31m", "hint": "\x1b[2m", "thought": "\x1b[2m", "note": "\x1b[2m"}


class _Writer:
    """What both displays share: no screen to keep alive, and a reader that may go away."""

    def __init__(self, out: TextIO, stdin: BinaryIO | None) -> None:
        self.quit = asyncio.Event()
        self._out = out
        tolerant(out)
        self._stdin = stdin
        self._typed = stdin is not None and stdin.isatty()
        self._asked: asyncio.Queue[Command] = asyncio.Queue()

    def refuse(self, error: LivechatError) -> None:
        """Say that a line was not sent. The conversation goes on."""
        raise NotImplementedError

    async def run(self) -> None:
        """Wait to be cancelled: everything is written as it is shown."""
        await asyncio.Event().wait()

    async def lines(self) -> AsyncIterator[str]:
        """The lines of `stdin`, or none. At a terminal, slash commands are none, and the end asks to leave."""
        if self._stdin is not None:
            if self._typed:
                ending.last(partial(ending.discard, self._stdin.fileno()))
            async for line in piped_lines(self._stdin, CANONICAL if self._typed else None):
                if isinstance(line, LivechatError):
                    self.refuse(line)
                    continue
                if self._typed and line == "/quit":
                    break
                if self._typed and (command := SLASHES.get(line)):
                    self._asked.put_nowait(command)
                else:
                    yield line
            if self._typed:
                self.quit.set()

    async def commands(self) -> AsyncIterator[Command]:
        """What was typed with a slash, at a terminal: a pipe asks for nothing."""
        while True:
            yield await self._asked.get()

    def close(self) -> None:
        """Nothing is left to do: every line was flushed."""

    def _write(self, line: str) -> None:
        if self.quit.is_set():
            return
        try:
            self._out.write(line + "\n")
            self._out.flush()
        except BrokenPipeError:
            self.quit.set()
            write_no_more(self._out)


class Plain(_Writer):
    """The Display for pipes and screen readers: `you: …` and `model: …` on `out`, notes and warnings on `err`."""

    def __init__(
        self,
        out: TextIO,
        err: TextIO,
        *,
        color: bool,
        quiet: bool = False,
        stdin: BinaryIO | None = None,
        echoed: bool = False,
    ) -> None:
        """`color` is for the talk on `err`, which `quiet` leaves out; data is never coloured.

        `stdin` holds lines to say, if any; `echoed`: the terminal that shows `out` has shown them already.
        """
        super().__init__(out, stdin)
        self._quiet, self._echoed = quiet, echoed
        self._err = err
        tolerant(err)
        self._color = color

    def show(self, event: Output) -> None:
        """Write what `event` adds."""
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
            for text in closing(event):
                self._talk("", text)

    def refuse(self, error: LivechatError) -> None:
        """Said even where the rest is not."""
        say_error(error, self._err, color=self._color)

    def _talk(self, kind: str, text: str) -> None:
        if not self._quiet:
            _say(self._err, kind, text, color=self._color)


class Json(_Writer):
    """The Display for programs: one object a line, flushed, with `t` in seconds since this was made."""

    def __init__(self, out: TextIO, *, clock: Callable[[], float], stdin: BinaryIO | None = None) -> None:
        """`clock` is monotonic seconds."""
        super().__init__(out, stdin)
        self._clock = clock
        self._began = clock()

    def show(self, event: Output) -> None:
        """Write `event`: its `type` first, then `t`, then its fields. Levels and Speaking are left out."""
        if isinstance(event, Levels | Speaking):
            return
        elapsed = round(self._clock() - self._began, 3)
        self._write(json.dumps({"type": event.type, "t": elapsed} | dataclasses.asdict(event)))

    def refuse(self, error: LivechatError) -> None:
        """As a warning, for whoever reads the lines."""
        self.show(Warned(error.message, error.hint))


def say_error(error: LivechatError, err: TextIO, *, color: bool) -> None:
    """Write `error: …` and, with a remedy, `hint: …` to `err`."""
    tolerant(err)
    _say(err, "error", clean(error.message), color=color)
    if error.hint:
        _say(err, "hint", clean(error.hint), color=color)


def report(error: LivechatError) -> None:
    """Say it on this program's stderr, coloured as that is."""
    say_error(error, sys.stderr, color=colored(os.environ, tty=sys.stderr.isatty()))


async def piped_lines(stream: BinaryIO, canonical: int | None = None) -> AsyncIterator[str | LivechatError]:
    """The lines of `stream` (pipe, file, device), without line ends, until it ends; no blank ones.

    A line is whole; in the place of one that is too long comes an error that says so. `canonical`: `stream` is a
    terminal, which cuts off what is longer than so many bytes.
    Bytes that are no UTF-8 become �. A thread reads the descriptor itself, ahead of any buffer, so that
    neither the loop nor the end of the program ever waits for a writer that says nothing.
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

    def read() -> None:
        # The loop has closed or is closing: nobody wants more.
        with contextlib.suppress(RuntimeError, CancelledError):
            rest, endless = b"", False
            with contextlib.suppress(OSError):  # a device that broke has ended
                while chunk := os.read(stream.fileno(), 65_536):
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        put_whole(line, cut=endless)
                        endless = False
                    if len(rest) > LONGEST * 4:
                        rest, endless = b"", True
            put_whole(rest, cut=endless)
            put(None)

    def put_whole(line: bytes, *, cut: bool) -> None:
        text = line.decode("utf-8", "replace").strip()
        if canonical and len(line) >= canonical:
            limit = (
                f"the terminal passes on only the first {canonical:,} bytes of a line, so a longer one was not sent"
            )
            put(UsageError(limit, "send it in parts, or through a pipe"))
        elif cut or len(text) > LONGEST:
            put(UsageError(f"a line of more than {LONGEST:,} characters was not sent", "send it in parts"))
        elif text:
            put(text)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while (line := await queue.get()) is not None:
        yield line


def _utterance(line: Line) -> str:
    return f"{line.kind}: {line.text}{' —' if line.cut else ''}"


def _say(err: TextIO, kind: str, text: str, *, color: bool) -> None:
    label = f"{kind}: " if kind in ("warning", "error", "hint", "thought") else ""
    on, off = (_PAINT[kind], "\x1b[0m") if color and kind in _PAINT else ("", "")
    with contextlib.suppress(BrokenPipeError):
        print(f"{on}{label}{off}{text}" if label else f"{on}{text}{off}", file=err, flush=True)
