"""The model's voice, through a speaker."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np

from livechat.audio.base import FRAME_MS, OUTPUT_RATE
from livechat.audio.device import Card, Stream
from livechat.audio.dsp import SILENCE_DBFS, Resampler, level
from livechat.audio.ring import Ring, Samples

_QUEUE_S = 600  # of the model's voice, which arrives several times faster than it is played
_CUSHION_S = 0.1  # queued before playback starts, and waited for at most: PortAudio takes as much at once
_LINGER_S = 0.2  # of nothing to play before the stream is stopped
_STEP_S = FRAME_MS / 1000
_AHEAD_MAX_S = 2.0  # some sound systems' clocks are nonsense: beyond this the stream's latency is believed


class Speaker(Stream):
    """A Sink: the default speaker, or the one named by a number or part of its name.

    The stream runs only while there is something to play: starting and aborting one take a few ms, whatever
    its latency (AUDIO.md A6). While the device is away, what is queued stays.
    Raises DeviceError or UsageError if it cannot be opened at first.
    """

    kind = "output"
    wire_rate = OUTPUT_RATE
    latency = 0.1  # s: enough for a loaded machine, and free, since barge-in does not wait for it

    def __init__(self, card: Card, wanted: str | None = None) -> None:
        self._rate = 0
        self._queued = asyncio.Event()
        self._heard_at = 0.0  # time.monotonic() at which the last sample handed over will have been heard
        self._overfull = False
        super().__init__(card, wanted)

    def _prepare(self, rate: int, channels: int) -> None:
        if rate != self._rate:
            self._rate = rate
            self._ring = Ring(_QUEUE_S * rate)
            self._resampler = Resampler(OUTPUT_RATE, rate) if rate != OUTPUT_RATE else None
        self._channels = channels
        self._block: Samples = np.zeros(rate * FRAME_MS // 1000, np.int16)

    def _callback(self, data: Any, frames: int, clock: Any, status: Any) -> None:  # noqa: ARG002
        self._calls += 1
        block = self._block[:frames]
        taken = 0
        if self._on and not self.lost:  # a suspended device would swallow a buffer at each attempt
            taken = self._ring.read_into(block)
        else:
            block[:] = 0
        np.frombuffer(data, np.int16).reshape(-1, self._channels)[:] = block[:, None]
        if taken:
            ahead = clock.outputBufferDacTime - clock.currentTime
            if not 0 < ahead < _AHEAD_MAX_S:
                ahead = self._stream.latency
            self._heard_at = time.monotonic() + ahead + taken / self._rate

    async def run(self) -> None:
        """Play until cancelled. See Sink.run."""
        loop = asyncio.get_running_loop()
        self._card.watch()
        while True:
            self._queued.clear()
            if not self._ring.pending:
                await self._queued.wait()
            latest = loop.time() + _CUSHION_S
            while 0 < self._ring.pending < _CUSHION_S * self._rate and loop.time() < latest:  # noqa: ASYNC110
                await asyncio.sleep(_STEP_S / 2)
            if self._ring.pending:
                self._start()
            until = loop.time() + _LINGER_S
            while self.running and loop.time() < until:
                await asyncio.sleep(_STEP_S)
                if self.busy():
                    until = loop.time() + _LINGER_S
            if self.running:
                self._stop()

    def play(self, pcm: bytes) -> None:
        """Queue s16le mono at 24 kHz. See Sink.play."""
        if self._resampler:
            pcm = self._resampler.feed(pcm)
        samples = np.frombuffer(pcm, np.int16)
        if self._ring.write(samples) < len(samples) and not self._overfull:
            self._overfull = True
            self._card.notice(
                f"the model is more than {_QUEUE_S // 60} minutes ahead of the speaker",
                "what it says beyond that is shown, not heard",
            )
        self._queued.set()

    def flush(self) -> float:
        """Silent within a few ms. Returns how many ms were queued and not yet heard."""
        unheard = self.pending_ms()
        self._ring.flush()
        if self._resampler:
            self._resampler.flush()
        if self.running:
            self._stop()
        return unheard

    def pending_ms(self) -> float:
        """How many ms are queued and not yet heard, by the sound system's own clock."""
        handed = max(0.0, self._heard_at - time.monotonic()) if self.running else 0.0
        return (self._ring.pending / self._rate + handed) * 1000

    def busy(self) -> bool:
        """Is anything being heard, or about to be?"""
        return self.pending_ms() > 0

    def level(self) -> float:
        """Loudness of the block being played, in dBFS."""
        return level(self._block.tobytes()) if self.running else SILENCE_DBFS
