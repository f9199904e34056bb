"""How much echo is left behind the filter, in each bin of the spectrum.

Powers are those of spectra of two windowed frames, as in echo_canceller.py.
"""

from __future__ import annotations

from math import exp

import numpy as np

from livechat.audio.spectrum import BINS, Sound

_SMOOTH = 0.8  # memory of the smoothed power: 100 ms
_NOISE_RISE = 1.01  # a frame; the noise floor falls at once, and rises by 2 dB a second: speech does not lift it
_NOISE_START = 1e-4  # a quiet microphone's
_NOISE_MIN = 1e-8  # digital silence has no noise: half a bit of 16 stands in for it
_UNSURE, _SURE = 2.5, 0.15  # weight of the filter's own error before and after it has converged
_FADE = 0.7  # the estimate falls by no more in a frame: the room reverberates longer than the filter is
# The leak is the mean residual over the estimated echo. A person would lift a mean, and hardly moves a low quantile.
# So the 30 % quantile is followed. For the exponentially distributed power of noise, the mean is 2.8 times as high.
_QUANTILE, _MEAN = 0.3, 2.8
_STEP = 0.15  # nepers a frame: by so much the quantile moves
_RISE, _FALL = np.float32(exp(_STEP * _QUANTILE)), np.float32(exp(_STEP * (_QUANTILE - 1)))
_LEAST_SHARE = 0.02  # of the sound is left when the noise is subtracted
_LEAK_MIN, _LEAK_MAX = 0.003, 3.0  # -25 dB: no filter is better for long; +5 dB: it has not learnt anything


class ResidualEcho:
    """Estimates the power of the echo that is left. `power` and `noise`: of each bin, shape (BINS,)."""

    def __init__(self) -> None:
        self.power = np.zeros(BINS, np.float32)
        self.noise = np.full(BINS, _NOISE_START, np.float32)
        self._smooth = np.full(BINS, _NOISE_START, np.float32)
        self._leak = np.ones(BINS, np.float32)
        self._error = np.zeros(BINS, np.float32)  # of the frame before

    def listen(self, left: Sound, frames: int = 1) -> None:
        """Take the power of one frame of so many, only to follow the noise."""
        self._smooth = _SMOOTH * self._smooth + (1 - _SMOOTH) * left
        self.noise = np.minimum(self._smooth + _NOISE_MIN, self.noise * _NOISE_RISE**frames)

    def follow(self, left: Sound, echo: Sound, error: Sound, *, converged: bool) -> None:
        """Take a frame: the power left behind the filter, of the estimated echo, and of the filter's own error."""
        self.listen(left)
        # A spectrum spans two frames, and the error was told for each.
        unsure = (_SURE if converged else _UNSURE) * (error + self._error)
        self._error = error
        self.power = np.maximum(self._leak * echo + unsure, _FADE * self.power)
        noise = 2 * self.noise
        residual = np.maximum(left - noise, _LEAST_SHARE * left)
        leak = self._leak * np.where(residual * _MEAN > self._leak * echo, _RISE, _FALL)
        leak = np.where(echo > noise, leak, self._leak)  # an echo below the noise says nothing
        self._leak = np.minimum(np.maximum(leak, _LEAK_MIN), _LEAK_MAX)

    def restart(self) -> None:
        """The filter has forgotten the path."""
        self._leak[:] = 1
