"""Sinks that are no speaker: a file, a listener who is only imagined, and none.

They keep time by the running loop's clock, as sources do (see sources.py).
"""

import asyncio
import os
from pathlib import Path

import numpy as np

from livechat.audio.dsp import RateConverter, level
from livechat.audio.fifo import Fifo
from livechat.audio.interfaces import FRAME_MS, OUTPUT_RATE, QUEUE_S
from livechat.audio.ring import Samples
from livechat.audio.sound_file import create
from livechat.errors import DeviceError

_PAUSE = OUTPUT_RATE // 2  # samples between two answers in a compact file


class PacedSink:
    """A listener without a speaker: what is queued counts as heard in real time, from run() on."""

    name = "none"

    def __init__(self) -> None:
        self._fifo = Fifo(QUEUE_S * OUTPUT_RATE)
        self._converter = RateConverter(OUTPUT_RATE)
        self._loop: asyncio.AbstractEventLoop | None = None  # from run() to close()
        self._began = 0.0  # the loop's clock at run()
        self._done = 0  # samples heard since then, with the silence between answers
        self._last = b""  # the last 20 ms of them
        self._error: DeviceError | None = None

    async def run(self) -> None:
        """Listen until cancelled. Raises DeviceError when a file cannot be written any more."""
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        while self._error is None:
            await asyncio.sleep(FRAME_MS / 1000)
            self._advance()
        raise self._error

    def _advance(self) -> None:
        """Hear all that is due by now."""
        if self._loop is None:
            return
        due = round((self._loop.time() - self._began) * OUTPUT_RATE)
        while self._done < due and not self._error:
            block = np.empty(min(due - self._done, OUTPUT_RATE), np.int16)
            said = self._fifo.read_into(block)
            self._done += len(block)
            self._last = block[-OUTPUT_RATE // 50 :].tobytes()
            self._hear(block, said)

    def _hear(self, block: Samples, said: int) -> None:
        """`block` was heard now: `said` samples from the queue, then silence."""

    def play(self, pcm: bytes, rate: int) -> None:
        """Queue sound to be heard from now on. What does not fit into the queue is dropped. See Sink.play."""
        self._advance()
        self._fifo.write(np.frombuffer(self._converter.feed(pcm, rate), np.int16))

    def finish(self) -> None:
        """Does nothing: this sink waits for nothing."""

    def pause(self) -> None:
        """Does nothing: nobody listens, so time goes on."""

    def resume(self) -> None:
        """Does nothing, as pause()."""

    def flush(self) -> float:
        self._advance()
        self._converter.flush()
        return self._fifo.flush() * 1000 / OUTPUT_RATE

    def pending_ms(self) -> float:
        self._advance()
        return self._fifo.pending * 1000 / OUTPUT_RATE

    def level(self) -> float:
        return level(self._last)

    def close(self) -> None:
        self._advance()
        self._loop = None


class FileSink(PacedSink):
    """Records the model's voice into a WAV or FLAC file (24 kHz mono s16) as a listener would have heard it.

    The file keeps time with the conversation from run() on: it has silence where the model says nothing, and lacks
    what flush() dropped. With `compact` it has what the model says, and at most half a second of silence between
    answers. The file is valid at any moment, even if the process is killed.
    Raises UsageError at once if the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, compact: bool = False) -> None:
        super().__init__()
        self.name = Path(path).name
        self._compact = compact
        self._silence: int | None = None  # samples since the model last spoke; None before its first word
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
                f"recording to {self.name} stopped: {error.strerror}", "the file holds what was recorded until then"
            )

    def close(self) -> None:
        super().close()
        self._file.close()


class NullSink(PacedSink):
    """No speaker, and nobody who listens: what the model says is shown only."""

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    def play(self, pcm: bytes, rate: int) -> None:
        """Drop it."""
