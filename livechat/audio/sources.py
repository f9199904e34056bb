"""Files, pipes and silence in place of a microphone, and a file or nothing in place of a speaker.

Everything here keeps time by the running loop's clock, against absolute deadlines, so that it does not drift
and a loop in virtual time runs it as fast as it likes.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from livechat import process
from livechat.audio import containers
from livechat.audio.dsp import SILENCE_DBFS, Framer, RateConverter, level
from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS, OUTPUT_RATE, Source
from livechat.audio.ring import Ring, Samples
from livechat.audio.sound_file import create
from livechat.audio.worker import Worker
from livechat.errors import DeviceError, UsageError, reason
from livechat.paths import look

T = TypeVar("T")

_READ = "WAV, FLAC, Ogg and MP3 are read; for raw 16 kHz s16le use --input - < FILE"
_CATCH_UP_S = 0.2  # how far behind its time a source may hurry to catch up; what is later stays late
_QUEUE_S = 600  # of the model's voice, which arrives several times faster than it is played
_PAUSE = OUTPUT_RATE // 2  # samples between two answers where silence is left out


class _Pace:
    """Hands out the moments at which one frame after the other is due, `speed` times as fast as they sound."""

    def __init__(self, speed: float = 1.0) -> None:
        self._tick = FRAME_MS / 1000 / speed
        self._loop = asyncio.get_running_loop()
        self._due: float | None = None

    async def wait(self) -> None:
        """Sleep until the next frame is due: the first at once, one that is late already without delay."""
        now = self._loop.time()
        due = now if self._due is None else max(self._due, now - _CATCH_UP_S)
        await asyncio.sleep(due - now)
        self._due = due + self._tick


class WavSource:
    """A sound file as the person's voice: WAV, FLAC, Ogg or MP3, any rate, channels and sample format.

    `speed`: how many times faster than it sounds it is read.
    Raises UsageError at once if the file cannot be read as sound. One that was cut off is read up to there.
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
            raise UsageError(f"--input {path} is not a sound file: {why}", _READ) from error

    async def frames(self) -> AsyncIterator[bytes]:
        """The file's sound, one frame every 20 ms / speed, the last filled up with silence. See Source.frames."""
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
        """Close the file. Safe to call twice."""
        self._sound.close()


class StreamSource:
    """The person's voice from a pipe or an open file, which cannot be gone back in: `--input -`, or a FIFO.

    A container is recognised; anything else is raw s16le mono at 16 kHz. A pipe that is faster than `speed` times
    real time is slowed down to it; from a slower one frames come as it gives them.
    """

    def __init__(
        self, stream: BinaryIO | None, speed: float = 1.0, *, path: str | os.PathLike[str] | None = None
    ) -> None:
        """`path`: what to open in place of `stream`, as soon as frames are wanted."""
        self.name = Path(path).name if path is not None else "stdin"
        self._what = "standard input" if path is None else f"--input {path}"
        self._path, self._stream, self._speed = path, stream, speed
        self._descriptor: int | None = None
        self._worker: Worker | None = Worker(self.name)
        self._bytes = containers.Stream(self._more)
        self._sound: containers.Sound | None = None
        if stream is not None:
            with contextlib.suppress(io.UnsupportedOperation):  # a BytesIO
                self._descriptor = stream.fileno()
            self._check()
            if self._descriptor is None or stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                self._worker = None  # it never keeps one waiting

    def _check(self) -> None:
        if self._descriptor is not None and os.isatty(self._descriptor):
            raise UsageError(
                f"--input reads sound, but {self._what} is a terminal",
                "pipe a sound file or 16 kHz mono s16le into it, or leave --input away to use the microphone",
            )

    async def frames(self) -> AsyncIterator[bytes]:
        """Frames until the end of the input, the last one filled up with silence. See Source.frames."""
        await self._wait_for(self._open)
        framer = Framer(self._sound.rate, self._sound.channels) if self._sound else Framer()
        pace, read = _Pace(self._speed), self._sound.read if self._sound else self._bytes.some
        while True:
            chunk = await self._wait_for(read)
            for frame in framer.feed(chunk) if chunk else framer.end():
                await pace.wait()
                yield frame
            if not chunk:
                break

    async def _wait_for(self, call: Callable[[], T]) -> T:
        try:
            return call() if self._worker is None else await asyncio.wrap_future(self._worker.submit(call))
        except containers.UnreadableError as error:
            raise DeviceError(f"{self._what} is not a sound file: {error}", _READ) from error
        except (OSError, ValueError) as error:
            raise DeviceError(f"reading {self._what} failed: {reason(error)}", "see what writes into it") from error

    def _open(self) -> None:
        if self._path is not None:
            self._descriptor = os.open(self._path, os.O_RDONLY)  # for a FIFO this waits for its writer
            self._check()
        self._sound = containers.open_stream(self._bytes)

    def _more(self) -> bytes:
        if self._worker is None and self._stream is not None:
            return self._stream.read(50 * FRAME_BYTES)
        assert self._descriptor is not None  # noqa: S101 - opened before it is read
        # Past the stream's own buffer: if a thread holds its lock at exit, the interpreter aborts.
        return process.read(self._descriptor, 2**16)

    def close(self) -> None:
        """Give a path's descriptor back; a stream is not ours. Safe to call twice."""
        if self._path is not None and self._descriptor is not None and self._worker is not None:
            self._worker.submit(os.close, self._descriptor)  # on the thread that may be reading it
            self._descriptor = None
        if self._sound is not None:
            self._sound.close() if self._worker is None else self._worker.submit(self._sound.close)


def source_of(path: str, speed: float = 1.0) -> Source:
    """The person's voice from --input: a file, "-" for standard input, or a FIFO. Raises UsageError."""
    if path == "-":
        return StreamSource(sys.stdin.buffer, speed)
    found = look(path, "--input")
    if found is None or stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        return WavSource(path, speed)
    return StreamSource(None, speed, path=path)


class SilenceSource:
    """No voice at all, for as long as it is asked for: what follows a recording that has ended."""

    name = "silence"

    async def frames(self) -> AsyncIterator[bytes]:
        """Silent frames for ever. See Source.frames."""
        pace, silence = _Pace(), bytes(FRAME_BYTES)
        while True:
            await pace.wait()
            yield silence

    def close(self) -> None:
        """Nothing to give back."""


class PacedSink:
    """A listener without a speaker: what is queued counts as heard at the pace of speech, from run() on."""

    name = "none"

    def __init__(self) -> None:
        self._ring = Ring(_QUEUE_S * OUTPUT_RATE)
        self._converter = RateConverter(OUTPUT_RATE)
        self._loop: asyncio.AbstractEventLoop | None = None  # from run() to close()
        self._began = 0.0  # the loop's clock at run()
        self._done = 0  # samples heard since then, silence among them
        self._last = b""
        self._error: DeviceError | None = None

    async def run(self) -> None:
        """Listen until cancelled. Raises DeviceError when a file can take no more."""
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        pace = _Pace()
        while self._error is None:
            await pace.wait()
            self._advance()
        raise self._error

    def _advance(self) -> None:
        """Hear all that is due by now."""
        if self._loop is None:
            return
        due = round((self._loop.time() - self._began) * OUTPUT_RATE)
        while self._done < due and not self._error:
            block = np.empty(min(due - self._done, OUTPUT_RATE), np.int16)
            said = self._ring.read_into(block)
            self._done += len(block)
            self._last = block[-OUTPUT_RATE // 50 :].tobytes()
            self._hear(block, said)

    def _hear(self, block: Samples, said: int) -> None:
        """This was heard now: `said` samples that had been queued, and silence after them."""

    def play(self, pcm: bytes, rate: int) -> None:
        """Queue s16le to be heard from now on. Beyond ten minutes ahead, the newest is left out. See Sink.play."""
        self._advance()
        self._ring.write(np.frombuffer(self._converter.feed(pcm, rate), np.int16))

    def finish(self) -> None:
        """Nothing was waited for."""

    def pause(self) -> None:
        """A recording goes on: nobody is listening to it."""

    def resume(self) -> None:
        """It did not pause."""

    def flush(self) -> float:
        """Forget what has not been heard by now; how many ms that was."""
        self._advance()
        self._converter.flush()
        return self._ring.flush() * 1000 / OUTPUT_RATE

    def pending_ms(self) -> float:
        """How many ms are queued and not yet heard."""
        self._advance()
        return self._ring.pending * 1000 / OUTPUT_RATE

    def level(self) -> float:
        """Loudness of the last 20 ms in dBFS."""
        return level(self._last)

    def close(self) -> None:
        """Listen no more. Safe to call twice."""
        self._advance()
        self._loop = None


class WavSink(PacedSink):
    """Records the model's voice into a WAV or FLAC file (24 kHz mono s16) as a listener would have heard it.

    The file runs in step with the conversation, from run() on: silence where the model says nothing, and what
    flush() takes back is not in it. With `compact` it holds what the model says and no silence but up to half a
    second between. It is a valid file at any moment, even if the process is killed.
    Raises UsageError at once if the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, compact: bool = False) -> None:
        super().__init__()
        self.name = Path(path).name
        self._compact = compact
        self._silence: int | None = None  # samples since the model last spoke, None before it does
        self._file = create(path, "--output", 1)

    def _hear(self, block: Samples, said: int) -> None:
        try:
            if not self._compact:
                self._file.write(block)
            elif said:
                self._file.write(np.zeros(min(self._silence or 0, _PAUSE), np.int16))
                self._file.write(block[:said])
                self._silence = len(block) - said
            elif self._silence is not None:
                self._silence += len(block)
        except OSError as error:
            self._error = DeviceError(
                f"recording to {self.name} stopped: {error.strerror}",
                "what was recorded until then is in it",
            )

    def close(self) -> None:
        """Finish the file. Safe to call twice."""
        super().close()
        self._file.close()


class NullSink:
    """No speaker: what is said is shown, not played."""

    name = "none"

    async def run(self) -> None:
        """Wait to be cancelled."""
        await asyncio.get_running_loop().create_future()

    def play(self, pcm: bytes, rate: int) -> None:
        """Nothing is heard."""

    def finish(self) -> None:
        """Nothing is waited for."""

    def pause(self) -> None:
        """Nothing is heard anyway."""

    def resume(self) -> None:
        """Nothing is heard."""

    def flush(self) -> float:
        """Nothing was waiting."""
        return 0.0

    def pending_ms(self) -> float:
        """Nothing is waiting."""
        return 0.0

    def level(self) -> float:
        """Silence."""
        return SILENCE_DBFS

    def close(self) -> None:
        """Nothing to give back."""
