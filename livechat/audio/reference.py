"""What was played while the microphone heard a frame, at the microphone's rate.

An echo canceller learns how the echo follows the reference. If the reference jumps, or drifts because the two devices
have a clock each, all that was learnt is wrong. So the samples that were played are followed one by one. The drift is
measured and followed by fractional resampling. The reference jumps only when the sound system's clocks show that it
is in the wrong place.
"""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import Protocol

import numpy as np
import numpy.typing as npt

from livechat.audio.interfaces import FRAME_MS, INPUT_RATE
from livechat.audio.ring import Samples

_FRAME = INPUT_RATE * FRAME_MS // 1000  # samples
SILENCE: Samples = np.zeros(_FRAME, np.int16)  # this very array is given where nothing was played
SILENCE.flags.writeable = False
_LOOSE_MS = 5  # the reference jumps when it is further from its place than this
_OUTLIERS = 9  # measurements whose median is used: a late callback spoils one or two
_BLOCK = 50  # frames, 1 s, whose median is one measurement of the drift
_BLOCKS = 60  # of them are kept
_ENOUGH = 12  # blocks: fewer tell too little
# The clocks must have moved so far, and so many times further than the measurements scatter: less is jitter, and a
# busy machine has more of it.
_MOVED_S, _CLEARLY = 2.5e-4, 10.0
_DRIFT_MAX_PPM = 500.0  # no quartz is so wrong

_HALF_WIDTH = 16  # zero crossings of the sinc on each side
_BETA = 8.0  # shape of the Kaiser window
_CUTOFF = 0.92  # of the lower Nyquist frequency; the rest is the transition band
_PHASES = 512  # places between two samples that are told apart: -60 dB at 4 kHz


class Playback(Protocol):
    """What a speaker says about the sound that it plays (see audio/speaker.py)."""

    @property
    def rate(self) -> int:
        """In Hz."""

    @property
    def clock(self) -> tuple[int, int, float]:
        """A new one whenever the stream goes on. The first is a number that each stream has for itself."""

    def place(self, at: float) -> float: ...
    def played(self, place: int, count: int) -> Samples: ...


class Reference:
    """Follows a playback. `restarted`: the frame given last does not continue the one before it."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._taps = _Taps(INPUT_RATE)
        self._clock = (0, 0, 0.0)
        self._next = 0.0  # place of the next sample
        self._moved: deque[float] = deque(maxlen=_OUTLIERS)
        self._even = 0.0  # when this frame would have been heard if all frames came evenly
        self._late: deque[float] = deque(maxlen=_OUTLIERS)
        self._drift = _Drift()
        self._ended = False  # the stream stands still, and all that it was given has been heard
        self.restarted = False

    def during(self, at: float) -> Samples:
        """20 ms at INPUT_RATE, from `at` of time.monotonic() on. To be called once for each frame, in order."""
        self._even += FRAME_MS / 1000
        self._late.append(at - self._even)
        clock, rate = self._playback.clock, self._playback.rate
        self.restarted = False
        if not clock[2] or (self._ended and clock is self._clock):  # nothing was played since: no need to look
            self._next += rate / INPUT_RATE * _FRAME
            return SILENCE
        if clock is not self._clock:  # else the stream stands still
            place = self._playback.place(self._even + _median(self._late))
            self._follow(place, rate, new=clock[0] != self._clock[0])
            self._clock = clock
        step = rate / INPUT_RATE * (1 + self._drift.ppm * 1e-6)
        first, self._next = self._next, self._next + step * _FRAME
        sound = self._resampled(first, step)
        self._ended = clock is self._clock and first - self._taps.half > clock[1]
        return sound

    def _follow(self, place: float, rate: int, *, new: bool) -> None:
        if rate != self._taps.rate:
            self._taps = _Taps(rate)
        if new:
            self._jump(float(round(place)))
        self._moved.append(place - self._next)
        moved = _median(self._moved)
        if abs(moved) * 1000 > _LOOSE_MS * rate:
            self._jump(self._next + round(moved))
        else:
            self._drift.follow((place - self._next) / rate)

    def _jump(self, place: float) -> None:
        self._next = place
        self._moved.clear()
        self._drift.interrupt()
        self.restarted = True

    def _resampled(self, first: float, step: float) -> Samples:
        taps = self._taps
        start = int(first // 1) - taps.half + 1
        sound = self._playback.played(start, ceil(step * _FRAME) + 2 * taps.half)
        if not sound.any():
            return SILENCE
        return taps.resample(sound, first - start, step)


def _median(measures: deque[float]) -> float:
    return sorted(measures)[len(measures) // 2]


class _Drift:
    """Measures how much faster one clock is than the other, from how far their difference moves. `ppm`: so far."""

    def __init__(self) -> None:
        self.ppm = 0.0
        self._block: list[float] = []
        self._medians: list[float] = []  # s, one for each second of the stream
        self._followed = 0.0  # s, since the stream began

    def follow(self, moved: float) -> None:
        """Take a measured difference in s. It holds the part of the drift that is not followed yet."""
        self._block.append(moved)
        if len(self._block) < _BLOCK:
            return
        # What is followed already is added again: a change of `ppm` must not look like a change of the clocks.
        self._medians.append(sorted(self._block)[_BLOCK // 2] + self._followed)
        self._followed += self.ppm * 1e-6 * _BLOCK * FRAME_MS / 1000
        self._block.clear()
        if len(self._medians) >= _ENOUGH:
            self._estimate()

    def _estimate(self) -> None:
        """The median of the slopes between all seconds (Theil and Sen): half of them may be wrong."""
        medians = np.array(self._medians[-_BLOCKS:])
        earlier, later = np.triu_indices(len(medians), len(medians) // 2)
        slopes = (medians[later] - medians[earlier]) / ((later - earlier) * _BLOCK * FRAME_MS / 1000)
        slope = float(np.median(slopes))
        seconds = np.arange(len(medians)) * _BLOCK * FRAME_MS / 1000
        rest = medians - slope * seconds
        scatter = float(np.median(np.abs(rest - np.median(rest))))
        moved = abs(slope) * float(seconds[-1])
        if moved > max(_MOVED_S, _CLEARLY * scatter) and abs(slope) * 1e6 < _DRIFT_MAX_PPM:
            self.ppm = slope * 1e6

    def interrupt(self) -> None:
        """What comes now does not continue what was measured. The clocks are the same as before."""
        self._block.clear()
        self._medians.clear()
        self._followed = 0.0


class _Taps:
    """A windowed sinc for any place between two samples at `rate` Hz. `half`: its samples on each side."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        ratio = min(1.0, INPUT_RATE / rate)
        self.half = ceil(_HALF_WIDTH / ratio)
        # Sound that has the right rate already passes unchanged where it lies right.
        cutoff = 1.0 if rate == INPUT_RATE else _CUTOFF * ratio
        offsets = np.arange(1 - self.half, self.half + 1)[None, :] - np.arange(_PHASES + 1)[:, None] / _PHASES
        window = np.i0(_BETA * np.sqrt(np.maximum(0.0, 1 - (offsets / self.half) ** 2)))
        taps = np.sinc(cutoff * offsets) * window
        self._taps: npt.NDArray[np.float32] = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
        self._of = (-1.0, 0.0)  # first place and step, of which the next two are
        self._from: npt.NDArray[np.intp]  # place at which each sample's window begins
        self._weights: npt.NDArray[np.float32]  # shape (_FRAME, 2 * half)

    def resample(self, sound: Samples, first: float, step: float) -> Samples:
        """_FRAME samples: the one at place `first` of `sound`, and one every `step`."""
        if (first, step) != self._of:  # while the clocks run alike, each frame has the places of the one before
            places = first + step * np.arange(_FRAME)
            whole = places.astype(np.intp)
            self._of = first, step
            self._from = whole - self.half + 1
            self._weights = self._taps[np.rint((places - whole) * _PHASES).astype(np.intp)]
        floats, width = sound.astype(np.float32), 2 * self.half
        windows = np.ndarray((len(floats) - width + 1, width), np.float32, floats, 0, (4, 4))
        resampled = np.vecdot(windows[self._from], self._weights)
        rounded: Samples = np.rint(np.minimum(np.maximum(resampled, -32768), 32767)).astype(np.int16)
        return rounded
