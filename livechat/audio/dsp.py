"""Arithmetic on sound: loudness, channels, rates, frames, and whether a person is speaking.

Sound goes in and out as bytes of s16le. Nothing here waits, or knows where the sound comes from.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, gcd, log10
from typing import Protocol

import numpy as np
import numpy.typing as npt

from livechat.audio.base import FRAME_BYTES, FRAME_MS, INPUT_RATE

SILENCE_DBFS = -90.0  # the bottom of the scale: one bit of 16

_HALF_WIDTH = 16  # zero crossings of the sinc on each side; with _BETA, stop band below -90 dB (docs/audio.md A4)
_BETA = 8.0  # shape of the Kaiser window
_CUTOFF = 0.92  # of the lower Nyquist frequency: what is left is the transition band


def level(pcm: bytes) -> float:
    """Root-mean-square loudness of s16le samples in dBFS, from SILENCE_DBFS to 0 (a full-scale square)."""
    samples = np.frombuffer(pcm, np.int16).astype(np.float64)
    power = float(np.mean(samples * samples)) if len(samples) else 0.0
    return max(SILENCE_DBFS, 10 * log10(power / 32768**2)) if power else SILENCE_DBFS


def mono(pcm: bytes, channels: int) -> bytes:
    """The mean of interleaved s16le channels."""
    if channels == 1:
        return pcm
    return _s16le(np.frombuffer(pcm, np.int16).reshape(-1, channels).mean(axis=1, dtype=np.float32))


def from_float(samples: npt.NDArray[np.float32]) -> bytes:
    """s16le from samples with full scale at 1.0. Louder ones are clipped; what is not a number is silence."""
    return _s16le(np.clip(np.nan_to_num(samples), -1, 1) * 32768)


def _s16le(samples: npt.NDArray[np.float32]) -> bytes:
    rounded: npt.NDArray[np.int16] = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    return rounded.tobytes()


class Resampler:
    """Changes the rate of a stream of mono s16le: polyphase windowed sinc, any pair of whole rates in Hz.

    The output is late by `_HALF_WIDTH` samples of the lower rate (1 ms at 16 kHz) and never jitters:
    after N samples in, exactly floor(N * to_rate / from_rate) have come out, whatever the block sizes.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        common = gcd(from_rate, to_rate)
        self._up, self._down = to_rate // common, from_rate // common
        ratio = min(1.0, to_rate / from_rate)
        self._half = ceil(_HALF_WIDTH / ratio)
        # One row of taps for each of the `_up` positions an output can have between two inputs.
        offsets = np.arange(1 - self._half, self._half + 1)[None, :] - np.arange(self._up)[:, None] / self._up
        window = np.i0(_BETA * np.sqrt(np.maximum(0.0, 1 - (offsets / self._half) ** 2)))
        taps = np.sinc(_CUTOFF * ratio * offsets) * window
        self._taps = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
        self._history = np.zeros(2 * self._half - 1, np.float32)
        self._phase = self._down - 1  # where the next output lies: in 1/_up of an input, after the last one

    def feed(self, pcm: bytes) -> bytes:
        """The samples of `pcm` at the new rate, as many as are due."""
        fed = len(pcm) // 2
        samples = np.concatenate([self._history, np.frombuffer(pcm, np.int16).astype(np.float32)])
        at, row = np.divmod(np.arange(self._phase, fed * self._up, self._down), self._up)
        self._phase += len(at) * self._down - fed * self._up
        self._history = samples[fed:]
        if not len(at):
            return b""
        windows = np.lib.stride_tricks.sliding_window_view(samples, 2 * self._half)
        return _s16le(np.einsum("ij,ij->i", windows[at], self._taps[row]))

    def flush(self) -> bytes:
        """The end of the sound, which the delay still holds back. The resampler is as new afterwards."""
        tail = self.feed(bytes(4 * self._half))
        self._history[:] = 0
        self._phase = self._down - 1
        return tail


class Framer:
    """Cuts interleaved s16le at any rate into frames of FRAME_BYTES: 20 ms of mono at INPUT_RATE."""

    def __init__(self, rate: int = INPUT_RATE, channels: int = 1) -> None:
        self._channels = channels
        self._resampler = Resampler(rate, INPUT_RATE) if rate != INPUT_RATE else None
        self._raw = bytearray()  # less than one sample of every channel
        self._ready = bytearray()

    def feed(self, pcm: bytes) -> Iterator[bytes]:
        """Every frame that is complete with these bytes, which may be any number."""
        self._raw += pcm
        whole = len(self._raw) - len(self._raw) % (2 * self._channels)
        sound = mono(bytes(self._raw[:whole]), self._channels)
        del self._raw[:whole]
        self._ready += self._resampler.feed(sound) if self._resampler else sound
        return self._frames()

    def end(self) -> Iterator[bytes]:
        """The last frames, the very last one filled up with silence."""
        if self._resampler:
            self._ready += self._resampler.flush()
        self._ready += bytes(-len(self._ready) % FRAME_BYTES)
        return self._frames()

    def _frames(self) -> Iterator[bytes]:
        while len(self._ready) >= FRAME_BYTES:
            frame = bytes(self._ready[:FRAME_BYTES])
            del self._ready[:FRAME_BYTES]
            yield frame


class _Likelihood(Protocol):
    def process(self, audio: npt.NDArray[np.int16]) -> float:
        """How likely it is that a frame is speech, from 0 to 1."""
        ...


class _Loudness:
    """In place of WebRTC's detector where that does not run: a frame well above the noise floor is speech."""

    def __init__(self) -> None:
        self._floor = -60.0  # dBFS

    def process(self, audio: npt.NDArray[np.int16]) -> float:
        loudness = level(audio.tobytes())
        # The floor follows silence at once, and noise by three decibels a second.
        self._floor = min(loudness, self._floor + 0.06)
        return float(loudness > max(-45.0, self._floor + 12.0))


def _likelihood() -> _Likelihood:
    try:
        from pywebrtc_audio import VoiceDetector
    except ImportError:
        return _Loudness()
    return VoiceDetector(INPUT_RATE, 1)


class SpeechDetector:
    """Is a person speaking? One frame of INPUT_RATE at a time, in order.

    WebRTC's speech probability (pywebrtc_audio) above `threshold` for `onset` frames in a row begins speech;
    `hangover_ms` without one such frame ends it. Sound below `floor_dbfs` is never speech: on digital silence
    the probability stays where it was. Steady noise is not speech, but when it sets in suddenly after quiet or
    speech, it takes the detector 1 to 4 s (measured) to see that it is steady.
    """

    def __init__(
        self, threshold: float = 0.5, onset: int = 3, hangover_ms: int = 400, floor_dbfs: float = -60.0
    ) -> None:
        self._detector = _likelihood()
        self._threshold = threshold
        self._onset = onset
        self.hangover_ms = hangover_ms
        self._hangover = hangover_ms // FRAME_MS
        self._floor = floor_dbfs
        self.voiced = False  # the last frame, by itself
        self._run = 0  # such frames in a row
        self._left = 0  # frames until speech counts as over

    def feed(self, frame: bytes) -> bool:
        """Take one frame of FRAME_BYTES; True while a person speaks, short pauses included."""
        likely = self._detector.process(np.frombuffer(frame, np.int16)) > self._threshold
        self.voiced = likely and level(frame) > self._floor
        self._run = self._run + 1 if self.voiced else 0
        if self._run >= self._onset or (self._run and self._left):
            self._left = self._hangover
        else:
            self._left = max(0, self._left - 1)
        return self._left > 0
