"""How many sentences are understood word by word, with each kind of echo cancelling: `python -m benchmarks.echo`.

The program is the real one, with the embedded server, on the virtual card. Each figure of the canceller stands beside
the limit, `--echo off` without an echo, and the baseline, WebRTC's AEC3 alone. benchmarks/audio.py runs it all.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.calls import STORY, call
from benchmarks.cleaners import DELAY_MS, Timed, cleaner_of
from benchmarks.rig import model_speech, result, until, virtual_card
from livechat.audio.card import Card
from livechat.audio.interfaces import FRAME_MS, INPUT_RATE, OUTPUT_RATE
from livechat.audio.microphone import Microphone
from livechat.audio.ring import Samples
from livechat.audio.speaker import Speaker
from livechat.events import Interrupted
from livechat.server.agent_choice import make_agent
from tests.support.conversation import SENTENCES, samples

Speech = list[tuple[str, Samples]]  # sentences, at INPUT_RATE
LEVELS_DB = (-20.0, -10.0, 0.0)  # of the echo, below what is played
ROOMS = ((-20.0, 20), (-10.0, 60), (0.0, 60), (-10.0, 150))  # dB, and ms of the loopback


@dataclass
class Score:
    """What came of some sentences."""

    said: int = 0
    noticed: int = 0
    right: int = 0  # with every word
    words: int = 0
    errors: int = 0

    def add(self, sentence: str, heard: str, *, noticed: bool) -> None:
        """One more sentence."""
        wanted, found = _words(sentence), _words(heard)
        errors = edits(wanted, found)
        self.said += 1
        self.noticed += noticed
        self.right += not errors
        self.words += len(wanted)
        self.errors += errors

    def __str__(self) -> str:
        wer = self.errors / max(1, self.words)
        return f"noticed {self.noticed}, right {self.right} of {self.said}, word error rate {wer:.3f}"


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "'" else " " for c in text.lower()).split()


def edits(wanted: list[str], found: list[str]) -> int:
    """The Levenshtein distance in words."""
    row = list(range(len(found) + 1))
    for i, word in enumerate(wanted, 1):
        before, row = row, [i]
        for j, other in enumerate(found, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (word != other)))
    return row[-1]


def speech_of(folder: str | None) -> Speech:
    """The tests' sentences; or a folder of NAME.wav, 16 kHz mono, each with its words in NAME.txt."""
    if folder is None:
        return [(sentence, samples(sentence)) for sentence in SENTENCES]
    found: Speech = []
    for path in sorted(Path(folder).glob("*.wav")):
        with wave.open(str(path)) as clip:
            sound = np.frombuffer(clip.readframes(clip.getnframes()), np.int16)
        found.append((path.with_suffix(".txt").read_text(encoding="utf-8").strip(), sound))
    return found


async def cut_in(mode: str, echo_db: float | None, speech: Speech, trials: int) -> Score:
    """A person says a sentence in the middle of a story. `echo_db`: None for headphones."""
    random, score = np.random.default_rng(1), Score()
    with virtual_card() as card:
        if echo_db is not None:
            card.couple(echo_db)
        async with call(mode) as (person, _, speaker):
            for trial in range(trials):
                sentence, sound = speech[trial % len(speech)]
                person.typing.put_nowait(STORY)
                await until(lambda: speaker.pending_ms() > 2000)
                await asyncio.sleep(2 + 2 * random.random())
                cuts, heard = len(person.of(Interrupted)), len(person.speech)
                said = np.concatenate([sound, np.zeros(8000, np.int16)])
                await asyncio.to_thread(card.say, said, INPUT_RATE)
                with contextlib.suppress(TimeoutError):
                    await until(lambda count=heard: len(person.speech) > count, 6)  # type: ignore[misc]
                noticed = len(person.of(Interrupted)) > cuts
                score.add(sentence, " ".join(person.speech[heard:]), noticed=noticed)
                await asyncio.sleep(1)
    return score


async def speak_over(mode: str, echo_db: float, speech: Speech, trials: int) -> Score:
    """A person speaks while the model goes on: no server, only its recogniser, on what the microphone gives."""
    score, agent = Score(), make_agent()[0]
    with virtual_card() as card:
        card.couple(echo_db)
        opened = Card(lambda notice: None)
        microphone, speaker = Microphone(opened), Speaker(opened)
        microphone.clean = cleaner_of(mode, speaker)
        frames: list[bytes] = []

        async def listen() -> None:
            async for frame in microphone.frames():
                frames.append(frame)  # noqa: PERF401 - what has come so far is looked at

        tasks = [asyncio.create_task(listen()), asyncio.create_task(speaker.run())]
        speaker.play(model_speech(trials * 9 + 20).tobytes(), OUTPUT_RATE)
        speaker.finish()
        await asyncio.sleep(6)
        for trial in range(trials):
            sentence, sound = speech[trial % len(speech)]
            begun = len(frames)
            await asyncio.to_thread(card.say, np.concatenate([sound, np.zeros(8000, np.int16)]), INPUT_RATE)
            await asyncio.sleep(0.5)
            heard = await agent.transcribe(b"".join(frames[begun:]))
            score.add(sentence, heard, noticed=bool(heard))
        microphone.close()
        speaker.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await agent.close()
    return score


async def alone(mode: str, echo_db: float, late_ms: int, minutes: float) -> str:
    """How often the server takes the model's own voice for a person's, from its first word on."""
    with virtual_card() as card:
        card.couple(echo_db, late_ms)
        async with call(mode) as (person, microphone, speaker):
            microphone.clean = timed = Timed(microphone.clean)
            end = time.monotonic() + 60 * minutes
            while time.monotonic() < end:
                if not speaker.busy():
                    person.typing.put_nowait(STORY)
                    await until(speaker.busy)
                await asyncio.sleep(0.1)
            turns = f"{len(person.speech)} turns, {len(person.of(Interrupted))} interruptions"
    return f"{turns} in {minutes:g} min; {timed.percent:.1f} % of a core"


async def idle(mode: str, seconds: float = 20) -> str:
    """What the canceller costs while nothing is played."""
    with virtual_card():
        async with call(mode) as (_, microphone, _speaker):
            microphone.clean = timed = Timed(microphone.clean)
            await asyncio.sleep(seconds)
    return f"{timed.percent:.2f} % of a core"


async def words(speech: Speech, trials: int) -> None:
    """Every scene in which words are counted."""
    result("on headphones, the limit: --echo off", str(await cut_in("off", None, speech, trials)))
    for mode in ("cancel", "aec3"):
        result(f"  {mode}", str(await cut_in(mode, None, speech, trials)))
    for level in LEVELS_DB:
        for mode in ("cancel", "aec3"):
            result(f"cutting in, echo {level:+.0f} dB, {mode}", str(await cut_in(mode, level, speech, trials)))
    for mode in ("cancel", "aec3"):
        result(f"speaking over, echo -10 dB, {mode}", str(await speak_over(mode, -10.0, speech, trials)))


async def false_turns(minutes: float) -> None:
    """The model alone, on four paths, and what the canceller costs and delays."""
    for level, late in ROOMS:
        for mode in ("cancel", "aec3"):
            result(f"alone, {level:+.0f} dB, {late} ms, {mode}", await alone(mode, level, late, minutes))
    for mode in ("cancel", "aec3"):
        result(f"nothing played: the canceller, {mode}", await idle(mode))
    delays = ", ".join(f"{mode} {ms:.0f} ms" for mode, ms in DELAY_MS.items())
    result("delay of the canceller; baseline: a frame", f"{delays}; {FRAME_MS} ms")


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20, help="sentences in each scene")
    parser.add_argument("--minutes", type=float, default=5, help="of the model alone on each path")
    parser.add_argument("--speech", help="a folder of NAME.wav (16 kHz mono) with NAME.txt")
    return parser.parse_args()


async def main(wanted: argparse.Namespace) -> None:
    """All of it."""
    await words(speech_of(wanted.speech), wanted.trials)
    await false_turns(wanted.minutes)


if __name__ == "__main__":
    asyncio.run(main(options()))
