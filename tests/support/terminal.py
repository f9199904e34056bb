"""A program on a real pseudo-terminal, read through a terminal emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from typing import Any

import pyte

from tests.support.program import Program

LIVECHAT = "livechat"
# A shell with job control, and what its environment must have beside the usual.
SHELL = ["setsid", "--ctty", "bash", "--norc", "--noprofile", "--noediting", "-i"]
PROMPT = {"PS1": "$ ", "HISTFILE": ""}


class Terminal:
    """An emulated terminal of `columns` by `rows` on which `command` runs. [LIVECHAT, ...] is a `Program`."""

    def __init__(self, columns: int, rows: int, command: Sequence[str], env: dict[str, str], **more: Any) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=10_000, ratio=0.001)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._master, self._slave = pty.openpty()
        self._size(columns, rows)
        self.before = termios.tcgetattr(self._slave)
        on = {"stdin": self._slave, "stdout": self._slave, "stderr": self._slave, "env": env, **more}
        self.child: Program | subprocess.Popen[bytes]
        if command[0] == LIVECHAT:
            self.child = Program(*command[1:], **on)
        else:
            self.child = subprocess.Popen(command, **on)

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        self._size(columns, rows)

    def terminate(self) -> None:
        self.child.send_signal(signal.SIGTERM)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def pump(self, timeout: float) -> None:
        """Show what the program has written, if it does so within `timeout` seconds."""
        if select.select([self._master], [], [], timeout)[0]:
            data = os.read(self._master, 65_536)
            self.raw += data
            self._stream.feed(data)

    def until(self, true: Callable[[], Any], seconds: float = 20) -> None:
        """Read until `true()`; fails, showing the screen, after `seconds`."""
        give_up = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < give_up, "\n".join(self.all_rows())
            self.pump(0.05)

    def until_shown(self, text: str, seconds: float = 20) -> None:
        self.until(lambda: text in "\n".join(self.rows()), seconds)

    def until_ended(self) -> int:
        self.until(lambda: self.child.poll() is not None)
        os.write(self._slave, b"\0")  # shows nothing, and comes behind whatever of the program's is still on its way
        self.until(lambda: b"\0" in self.raw)
        return self.child.wait()

    def rows(self) -> list[str]:
        """What is on the screen."""
        return [_row(self.screen.buffer[y], self.screen.columns) for y in range(self.screen.lines)]

    def all_rows(self) -> list[str]:
        """What is on the screen and what has scrolled off it."""
        return [_row(line, self.screen.columns) for line in self.screen.history.top] + self.rows()

    def restored(self) -> bool:
        """The terminal is as it was: modes of the line and of the screen, and the cursor is to be seen."""
        pasted = self.raw.rfind(b"\x1b[?2004l") > self.raw.rfind(b"\x1b[?2004h") >= 0
        return pasted and self.as_before()

    def as_before(self) -> bool:
        """The modes of the line are as they were, and the cursor is to be seen."""
        return termios.tcgetattr(self._slave) == self.before and not self.screen.cursor.hidden

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        for descriptor in (self._master, self._slave):
            os.close(descriptor)


def _row(line: Any, columns: int) -> str:
    return "".join(line[x].data for x in range(columns)).rstrip()
