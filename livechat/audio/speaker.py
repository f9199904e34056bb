"""The model's voice, through a speaker."""

import asyncio
import logging
import time
from typing import Any

import numpy as np

from livechat.audio.card import Card
from livechat.audio.device_stream import DeviceStream
from livechat.audio.dsp import SILENCE_DBFS, RateConverter, level
from livechat.audio.fifo import Fifo
from livechat.audio.interfaces import FRAME_MS, OUTPUT_RATE, QUEUE_S
from livechat.audio.prebuffer import Prebuffer
from livechat.audio.ring import History, Samples
from livechat.errors import Notice

_LINGER_S = 0.2  # the stream is stopped after so long with nothing to play
_STEP_S = FRAME_MS / 1000
_AHEAD_MAX_S = 2.0  # some sound systems give nonsense: where they say more, the stream's latency is believed
_HISTORY_S = 4.0  # of what was played; an echo is looked for in the last half second, or later on a busy machine

_log = logging.getLogger(__name__)


class Speaker(DeviceStream):
    """A Sink: the default speaker, or the one named by a number or part of its name.

    The stream runs only while there is something to play. Starting and aborting it take a few ms, whatever its
    latency (docs/audio.md A6). While the device is lost, the queue is kept.
    Raises DeviceError or UsageError if it cannot be opened at first.
    """

    kind = "output"
    wire_rate = OUTPUT_RATE
    latency = 0.1  # s: enough for a busy machine. It costs nothing, since barge-in does not wait for it

    def __init__(self, card: Card, wanted: str | None = None) -> None:
        self.rate = 0  # Hz, of the device
        # Number of the stream; samples given to it; when the last of them will have been heard (0.0: not known yet).
        self.clock = (0, 0, 0.0)
        self._queued = asyncio.Event()
        self._prebuffer = Prebuffer()
        self._heard_at = 0.0  # time.monotonic() at which the last sample of an answer will have been heard
        self._open = False  # the callback may take what is queued
        self._dry = False  # the callback found too little
        self._underflows = 0  # that the sound system reported: its buffer was empty
        self._underflows_seen = 0  # that were logged
        self._finished = True
        self._came_at = 0.0
        self._paused_ms: float | None = None  # while paused: what the sound system had and had not played
        self._overfull = False
        super().__init__(card, wanted)

    def _prepare(self, rate: int, channels: int) -> None:
        if rate != self.rate:
            self.rate = rate
            self._fifo = Fifo(QUEUE_S * rate, kept=round(_AHEAD_MAX_S * rate))
            self._history = History(round(_HISTORY_S * rate))
            self._converter = RateConverter(rate)
        self._history.silence(0)
        self.clock = (self.clock[0], self._history.count, 0.0)
        self._began = 0.0  # by the sound system's clock
        self._channels = channels
        self._block: Samples = np.zeros(rate * FRAME_MS // 1000, np.int16)

    def _callback(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        self._calls += 1
        self._underflows += bool(status.output_underflow)
        block = self._block[:frames]
        taken = 0
        if self._on and self._open and not self.lost:  # a suspended device would swallow a buffer at each attempt
            taken = self._fifo.read_into(block)
            if taken < frames:
                self._open = False
                self._dry = True
        else:
            block[:] = 0
        np.frombuffer(data, np.int16).reshape(-1, self._channels)[:] = block[:, None]
        ahead = clock.outputBufferDacTime - clock.currentTime
        heard_from = self._moment(clock, ahead if 0 < ahead < _AHEAD_MAX_S else self._stream.latency)
        if taken:
            self._heard_at = heard_from + taken / self.rate
        self._history.add(block)
        self._began = self._began or clock.currentTime
        if clock.currentTime - self._began > _STEP_S / 2:  # while it fills its buffer, its times are a guess
            stream, _, known = self.clock
            self.clock = (stream if known else stream + 1, self._history.count, heard_from + frames / self.rate)

    def end(self) -> None:
        """Stop at once and close the stream. What it was given and had not played counts as never heard."""
        super().end()
        if self._underflows != self._underflows_seen:
            _log.info("the sound system ran out of sound %d times", self._underflows - self._underflows_seen)
            self._underflows_seen = self._underflows
        self._history.silence(round(self.place(time.monotonic())))

    # ------------------------------------------------------------ what was heard when: the canceller's reference

    def place(self, at: float) -> float:
        """Which sample of the stream is heard when time.monotonic() is `at`, by the sound system's own clock."""
        _, given, heard_at = self.clock
        return given + (at - heard_at) * self.rate

    def played(self, place: int, count: int) -> Samples:
        """`count` samples of the stream as they were heard, with zeros where nothing was."""
        return self._history.look(place, count)

    # ------------------------------------------------------------------------------------ on the event loop

    async def run(self) -> None:
        self._card.watch()
        while True:
            self._queued.clear()
            if self.busy():
                if not self._open and self._ready():
                    self._open = True
                    if not self.running:
                        self._start()
                # Nothing is to be done before it may run dry. To look each 20 ms was a quarter of the loop's turns.
                await self._woken(max(_STEP_S, self._lasts() - self.latency) if self._open else _STEP_S / 2)
            elif not await self._woken(_LINGER_S if self.running else None):
                self._stop()

    async def _woken(self, seconds: float | None) -> bool:
        """Wait for something to be queued; False if nothing was for so long."""
        try:
            async with asyncio.timeout(seconds):
                return await self._queued.wait()
        except TimeoutError:
            return False

    def _lasts(self) -> float:
        """Seconds of what is queued."""
        return self._fifo.pending / self.rate

    def _ready(self) -> bool:
        """Is enough queued to start playing, or will no more come for now?"""
        if self._paused_ms is not None or not self._fifo.pending:
            return False
        seconds = self._prebuffer.seconds
        waited = time.monotonic() - self._came_at
        return self._finished or self._lasts() >= seconds or waited > seconds

    def play(self, pcm: bytes, rate: int) -> None:
        if self._dry and not self._finished:
            self._prebuffer.ran_dry()
            _log.info("playback ran dry; the prebuffer is %.2f s now", self._prebuffer.seconds)
        self._dry = self._finished = False
        self._came_at = time.monotonic()
        samples = np.frombuffer(self._converter.feed(pcm, rate), np.int16)
        if self._fifo.write(samples) < len(samples) and not self._overfull:
            self._overfull = True
            self._card.notify(
                Notice(
                    f"the model is more than {QUEUE_S // 60} minutes ahead of the speaker",
                    "what it says beyond that is shown, not heard",
                )
            )
        if not self._open:
            self._queued.set()

    def finish(self) -> None:
        if not self._finished:
            self._finished = True
            self._prebuffer.answer_over()

    def pause(self) -> None:
        """Become silent within a few ms. resume() goes on with the first sample that was not heard."""
        if self._paused_ms is None and self.busy():
            handed = self._handed()
            self._paused_ms = handed * 1000
            if self.running:
                self._stop()
                self._card.worker.submit(self._go_back, handed)

    def _go_back(self, seconds: float) -> None:
        self._fifo.go_back(round(seconds * self.rate))  # on the worker's thread: no callback reads now
        self._paused_ms = 0.0 if self._paused_ms is not None else None

    def resume(self) -> None:
        self._paused_ms = None
        self._queued.set()

    def flush(self) -> float:
        """Become silent within a few ms. Returns how many ms were queued and not yet heard."""
        unheard = self.pending_ms()
        self._fifo.flush()
        self._paused_ms = None
        self._converter.flush()
        if self.running:
            self._stop()
        self.finish()
        return unheard

    def _stop(self) -> None:
        super()._stop()
        self._open = False

    def _handed(self) -> float:
        """Seconds of an answer that the sound system has got and not yet played."""
        return max(0.0, self._heard_at - time.monotonic()) if self.running else 0.0

    def pending_ms(self) -> float:
        """How many ms are queued and not yet heard, by the sound system's own clock."""
        handed = self._handed() * 1000 if self._paused_ms is None else self._paused_ms
        return self._lasts() * 1000 + handed

    def busy(self) -> bool:
        """Is anything being heard, or about to be?"""
        return self.pending_ms() > 0

    def level(self) -> float:
        return level(self._block.tobytes()) if self.running else SILENCE_DBFS
