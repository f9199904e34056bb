"""Whole conversations under random misfortune, in virtual time, each made from one number.

    python -m tests.chaos --seeds 2000            # seeds 0 to 1999, on all processors
    python -m tests.chaos --one 17 -v             # one of them, with all that happened
    python -m tests.chaos --soak 24               # a conversation of 24 hours (tests/soak.py)

A seed makes a person (what they say, type and interrupt, when they quit, kill the program or resume), servers
(their model, their patience, whether the next one remembers) and a plan of faults for each. `check` then holds
what happened against what must be true of any conversation, whatever happens to its links.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import logging
import os
import random
import re
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager, redirect_stderr
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

from livechat.app import Parts, converse
from livechat.audio.base import FRAME_MS
from livechat.events import HandleState, Levels, ModelText, Output, Speaking, Start, Summary, UserText
from livechat.server import handles
from livechat.server.agent import Parrot, Question, Said
from livechat.server.closes import CLOSES
from livechat.server.families import VERTEX_MODELS
from livechat.server.faults import KINDS, parse
from livechat.server.serve import Server
from livechat.session.link import load_sdk
from livechat.session.outbox import LEAD
from livechat.store import Store
from tests.conversation import SENTENCES, Recorder, settings_for
from tests.person import Loudspeaker, Mark, Sayings, Voice, spoken
from tests.soak import soak
from tests.virtual_time import BEGIN, VirtualLoop, run

EPOCH = 1_800_000_000.0  # the virtual time of day when the loop's clock shows 0
OUTCOMES = {0, 3, 5, 130}  # exit codes that name how a conversation ended
PATIENCE_S = 1_800.0  # virtual seconds beyond what the person needs, after which a run counts as hung
MODELS = ("gemini-3.8-live",) * 3 + (
    "gemini-3.1-flash-live-preview",
    "gemini-2.5-flash-native-audio-latest",
    "gemini-3.8-live-extended-thinking",
)


# ------------------------------------------------------------------------------------------- the dice


@dataclass(frozen=True)
class Run:
    """One run of the program."""

    script: tuple[str | float, ...]  # spoken; empty: no microphone
    lines: tuple[tuple[float, str], ...] | None  # typed, each so many seconds after the one before
    one_at_a_time: bool
    endless: bool  # a microphone, which does not end by itself
    end: str  # "" by itself, "quit", "interrupt" (Ctrl-C) or "kill"
    end_at: float
    server: str  # "same" as before, "forgetful" or "mindful": a new one that remembers or does not
    faults: str
    lifetime: float
    notice: float


@dataclass(frozen=True)
class Scenario:
    """Everything that is decided beforehand."""

    seed: int
    backend: str
    model: str
    answer_s: float
    runs: tuple[Run, ...]


def scenario(seed: int) -> Scenario:
    """The same for the same seed, for ever."""
    dice = random.Random(seed)
    count = dice.choice((1, 1, 2, 2, 3))
    typed = 0
    runs = []
    for number in range(count):
        mode = dice.choice(("file", "file", "keyboard", "both"))
        script: list[str | float] = []
        lines: list[tuple[float, str]] = []
        if mode != "keyboard":
            for _ in range(dice.randint(1, 4)):
                script += [dice.choice((0.1, 0.5, 1.0, 2.5, 4.0, 7.0, 12.0)), dice.choice(SENTENCES)]
        if mode != "file":
            for _ in range(dice.randint(1, 4)):
                lines.append((dice.choice((0.0, 0.5, 3.0, 8.0, 20.0)), f"typed{typed}"))
                typed += 1
        endless = mode == "both"
        needed = max(4.0 * len(script), sum(wait for wait, _ in lines))
        end = dice.choice(("quit", "interrupt", "kill")) if endless or dice.random() < 0.25 else ""
        runs.append(
            Run(
                script=tuple(script),
                lines=tuple(lines) if mode != "file" else None,
                one_at_a_time=mode == "keyboard" and dice.random() < 0.7,
                endless=endless,
                end=end,
                end_at=round(dice.uniform(0.2, 1.3) * (needed + 3), 2),
                server="new" if number == 0 else dice.choice(("same", "same", "forgetful", "mindful")),
                faults=_faults(dice),
                lifetime=dice.choice((590.0, 590.0, 9.0, 14.0, 25.0)),
                notice=dice.choice((2.0, 4.0, 50.0)),
            )
        )
    model, answer_s = dice.choice(MODELS), dice.choice((0.5, 2.0, 5.0))
    vertex = model in VERTEX_MODELS and dice.random() < 0.3  # its handles say what they hold of our messages
    return Scenario(seed, "vertex" if vertex else "endpoint", model, answer_s, tuple(runs))


def _faults(dice: random.Random) -> str:
    items = [_fault(dice) for _ in range(dice.choice((0, 1, 1, 2, 3)))]
    if dice.random() < 0.4:
        items.append(f"random:{dice.randrange(10**6)}")
    return "; ".join(items)


def _fault(dice: random.Random) -> str:
    """One fault of any kind on one link, as its form says."""
    kind = dice.choice(sorted(KINDS.keys() - HOPELESS.keys()))
    form = KINDS[kind]
    names = sorted(name for name in CLOSES if CLOSES[name][0])
    value = {
        "": "",
        "LEFT": f":{dice.choice((0.5, 2, 5, 10))}s",
        "CLOSE": f":{dice.choice(names)}",
        "NAME": f":{dice.choice(names)}",
        "DELAY": f":{dice.choice((1, 4, 12, 20))}s",
        "STATUS": f":{dice.choice((429, 500, 503))}",
        "N": ":1",
        "[N]": "",
        "SPEED": f":{dice.choice((0.24, 0.9, 8))}",
        "RATE": ":16000",
    }[form.value]
    at = f"@{dice.uniform(0.2, 20):.2f}s" if form.at == "must" or (form.at == "may" and dice.random() < 0.5) else ""
    return f"#{dice.randint(1, 3)}:{kind}{value}{at}"


CUTTING = {"drop", "half-open", "close"}  # nothing reaches the server afterwards

# Kinds that end a conversation rather than try it, or a property of servers that is tested elsewhere.
HOPELESS: dict[str, str] = {
    "bad-certificate": "fatal on the first link, by design",
    "spent-token": "fatal on every link after the first",
}


# --------------------------------------------------------------------------------------- what happens


@dataclass
class Told:
    """One run as it went: everything `check` needs."""

    run: Run
    display: Recorder
    voice: Voice | None
    ended: float = 0.0
    cut: float | None = None  # since when nothing reached the server, at the end of the run
    code: int | None = None  # None: killed
    hung: bool = False
    error: str = ""


@dataclass
class World:
    """One scenario as it went."""

    scenario: Scenario
    sayings: Sayings = field(default_factory=Sayings)
    told: list[Told] = field(default_factory=list)
    heard: dict[Mark, list[tuple[int, int]]] = field(default_factory=dict)  # by which links of which server
    asked: list[tuple[float, str]] = field(default_factory=list)  # what the agent was to answer
    answers: set[str] = field(default_factory=set)  # what it began to say
    understood: set[str] = field(default_factory=set)  # the words in what servers took for questions
    newest: dict[int, int] = field(default_factory=dict)  # the newest link of each server that was set up
    cut: float | None = None  # since when the newest link leads nowhere
    wrong: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)

    def note(self, who: str, what: object) -> None:
        """One line of the trace."""
        self.trace.append(f"{asyncio.get_running_loop().time() - BEGIN:9.3f} {who:8} {what}")


class Agent(Parrot):
    """Understands every saying, and answers with the question."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def transcribe(self, pcm: bytes) -> str:
        return self._world.sayings.words(pcm)

    async def reply(self, question: Question) -> AsyncIterator[Said]:
        world, asked = self._world, question.history[-1].text
        world.asked.append((asyncio.get_running_loop().time(), asked))
        world.note("agent", f"is asked: {asked}")
        world.answers.add(f"You said: {asked}")
        pcm = bytes(int(24_000 * world.scenario.answer_s) * 2)
        half = len(pcm) // 4 * 2
        yield Said("You said: ", pcm[:half])
        yield Said(asked, pcm[half:])


class Watched(Recorder):
    """A display whose events are in the trace."""

    def __init__(self, world: World, typed: tuple[tuple[float, str], ...]) -> None:
        super().__init__(typed=typed)
        self._world = world

    def show(self, event: Output) -> None:
        super().show(event)
        if isinstance(event, Levels | Speaking | HandleState | Start):
            return
        text = str(event)
        if isinstance(event, Summary):
            text = text.replace(event.conversation, "ID")
        self._world.note("shown", text)

    async def lines(self) -> AsyncIterator[str]:
        async for line in super().lines():
            self._world.note("person", f"types {line}")
            yield line


def play(seed: int) -> World:
    """One scenario from beginning to end, in virtual time."""
    world = World(scenario(seed))
    load_sdk()
    with (
        tempfile.TemporaryDirectory(prefix="livechat-chaos-") as folder,
        _errors_logged(world),
        redirect_stderr(io.StringIO()),
    ):
        try:
            run(_play(world, Path(folder)))
        except Exception:  # noqa: BLE001 - the harness itself: as bad as any
            world.wrong.append(f"raised: {traceback.format_exc()}")
    return world


async def _play(world: World, folder: Path) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.set_exception_handler(lambda _, context: world.wrong.append(f"left unhandled: {context}"))
    jitter = random.Random(world.scenario.seed + 1)

    def clock() -> float:
        return EPOCH + loop.time()

    with mock.patch.object(time, "time", clock):
        memory = handles.Memory(folder / "server.sqlite3", clock)
        server: Server | None = None
        for number, one in enumerate(world.scenario.runs):
            if server is None or one.server != "same":
                if server is not None:
                    await server.__aexit__(None, None, None)
                server = _server(world, one, number, memory if one.server == "mindful" or number == 0 else None)
                await server.__aenter__()
            await _one_run(world, one, server, folder, jitter)
        assert server is not None
        await server.__aexit__(None, None, None)
        memory.close()
        await asyncio.sleep(5.0)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            world.wrong.append(f"tasks left over: {left}")
        if loop.open_sockets:
            world.wrong.append(f"{loop.open_sockets} sockets left open")
        with closing(Store(folder / "store.sqlite3", on_trouble=_trouble)) as store:
            check(world, store)


def _server(world: World, one: Run, number: int, memory: handles.Memory | None) -> Server:
    def on_event(event: dict[str, Any]) -> None:
        shown = {k: v for k, v in event.items() if k not in ("id", "session", "t")}
        if event["type"] == "handle":
            return
        world.note("server", shown)
        if event["type"] == "user":
            world.understood.update(_things(event["text"]))
        if event["type"] == "setup":
            world.newest[number] = max(event["n"], world.newest.get(number, 0))
            world.cut = None
        if event["type"] == "close" or event.get("fault") in CUTTING:
            world.cut = world.cut or asyncio.get_running_loop().time()

    def on_audio(n: int, pcm: bytes) -> None:
        if n < world.newest[number]:
            world.wrong.append(f"link {n} still sends when link {world.newest[number]} is open")
        mark = world.sayings.marks.get(pcm)
        if mark is not None:
            world.heard.setdefault(mark, []).append((number, n))

    return Server(
        Agent(world), lifetime=one.lifetime, notice=one.notice, faults=parse(one.faults), memory=memory,
        on_event=on_event, on_audio=on_audio,
    )  # fmt: skip


async def _one_run(world: World, one: Run, server: Server, folder: Path, jitter: random.Random) -> None:
    loop = asyncio.get_running_loop()
    voice = Voice(world.sayings, one.script, endless=one.endless) if one.script else None
    display = Watched(world, one.lines or ())
    told = Told(one, display, voice)
    world.told.append(told)
    world.note("person", f"starts: {one}")
    with closing(Store(folder / "store.sqlite3", on_trouble=_trouble)) as store:
        talk = loop.create_task(
            converse(
                Parts(
                    settings=settings_for(server, folder, backend=world.scenario.backend, model=world.scenario.model),
                    display=display,
                    source=voice,
                    lines=display.lines() if one.lines is not None else None,
                    one_at_a_time=one.one_at_a_time,
                    sink=Loudspeaker(),
                    store=store,
                    resumed=store.find(None),
                    random=jitter.random,
                    wall=time.time,
                )
            )
        )
        if one.end:
            loop.call_later(one.end_at, _end, world, told, talk)
        limit = max(one.end_at, 300.0) + PATIENCE_S
        done, _ = await asyncio.wait([talk], timeout=limit)
        told.hung = not done
        talk.cancel()
        try:
            told.code = await talk
        except asyncio.CancelledError:
            pass
        except Exception:  # noqa: BLE001 - whatever it is, it is what we are looking for
            told.error = traceback.format_exc()
    told.ended, told.cut = loop.time(), world.cut
    world.note("person", f"ended: {told.code}")


def _end(world: World, told: Told, talk: asyncio.Task[int]) -> None:
    if talk.done():
        return
    world.note("person", told.run.end)
    match told.run.end:
        case "quit":
            told.display.quit.set()
        case "interrupt":
            signal.raise_signal(signal.SIGINT)
        case "kill":
            talk.cancel()


def _trouble(message: str, hint: str) -> None:
    raise AssertionError(f"the store: {message} {hint}")


@contextmanager
def _errors_logged(world: World) -> Iterator[None]:
    """What is logged as an error is a fault of ours."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            world.wrong.append(f"logged: {self.format(record)}")

    handler = Handler(logging.ERROR)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


# ------------------------------------------------------------------------------------ what must be true


def check(world: World, store: Store) -> None:
    """Every invariant; what does not hold goes to `world.wrong`."""
    for told in world.told:
        _check_end(world, told)
        _check_speech(world, told)
    _check_answers(world)
    kept = store.find(None)
    turns = kept.turns if kept is not None else []  # one in which nothing was said is not kept
    _check_transcript(world, [(turn.user, turn.model) for turn in turns])
    for told in world.told:
        _check_questions(world, told, {word for turn in turns for word in _things(turn.user)})


def _check_end(world: World, told: Told) -> None:
    if told.error:
        world.wrong.append(f"raised: {told.error}")
    if told.hung:
        world.wrong.append("hung")
    if told.code is None or told.hung:
        return
    if told.code not in OUTCOMES:
        world.wrong.append(f"exit code {told.code}")
    total = told.display.summary
    captured = told.voice.frames_out * FRAME_MS if told.voice else 0
    silence_after = total.captured_ms - captured  # the line is kept busy after the input's end
    if total.exit_code != told.code or not 0 <= total.sent_ms <= total.captured_ms or silence_after < 0:
        world.wrong.append(f"the summary does not add up: {total}")
    if min(total.dropped_ms, total.replayed_ms, total.longest_gap_ms, total.turns, total.links) < 0:
        world.wrong.append(f"the summary goes below zero: {total}")


def _check_speech(world: World, told: Told) -> None:
    """What was spoken reached a server, or is counted: but for what was on its way at the very end.

    That is what a link was given that had just died, and a syllable that was not known for speech yet.
    """
    if told.voice is None or told.code is None:
        return
    end = min(told.ended - LEAD * FRAME_MS / 1000, told.ended if told.cut is None else told.cut - 0.03)
    lost = [mark for at, mark in told.voice.captured if mark not in world.heard and at < end]
    if len(lost) * FRAME_MS > told.display.summary.dropped_ms:
        dropped = told.display.summary.dropped_ms
        world.wrong.append(f"{len(lost) * FRAME_MS} ms of speech never arrived, {dropped} counted: {sorted(lost)}")


def _check_questions(world: World, told: Told, kept: set[str]) -> None:
    """A conversation that ends by itself has had all its questions taken in, and wrote them down."""
    if told.run.end or told.code != 0 or told.display.summary.dropped_ms:
        return
    typed = {text for _, text in told.run.lines or ()}
    said = set(map(spoken, told.voice.said)) if told.voice else set()
    if lost := (typed | said) - world.understood:
        world.wrong.append(f"never understood by a server: {sorted(lost)}")
    if lost := (typed | said) - kept:
        world.wrong.append(f"not in the transcript: {sorted(lost)}, of {sorted(kept)}")


def _check_answers(world: World) -> None:
    """Nothing that has its whole answer is asked again."""
    answered: dict[str, float] = {}
    for told in world.told:
        for at, event in told.display.events:
            if isinstance(event, ModelText) and event.final and not event.cut and not event.restored:
                for word in _things(event.text):
                    answered.setdefault(word, at)
    for at, text in world.asked:
        for word in _things(text):
            if at > answered.get(word, at):
                world.wrong.append(f"asked again after its answer was whole: {word}")


def _check_transcript(world: World, turns: list[tuple[str, str]]) -> None:
    """The store has what was shown, once and in order, and no answer that nobody gave."""
    shown_user: list[str] = []
    shown_model: list[str] = []
    partly: set[str] = set()
    for told in world.told:
        for event in told.display.of(UserText):
            if event.final and event.source != "restored":
                shown_user += _things(event.text)
        for said in told.display.of(ModelText):
            if said.final and not said.cut and not said.restored:
                shown_model.append(said.text)
            partly.add(said.text)
    kept_user = [word for user, _ in turns for word in _things(user)]
    kept_model = [model for _, model in turns if model]
    for word, count in (Counter(shown_user) + Counter()).items():
        if count > 1 and not word.startswith("scrap"):
            world.wrong.append(f"shown {count} times: {word}")
    for word, count in Counter(kept_user).items():
        if count > 1 and not word.startswith("scrap"):
            world.wrong.append(f"kept {count} times: {word}")
    if missing := set(shown_user) - set(kept_user):
        world.wrong.append(f"shown but not kept: {sorted(missing)}; kept: {turns}")
    # An answer whose turn is said to be over too early is shown in two pieces.
    at = 0
    for text in shown_model:
        while at < len(kept_model) and text not in kept_model[at]:
            at += 1
        if at == len(kept_model):
            world.wrong.append(f"answers shown: {shown_model}, but kept: {kept_model}")
            break
    shown_words = {word for text in partly for word in text.split()}
    for text in kept_model:
        if not set(text.split()) <= shown_words:
            world.wrong.append(f"kept but never shown: {text}")
    for text in shown_model:
        if not any(text in answer for answer in world.answers):
            world.wrong.append(f"shown but never said: {text}")


def _things(text: str) -> list[str]:
    """The words of a text that name something that was said or typed."""
    return re.findall(r"(?:saying|typed|scrap)\d+", text)


# ------------------------------------------------------------------------------------------ by hand


def report(seed: int) -> tuple[int, list[str], list[str], float]:
    """Play one seed: what is wrong, what happened, and how many real seconds it took."""
    began = time.perf_counter()
    world = play(seed)
    return seed, world.wrong, world.trace, time.perf_counter() - began


def search(seeds: range, jobs: int) -> Iterator[tuple[int, list[str], list[str], float]]:
    """Play many seeds on `jobs` processors, in order."""
    if jobs == 1:
        yield from map(report, seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(report, seeds, chunksize=4)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200, metavar="N")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="S")
    parser.add_argument("--one", type=int, metavar="S", help="this seed alone")
    parser.add_argument("--soak", type=float, metavar="HOURS", help="one long conversation instead")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-v", "--verbose", action="store_true", help="show all that happened")
    options = parser.parse_args()
    if options.soak:
        result = soak(options.soak, outage_h=options.soak / 8)
        sys.stdout.write(f"{result}\n")
        return 0 if result.code == 0 and not result.lost_ms and not result.dropped_ms else 1
    seeds = range(options.first, options.first + options.seeds)
    if options.one is not None:
        seeds = range(options.one, options.one + 1)
    bad, slowest, total = 0, (0.0, 0), 0.0
    out = sys.stdout.write
    for seed, wrong, trace, seconds in search(seeds, 1 if len(seeds) == 1 else options.jobs):
        slowest, total = max(slowest, (seconds, seed)), total + seconds
        bad += bool(wrong)
        if wrong or options.verbose:
            out("\n".join((f"--- seed {seed}", str(scenario(seed)), *(trace if options.verbose else ()), "")))
            out("".join(f"seed {seed}: {line}\n" for line in wrong))
            sys.stdout.flush()
    out(f"{len(seeds)} seeds, {bad} bad; {total / len(seeds):.2f} s each, slowest {slowest[1]}: {slowest[0]:.1f} s\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
