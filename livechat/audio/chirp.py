"""The path from the speaker to the microphone, measured: a chirp that is found again, and a noise that is cancelled.

Correlation finds a chirp to the sample, also when noise is much louder (Farina 2000, swept sines). The noise tells
how much of an echo the canceller's filter removes: it needs a second to learn the path, and a chirp is over sooner.
"""

from dataclasses import dataclass

import numpy as np

from livechat.audio.echo_filter import PARTITIONS, EchoFilter
from livechat.audio.interfaces import INPUT_RATE
from livechat.audio.ring import Samples
from livechat.audio.spectrum import FRAME, Sound, floating

CHIRP_S = 0.5
_FROM_HZ, _TO_HZ = 400.0, 3400.0  # every microphone and speaker has these, also a telephone's
_AMPLITUDE = 0.25  # of full scale
_FADE_S = 0.02
_TAIL_S = 0.25  # how long a room reverberates
_HISS_S = 2.0  # of noise
_PAUSE_S = 0.3  # between chirp and noise: the chirp has died away
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


def probe(rate: int) -> Samples:
    """The chirp, a pause, and the noise, at `rate` Hz."""
    phases = np.random.default_rng(1).uniform(0, 2 * np.pi, round(_TO_HZ * _HISS_S))
    at = np.arange(round(_FROM_HZ * _HISS_S), len(phases))
    spectrum = np.zeros(round(rate * _HISS_S) // 2 + 1, np.complex128)
    spectrum[at] = np.exp(1j * phases[at])  # the same noise at every rate
    hiss = np.fft.irfft(spectrum)
    hiss *= 32767 * _AMPLITUDE / 2 / np.abs(hiss).max()
    pause = np.zeros(round(_PAUSE_S * rate), np.int16)
    return np.concatenate([chirp(rate), pause, np.rint(hiss).astype(np.int16)])


def removed_db(recorded: Samples, at: float) -> float:
    """By how much the canceller's filter lowers the noise of probe(), whose chirp begins `at` seconds on."""
    played = floating(probe(INPUT_RATE))
    begin = round(at * INPUT_RATE) - FRAME  # so the filter hears the echo a frame after its sound
    reference: Sound = np.zeros(len(recorded) + (PARTITIONS + 2) * FRAME, np.float32)
    first = begin + (PARTITIONS + 1) * FRAME
    played = played[: len(reference) - first]
    reference[first : first + len(played)] = played
    path, heard = EchoFilter(), floating(recorded)
    end = min(len(recorded), begin + len(played))
    before = after = 1e-12
    for place in range(max(0, begin) // FRAME * FRAME, end - FRAME + 1, FRAME):
        frame = heard[place : place + FRAME]
        path.remove(frame, reference[place : place + (PARTITIONS + 2) * FRAME])
        left = path.left[FRAME:]
        if place > end - INPUT_RATE // 2:
            before, after = before + float(frame @ frame), after + float(left @ left)
    return float(10 * np.log10(before / after))


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
