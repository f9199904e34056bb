"""What the audio benchmarks share: a virtual card, an ear with a clock, speech, and lines of results."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livechat.audio.card import Card
from livechat.audio.dsp import Resampler
from livechat.audio.interfaces import OUTPUT_RATE
from livechat.audio.microphone import Microphone
from livechat.audio.ring import Samples
from tests.support.conversation import SENTENCES, samples
from tests.support.virtual_card import VirtualCard, _restart_portaudio

CHUNK_MS = 4  # what a null sink is made to play at once: it cannot take it back, nor a monitor tell when in it


def result(name: str, figure: str) -> None:
    """One line of the report."""
    print(f"{name:48} {figure}", flush=True)


def spread(values: list[float], unit: str = "ms") -> str:
    """The middle, the bar and the worst of what was measured."""
    p50, p95, most = np.percentile(values, [50, 95, 100])
    return f"p50 {p50:6.1f}  p95 {p95:6.1f}  max {most:6.1f} {unit}  (n = {len(values)})"


@contextmanager
def virtual_card() -> Iterator[VirtualCard]:
    """A sound server of our own, which PortAudio in this process uses meanwhile."""
    with tempfile.TemporaryDirectory(prefix="card-") as directory:
        card = VirtualCard(Path(directory))
        card.start()
        os.environ.update(card.environment)
        _restart_portaudio()
        try:
            yield card
        finally:
            card.kill()


@contextmanager
def fine_grained() -> Iterator[None]:
    """The virtual speaker plays in chunks of CHUNK_MS meanwhile, and not of 20 ms."""
    listen = ["parec", "-d", "virtual_speaker.monitor", "--raw", f"--latency-msec={CHUNK_MS}"]
    with subprocess.Popen(listen, stdout=subprocess.DEVNULL) as hurry:
        try:
            yield
        finally:
            hurry.kill()


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that only compute, all the while."""
    begun = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in begun:
            process.kill()
            process.wait()


class Ear(Microphone):
    """Hears what the virtual speaker plays, at its rate, and when by the sound system's clock."""

    wire_rate = OUTPUT_RATE

    def __init__(self, card: Card) -> None:
        self._heard: list[tuple[float, bytes]] = []
        super().__init__(card, "virtual_ear")
        self._start()

    def _callback(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        super()._callback(data, frames, clock, status)
        _, block, at = self._blocks.pop()  # nobody else takes them
        self._heard.append((at, block))

    def forget(self) -> None:
        """Begin anew."""
        self._heard = []

    def heard(self) -> tuple[float, npt.NDArray[np.float64]]:
        """When the first sample was heard, in time.monotonic(), and all of them."""
        heard = self._heard[:]
        sound = np.frombuffer(b"".join(block for _, block in heard), np.int16).astype(float)
        block = len(heard[0][1]) / 2 / self.wire_rate
        return float(np.median([at - i * block for i, (at, _) in enumerate(heard)])), sound


@cache
def model_speech(seconds: float) -> Samples:
    """A voice at 24 kHz for the model: the sentences of the tests, one after the other."""
    once = np.concatenate([samples(sentence) for sentence in SENTENCES])
    voice = np.frombuffer(Resampler(16_000, OUTPUT_RATE).feed(once.tobytes()), np.int16)
    return np.resize(voice, round(seconds * OUTPUT_RATE))


async def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that will happen."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError
        await asyncio.sleep(0.005)
