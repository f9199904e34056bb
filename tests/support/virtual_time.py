"""An event loop that never sleeps: when no socket is ready, the clock jumps to the next timer.

Whole conversations over real TLS on loopback run in virtual time: hours in seconds, and the same each time.
Dial 127.0.0.1, not a name (names are resolved in a thread), and keep other threads out.

Both ends of every connection live in this process, so before a jump one question must be answered: is
anything still on its way? The kernel says it: a socket whose send queue is empty has had all of it
acknowledged, that is delivered. Acknowledgements wait for up to 40 ms unless they are asked for.

A process can be stopped, as by SIGSTOP: what runs in a context with PROGRAM set stands still for a while, and
everything else, such as the server at the other end, goes on.
"""

from __future__ import annotations

import asyncio
import fcntl
import heapq
import selectors
import socket
import struct
import termios
from collections.abc import Coroutine
from contextvars import Context, ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

GRACE = 0.001  # real seconds given to what is on its way, or may be
HANG = 20.0  # real seconds with no timer at all after which a test has hung
BEGIN = 1_000.0  # what the loop's clock shows first

PROGRAM: ContextVar[bool] = ContextVar("PROGRAM", default=False)  # what runs in such a context can be stopped

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = BEGIN
        self._changed = True  # a socket came or went since the last grace: its farewell shows in no queue
        self._stuck: set[int] = set()  # the other end does not even take it in: no use in waiting

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._changed = True
        return super().register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        self._changed = True
        return super().unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            ready = super().select(HANG)
            if not ready:
                raise RuntimeError("nothing left to wait for: no timer, and no socket became ready")
            return ready
        ready = super().select(GRACE if self._on_its_way() else 0)
        if not ready:
            self._changed = False
            self._stuck = self._undelivered()
            self.now += timeout
        return ready

    def _on_its_way(self) -> bool:
        if self._changed or _QUICKACK is None:
            return True
        if not self._undelivered() - self._stuck:
            return False
        for fd in [key.fd for key in self.get_map().values()]:
            asked = socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=fd)
            try:
                asked.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            except OSError:  # not TCP, or not connected
                pass
            finally:
                asked.detach()
        return bool(self._undelivered() - self._stuck)

    def _undelivered(self) -> set[int]:
        """The sockets with something in their send queue."""
        found = set()
        for fd in [key.fd for key in self.get_map().values()]:
            try:
                (count,) = struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0"))
            except OSError:  # one that listens
                continue
            if count:
                found.add(fd)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time()` is virtual, in seconds, and starts at BEGIN."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        self._stopped_until = 0.0
        self._stopped: tuple[list[Any], list[Any], list[selectors.SelectorKey]] = [], [], []

    def time(self) -> float:
        return self._virtual.now

    def hold_up(self, seconds: float) -> None:
        """As a call that blocks for so long: time passes, and nothing runs meanwhile."""
        self._virtual.now += seconds

    def stop_program(self, seconds: float) -> None:
        """As SIGSTOP and, so many seconds later, SIGCONT."""
        self._stopped_until = max(self._stopped_until, self.time() + seconds)
        self.call_at(self._stopped_until, lambda: None, context=Context())

    def _run_once(self) -> None:
        """One round of asyncio's own loop, with what is stopped out of its sight."""
        loop: Any = self  # what is private is not in its types
        ready, timers, sockets = self._stopped
        if self.time() < self._stopped_until:
            for own, stopped in ((loop._ready, ready), (loop._scheduled, timers)):
                handles = list(own)
                own.clear()
                for handle in handles:
                    (stopped if _of_program(handle) else own).append(handle)
            heapq.heapify(loop._scheduled)
            for key in list(self._virtual.get_map().values()):
                if any(handle is not None and _of_program(handle) for handle in key.data):
                    sockets.append(self._virtual.unregister(key.fileobj))
        elif ready or timers or sockets:
            loop._ready.extend(ready)
            for timer in timers:
                heapq.heappush(loop._scheduled, timer)
            for key in sockets:
                self._virtual.register(key.fileobj, key.events, key.data)
            self._stopped = [], [], []
        super()._run_once()  # type: ignore[misc]

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109, as asyncio's
        """Without the limit that Runner gives it from Python 3.12 on: in virtual time that is over at once."""
        await super().shutdown_default_executor()

    @property
    def open_sockets(self) -> int:
        """How many sockets this loop watches, but for its own."""
        return len(self._virtual.get_map()) - 1


def _of_program(handle: Any) -> bool:
    return bool(handle._context.get(PROGRAM, False))


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in virtual time and return its result; like asyncio.run."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
