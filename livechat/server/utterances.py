"""Finds utterances in a stream of sound. It counts the time of the sound, not of the clock.

So ten seconds that arrive in forty milliseconds are cut into the same utterances as live speech.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

RATE = 16_000  # Hz, of what the server hears
OUTPUT_RATE = 24_000  # Hz, of what it says

SILENCE_MS = 600  # this much silence ends an utterance
PAUSE_MS = 200  # after this much silence the transcription begins; the utterance is cut here
BEFORE_MS = 380  # of the sound before the voice was noticed: the first syllable
LONGEST_S = 20.0  # a longer utterance is cut here (docs/audio.md B1)


@dataclass(frozen=True, slots=True)
class UtteranceBegan:
    """The person began to speak `at` seconds into the stream."""

    at: float


@dataclass(frozen=True, slots=True)
class UtterancePaused:
    """The utterance may be over. If it is, UtteranceEnded will hold this `pcm`."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """The utterance ended `at` seconds into the stream. `pcm`: all of it, s16le mono at 16 kHz."""

    at: float
    pcm: bytes


UtteranceEvent = UtteranceBegan | UtterancePaused | UtteranceEnded


class Segmenter:
    """Joins frames to utterances, told of each frame whether it is voiced.

    A frame is `frame_ms` long. `onset` voiced frames in a row begin an utterance, `silence_ms` of silence end it.
    """

    def __init__(self, frame_ms: float, onset: int, silence_ms: int | None = None) -> None:
        self._frame_ms = frame_ms
        self._onset = onset
        # A pause must come before the end: what UtteranceEnded holds has been announced by UtterancePaused.
        self._silence = max(PAUSE_MS + frame_ms, SILENCE_MS if silence_ms is None else silence_ms)
        self._before: deque[bytes] = deque(maxlen=round(BEFORE_MS / frame_ms))
        self._frames: list[bytes] = []  # of the utterance under way
        self._voiced = 0  # in a row
        self._silent = 0
        self._paused = 0  # how many frames UtterancePaused has announced
        self._count = 0

    def push(self, frame: bytes, voiced: bool) -> list[UtteranceEvent]:
        """What begins, pauses or ends with `frame`."""
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
        """What ends because the stream ends here."""
        return [self._end()] if self._frames else []

    def _end(self) -> UtteranceEnded:
        pcm = b"".join(self._frames[: self._paused or len(self._frames)])
        self._frames = []
        self._paused = self._silent = 0
        return UtteranceEnded(self._count * self._frame_ms / 1000, pcm)


class LoudnessVad:
    """Detects a voice by its loudness above the noise floor, in frames of 20 ms."""

    FRAME_BYTES = 640
    FRAME_MS = 20

    def __init__(self) -> None:
        self._floor = -60.0  # dBFS

    def voiced(self, frame: bytes) -> bool:
        """Whether `frame` is much louder than the room."""
        samples = np.frombuffer(frame, "<i2").astype(np.float32) / 32768
        level = float(20 * np.log10(np.sqrt(np.mean(samples**2)) + 1e-5))
        # The floor falls at once when it gets quieter, and rises by three decibels a second.
        self._floor = min(level, self._floor + 0.06)
        return level > min(-25.0, max(-45.0, self._floor + 12.0))


def resampled(pcm: bytes, rate: int, to: int) -> bytes:
    """`pcm`, s16le mono, from `rate` to `to` Hz by linear interpolation."""
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
