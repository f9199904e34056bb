"""What a process is given by whoever starts it: standard streams, the environment, and files that may fill up.

A stream may be closed, non-blocking, slow or on a full disk. None of these may cost a line, a call or a file.
"""

import contextlib
import io
import os
import select
import sys
import threading
from collections.abc import Callable, MutableMapping
from concurrent.futures import Future, wait
from typing import Any, NoReturn, TextIO

from livechat.errors import Notice, Notify, UsageError, reason
from livechat.worker import Worker

# How the program ends, given its exit code. Where threads may be busy it must not wait for them (leaving.py).
ending: Callable[[int], NoReturn] = sys.exit
_SIZES = ("COLUMNS", "LINES")  # of the terminal. A value that is no size counts as not set


class Pipe(io.RawIOBase):
    """A stream that writes everything to its descriptor, even if that does not block. Not for Windows' console.

    `forgiving`: what cannot be written is left out. Standard error is such: nobody could be told.
    """

    def __init__(self, descriptor: int, *, forgiving: bool, owned: bool = False) -> None:
        self._descriptor, self._forgiving, self._owned = descriptor, forgiving, owned

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """Write all of it, however long that takes. Raises OSError unless `forgiving`."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                # The program at the other end of the pipe may make it non-blocking at any time.
                _wait(self._descriptor, "POLLOUT")
            except OSError:
                if self._forgiving:
                    break
                raise
        return size

    def close(self) -> None:
        if self._owned and not self.closed:
            os.close(self._descriptor)
        super().close()


def read(descriptor: int, size: int) -> bytes:
    """Read at least one byte, and wait for it in any case. b"" at the end. Raises OSError."""
    while True:
        try:
            return os.read(descriptor, size)
        except BlockingIOError:
            _wait(descriptor, "POLLIN")


def _wait(descriptor: int, what: str) -> None:
    poll = select.poll()
    poll.register(descriptor, getattr(select, what))
    poll.poll()


def text_to(descriptor: int, like: TextIO | None, *, forgiving: bool, owned: bool = False) -> TextIO:
    """A text stream to a descriptor, encoded as `like` is."""
    return io.TextIOWrapper(
        io.BufferedWriter(Pipe(descriptor, forgiving=forgiving, owned=owned)),
        encoding=like.encoding if like else "utf-8",
        errors=like.errors if like else "replace",
        line_buffering=forgiving or bool(getattr(like, "line_buffering", False)),
        write_through=bool(getattr(like, "write_through", False)),
    )


def prepare(environ: MutableMapping[str, str]) -> None:
    """Put the standard streams and the environment in order, before anything else is opened.

    A closed stream becomes the null device. Otherwise the next file or socket would get its number, and output
    would be written into that. An empty variable counts as not set.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY if descriptor else os.O_RDONLY)  # the lowest number: this one
            os.set_inheritable(nowhere, True)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - until the process ends
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None or (sys.platform != "win32" and _leads_to(stream, descriptor)):
            setattr(sys, name, text_to(descriptor, stream, forgiving=name == "stderr"))
    for variable, value in list(environ.items()):
        if not value or (variable in _SIZES and not _is_size(value)):
            del environ[variable]


def _leads_to(stream: TextIO, descriptor: int) -> bool:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return stream.fileno() == descriptor
    return False


def _is_size(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 5 and int(value) > 0


class Outlet:
    """Writes text to streams, in the given order. A thread does it, so nobody waits for a slow reader.

    `broken` gets the error of the first stream that fails. Nothing is written after it.
    """

    def __init__(self) -> None:
        self.broken: Future[OSError] = Future()
        self._worker = Worker("output")
        self._last: Future[None] | None = None  # the write after all others

    def write(self, stream: TextIO, text: str) -> None:
        """Write `text`, now or soon. Raises OSError for a stream that is no `Pipe`, which is written to at once."""
        pipe = getattr(getattr(stream, "buffer", None), "raw", None)
        if not isinstance(pipe, Pipe):
            stream.write(text)
            stream.flush()
            return
        # Past the stream's own buffer: if a thread holds its lock at exit, the interpreter aborts.
        self._last = self._worker.submit(self._write, pipe, text.encode(stream.encoding, "replace"))

    def drain(self, limit: float | None) -> bool:
        """Wait until all is written, or for so many seconds. Returns whether it is."""
        return self._last is None or not wait([self._last], limit).not_done

    def _write(self, pipe: Pipe, data: bytes) -> None:
        try:
            if not self.broken.done():
                pipe.write(data)
        except OSError as error:
            self.broken.set_result(error)


class Journal:
    """A file of lines, such as a log. When it can take no more, its lines are lost, and that is said once.

    `on_trouble` is told on the thread that wrote.
    """

    def __init__(self, path: str, flag: str, what: str, *, append: bool) -> None:
        """`what`: the word for it, "log". Raises UsageError, which names `flag`, if it cannot be opened."""
        self.on_trouble: Notify = _warn
        self._name, self._lock = f"{what} {path}", threading.Lock()
        how = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
        try:
            self._file: Pipe | None = Pipe(os.open(path, how, 0o666), forgiving=False, owned=True)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"cannot write the {self._name}: {reason(error)}", f"{flag} takes a file that can be written"
            ) from None

    def write(self, line: str) -> None:
        """Append a line, its end included."""
        with self._lock:
            try:
                if self._file is not None:
                    self._file.write(line.encode("utf-8", "backslashreplace"))
                return
            except OSError as error:
                self._end()
                why = reason(error)
        self.on_trouble(Notice(f"the {self._name} ends here: {why}", "what was written until then is in it"))

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None


def _warn(notice: Notice) -> None:
    sys.stderr.write(f"warning: {notice.message}\nhint: {notice.hint}\n")
