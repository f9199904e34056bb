"""A chirp, and how to find it again in a recording: the path from the speaker to the microphone, measured.

Correlation finds a chirp to the sample, also when noise is much louder (Farina 2000, swept sines).
"""

from dataclasses import dataclass

import numpy as np

from livechat.audio.interfaces import INPUT_RATE
from livechat.audio.ring import Samples

CHIRP_S = 0.5
_FROM_HZ, _TO_HZ = 400.0, 3400.0  # every microphone and speaker has these, also a telephone's
_AMPLITUDE = 0.25  # of full scale
_FADE_S = 0.02
_TAIL_S = 0.25  # how long a room reverberates
_CLEAR = 8.0  # times the noise after correlation: in a few seconds chance does not come near it


@dataclass(frozen=True, slots=True)
class HeardChirp:
    """`at`: where it begins in the recording, in s. `gain_db`: its power, compared with that of the chirp played."""

    at: float
    gain_db: float


def chirp(rate: int) -> Samples:
    """The test sound at `rate` Hz."""
    t = np.arange(int(CHIRP_S * rate)) / rate
    phase = 2 * np.pi * (_FROM_HZ + (_TO_HZ - _FROM_HZ) / CHIRP_S / 2 * t) * t
    fade = np.minimum(1.0, np.minimum(t, CHIRP_S - t) / _FADE_S)
    return np.rint(32767 * _AMPLITUDE * fade * np.sin(phase)).astype(np.int16)


def find(recorded: Samples, silence_s: float) -> HeardChirp | None:
    """The chirp in a recording at INPUT_RATE, or None. The first `silence_s` of the recording hold noise alone."""
    wanted, heard = chirp(INPUT_RATE).astype(np.float64), recorded.astype(np.float64)
    if len(heard) < len(wanted):
        return None
    size = 1 << (len(heard) + len(wanted)).bit_length()
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size)), size)[: len(heard)]
    quiet = round(silence_s * INPUT_RATE)
    at = int(np.argmax(np.abs(match)))
    # A match that ends in the quiet part is noise.
    noise = match[: max(1, quiet - len(wanted))]
    if at < quiet - len(wanted) or abs(match[at]) <= _CLEAR * np.sqrt(np.mean(noise * noise)):
        return None
    window = heard[at : at + len(wanted) + round(_TAIL_S * INPUT_RATE)]
    power = np.sum(window * window) - np.mean(heard[:quiet] ** 2) * len(window)
    direct = match[at] ** 2 / np.sum(wanted * wanted)  # a lower bound, for noise that is louder than the chirp
    return HeardChirp(at / INPUT_RATE, float(10 * np.log10(max(power, direct) / np.sum(wanted * wanted))))
