"""One conversation of many hours, in virtual time: what a day of handovers, drops and an outage leaves behind.

The person says a sentence every minute and a half, types one now and then, and leaves the microphone open for a
minute every hour; in between it gives nothing, as a pipe may, since 20 ms of silence cost as much as 20 ms of
speech. Links live as long as the real service's, some break without a word, and for some hours all are refused.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, redirect_stderr, suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from unittest import mock

from livechat.audio.interfaces import FRAME_MS
from livechat.commands.hold_conversation import Parts, converse
from livechat.conversations.store import Store
from livechat.errors import Notice
from livechat.events import Handover, Output, Summary
from livechat.server import session_memory
from livechat.server.agent import AgentQuestion, AnswerPiece
from livechat.server.fault_plan import Fault, Plan
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.session.link import load_sdk
from tests.support.conversation import SENTENCES, Recorder, settings_for
from tests.support.person import Loudspeaker, Mark, Off, Sayings, Voice
from tests.support.virtual_time import BEGIN, run

HOUR = 3600.0
EPOCH = 1_800_000_000.0  # the virtual time of day when the loop's clock shows 0
SAY_S = 90.0  # from one sentence to the next
TYPE_S = 1_000.0  # from one typed line to the next
OPEN_S = 60.0  # of each hour the microphone is open without a pause
DROPPED = 3  # every so manieth link breaks: with their nine minutes, more than two an hour
KEPT = 30  # sayings remembered: what is older and was not heard was said in the outage, or is lost
PAGE = 4096


@dataclass
class Result:
    """What the hours came to. Memory: of this process, client and server and harness."""

    hours: float
    outage_h: float
    wall_s: float = 0.0
    code: int = -1
    summary: Summary | None = None
    handovers: list[tuple[float, Handover]] = field(default_factory=list)  # with the hour
    lost_ms: int = 0  # of speech outside the outage that no server heard
    turns: int = 0  # in the store
    memory: list[tuple[float, int]] = field(default_factory=list)  # (hour, bytes)
    store: list[tuple[float, int]] = field(default_factory=list)

    @property
    def unplanned(self) -> int:
        """Handovers that a broken link forced."""
        return sum("time limit" not in handover.cause for _, handover in self.handovers)

    @property
    def dropped_ms(self) -> float:
        """Counted as dropped, but for the handover that ended the outage."""
        end = self.hours / 2 + self.outage_h
        ending = next((h for hour, h in self.handovers if hour >= end), None)
        return sum(h.dropped_ms for _, h in self.handovers if h is not ending)

    def growth(self, values: list[tuple[float, int]]) -> int:
        """Bytes gained since the end of the first hour."""
        return values[-1][1] - next(size for hour, size in values if hour >= 1)

    def __str__(self) -> str:
        total = self.summary
        assert total is not None
        return (
            f"{self.hours:g} h in {self.wall_s:.0f} s: exit {self.code}, {len(self.handovers)} handovers, "
            f"{self.unplanned} of them forced, {self.turns} turns kept, {total.dropped_ms:.0f} ms dropped, "
            f"{self.dropped_ms:.0f} of them and {self.lost_ms} ms uncounted outside the outage; memory grew "
            f"{self.growth(self.memory) / 1e6:+.1f} MB to {self.memory[-1][1] / 1e6:.0f}, the store "
            f"{self.growth(self.store) / 1e3:+.0f} kB to {self.store[-1][1] / 1e3:.0f}"
        )


class _Misfortune(Plan):
    """Breaks a link here and there; refuses all while there is an outage."""

    def __init__(self, outage: tuple[float, float]) -> None:
        object.__setattr__(self, "outage", outage)
        super().__init__()

    outage: tuple[float, float]

    def of_link(self, n: int) -> tuple[Fault, ...]:
        now = asyncio.get_running_loop().time() - BEGIN
        begin, end = self.outage
        if begin <= now < end:
            return (Fault("http", value=503) if n % 2 else Fault("hang-up"),)
        faults = [Fault("drop", begin - now)] if now < begin else []
        if n % DROPPED == 0:
            faults.append(Fault("drop", 60.0 + n * 37 % 400))
        return tuple(faults)


class _Agent(Parrot):
    def __init__(self, sayings: Sayings) -> None:
        self._sayings = sayings

    async def transcribe(self, pcm: bytes) -> str:
        return self._sayings.words(pcm)

    async def reply(self, question: AgentQuestion) -> AsyncIterator[AnswerPiece]:
        yield AnswerPiece(f"You said: {question.history[-1].text}", bytes(48_000))


class _Display(Recorder):
    """Remembers the handovers and the end alone: its own memory must not grow."""

    def show(self, event: Output) -> None:
        if isinstance(event, Handover | Summary):
            super().show(event)

    async def lines(self) -> AsyncIterator[str]:
        for n in range(1_000_000):
            await asyncio.sleep(TYPE_S)
            yield f"line {n}"


def soak(hours: float, outage_h: float) -> Result:
    """Talk for so many hours, of which `outage_h` from the middle on without a server."""
    result = Result(hours, outage_h)
    load_sdk()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="livechat-soak-") as folder, redirect_stderr(StringIO()):
        run(_talk(result, Path(folder)))
    result.wall_s = time.perf_counter() - began
    return result


async def _talk(result: Result, folder: Path) -> None:
    loop = asyncio.get_running_loop()
    sayings = Sayings()
    heard: set[Mark] = set()
    outage = result.hours / 2 * HOUR, (result.hours / 2 + result.outage_h) * HOUR
    voice = Voice(sayings, _script())
    display = _Display()

    def on_audio(_: int, pcm: bytes) -> None:
        heard.update(sayings.marks_in(pcm))

    async def watch() -> None:
        """Every quarter of an hour: measure, settle what is long over, forget it."""
        hour = 0.0
        while hour < result.hours:
            await asyncio.sleep(HOUR / 4)
            hour += 0.25
            old = sayings.count - KEPT
            settled = [(at, mark) for at, mark in voice.captured if mark[0] < old or hour >= result.hours]
            voice.captured = voice.captured[len(settled) :]
            missing = [at - BEGIN for at, mark in settled if mark not in heard]
            result.lost_ms += FRAME_MS * sum(not outage[0] - 60 <= at <= outage[1] + 60 for at in missing)
            heard.intersection_update({mark for _, mark in voice.captured})
            sayings.forget(old)
            gc.collect()
            result.memory.append((hour, _memory()))
            result.store.append((hour, _size(folder)))
        display.quit.set()

    def clock() -> float:
        return EPOCH + loop.time()

    with mock.patch.object(time, "time", clock):
        memory = session_memory.SessionMemory(folder / "server.sqlite3", clock)
        with closing(memory), closing(Store(folder / "store.sqlite3", on_trouble=_trouble)) as store:
            async with Server(
                _Agent(sayings), faults=_Misfortune(outage), memory=memory, on_audio=on_audio
            ) as server:
                watching = loop.create_task(watch())
                result.code = await converse(
                    Parts(
                        settings=settings_for(server, folder),
                        display=display,
                        source=voice,
                        lines=display.lines(),
                        one_at_a_time=False,
                        sink=Loudspeaker(),
                        store=store,
                        random=random.Random(1).random,
                        wall=clock,
                    )
                )
                await watching
            kept = store.archive().find(None)
    result.turns = len(kept.turns) if kept else 0
    result.summary = display.summary
    result.handovers = [((at - BEGIN) / HOUR, e) for at, e in display.events if isinstance(e, Handover)]


def _script() -> Iterator[str | float | Off]:
    """For ever: a sentence with a breath before it and quiet after it; once an hour no pause for a while."""
    silent = 0.5, 3.5
    spoken = 0.0
    for n in range(1_000_000):
        yield silent[0]
        yield SENTENCES[n % len(SENTENCES)]
        yield silent[1]
        spoken += SAY_S
        if spoken >= HOUR:
            spoken = 0.0
            yield OPEN_S
        yield Off(SAY_S - 7.0)


def _memory() -> int:
    """Bytes this process holds, by the kernel's count, without what only waits to be given back; 0 if unknown."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) * PAGE if file.exists() else 0


def _size(folder: Path) -> int:
    """Bytes of the client's store, side files included."""
    return sum(file.stat().st_size for file in folder.glob("store.sqlite3*"))


def _trouble(notice: Notice) -> None:
    raise AssertionError(f"the store: {notice.message} {notice.hint}")
