"""A room in arithmetic, with a speaker that has played something and a microphone that hears it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from livechat.audio.ring import Samples
from tests.support.conversation import samples

FRAME = 320
PERSON = "Go forward ten meters."
MODEL_SPEECH = np.tile(samples("He might even have been made amiable himself."), 5)  # 16 s
PERSON_SPEECH = np.concatenate([np.zeros(10 * 16_000, np.int16), samples(PERSON)])


class Played:
    """A speaker that has played `sound` from time 0 on; its clock goes wrong by `wrong` seconds."""

    def __init__(self, sound: Samples, rate: int = 16_000) -> None:
        self.rate = rate
        self.stream = 1
        self.sound = sound
        self.wrong = 0.0

    @property
    def clock(self) -> tuple[int, int, float]:
        """A new one each time: the stream goes on."""
        return self.stream, 0, 1.0

    def place(self, at: float) -> float:
        return (at + self.wrong) * self.rate

    def played(self, place: int, count: int) -> Samples:
        places = np.arange(place, place + count)
        known = (places >= 0) & (places < len(self.sound))
        return np.where(known, self.sound[places % len(self.sound)], np.int16(0))


def noise(seconds: float, rate: int = 16_000) -> Samples:
    return np.random.default_rng(1).normal(0, 3000, round(seconds * rate)).astype(np.int16)


def room(model: Samples, person: Samples, seed: int = 2) -> Samples:
    """What a microphone hears: the model 10 dB quieter, 60 ms later and from the walls, the person, some hiss."""
    random = np.random.default_rng(seed)
    walls = random.normal(0, 1, 3000) * np.exp(-np.arange(3000) / 400)
    walls[0] = 3
    walls /= np.sqrt(np.sum(walls**2))
    size = 1 << (len(model) + len(walls)).bit_length()
    echo = np.fft.irfft(np.fft.rfft(model.astype(float), size) * np.fft.rfft(walls, size), size)
    heard: npt.NDArray[np.float64] = np.zeros(len(model))
    heard[960:] = echo[: len(model) - 960] * 10 ** (-10 / 20)
    heard[: len(person)] += person
    return np.clip(heard + random.normal(0, 15, len(model)), -32768, 32767).astype(np.int16)


def through(clean: Callable[[bytes, float], bytes], heard: Samples) -> Samples:
    frames = [heard[at : at + FRAME].tobytes() for at in range(0, len(heard) - FRAME + 1, FRAME)]
    return np.frombuffer(b"".join(clean(frame, i / 50) for i, frame in enumerate(frames)), np.int16)
