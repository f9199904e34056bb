"""I/O. What is typed to this program is never taken for a command by the shell that started it.

A terminal keeps what nobody has read for whoever reads next. So what is left is thrown away, as the very last thing
before the process ends: while it closes its files, a person may still be typing.
"""

from __future__ import annotations

import contextlib
import os
import sys

reading: set[int] = set()  # the descriptors of terminals whose keys this program has read


def discard() -> None:
    """Throw away what was typed and not read. Never raises."""
    if sys.platform == "win32":
        return
    import termios

    for terminal in reading:
        with contextlib.suppress(OSError, termios.error):
            # In the background it is not ours, and to touch it would stop the process.
            if os.tcgetpgrp(terminal) == os.getpgrp():
                termios.tcflush(terminal, termios.TCIFLUSH)
