"""Sources that are no microphone: files, pipes and silence.

They keep time by the running loop's clock, against absolute deadlines. So they do not drift, and a loop in virtual
time runs them as fast as it likes.
"""

import asyncio
import logging
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

from livechat import process
from livechat.audio import containers
from livechat.audio.dsp import Framer
from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS, Source
from livechat.errors import DeviceError, UsageError, reason
from livechat.paths import look
from livechat.worker import Worker

T = TypeVar("T")

_FORMATS = "WAV, FLAC, Ogg and MP3 are read; for raw 16 kHz s16le use --input - < FILE"
_CATCH_UP_S = 0.2  # a source that is late sends faster until it has made up for at most this

_log = logging.getLogger(__name__)


class _Pace:
    """Waits until each frame is due, `speed` times as fast as real time."""

    def __init__(self, speed: float = 1.0) -> None:
        self._tick = FRAME_MS / 1000 / speed
        self._loop = asyncio.get_running_loop()
        self._due: float | None = None

    async def wait(self) -> None:
        """Sleep until the next frame is due. The first one is due at once, and a late one is not delayed."""
        now = self._loop.time()
        due = now if self._due is None else max(self._due, now - _CATCH_UP_S)
        await asyncio.sleep(due - now)
        self._due = due + self._tick


class FileSource:
    """A sound file as the person's voice: WAV, FLAC, Ogg or MP3, of any rate, channels and sample format.

    `speed`: how many times faster than real time it is read.
    Raises UsageError at once if the file cannot be read as sound. A file that was cut off is read as far as it goes.
    """

    def __init__(self, path: str | os.PathLike[str], speed: float = 1.0) -> None:
        self.name = Path(path).name
        self._speed = speed
        found = look(path, "--input")
        if found is None or not stat.S_ISREG(found.st_mode):
            what = "there is no such file" if found is None else "it is no file"
            raise UsageError(f"--input {path}: {what}", "name a sound file, or - for standard input")
        try:
            self._sound = containers.open_file(path)
        except (containers.UnreadableError, OSError) as error:
            why = reason(error) if isinstance(error, OSError) else str(error)
            raise UsageError(f"--input {path} is not a sound file: {why}", _FORMATS) from error
        _log.info("%s holds %s", self.name, self._sound)

    async def frames(self) -> AsyncIterator[bytes]:
        """The sound, one frame every 20 ms / speed. Silence fills up the last one. See Source.frames."""
        pace = _Pace(self._speed)
        for frame in self._cut():
            await pace.wait()
            yield frame

    def _cut(self) -> Iterator[bytes]:
        framer = Framer(self._sound.rate, self._sound.channels)
        try:
            while block := self._sound.read():
                yield from framer.feed(block)
        except (containers.UnreadableError, OSError) as error:
            raise DeviceError(f"reading {self.name} failed: {error}") from error
        yield from framer.end()

    def close(self) -> None:
        self._sound.close()


class StreamSource:
    """The person's voice from something that cannot be rewound: `--input -`, or a FIFO.

    A sound file is recognised by its first bytes. Anything else is raw s16le mono at 16 kHz. Input that is faster
    than `speed` times real time is slowed down to that; slower input is passed on as it arrives.
    """

    def __init__(
        self, descriptor: int | None, speed: float = 1.0, *, path: str | os.PathLike[str] | None = None
    ) -> None:
        """Read `descriptor`, which stays open; or without one, open `path` when frames are wanted.

        Raises UsageError if `descriptor` is a terminal.
        """
        self.name = Path(path).name if path is not None else "stdin"
        self._what = "standard input" if path is None else f"--input {path}"
        self._path, self._descriptor, self._speed = path, descriptor, speed
        # A pipe may stay silent for hours, and opening a FIFO waits for its writer.
        self._worker = Worker(self.name)
        self._bytes = containers.PeekableStream(self._read)
        self._sound: containers.SoundReader | None = None
        self._refuse_terminal()

    def _refuse_terminal(self) -> None:
        if self._descriptor is not None and os.isatty(self._descriptor):
            raise UsageError(
                f"--input reads sound, but {self._what} is a terminal",
                "pipe a sound file or 16 kHz mono s16le into it, or leave --input away to use the microphone",
            )

    async def frames(self) -> AsyncIterator[bytes]:
        """Frames until the input ends. Silence fills up the last one. See Source.frames."""
        await self._on_worker(self._open)
        framer = Framer(self._sound.rate, self._sound.channels) if self._sound else Framer()
        pace, read = _Pace(self._speed), self._sound.read if self._sound else self._bytes.some
        while True:
            chunk = await self._on_worker(read)
            for frame in framer.feed(chunk) if chunk else framer.end():
                await pace.wait()
                yield frame
            if not chunk:
                break

    async def _on_worker(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.wrap_future(self._worker.submit(call))
        except containers.UnreadableError as error:
            raise DeviceError(f"{self._what} is not a sound file: {error}", _FORMATS) from error
        except (OSError, ValueError) as error:
            raise DeviceError(
                f"reading {self._what} failed: {reason(error)}", "check the program that writes into it"
            ) from error

    def _open(self) -> None:
        if self._path is not None:
            self._descriptor = os.open(self._path, os.O_RDONLY)
            self._refuse_terminal()
        self._sound = containers.open_stream(self._bytes)
        _log.info("%s holds %s", self._what, self._sound or "raw s16le, mono, 16000 Hz")

    def _read(self) -> bytes:
        assert self._descriptor is not None  # noqa: S101 - opened before it is read
        # Not through sys.stdin's buffer: if a thread holds its lock at exit, the interpreter aborts.
        return process.read(self._descriptor, 2**16)

    def close(self) -> None:
        """Close what was opened here. Safe to call twice."""
        # On the worker's thread, which may be reading it.
        if self._path is not None and self._descriptor is not None:
            self._worker.submit(os.close, self._descriptor)
            self._descriptor = None
        if self._sound is not None:
            self._worker.submit(self._sound.close)


def source_of(path: str, speed: float = 1.0) -> Source:
    """The person's voice from --input: a file, "-" for standard input, or a FIFO. Raises UsageError."""
    if path == "-":
        return StreamSource(sys.stdin.fileno(), speed)
    found = look(path, "--input")
    if found is None or stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        return FileSource(path, speed)
    return StreamSource(None, speed, path=path)


class SilenceSource:
    """Endless silence. It follows a recording that has ended."""

    name = "silence"

    async def frames(self) -> AsyncIterator[bytes]:
        """Silent frames without end. See Source.frames."""
        pace, silence = _Pace(), bytes(FRAME_BYTES)
        while True:
            await pace.wait()
            yield silence

    def close(self) -> None:
        """There is nothing to release."""
