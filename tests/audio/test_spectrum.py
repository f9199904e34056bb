"""Frames and their spectra keep single precision, and what they hold."""

from __future__ import annotations

import numpy as np

from livechat.audio.spectrum import BINS, FRAME, floating, power, sound_of, spectrum_of


def test_a_spectrum_holds_the_sound_in_single_precision() -> None:
    sound = floating(np.random.default_rng(1).integers(-32768, 32767, 2 * FRAME, np.int16))
    spectrum = spectrum_of(sound)
    assert (sound.dtype.name, spectrum.dtype.name, spectrum.shape) == ("float32", "complex64", (BINS,))
    back = sound_of(spectrum)
    assert back.dtype.name == "float32"
    assert np.abs(back - sound).max() < 1e-6
    assert np.allclose(power(spectrum), np.abs(spectrum) ** 2)
    assert power(spectrum).dtype.name == "float32"
