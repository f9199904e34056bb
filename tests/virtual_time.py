"""An event loop that never sleeps: when no socket is ready, the clock jumps to the next timer.

Whole conversations over real TLS on loopback run in virtual time: hours in seconds, and the same each time.
Dial 127.0.0.1, not a name (names are resolved in a thread), and keep other threads out.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# Loopback delivers before send() returns, but for a loaded kernel: before a jump that a late packet would
# notice, and after several with nothing coming in, wait for so many real seconds and look once more.
GRACE = 0.001
NOTICEABLE = 0.05
IN_A_ROW = 10
HANG = 20.0  # real seconds with no timer at all after which a test has hung


class _Selector(selectors.DefaultSelector):
    now = 1_000.0
    _jumps = 0  # since anything was ready

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            self._jumps = 0 if ready else self._jumps
            return ready
        if timeout is None:
            ready = super().select(HANG)
            if not ready:
                raise RuntimeError("nothing left to wait for: no timer, and no socket became ready")
            return ready
        if timeout > NOTICEABLE or self._jumps >= IN_A_ROW:
            self._jumps = 0
            time.sleep(GRACE)
            ready = super().select(0)
        if not ready:
            self._jumps += 1
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time()` is virtual, in seconds, and starts at 1000."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in virtual time and return its result; like asyncio.run."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
