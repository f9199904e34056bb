"""Is a sound an echo of another? Generalised cross-correlation with phase transform (Knapp and Carter 1976).

Only phases count, so neither loudness nor the colour of a room matters. It finds an echo that no filter has learnt.
"""

from __future__ import annotations

import numpy as np

from livechat.audio.echo_filter import PARTITIONS
from livechat.audio.interfaces import INPUT_RATE
from livechat.audio.spectrum import FRAME, Sound, sound_of, spectrum_of

_SIZE = 8192  # points of the transform: more than the reference and the sound together
_FROM_HZ, _TO_HZ = 100, 4000  # where speech is, and every speaker plays
_LAGS = PARTITIONS * FRAME + 1  # samples: an echo may be so late


def echo_peak(sound: Sound, played: Sound) -> float:
    """How much the highest peak of the correlation exceeds its RMS. 5 to 10 for a person, over 12 for an echo.

    `sound`: two frames. `played`: the PARTITIONS + 2 frames that end with them.
    """
    band = slice(_FROM_HZ * _SIZE // INPUT_RATE, _TO_HZ * _SIZE // INPUT_RATE)
    cross = (spectrum_of(sound, _SIZE).conj() * spectrum_of(played, _SIZE))[band]
    spectrum = np.zeros(_SIZE // 2 + 1, np.complex64)
    spectrum[band] = cross / (np.abs(cross) + 1e-9)
    lags = sound_of(spectrum)[:_LAGS]
    return float(np.abs(lags).max() / np.sqrt((lags * lags).mean() + 1e-20))
