"""Voice activity detection: is a person speaking? (docs/audio.md A5)"""

from typing import Protocol

import numpy as np

from livechat.audio.dsp import level
from livechat.audio.interfaces import FRAME_MS, INPUT_RATE
from livechat.audio.ring import Samples

_THRESHOLD, _ONSET, _FLOOR_DBFS = 0.5, 3, -60.0


class _Detector(Protocol):
    def process(self, audio: Samples) -> float:
        """The probability that a frame is speech, from 0 to 1."""


class _EnergyDetector:
    """Replaces WebRTC's detector where that does not run: a frame well above the noise floor is speech."""

    def __init__(self) -> None:
        self._floor = -60.0  # dBFS

    def process(self, audio: Samples) -> float:
        loudness = level(audio.tobytes())
        # The floor falls at once, and rises by three decibels a second: so speech does not lift it.
        self._floor = min(loudness, self._floor + 0.06)
        return float(loudness > max(-45.0, self._floor + 12.0))


def _detector() -> _Detector:
    try:
        from pywebrtc_audio import VoiceDetector
    except ImportError:
        return _EnergyDetector()
    return VoiceDetector(INPUT_RATE, 1)


class SpeechDetector:
    """Tells whether a person is speaking, from one frame at INPUT_RATE after the other.

    Speech begins with _ONSET voiced frames in a row, and ends after `hangover_ms` without one. A frame is voiced if
    WebRTC's speech probability (pywebrtc_audio) is above _THRESHOLD, and its loudness above _FLOOR_DBFS: on digital
    silence the probability stays where it was. Steady noise is not speech. But noise that sets in suddenly may count
    as speech for 1 to 4 s (measured), until the detector knows that it is steady.
    """

    def __init__(self, hangover_ms: int = 400) -> None:
        self._detector = _detector()
        self.hangover_ms = hangover_ms
        self._hangover = hangover_ms // FRAME_MS
        self.voiced = False  # the last frame alone
        self._run = 0  # voiced frames in a row
        self._left = 0  # frames until speech counts as ended

    def feed(self, frame: bytes) -> bool:
        """Take one frame of FRAME_BYTES. Returns True while a person speaks, also in short pauses."""
        likely = self._detector.process(np.frombuffer(frame, np.int16)) > _THRESHOLD
        self.voiced = likely and level(frame) > _FLOOR_DBFS
        self._run = self._run + 1 if self.voiced else 0
        if self._run >= _ONSET or (self._run and self._left):
            self._left = self._hangover
        else:
            self._left = max(0, self._left - 1)
        return self._left > 0
