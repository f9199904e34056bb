"""The terminal while the screen has it: keys as they are pressed, pastes in brackets, keys that are let go.

The terminal is given back in every case, also while Ctrl-Z has stopped the program. Import this only where there is
a terminal: it loads prompt_toolkit.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any

from prompt_toolkit.input import Input, create_input
from prompt_toolkit.key_binding import KeyPress

from livechat.ui import kitty_keyboard, typed_ahead


class _Reader:
    """Stands before the terminal's own reader, so that the key decoder sees only sequences it knows."""

    def __init__(self, reader: Any, keys: kitty_keyboard.KittyKeyboard) -> None:
        self._reader, self._keys = reader, keys

    @property
    def closed(self) -> bool:
        return bool(self._reader.closed)

    def read(self, count: int = 1024) -> str:
        return self._keys.feed(self._reader.read(count))


class Terminal:
    """Taken and given back as often as need be. Raises OSError, from each method, once the terminal has gone."""

    def __init__(
        self,
        out: IO[str],
        *,
        keyboard: Input | None,
        drawing: Callable[[], AbstractContextManager[object]],
        releases: bool,
        pressed: Callable[[Sequence[KeyPress]], object],
        gone: Callable[[], object],
    ) -> None:
        """`pressed` gets the keys; `gone` is called when no more will come. `drawing` is entered while it is taken.

        `keyboard`: None for this process's own. `releases`: ask the terminal to report keys that are let go.
        """
        self._out = out
        self._keyboard = keyboard
        self._drawing = drawing
        self._releases = releases and sys.platform != "win32"
        self._pressed, self._gone = pressed, gone
        self.kitty = kitty_keyboard.KittyKeyboard()
        self._reporting = False  # keys that are let go
        self._modes = contextlib.ExitStack()  # of the terminal
        self._held = contextlib.ExitStack()  # of this process's loop and screen

    def take(self) -> None:
        """Take the terminal's keys and its screen, until `give_back`."""
        keyboard: Any = self._keyboard
        if keyboard is None:
            keyboard = self._keyboard = create_input()
        if self._releases and not isinstance(getattr(keyboard, "stdin_reader", None), _Reader):
            keyboard.stdin_reader = _Reader(keyboard.stdin_reader, self.kitty)
        self._modes.enter_context(keyboard.raw_mode())
        self._held.enter_context(keyboard.attach(self._read))
        if sys.platform != "win32":
            self._modes.callback(self._write, "\x1b[?2004l")
            self._write("\x1b[?2004h")  # pastes come in brackets, so that a newline in one does not send it
            with contextlib.suppress(RuntimeError, ValueError):  # no loop, or not the main thread's
                loop = asyncio.get_running_loop()
                # add_signal_handler would take the signals away from leaving.py.
                before = signal.signal(signal.SIGTSTP, lambda *_: loop.call_soon_threadsafe(self.suspend))
                self._held.callback(self._unhandle, before)
            if self._releases:
                self.kitty.awaiting = True
                self._write(kitty_keyboard.ASK)
        self._held.enter_context(self._drawing())

    def give_back(self) -> None:
        """Leave everything as it was. Safe to call twice."""
        with self._modes:
            self.release()

    def release(self) -> None:
        """Read and draw no more. The terminal goes on without an echo until it is given back."""
        self._reporting = False
        self._held.close()

    def end(self) -> None:
        """Give it back, without what was typed to this program and not read."""
        if self._keyboard is not None:
            with contextlib.suppress(NotImplementedError):  # a keyboard without a descriptor
                typed_ahead.discard(self._keyboard.fileno())
        self.give_back()

    def suspend(self) -> None:
        """Stop the program, as Ctrl-Z does where no program has the keys; with SIGCONT (`fg`) it goes on."""
        if sys.platform == "win32":
            return
        self.give_back()
        os.kill(0, signal.SIGTSTP)  # the whole job: a script that runs us must stop too
        try:
            self.take()
        except OSError:
            self._gone()

    def _unhandle(self, before: Any) -> None:
        with contextlib.suppress(ValueError):  # leaving.py calls from another thread where this one is stuck
            signal.signal(signal.SIGTSTP, before)

    def lost(self) -> bool:
        """Whether another job has the terminal now. Then the shell that ran us was killed: nobody has stopped us."""
        if sys.platform == "win32":
            return False
        try:
            return os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp()
        except (OSError, ValueError):
            return False  # no terminal that jobs share

    def flush(self) -> Sequence[KeyPress]:
        """The keys of a sequence whose rest did not come."""
        if self._keyboard is None:
            return ()
        if rest := self.kitty.flush():
            decoder: Any = self._keyboard
            decoder.vt100_parser.feed(rest)
        return self._keyboard.flush_keys()

    def _read(self) -> None:
        assert self._keyboard is not None  # noqa: S101 - it is what calls this
        self._pressed(self._keyboard.read_keys())
        if self.kitty.supported and not self._reporting and self._releases:
            self._reporting = True
            self._modes.callback(self._write, kitty_keyboard.END)
            self._write(kitty_keyboard.REPORT)
        if self._keyboard.closed:
            self._gone()

    def _write(self, sequence: str) -> None:
        self._out.write(sequence)
        self._out.flush()
