"""Records both voices of a conversation in one stereo file, as they were heard: the person left, the model right.

The recording stands between the conversation and its source and sink, and neither of them knows of it. The timeline
of the file is the loop's clock. But sound cards have clocks of their own, and threads and pipes deliver late. So a
voice goes on where it ended, as long as that is close to the clock, and sound waits a moment before it is written.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from livechat.audio.dsp import RateConverter, Resampler, level
from livechat.audio.fifo import Fifo
from livechat.audio.interfaces import FRAME_MS, INPUT_RATE, OUTPUT_RATE, QUEUE_S, Sink, Source
from livechat.audio.ring import Samples
from livechat.audio.sound_file import create
from livechat.errors import Notice, Notify

_WAIT = OUTPUT_RATE * 2 // 5  # samples, 0.4 s: sound is written so late, since a frame may come so late
_BLOCK = OUTPUT_RATE * 2 // 5  # samples written at once; with _WAIT, a killed process loses at most a second
_LOOK_S = FRAME_MS / 1000  # how often the sink is asked what was heard
_SLACK = OUTPUT_RATE // 25  # samples, 40 ms: a person who is further off the clock is moved
_PAUSE = OUTPUT_RATE // 25  # samples, 40 ms without sound: behind it the model's voice is put where the clock says
_FAR = _WAIT // 2  # samples: the model's voice is moved in a word as well, before it comes too late to be written
_FRAMES = 100  # of the person, 2 s: the least late of them shows how far they are off the clock
_QUIET_DBFS = -50.0  # below this level nobody hears that the voice is moved
_HELD_BACK = 24  # samples: the delay of the Resampler, see there

_log = logging.getLogger(__name__)

Stereo = npt.NDArray[np.int16]


class Recording:
    """Records what passes through `source` and `sink`, as 24 kHz s16: the model's rate, higher than the person's.

    The file is WAV, or FLAC if its name ends so, and valid at any moment. When it cannot be written any more,
    `on_trouble` is called once, and the conversation goes on. Raises UsageError at once if the file cannot be
    written, or exists: a conversation cannot be recorded again, so no recording is overwritten.
    """

    def __init__(self, path: str | os.PathLike[str], on_trouble: Notify) -> None:
        self.name = Path(path).name
        self._on_trouble = on_trouble
        self._file = create(path, "--record", 2, fresh=True)
        self._began: float | None = None  # the loop's clock at the beginning of the timeline
        self._window: Stereo = np.zeros((_WAIT + _BLOCK, 2), np.int16)  # what is not yet written, then zeros
        self._looked = 0  # the place on the timeline at the last call of write()
        self.written = 0  # samples of the timeline in the file
        self._over = False  # finished, or failed

    def source(self, source: Source) -> Source:
        """`source`, recorded in the left channel."""
        return _RecordedSource(source, self)

    def sink(self, sink: Sink) -> Sink:
        """`sink`, recorded in the right channel. Its close() finishes the recording."""
        return _RecordedSink(sink, self)

    def now(self) -> int:
        """The present place on the timeline, in samples."""
        clock = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = clock
        return round((clock - self._began) * OUTPUT_RATE)

    def put(self, samples: Samples, at: int, channel: int) -> None:
        """Record samples from place `at` on, in one channel. What is before the end of the file is dropped."""
        first = max(0, at - self.written)
        samples = samples[max(0, self.written - at) :]
        missing = first + len(samples) - len(self._window)
        if self._over:
            return
        if missing > 0:
            self._window = np.concatenate([self._window, np.zeros((missing, 2), np.int16)])
        self._window[first : first + len(samples), channel] = samples

    def write(self) -> None:
        """Write what has waited long enough. To be called every _LOOK_S."""
        # Not until now(): if the loop was held up since the last call, the voices are late as well.
        self._write(self._looked - _WAIT, _BLOCK)
        self._looked = self.now()

    def finish(self) -> None:
        """Write everything, and close the file. Safe to call twice."""
        if self._began is not None:
            self._write(self.now(), 1)
        self._over = True
        self._file.close()

    def _write(self, until: int, least: int) -> None:
        while not self._over and (due := until - self.written) >= least:
            block, rest = np.split(self._window, [min(due, _BLOCK)])
            self._window = np.concatenate([rest, np.zeros_like(block)])
            self.written += len(block)
            try:
                self._file.write(block)
            except OSError as error:
                self._over = True
                self._on_trouble(
                    Notice(
                        f"recording to {self.name} stopped: {error.strerror}",
                        "the file holds what was recorded until then, and the conversation goes on",
                    )
                )


class _RecordedSource:
    """The person's Source, whose frames are recorded."""

    def __init__(self, source: Source, recording: Recording) -> None:
        self.name = source.name
        self._source = source
        self._recording = recording
        self._resampler = Resampler(INPUT_RATE, OUTPUT_RATE)
        self._end: int | None = None  # where on the timeline the next frame belongs
        self._late: deque[int] = deque(maxlen=_FRAMES)  # by how much the last ones came later than that

    async def frames(self) -> AsyncIterator[bytes]:
        async for frame in self._source.frames():
            self._record(frame)
            yield frame

    def _record(self, frame: bytes) -> None:
        samples = np.frombuffer(self._resampler.feed(frame), np.int16)
        at = self._recording.now() - _HELD_BACK
        if self._end is None or self._end < self._recording.written - _HELD_BACK:
            self._late.clear()
            self._end = at
        self._late.append(at - self._end)
        # A frame may be late but never early, so the least late one is on time. If that one is not where the clock
        # is, the voice had a gap, or the clocks differ.
        off = min(self._late)
        if len(self._late) == _FRAMES and abs(off) > _SLACK and level(frame) < _QUIET_DBFS:
            self._late.clear()
            self._end += off
            _log.info("the person's voice is moved by %.0f ms in the recording", off * 1000 / OUTPUT_RATE)
        self._recording.put(samples, self._end, 0)
        self._end += len(samples)

    def close(self) -> None:
        self._source.close()


class _RecordedSink:
    """The model's Sink. Its sound is recorded when it was heard, by the sink's own count of what is pending."""

    def __init__(self, sink: Sink, recording: Recording) -> None:
        self.name = sink.name
        self._sink = sink
        self._recording = recording
        self._unheard = Fifo(QUEUE_S * OUTPUT_RATE)
        self._converter = RateConverter(OUTPUT_RATE)
        self._end = 0  # the place on the timeline where the voice ended
        self._last_heard = -OUTPUT_RATE  # the place of the last look that heard something; before the first, long ago

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            await self._sink.run()

    async def _watch(self) -> None:
        while True:
            self._look()
            self._recording.write()
            await asyncio.sleep(_LOOK_S)

    def _look(self) -> None:
        """Record what was heard since the last look."""
        heard = self._unheard.pending - round(self._sink.pending_ms() * OUTPUT_RATE / 1000)
        if heard <= 0:
            return
        block = np.empty(heard, np.int16)
        self._unheard.read_into(block)
        now = self._recording.now()
        at = now - heard
        # A card that starts, or a busy machine, says late what was heard, and later by and by. A voice that followed
        # each of these figures would get a hole in a word that was heard whole. So it is moved after a pause.
        if at - self._last_heard <= _PAUSE and abs(at - self._end) <= _FAR:
            at = self._end
        self._recording.put(block, at, 1)
        self._end = at + heard
        self._last_heard = now

    def play(self, pcm: bytes, rate: int) -> None:
        self._look()
        self._sink.play(pcm, rate)
        self._unheard.write(np.frombuffer(self._converter.feed(pcm, rate), np.int16))

    def finish(self) -> None:
        self._sink.finish()

    def pause(self) -> None:
        self._look()
        self._sink.pause()

    def resume(self) -> None:
        self._sink.resume()

    def flush(self) -> float:
        self._look()
        self._unheard.flush()
        self._converter.flush()
        return self._sink.flush()

    def pending_ms(self) -> float:
        return self._sink.pending_ms()

    def level(self) -> float:
        return self._sink.level()

    def close(self) -> None:
        """Complete the recording, then close the sink, which may take longer. Safe to call twice."""
        self._look()
        self._recording.finish()
        self._sink.close()
