"""What becomes of a sound on its way from the speaker to the microphone, measured with a chirp.

A chirp is found again by correlation far below the noise, and to the sample (Farina 2000, swept sines).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from livechat.audio.interfaces import INPUT_RATE

Samples = npt.NDArray[np.int16]

CHIRP_S = 0.5
_FROM_HZ, _TO_HZ = 400.0, 3400.0  # what every microphone hears and every speaker plays, a telephone's too
_AMPLITUDE = 0.25  # of full scale
_FADE_S = 0.02
_TAIL_S = 0.25  # for how long a room answers
_CLEAR = 8.0  # times the noise after correlation: chance does not come near it in a few seconds


@dataclass(frozen=True, slots=True)
class Echo:
    """`at`: where it begins in what was recorded, in s. `gain_db`: its power over that of the chirp."""

    at: float
    gain_db: float


def chirp(rate: int) -> Samples:
    """The test sound at `rate` Hz."""
    t = np.arange(int(CHIRP_S * rate)) / rate
    phase = 2 * np.pi * (_FROM_HZ + (_TO_HZ - _FROM_HZ) / CHIRP_S / 2 * t) * t
    fade = np.minimum(1.0, np.minimum(t, CHIRP_S - t) / _FADE_S)
    return np.rint(32767 * _AMPLITUDE * fade * np.sin(phase)).astype(np.int16)


def find(recorded: Samples, silence_s: float) -> Echo | None:
    """The chirp in a recording at INPUT_RATE, whose first `silence_s` hold noise alone; None if it is not there."""
    wanted, heard = chirp(INPUT_RATE).astype(np.float64), recorded.astype(np.float64)
    if len(heard) < len(wanted):
        return None
    size = 1 << (len(heard) + len(wanted)).bit_length()
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size)), size)[: len(heard)]
    quiet = round(silence_s * INPUT_RATE)
    at = int(np.argmax(np.abs(match)))
    # What ends in the quiet part is noise alone.
    noise = match[: max(1, quiet - len(wanted))]
    if at < quiet - len(wanted) or abs(match[at]) <= _CLEAR * np.sqrt(np.mean(noise * noise)):
        return None
    window = heard[at : at + len(wanted) + round(_TAIL_S * INPUT_RATE)]
    power = np.sum(window * window) - np.mean(heard[:quiet] ** 2) * len(window)
    direct = match[at] ** 2 / np.sum(wanted * wanted)  # the least it can be: noise may be louder than all of it
    return Echo(at / INPUT_RATE, float(10 * np.log10(max(power, direct) / np.sum(wanted * wanted))))
