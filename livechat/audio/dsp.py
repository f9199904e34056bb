"""Arithmetic on sound: loudness, mixing to mono, resampling, and cutting into frames.

Sound goes in and out as bytes of s16le.
"""

from collections.abc import Iterator
from math import ceil, gcd, log10

import numpy as np
import numpy.typing as npt

from livechat.audio.interfaces import FRAME_BYTES, INPUT_RATE

SILENCE_DBFS = -90.0  # the bottom of the scale: one bit of 16

_HALF_WIDTH = 16  # zero crossings of the sinc on each side; with _BETA, stop band below -90 dB (docs/audio.md A4)
_BETA = 8.0  # shape of the Kaiser window
_CUTOFF = 0.92  # of the lower Nyquist frequency; the rest is the transition band

# For the Mixer. The power of the mean is compared with that of the loudest channel. A voice that is in one of two
# channels alone gives a quarter.
_CANCEL = 10**-1.0  # below this ratio the channels cancel each other
_ADD = 10**-0.8  # above this one they no longer do
_LOUDER = 4.0  # another channel replaces the one in use if its power is so many times higher
_TOO_QUIET = 10.0  # a power, -80 dBFS: below it no comparison is possible
_HALF_LIFE_S = 0.05  # of a measured power


def level(pcm: bytes) -> float:
    """Root-mean-square loudness of s16le samples in dBFS, from SILENCE_DBFS to 0 (a full-scale square wave)."""
    samples = np.frombuffer(pcm, np.int16).astype(np.float32)
    power = float(samples @ samples) / len(samples) if len(samples) else 0.0
    return max(SILENCE_DBFS, 10 * log10(power / 32768**2)) if power else SILENCE_DBFS


class Mixer:
    """Makes mono of interleaved s16le: the mean of the channels, or one channel where the channels cancel.

    If one of two microphones is wired with the wrong polarity, the mean of both is nearly silent. So where the mean
    is far weaker than the loudest channel, that channel alone is used until the channels no longer cancel.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._mean = np.full(channels, 1 / channels, np.float32)
        self._weights = self._mean  # of the channels in the mono sound
        self._keep = 0.5 ** (1 / (_HALF_LIFE_S * rate))  # the factor by which a measured power decays per sample
        self._powers = np.zeros(channels)  # of each channel, averaged over the recent past
        self._power = 0.0  # of their mean
        self._heard = False  # a block was loud enough to compare

    def mix(self, pcm: bytes) -> bytes:
        """The mono sound of one block of about 20 ms."""
        if len(self._mean) == 1 or not pcm:
            return pcm
        block = np.frombuffer(pcm, np.int16).reshape(-1, len(self._mean))
        mean = block.mean(axis=1, dtype=np.float32)
        before = self._weights
        self._weigh(block, mean)
        if before is self._weights is self._mean:
            return _s16le(mean)
        # A sudden change of the weights would click, so they change gradually. The first block needs no transition.
        ramp = np.linspace(0, 1, len(block), dtype=np.float32) if self._heard else np.float32(1)
        self._heard = True
        return _s16le(block @ before * (1 - ramp) + block @ self._weights * ramp)

    def _weigh(self, block: npt.NDArray[np.int16], mean: npt.NDArray[np.float32]) -> None:
        kept = self._keep ** len(block)
        self._powers = kept * self._powers + (1 - kept) * (block.astype(np.float64) ** 2).mean(axis=0)
        self._power = kept * self._power + (1 - kept) * float(np.mean(mean.astype(np.float64) ** 2))
        loudest = int(self._powers.argmax())
        alone = self._weights is not self._mean
        if self._powers[loudest] < _TOO_QUIET:
            return
        if self._power > (_ADD if alone else _CANCEL) * self._powers[loudest]:
            self._weights = self._mean
        elif not alone or self._powers[loudest] > _LOUDER * float(self._weights @ self._powers):
            self._weights = np.eye(len(self._mean), dtype=np.float32)[loudest]
        self._heard = self._heard or self._weights is self._mean


def from_float(samples: npt.NDArray[np.float32]) -> bytes:
    """s16le from samples with full scale at 1.0. Louder samples are clipped, and NaN becomes silence."""
    return _s16le(np.clip(np.nan_to_num(samples), -1, 1) * 32768)


def _s16le(samples: npt.NDArray[np.float32]) -> bytes:
    rounded: npt.NDArray[np.int16] = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    return rounded.tobytes()


class Resampler:
    """Changes the rate of a stream of mono s16le with a polyphase windowed sinc. Any two whole rates in Hz.

    The output is delayed by `_HALF_WIDTH` samples of the lower rate, 1 ms at 16 kHz. The delay is constant:
    after N input samples exactly floor(N * to_rate / from_rate) have been returned, whatever the block sizes.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        common = gcd(from_rate, to_rate)
        self._up, self._down = to_rate // common, from_rate // common
        ratio = min(1.0, to_rate / from_rate)
        self._half = ceil(_HALF_WIDTH / ratio)
        # One row of taps for each of the `_up` positions that an output sample can have between two inputs.
        offsets = np.arange(1 - self._half, self._half + 1)[None, :] - np.arange(self._up)[:, None] / self._up
        window = np.i0(_BETA * np.sqrt(np.maximum(0.0, 1 - (offsets / self._half) ** 2)))
        taps = np.sinc(_CUTOFF * ratio * offsets) * window
        self._taps = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
        self._history = np.zeros(2 * self._half - 1, np.float32)
        self._phase = self._down - 1  # from the last input to the next output, in 1/_up of an input sample

    def feed(self, pcm: bytes) -> bytes:
        """The sound at the new rate, as far as `pcm` completes it."""
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
        """The end of the sound, which the delay held back. Afterwards the resampler is as new."""
        tail = self.feed(bytes(4 * self._half))
        self._history[:] = 0
        self._phase = self._down - 1
        return tail


class RateConverter:
    """Converts mono s16le to `to_rate` Hz from a rate that may change. Sound at that rate passes unchanged."""

    def __init__(self, to_rate: int) -> None:
        self._to_rate = self._from_rate = to_rate
        self._resampler: Resampler | None = None

    def feed(self, pcm: bytes, rate: int) -> bytes:
        """The sound at `to_rate`, as far as `pcm` completes it. `rate` of `pcm` in Hz."""
        if rate != self._from_rate:
            self._from_rate = rate
            self._resampler = Resampler(rate, self._to_rate) if rate != self._to_rate else None
        return self._resampler.feed(pcm) if self._resampler else pcm

    def flush(self) -> bytes:
        """The end of the sound, as Resampler.flush() gives it."""
        return self._resampler.flush() if self._resampler else b""


class Framer:
    """Cuts interleaved s16le at any rate into frames of FRAME_BYTES: 20 ms of mono at INPUT_RATE."""

    def __init__(self, rate: int = INPUT_RATE, channels: int = 1) -> None:
        self._mixer = Mixer(rate, channels)
        self._sample = 2 * channels  # bytes
        # The Mixer wants blocks of 20 ms, whatever sizes arrive. One channel needs no mixing.
        self._block = self._sample if channels == 1 else self._sample * (rate // 50)
        self._rate = rate
        self._converter = RateConverter(INPUT_RATE)
        self._raw = bytearray()  # as it came: less than a block
        self._ready = bytearray()  # mono at INPUT_RATE: less than a frame

    def feed(self, pcm: bytes) -> Iterator[bytes]:
        """Every frame that these bytes complete. Any number of bytes is allowed."""
        self._raw += pcm
        self._take(self._block)
        return self._frames()

    def end(self) -> Iterator[bytes]:
        """The last frames. Silence fills up the very last one."""
        self._take(self._sample)
        self._ready += self._converter.flush()
        self._ready += bytes(-len(self._ready) % FRAME_BYTES)
        return self._frames()

    def _take(self, unit: int) -> None:
        """Convert all whole units of so many bytes to mono at INPUT_RATE."""
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
