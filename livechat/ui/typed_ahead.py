"""I/O. What is typed to this program is never taken for a command by the shell that started it.

A terminal keeps what nobody has read for whoever reads next, and a person may be typing while the program closes
its files. So what is left is thrown away, and only then the last words are said: whoever has read them writes to
the shell again. That is the very last thing before the process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Callable

if sys.platform != "win32":
    import termios  # at the end it may be too late: a thread that is stuck in an import keeps all others from theirs

held = False  # `end` will come: there is something to wait for
_waiting: list[Callable[[], object]] = []


def hold() -> None:
    """From now on what is for the end waits for `end`, which this program calls."""
    global held  # noqa: PLW0603 - a process ends once
    held = True
    atexit.register(end)  # should anything else have ended it


def last(call: Callable[[], object]) -> None:
    """Call it at the end of the process, or now where nobody holds that."""
    if held:
        _waiting.append(call)
    else:
        call()


def end() -> None:
    """The process ends: call what has waited. Safe to call twice, and from another thread."""
    while _waiting:
        _waiting.pop(0)()


def discard(terminal: int) -> None:
    """Throw away what was typed at this descriptor and not read. Never raises."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError, termios.error):
        # In the background it is not ours, and to touch it would stop the process.
        if os.tcgetpgrp(terminal) == os.getpgrp():
            termios.tcflush(terminal, termios.TCIFLUSH)
