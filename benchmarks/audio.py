"""How livechat's sound performs at a virtual sound card: `python -m benchmarks.audio`, some eighty minutes.

Each figure stands beside a baseline of the same run: machines differ, and so does what else they do.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from benchmarks import calls, echo
from benchmarks.rig import CHUNK_MS, Ear, busy, fine_grained, model_speech, result, spread, until, virtual_card
from livechat.audio.card import Card
from livechat.audio.dsp import level
from livechat.audio.echo_canceller import Canceller
from livechat.audio.interfaces import FRAME_MS, OUTPUT_RATE
from livechat.audio.microphone import Microphone
from livechat.audio.prebuffer import Prebuffer
from livechat.audio.ring import Samples
from livechat.audio.speaker import Speaker
from livechat.audio.vad import SpeechDetector
from tests.support.virtual_card import VirtualCard

ANSWERS = 40
RANDOM = np.random.default_rng(0)
NOISE = np.clip(RANDOM.normal(0, 6000, 8 * OUTPUT_RATE), -30_000, 30_000).astype(np.int16)


class ZeroFiller(Speaker):
    """The baseline of barge-in: it goes on, with zeros."""

    def _stop(self) -> None:
        self._open = False


@asynccontextmanager
async def playing(kind: type[Speaker]) -> AsyncIterator[tuple[Speaker, Ear]]:
    """A speaker and an ear on it."""
    card = Card(lambda notice: result("notice", f"{notice.message} ({notice.hint})"))
    ear, speaker = Ear(card), kind(card)
    task = asyncio.create_task(speaker.run())
    await until(lambda: len(ear._heard) > 10)
    yield speaker, ear
    task.cancel()
    ear.close()
    speaker.close()


def chunks(sound: Samples, ms: int = 200) -> list[bytes]:
    """As a server sends it."""
    size = OUTPUT_RATE * ms // 1000
    return [sound[at : at + size].tobytes() for at in range(0, len(sound), size)]


async def barge_in(kind: type[Speaker], answers: int) -> dict[str, list[float]]:
    """Answers that are cut into: how soon each was heard and silent, and how wrong the rest it told was, in ms."""
    found: dict[str, list[float]] = {"first": [], "silent": [], "wrong": []}
    async with playing(kind) as (speaker, ear):
        for _ in range(answers):
            answer = NOISE[RANDOM.integers(0, 2 * OUTPUT_RATE) :][: 5 * OUTPUT_RATE]
            ear.forget()
            begun = time.monotonic()
            for chunk in chunks(answer):
                speaker.play(chunk, OUTPUT_RATE)
            await asyncio.sleep(0.4 + 0.4 * RANDOM.random())
            decided = time.monotonic()
            unheard = speaker.flush()
            await asyncio.sleep(0.6)
            zero, sound = ear.heard()
            loud = np.flatnonzero(np.abs(sound) > 30)
            first, last = loud[0], loud[-1]
            piece = sound[first + 2000 : first + 4400]
            match = int(np.argmax(np.correlate(answer[: OUTPUT_RATE // 2].astype(float), piece, "valid")))
            heard = last + 1 - (first + 2000 - match)
            found["first"].append((zero + first / OUTPUT_RATE - begun) * 1000)
            found["silent"].append((zero + last / OUTPUT_RATE - decided) * 1000)
            found["wrong"].append(abs(unheard - (len(answer) - heard) / OUTPUT_RATE * 1000))
    return found


async def barge_ins() -> None:
    """First sound, flush to silence, and whether the rest is told exactly."""
    cut, filled = await barge_in(Speaker, ANSWERS), await barge_in(ZeroFiller, ANSWERS // 2)
    prebuffer = Prebuffer().seconds * 1000
    result("wire to speaker: first chunk to first sound", spread(cut["first"]))
    result("  bar: 20 ms and the prebuffer of", f"{prebuffer:.0f} ms")
    result(f"flush to silence (card plays {CHUNK_MS} ms at once)", spread(cut["silent"]))
    result("  baseline: zeros instead of abort", spread(filled["silent"]))
    ratio = np.percentile(cut["silent"], 95) / np.percentile(filled["silent"], 95)
    result("  ratio of p95", f"{ratio:.3f}")
    result("unplayed_ms against the monitor: error", spread(cut["wrong"]))


async def holes(pieces: list[tuple[float, bytes]]) -> tuple[int, float]:
    """How many holes of a ms or more were heard in an answer that came so, (wait, chunk), and their ms."""
    async with playing(Speaker) as (speaker, ear):
        ear.forget()
        for wait, chunk in pieces:
            await asyncio.sleep(wait)
            speaker.play(chunk, OUTPUT_RATE)
        speaker.finish()
        await until(lambda: not speaker.busy(), 300)
        await asyncio.sleep(0.4)
        _, heard = ear.heard()
    loud = np.flatnonzero(np.abs(heard) > 2)
    gaps = np.diff(loud)
    gaps = gaps[gaps > OUTPUT_RATE // 1000]
    return len(gaps), float(np.sum(gaps)) / OUTPUT_RATE * 1000


async def underruns() -> None:
    """Holes in a steady sound, however it comes and whatever else the machine does."""
    tone = (8000 * np.sin(np.arange(60 * OUTPUT_RATE) * 2 * np.pi * 500 / OUTPUT_RATE)).astype(np.int16)
    minute = [(0.0, chunk) for chunk in chunks(tone)]
    result("underruns: a minute in one burst", "{} holes, {:.0f} ms".format(*await holes(minute)))
    with busy(4):
        result("  and four busy processes", "{} holes, {:.0f} ms".format(*await holes(minute)))
    slow = [(1.0 if at else 0.0, chunk) for at, chunk in enumerate(chunks(tone[: 12 * OUTPUT_RATE], 240))]
    result("  12 s at 0.24 of real time", "{} holes, {:.0f} ms".format(*await holes(slow)))
    result("  baseline: a hole after each piece", f"{len(slow) - 1} holes")


async def echo_loss(card: VirtualCard) -> None:
    """How much quieter the canceller makes the model at the microphone, 10 dB below it and 60 ms after it."""
    card.couple()
    opened = Card(lambda notice: result("notice", f"{notice.message} ({notice.hint})"))
    microphone, speaker = Microphone(opened), Speaker(opened)
    canceller = Canceller(speaker)
    frames: list[tuple[bytes, bytes]] = []
    spent = 0.0

    def clean(frame: bytes, at: float) -> bytes:
        nonlocal spent
        begun = time.thread_time()
        cleaned = canceller(frame, at)
        spent += time.thread_time() - begun
        frames.append((frame, cleaned))
        return cleaned

    async def listen() -> None:
        async for _ in microphone.frames():
            pass

    microphone.clean = clean
    tasks = [asyncio.create_task(listen()), asyncio.create_task(speaker.run())]
    await until(lambda: len(frames) > 50)
    frames.clear()
    for chunk in chunks(model_speech(20)):
        speaker.play(chunk, OUTPUT_RATE)
    speaker.finish()
    await until(lambda: not speaker.busy())
    microphone.close()
    speaker.close()
    tasks[1].cancel()

    def loss(part: list[tuple[bytes, bytes]]) -> float:
        return level(b"".join(frame[0] for frame in part)) - level(b"".join(frame[1] for frame in part))

    second = 1000 // FRAME_MS
    result(
        "echo return loss: first 2 s / after 5 s",
        f"{loss(frames[: 2 * second]):.0f} / {loss(frames[5 * second :]):.0f} dB",
    )
    ears = SpeechDetector(), SpeechDetector()
    speech = [np.mean([ear.feed(frame[i]) for frame in frames]) for i, ear in enumerate(ears)]
    result("  frames taken for speech, and baseline without it", f"{speech[1]:.0%}, {speech[0]:.0%}")
    result("  CPU of the canceller", f"{spent / len(frames) / FRAME_MS * 1e5:.1f} % of a core")


async def main(wanted: argparse.Namespace) -> None:
    """All of it."""
    with virtual_card() as card:
        with fine_grained():
            await barge_ins()
        await underruns()
        await echo_loss(card)
        await calls.minute_alone("cancel")
        await calls.microphone_to_wire(card)
        await calls.minute_alone("off")
    await echo.main(wanted)
    calls.cpu()


if __name__ == "__main__":
    asyncio.run(main(echo.options()))
