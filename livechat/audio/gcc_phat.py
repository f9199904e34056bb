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
# Speech has few strong bins. The others hold what leaks from these, which is the shape of the ends: without windows
# whose ends are smooth, every tenth sound of a person had a peak where its ends meet those of the reference.
_WINDOW = np.hanning(2 * FRAME + 1)[:-1].astype(np.float32)
_FADE = np.sin(np.linspace(0, np.pi / 2, 2 * FRAME, dtype=np.float32)) ** 2
_LAGS = PARTITIONS * FRAME + 1  # samples: an echo may be so late


def echo_peak(sound: Sound, played: Sound) -> tuple[float, int]:
    """How much the highest peak of the correlation exceeds its RMS, and where it is, in samples.

    It is 5 to 10 for a person and rarely over 16; for an echo often, and then always in the same place.
    `sound`: two frames. `played`: the PARTITIONS + 2 frames that end with them.
    """
    band = slice(_FROM_HZ * _SIZE // INPUT_RATE, _TO_HZ * _SIZE // INPUT_RATE)
    faded = played.copy()
    faded[: 2 * FRAME] *= _FADE
    faded[-FRAME:] *= _FADE[::-2]
    cross = (spectrum_of(sound * _WINDOW, _SIZE).conj() * spectrum_of(faded, _SIZE))[band]
    spectrum = np.zeros(_SIZE // 2 + 1, np.complex64)
    spectrum[band] = cross / (np.abs(cross) + 1e-9)
    lags = sound_of(spectrum)[:_LAGS]
    lag = int(np.abs(lags).argmax())
    return float(abs(lags[lag]) / np.sqrt((lags * lags).mean() + 1e-20)), lag
