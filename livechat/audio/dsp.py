"""Arithmetic on sound: loudness, channels, rates, frames, and whether a person is speaking.

Sound goes in and out as bytes of s16le. Nothing here waits, or knows where the sound comes from.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, gcd, log10
from typing import Protocol

import numpy as np
import numpy.typing as npt

from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS, INPUT_RATE

SILENCE_DBFS = -90.0  # the bottom of the scale: one bit of 16

_HALF_WIDTH = 16  # zero crossings of the sinc on each side; with _BETA, stop band below -90 dB (docs/audio.md A4)
_BETA = 8.0  # shape of the Kaiser window
# When channels cancel each other, in powers. A voice in one of two channels has a mean of a quarter.
_CANCEL, _JOIN = 10**-1.0, 10**-0.8  # of the mean, against the loudest channel: below it they do, above no more
_LOUDER = 4.0  # a channel by so much louder than the one that is taken is taken instead
_NOTHING = 10.0  # no channel is louder than that: -80 dBFS, from which nothing can be told
_MEMORY_S = 0.05  # after which half of a power is forgotten
_CUTOFF = 0.92  # of the lower Nyquist frequency: what is left is the transition band


def level(pcm: bytes) -> float:
    """Root-mean-square loudness of s16le samples in dBFS, from SILENCE_DBFS to 0 (a full-scale square)."""
    samples = np.frombuffer(pcm, np.int16).astype(np.float64)
    power = float(np.mean(samples * samples)) if len(samples) else 0.0
    return max(SILENCE_DBFS, 10 * log10(power / 32768**2)) if power else SILENCE_DBFS


class Mixer:
    """Makes mono of interleaved s16le: the mean of the channels, unless they cancel each other.

    One microphone of two that is wired the wrong way round turns the mean of both into next to nothing. So where
    the mean is far below the loudest channel, that channel is taken instead, until they no longer cancel.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._mean = np.full(channels, 1 / channels, np.float32)
        self._weights = self._mean  # of the channels
        self._keep = 0.5 ** (1 / (_MEMORY_S * rate))  # what of a power is left one sample later
        self._powers = np.zeros(channels)  # of each channel, of late
        self._power = 0.0  # of their mean
        self._heard = False

    def mix(self, pcm: bytes) -> bytes:
        """Mono of one block, about FRAME_MS of sound."""
        if len(self._mean) == 1 or not pcm:
            return pcm
        block = np.frombuffer(pcm, np.int16).reshape(-1, len(self._mean))
        mean = block.mean(axis=1, dtype=np.float32)
        before = self._weights
        self._weigh(block, mean)
        if before is self._weights is self._mean:
            return _s16le(mean)
        # A step from one to the other would click. Before the first block there is nothing to step from.
        ramp = np.linspace(0, 1, len(block), dtype=np.float32) if self._heard else np.float32(1)
        self._heard = True
        return _s16le(block @ before * (1 - ramp) + block @ self._weights * ramp)

    def _weigh(self, block: npt.NDArray[np.int16], mean: npt.NDArray[np.float32]) -> None:
        kept = self._keep ** len(block)
        self._powers = kept * self._powers + (1 - kept) * (block.astype(np.float64) ** 2).mean(axis=0)
        self._power = kept * self._power + (1 - kept) * float(np.mean(mean.astype(np.float64) ** 2))
        loudest = int(self._powers.argmax())
        alone = self._weights is not self._mean
        if self._powers[loudest] < _NOTHING:
            return
        if self._power > (_JOIN if alone else _CANCEL) * self._powers[loudest]:
            self._weights = self._mean
        elif not alone or self._powers[loudest] > _LOUDER * float(self._weights @ self._powers):
            self._weights = np.eye(len(self._mean), dtype=np.float32)[loudest]
        self._heard = self._heard or self._weights is self._mean


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


class RateConverter:
    """Brings mono s16le to `to_rate` Hz, from a rate that may change. What has that rate already passes unchanged."""

    def __init__(self, to_rate: int) -> None:
        self._to_rate = self._from_rate = to_rate
        self._resampler: Resampler | None = None

    def feed(self, pcm: bytes, rate: int) -> bytes:
        """The samples of `pcm`, which has `rate` Hz, as many as are due."""
        if rate != self._from_rate:
            self._from_rate = rate
            self._resampler = Resampler(rate, self._to_rate) if rate != self._to_rate else None
        return self._resampler.feed(pcm) if self._resampler else pcm

    def flush(self) -> bytes:
        """The end of the sound, as Resampler.flush()."""
        return self._resampler.flush() if self._resampler else b""


class Framer:
    """Cuts interleaved s16le at any rate into frames of FRAME_BYTES: 20 ms of mono at INPUT_RATE."""

    def __init__(self, rate: int = INPUT_RATE, channels: int = 1) -> None:
        self._mixer = Mixer(rate, channels)
        self._sample = 2 * channels  # bytes
        # Several channels are mixed 20 ms at a time, however they come.
        self._block = self._sample if channels == 1 else self._sample * (rate // 50)
        self._rate = rate
        self._converter = RateConverter(INPUT_RATE)
        self._raw = bytearray()  # less than one sample of every channel
        self._ready = bytearray()

    def feed(self, pcm: bytes) -> Iterator[bytes]:
        """Every frame that is complete with these bytes, which may be any number."""
        self._raw += pcm
        self._take(self._block)
        return self._frames()

    def end(self) -> Iterator[bytes]:
        """The last frames, the very last one filled up with silence."""
        self._take(self._sample)
        self._ready += self._converter.flush()
        self._ready += bytes(-len(self._ready) % FRAME_BYTES)
        return self._frames()

    def _take(self, unit: int) -> None:
        """Make mono, at INPUT_RATE, of all that is there in whole units of so many bytes."""
        whole = len(self._raw) // unit * unit
        step = whole if unit == self._sample else unit
        for at in range(0, whole, step or 1):
            sound = self._mixer.mix(bytes(self._raw[at : at + step]))
            self._ready += self._converter.feed(sound, self._rate)
        del self._raw[:whole]

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
