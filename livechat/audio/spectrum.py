"""Frames of sound and their spectra, as the echo canceller uses them. Sound is float32 with full scale at 1.0."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livechat.audio.interfaces import FRAME_MS, INPUT_RATE

FRAME = INPUT_RATE * FRAME_MS // 1000  # samples
BINS = FRAME + 1  # of the spectrum of two frames, 25 Hz each

Sound = npt.NDArray[np.float32]  # samples; also the power of each bin
Spectrum = npt.NDArray[np.complex64]

# Of two frames that overlap by half: its square adds up to 1, so sound that is windowed twice is whole again.
WINDOW: Sound = np.sqrt(np.hanning(2 * FRAME + 1)[:-1]).astype(np.float32)

# numpy transforms single precision as it is, in half the time. Its type hints do not know that.


def spectrum_of(sound: Sound, size: int = 2 * FRAME) -> Spectrum:
    """Its spectrum along the last axis, with zeros behind it up to `size` samples."""
    return np.fft.rfft(sound, size).astype(np.complex64, copy=False)


def sound_of(spectrum: Spectrum) -> Sound:
    """The samples of a spectrum along the last axis."""
    return np.fft.irfft(spectrum).astype(np.float32, copy=False)


def power(spectrum: Spectrum) -> Sound:
    """The squared magnitude of each bin."""
    squared: Sound = spectrum.real**2 + spectrum.imag**2
    return squared


def floating(samples: npt.NDArray[np.int16]) -> Sound:
    """16-bit samples as Sound."""
    return samples.astype(np.float32) / np.float32(32768)
