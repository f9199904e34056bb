"""Leaving means gone: the process ends in time, whatever one of its threads is doing.

Many calls can take minutes: looking up a name, asking a token endpoint, opening a sound device, making a voice, using
a locked database or a slow file system. Python waits for such threads at the end of a loop and at its own end. If the
main thread itself is stuck, no signal handler runs. So no executor is waited for here, signals wake a thread of their
own, which counts down, and the program ends with `gone`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

from livechat import process
from livechat.errors import INTERRUPTED
from livechat.ui import typed_ahead

LEAVE_S = 1.4  # how long the program may take to end by itself, once told to leave or at a conversation's end
LAST_S = 0.3  # and then for the last steps, which are done in any case
THREADS = 32  # looking up a name may hold one for half a minute, and dials go on meanwhile
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

_guard: _Guard | None = None


def run(main: Coroutine[Any, Any, int]) -> int:
    """Like asyncio.run, for a program that can be left at any moment. Call it from the main thread.

    A signal to leave cancels `main`, unless it is in `told`. Raises KeyboardInterrupt once it was cancelled so.
    """
    global _guard  # noqa: PLW0603 - there is one process to leave
    process.ending = gone  # the loop's threads may be busy
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        loop.set_default_executor(_Unjoined(THREADS, "livechat"))
        _guard = guard = _Guard(loop)

        async def cancellable() -> int:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - it is this coroutine's
            with told(task.cancel):
                return await main

        try:
            return runner.run(cancellable())
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            guard.stop()
            _guard = None if guard.stopped else guard


@contextlib.contextmanager
def told(call: Callable[[], object]) -> Iterator[None]:
    """Inside it, each signal to leave has the running loop call this."""
    loop = asyncio.get_running_loop()

    def heard(*_: object) -> None:
        loop.call_soon_threadsafe(call)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _handle(heard)
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def prepare(finish: Callable[[int], object]) -> None:
    """Say what completes files and screen, given the exit code. Another thread calls it if this one is stuck."""
    if _guard is not None:
        _guard.finish = finish


def countdown(code: int) -> None:
    """End the process in LEAVE_S with `code`, unless it ends by itself before. A signal begins this, too."""
    if _guard is not None:
        _guard.start(code)


def gone(code: int) -> NoReturn:
    """End the process now. Threads are not joined and libraries are not closed, since both may hang."""
    last = threading.Thread(target=_flush, name="last", daemon=True)
    last.start()
    last.join(LAST_S)
    os._exit(code)


def _flush() -> None:
    logging.shutdown()
    typed_ahead.end()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none at all
            stream.flush()


class _Unjoined(ThreadPoolExecutor):
    """An executor whose threads the loop's end does not wait for."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - its signature
        super().shutdown(wait=False, cancel_futures=True)


class _Guard:
    """Hears signals without the main thread, and ends the process in its place if that is stuck."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.finish: Callable[[int], object] | None = None
        self.stopped = False
        self._loop = loop
        self._code = INTERRUPTED
        self._counting = False
        self._ear, self._mouth = socket.socketpair()
        self._mouth.setblocking(False)
        # Python's part of a handler runs on the main thread, which may be in a call that does not return; the
        # number of the signal is written here whatever it does. Nothing else may use asyncio's add_signal_handler.
        signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        # Between two calls of `run` a handler of this program must not be Python's, which raises anywhere.
        self._before = _handle(_ignore)
        threading.Thread(target=self._listen, name="signals", daemon=True).start()

    def start(self, code: int) -> None:
        """Count down, if nobody does yet."""
        if not self._counting:
            self._counting, self._code = True, code
            threading.Thread(target=self._count, name="countdown", daemon=True).start()

    def stop(self) -> None:
        """Let go of the signals, unless the process is to end: then each is ignored until it does."""
        if not self._counting:
            signal.set_wakeup_fd(-1)
            for name, handler in self._before.items():
                signal.signal(name, handler)
            self._mouth.close()
            self.stopped = True

    def _listen(self) -> None:
        while heard := self._ear.recv(64):
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(_ignore)  # it wakes: a handler runs between its calls alone
            if set(heard) & set(SIGNALS) and not self._counting:
                self.start(INTERRUPTED)
        self._ear.close()

    def _count(self) -> None:
        time.sleep(LEAVE_S)
        if self.finish is not None:
            last = threading.Thread(target=self.finish, args=(self._code,), name="finish", daemon=True)
            last.start()
            last.join(LAST_S)
        gone(self._code)


def _handle(handler: Callable[..., object]) -> dict[int, Any]:
    """Hear of each signal to leave; returns what heard of it before.

    `nohup` has the end of its terminal ignored, and so it is here.
    """
    hangup = getattr(signal, "SIGHUP", None)
    kept = {hangup} if hangup is not None and signal.getsignal(hangup) is signal.SIG_IGN else set()
    return {name: signal.signal(name, handler) for name in SIGNALS if name not in kept}


def _ignore(*_: object) -> None:
    """A signal's handler that leaves the rest to the guard."""
