"""Whole conversations for tests: human speech in, the real SDK, real TLS, an embedded server, virtual time.

The agent at the other end knows the clips it may be given and finds them in what it hears by correlation,
so a test can say which sentences reached the server, how often and in which order, without a recogniser.
"""

from __future__ import annotations

import asyncio
import time
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from livechat.audio.dsp import Resampler
from livechat.audio.interfaces import INPUT_RATE, Sink, Source
from livechat.audio.recording import Recording
from livechat.audio.sinks import FileSink, NullSink, PacedSink
from livechat.audio.sources import FileSource
from livechat.commands.hold_conversation import Parts, converse
from livechat.conversations.records import Resumable
from livechat.conversations.store import Store
from livechat.events import Command, ModelText, Output, Summary, Typed, UserText
from livechat.server.agent import AgentQuestion, AnswerPiece
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.session.context_replay import Exchange
from livechat.session.link import load_sdk
from livechat.settings import Settings
from tests import DATA
from tests.support.loaded_agent import loaded_agent

CLIPS = {
    "He was not an ill disposed young man.": DATA / "ill_disposed.wav",
    "He might even have been made amiable himself.": DATA / "amiable.wav",
    "Go forward ten meters.": DATA / "go_forward.wav",
    "Go somewhere and do something.": DATA / "go_somewhere.wav",
}
SENTENCES = tuple(CLIPS)

T = TypeVar("T")


def samples(sentence: str) -> npt.NDArray[np.int16]:
    """The clip of a sentence, 16 kHz."""
    with wave.open(str(CLIPS[sentence])) as clip:
        assert clip.getframerate() == INPUT_RATE
        return np.frombuffer(clip.readframes(clip.getnframes()), np.int16)


def write_speech(path: Path, *script: str | float) -> Path:
    """A WAV of sentences and of pauses in seconds."""
    parts = [
        samples(item) if isinstance(item, str) else np.zeros(int(item * INPUT_RATE), np.int16) for item in script
    ]
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(INPUT_RATE)
        out.writeframes(np.concatenate(parts).tobytes())
    return path


@cache
def core(sentence: str) -> npt.NDArray[np.float64]:
    """The loudest second and a half: as good as the whole clip, and it survives a clipped edge."""
    clip = samples(sentence).astype(np.float64)
    length = INPUT_RATE * 3 // 2
    energy = np.cumsum(clip**2)
    start = int(np.argmax(energy[length:] - energy[:-length]))
    return clip[start : start + length]


def find(sentence: str, pcm: bytes) -> int | None:
    """Where a sentence lies in what was heard, in samples; None if it does not."""
    needle = core(sentence)
    length = len(needle)
    heard = np.frombuffer(pcm, np.int16).astype(np.float64)
    if len(heard) < length:
        return None
    size = 1 << (len(heard) + length).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(needle, size)), size)
    correlation = correlation[: len(heard) - length + 1]
    at = int(np.argmax(correlation))
    energy = float(np.sum(heard[at : at + length] ** 2) * np.sum(needle**2)) ** 0.5
    return at if energy and correlation[at] / energy > 0.95 else None


def recognise(pcm: bytes, rate: int = INPUT_RATE) -> set[str]:
    """The words a speech recogniser hears in s16le mono of `rate` Hz."""

    async def listen() -> str:
        agent = loaded_agent()
        try:
            return await agent.transcribe(Resampler(rate, INPUT_RATE).feed(pcm) if rate != INPUT_RATE else pcm)
        finally:
            await agent.close()

    return words(asyncio.run(listen()))


def words(text: str) -> set[str]:
    """The words of a text, without their case and punctuation."""
    return set("".join(c for c in text.lower() if c.isalnum() or c == " ").split())


class Knower(Parrot):
    """Hears the clips it knows and says them back, at the length of `answer_s`."""

    def __init__(self, answer_s: float = 2.0) -> None:
        self.answer_s = answer_s

    async def transcribe(self, pcm: bytes) -> str:
        places = {s: find(s, pcm) for s in SENTENCES}
        found = sorted((at, s) for s, at in places.items() if at is not None)
        return " ".join(s for _, s in found) or "(noise)"

    async def reply(self, question: AgentQuestion) -> AsyncIterator[AnswerPiece]:
        asked = question.history[-1].text
        tone = 6_000 * np.sin(np.arange(int(24_000 * self.answer_s)) * 2 * np.pi * 330 / 24_000)
        pcm = tone.astype(np.int16).tobytes()
        half = len(pcm) // 4 * 2
        yield AnswerPiece("You said: ", pcm[:half])
        yield AnswerPiece(asked, pcm[half:])


@dataclass
class Recorder:
    """A display that remembers what it was shown."""

    events: list[tuple[float, Output]] = field(default_factory=list)
    typed: tuple[tuple[float, Typed], ...] = ()  # (seconds to wait, line)
    keys: tuple[tuple[float, Command], ...] = ()  # (seconds to wait, what a key asks for)
    quit: asyncio.Event = field(default_factory=asyncio.Event)

    def show(self, event: Output) -> None:
        self.events.append((asyncio.get_running_loop().time(), event))

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def lines(self) -> AsyncIterator[Typed]:
        for wait, line in self.typed:
            await asyncio.sleep(wait)
            yield line

    async def commands(self) -> AsyncIterator[Command]:
        for wait, command in self.keys:
            await asyncio.sleep(wait)
            yield command

    def close(self) -> None:
        pass

    def of(self, kind: type[T]) -> list[T]:
        """All events of one kind, in order."""
        return [event for _, event in self.events if isinstance(event, kind)]

    @property
    def questions(self) -> list[str]:
        return [e.text for e in self.of(UserText) if e.final]

    @property
    def answers(self) -> list[str]:
        return [e.text for e in self.of(ModelText) if e.final]

    @property
    def summary(self) -> Summary:
        return self.of(Summary)[-1]


def settings_for(server: Server, folder: Path, **more: Any) -> Settings:
    """Settings that lead to this server, as `--endpoint --ca-file` would."""
    ca = folder / "ca.pem"
    ca.write_bytes(server.ca_pem)
    return Settings(**{"backend": "endpoint", "endpoint": server.url, "ca_file": str(ca), "key": "local"} | more)


async def talk(
    server: Server,
    folder: Path,
    *,
    speech: Path | None = None,
    typed: tuple[tuple[float, Typed], ...] = (),
    keys: tuple[tuple[float, Command], ...] = (),
    answers: Path | None = None,
    record: Path | None = None,
    resumed: Callable[[Store], Resumable | None] = lambda store: None,
    during: Callable[[Recorder], Any] | None = None,
    one_at_a_time: bool = True,
    wall: Callable[[], float] = time.time,
    told: Sequence[Exchange] = (),
    **more: Any,
) -> tuple[int, Recorder]:
    """One conversation against `server`; its store lies in `folder`, so that a second one can resume it."""
    load_sdk()
    display = Recorder(typed=typed, keys=keys)
    store = Store(folder / "store.sqlite3", on_trouble=lambda notice: None)
    source: Source | None = FileSource(speech, 10.0 if more.get("fast") else 1.0) if speech else None
    sink: Sink = FileSink(answers) if answers else PacedSink() if record else NullSink()
    if record:
        recording = Recording(record, display.show)
        source, sink = source and recording.source(source), recording.sink(sink)
    parts = Parts(
        settings=settings_for(server, folder, **more),
        display=display,
        source=source,
        lines=display.lines() if typed or not speech else None,
        one_at_a_time=one_at_a_time,
        sink=sink,
        store=store,
        resumed=resumed(store),
        told=told,
        wall=wall,
    )
    helper = asyncio.ensure_future(during(display)) if during else None
    try:
        code = await converse(parts)
    finally:
        store.close()
        if helper is not None:
            helper.cancel()
    return code, display
