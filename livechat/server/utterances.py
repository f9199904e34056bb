"""Finding utterances in a stream of sound, in the time of the sound itself, not of the clock. Pure but for numpy.

So a burst of ten seconds replayed in forty milliseconds is cut into the same utterances as live speech.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

RATE = 16_000  # Hz, what a server hears
OUTPUT_RATE = 24_000  # Hz, what it says

SILENCE_MS = 600  # this much silence ends an utterance
PAUSE_MS = 200  # so much of it is kept, and is enough to begin transcribing
BEFORE_MS = 380  # kept from before the voice was noticed
LONGEST_S = 20.0  # longer utterances are cut here: recognisers degrade


@dataclass(frozen=True, slots=True)
class UtteranceBegan:
    """The person began to speak `at` seconds into the stream."""

    at: float


@dataclass(frozen=True, slots=True)
class UtterancePaused:
    """The person may have finished; if so, `pcm` is what `Ended` will hold."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """The utterance ended `at` seconds into the stream. `pcm` is all of it, s16le mono at 16 kHz."""

    at: float
    pcm: bytes


UtteranceEvent = UtteranceBegan | UtterancePaused | UtteranceEnded


class Segmenter:
    """Frames, each voiced or not, to utterances. `frame_ms` long each; `onset` voiced ones in a row begin one."""

    def __init__(self, frame_ms: float, onset: int, silence_ms: int | None = None) -> None:
        self._frame_ms = frame_ms
        self._onset = onset
        # A pause must come before the end, or the end would hold what no pause announced.
        self._silence = max(PAUSE_MS + frame_ms, SILENCE_MS if silence_ms is None else silence_ms)
        self._before: deque[bytes] = deque(maxlen=round(BEFORE_MS / frame_ms))
        self._frames: list[bytes] = []  # of the utterance; empty between utterances
        self._voiced = 0  # in a row
        self._silent = 0
        self._paused = 0  # how many frames were announced by Paused
        self._count = 0

    def push(self, frame: bytes, voiced: bool) -> list[UtteranceEvent]:
        """What `frame` brings about."""
        self._count += 1
        self._voiced = self._voiced + 1 if voiced else 0
        self._silent = 0 if voiced else self._silent + 1
        if not self._frames:
            self._before.append(frame)
            if self._voiced < self._onset:
                return []
            self._frames = list(self._before)
            self._before.clear()
            return [UtteranceBegan((self._count - self._voiced) * self._frame_ms / 1000)]
        self._frames.append(frame)
        silence = self._silent * self._frame_ms
        if voiced:
            self._paused = 0
        if silence >= self._silence:
            return [self._end()]
        if len(self._frames) * self._frame_ms >= LONGEST_S * 1000:
            ended = self._end()
            self._voiced = 0
            return [ended]
        if silence >= PAUSE_MS and not self._paused:
            self._paused = len(self._frames)
            return [UtterancePaused(b"".join(self._frames))]
        return []

    def flush(self) -> list[UtteranceEvent]:
        """The stream ends here, and with it the utterance under way."""
        return [self._end()] if self._frames else []

    def _end(self) -> UtteranceEnded:
        pcm = b"".join(self._frames[: self._paused or len(self._frames)])
        self._frames = []
        self._paused = self._silent = 0
        return UtteranceEnded(self._count * self._frame_ms / 1000, pcm)


class LoudnessVad:
    """A voice detector by loudness over the noise floor, for 20 ms frames. Deterministic; no models."""

    FRAME_BYTES = 640
    FRAME_MS = 20

    def __init__(self) -> None:
        self._floor = -60.0  # dBFS

    def voiced(self, frame: bytes) -> bool:
        """Whether `frame` is well above what the room sounds like."""
        samples = np.frombuffer(frame, "<i2").astype(np.float32) / 32768
        level = float(20 * np.log10(np.sqrt(np.mean(samples**2)) + 1e-5))
        # The floor follows silence at once, and noise by three decibels a second.
        self._floor = min(level, self._floor + 0.06)
        return level > min(-25.0, max(-45.0, self._floor + 12.0))


def resampled(pcm: bytes, rate: int, to: int) -> bytes:
    """s16le mono at `rate` Hz as s16le mono at `to` Hz, by linear interpolation."""
    samples = np.frombuffer(pcm, "<i2")
    if rate == to or not len(samples):
        return pcm
    places = np.arange(len(samples) * to // rate) * (rate / to)
    return bytes(np.interp(places, np.arange(len(samples)), samples).astype("<i2").tobytes())


def beep(seconds: float, hertz: float = 440.0, level: float = 0.1) -> bytes:
    """A soft tone that fades in and out, s16le mono at 24 kHz."""
    t = np.arange(round(seconds * OUTPUT_RATE)) / OUTPUT_RATE
    wave = level * np.sin(2 * np.pi * hertz * t) * np.sin(np.pi * t / seconds)
    return bytes((wave * 32767).astype("<i2").tobytes())
