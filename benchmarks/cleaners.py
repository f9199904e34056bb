"""What a benchmark's microphone passes through: the program's own, or WebRTC's AEC3 alone as the baseline."""

from __future__ import annotations

import time

import numpy as np

from livechat.audio.echo import Cleaner, cleaner
from livechat.audio.interfaces import FRAME_MS, INPUT_RATE
from livechat.audio.reference import Playback, Reference

DELAY_MS = {"cancel": 20.0, "aec3": 14.0}  # exact: a frame, and AEC3's own


class Aec3:
    """AEC3 with its noise suppression on the same reference, as livechat had it before its own canceller."""

    def __init__(self, playback: Playback) -> None:
        from pywebrtc_audio import AudioProcessor

        self._reference = Reference(playback)
        self._processor = AudioProcessor(INPUT_RATE, 1, echo_cancellation=True, noise_suppression=True)

    def __call__(self, frame: bytes, at: float) -> bytes:
        cleaned = self._processor.process(np.frombuffer(frame, np.int16), self._reference.during(at))
        return bytes(cleaned.tobytes())


class Timed:
    """Another cleaner, and what it costs: `percent` of a core."""

    def __init__(self, clean: Cleaner | None) -> None:
        self._clean = clean
        self._spent, self._frames = 0.0, 0

    def __call__(self, frame: bytes, at: float) -> bytes:
        begun = time.thread_time()
        cleaned = self._clean(frame, at) if self._clean else frame
        self._spent += time.thread_time() - begun
        self._frames += 1
        return cleaned

    @property
    def percent(self) -> float:
        return self._spent / max(1, self._frames) / FRAME_MS * 1e5


def cleaner_of(mode: str, playback: Playback) -> Cleaner | None:
    """`mode`: a value of `--echo`, or "aec3"."""
    return Aec3(playback) if mode == "aec3" else cleaner(mode, playback, lambda notice: None)
