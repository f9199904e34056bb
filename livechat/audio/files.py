"""Files, pipes and silence in place of a microphone, and a file or nothing in place of a speaker.

Everything here keeps time by the running loop's clock, against absolute deadlines, so that it does not drift
and a loop in virtual time runs it as fast as it likes.
"""

from __future__ import annotations

import asyncio
import io
import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from livechat.audio.base import FRAME_BYTES, FRAME_MS, OUTPUT_RATE
from livechat.audio.dsp import SILENCE_DBFS, Framer, from_float, level
from livechat.audio.ring import Ring, Samples
from livechat.audio.worker import Worker
from livechat.audio.writer import create
from livechat.errors import DeviceError, UsageError

_CATCH_UP_S = 0.2  # how far behind its time a source may hurry to catch up; what is later stays late
_RATES = range(4_000, 384_001)  # Hz; outside it a header is damaged rather than unusual
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
        import soundfile  # 50 ms that only those who name a file wait for

        self.name = Path(path).name
        self._speed = speed
        if not Path(path).is_file():
            raise UsageError(
                f"--input {path}: there is no such file",
                "name a sound file, or - for raw sound on standard input",
            )
        try:
            self._file = soundfile.SoundFile(path)
        except (soundfile.SoundFileError, OSError) as error:
            reason = str(error).rpartition(": ")[2].rstrip(".") or "not readable"
            raise UsageError(
                f"--input {path} is not a sound file: {reason}",
                "WAV, FLAC, Ogg and MP3 are read; for raw 16 kHz s16le use --input - < FILE",
            ) from error
        # soundfile seeks to where it is after each read, and MP3 cannot be entered at any place without harm.
        self._file.seekable = lambda: False
        if self._file.samplerate not in _RATES or not self._file.frames:
            rate, frames = self._file.samplerate, self._file.frames
            self.close()
            raise UsageError(
                f"--input {path} holds no usable sound: {frames} samples at {rate} Hz",
                "record it again, or name another file",
            )

    async def frames(self) -> AsyncIterator[bytes]:
        """The file's sound, one frame every 20 ms / speed, the last filled up with silence. See Source.frames."""
        pace = _Pace(self._speed)
        for frame in self._cut():
            await pace.wait()
            yield frame

    def _cut(self) -> Iterator[bytes]:
        framer = Framer(self._file.samplerate, 1)
        try:
            while not self._file.closed:
                block = self._file.read(self._file.samplerate // 50, dtype="float32", always_2d=True)
                if not len(block):
                    break
                yield from framer.feed(from_float(block.mean(axis=1)))
        except (RuntimeError, OSError) as error:  # soundfile's errors are RuntimeErrors
            raise DeviceError(f"reading {self.name} failed: {error}") from error
        yield from framer.end()

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._file.close()


class RawSource:
    """Raw s16le mono at 16 kHz from a pipe or an open file as the person's voice: `--input -`.

    A pipe that is faster than `speed` times real time is slowed down to it; from a slower one frames come as it
    gives them.
    """

    name = "stdin"

    def __init__(self, stream: BinaryIO, speed: float = 1.0) -> None:
        self._stream = stream
        self._speed = speed
        self._worker: Worker | None = None
        try:
            mode = os.fstat(stream.fileno()).st_mode
        except io.UnsupportedOperation:  # a BytesIO
            return
        if stream.isatty():
            raise UsageError(
                "--input - reads raw sound, but standard input is a terminal",
                "pipe 16 kHz mono s16le into it, or leave --input away to use the microphone",
            )
        if not stat.S_ISREG(mode):
            self._worker = Worker("stdin")

    async def frames(self) -> AsyncIterator[bytes]:
        """Frames until the end of the input, the last one filled up with silence. See Source.frames."""
        framer, pace = Framer(), _Pace(self._speed)
        while True:
            chunk = await self._read()
            for frame in framer.feed(chunk) if chunk else framer.end():
                await pace.wait()
                yield frame
            if not chunk:
                break

    async def _read(self) -> bytes:
        """What there is, at least one byte; b"" at the end."""
        try:
            if self._worker is None:
                return self._stream.read(50 * FRAME_BYTES)
            # Past the stream's own buffer: if a thread holds its lock at exit, the interpreter aborts.
            return await asyncio.wrap_future(self._worker.submit(os.read, self._stream.fileno(), 2**16))
        except OSError as error:
            raise DeviceError(f"reading standard input failed: {error.strerror}") from error

    def close(self) -> None:
        """Nothing to give back: standard input is not ours."""


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

    def play(self, pcm: bytes) -> None:
        """Queue s16le at 24 kHz to be heard from now on. Beyond ten minutes ahead, the newest is left out."""
        self._advance()
        self._ring.write(np.frombuffer(pcm, np.int16))

    def finish(self) -> None:
        """Nothing was waited for."""

    def pause(self) -> None:
        """A recording goes on: nobody is listening to it."""

    def resume(self) -> None:
        """It did not pause."""

    def flush(self) -> float:
        """Forget what has not been heard by now; how many ms that was."""
        self._advance()
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

    def play(self, pcm: bytes) -> None:
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
