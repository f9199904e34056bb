"""What was typed to this program never becomes a command of the shell that started it.

A terminal keeps what nobody has read for the next reader, and a person may still type while the program closes its
files. So at the very end of the process what is left is thrown away. Only then the last words are shown: whoever has
read them types to the shell again.
"""

import atexit
import contextlib
import os
import sys
from collections.abc import Callable

if sys.platform != "win32":
    import termios  # now: a thread that is stuck in an import at the end would hold up this one

held = False  # the program has promised to call `end`
_waiting: list[Callable[[], object]] = []


def hold() -> None:
    """From now on `last` waits for `end`, which this program calls."""
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
    """The process ends: make the calls that have waited. Safe to call twice, and from another thread."""
    while _waiting:
        _waiting.pop(0)()


def discard(terminal: int) -> None:
    """Throw away what was typed at this descriptor and not read. Never raises."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError, termios.error):
        # In the background the terminal is not ours, and touching it would stop the process.
        if os.tcgetpgrp(terminal) == os.getpgrp():
            termios.tcflush(terminal, termios.TCIFLUSH)
