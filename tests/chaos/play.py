"""Whole conversations under random misfortune, in virtual time, each made from one number.

    python -m tests.chaos --seeds 2000            # seeds 0 to 1999, on all processors
    python -m tests.chaos --one 17 -v             # one of them, with all that happened
    python -m tests.chaos --from 1000000          # with functions that the model calls
    python -m tests.chaos --soak 24               # a conversation of 24 hours (tests/chaos/soak.py)

A seed makes a person (what they say and type, what their hand does at which moment, when they quit, kill the
program or resume), servers (their model, their patience, whether the next one remembers) and a plan of faults for
each: dice.py. What happened is then held against what must be true of any conversation, whatever happens to
its links: checks.py.
"""

from __future__ import annotations

import asyncio
import io
import logging
import random
import signal
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager, redirect_stderr
from contextvars import copy_context
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

from livechat.commands.hold_conversation import Parts, converse
from livechat.conversations.store import Store
from livechat.errors import Notice
from livechat.events import (
    Command,
    GoAwayNotice,
    HandleState,
    Handover,
    Levels,
    LinkState,
    ModelText,
    Output,
    Speaking,
    Start,
    Summary,
    UserText,
)
from livechat.server import tls
from livechat.session.link import load_sdk
from tests.chaos.checks import Told, World, check, things
from tests.chaos.dice import ENDINGS, Deed, Run, scenario
from tests.chaos.servers import Servers
from tests.support.conversation import Recorder, settings_for
from tests.support.person import Loudspeaker, Voice
from tests.support.virtual_time import PROGRAM, VirtualLoop, run

_ran: list[str] = []  # of the function below, in this run of the program

EPOCH = 1_800_000_000.0  # the virtual time of day when the loop's clock shows 0
PATIENCE_S = 1_800.0  # virtual seconds beyond what the person needs, after which a run counts as hung


async def look_up_weather(city: str) -> str:
    """Look up the weather for a city."""
    _ran.append(city)
    await asyncio.sleep(sum(map(ord, city)) * 7 % 13)
    return f"It rains: {city}"


# ------------------------------------------------------------------------------------------- the person


class Hand(Recorder):
    """A display whose events are in the trace, and at some of which the person's hand does something."""

    def __init__(self, world: World, one: Run, do: Callable[[Deed], None]) -> None:
        super().__init__(typed=one.lines or ())
        self._world, self._do = world, do
        self._deeds = one.deeds
        self._count: dict[str, int] = {}
        self._loop = asyncio.get_running_loop()
        self._outside = copy_context()  # of the program: a hand moves while it is stopped
        self.pressed: asyncio.Queue[Command] = asyncio.Queue()
        self.burst: asyncio.Queue[str] = asyncio.Queue()
        for at, command in one.keys:
            self._loop.call_later(at, self.press, command)

    def show(self, event: Output) -> None:
        super().show(event)
        if not isinstance(event, Levels | Speaking | HandleState | Start):
            text = str(event)
            if isinstance(event, Summary):
                text = text.replace(event.conversation, "ID")
            self._world.note("shown", text)
        if moment := _moment(event):
            self._at(moment)

    def _at(self, moment: str) -> None:
        self._count[moment] = self._count.get(moment, 0) + 1
        for deed in self._deeds:
            if (deed.moment, deed.nth) != (moment, self._count[moment]):
                continue
            outside = self._outside.copy()
            if deed.after is None:
                outside.run(self._do, deed)
            else:
                self._loop.call_later(deed.after, self._do, deed, context=outside)

    def press(self, command: Command) -> None:
        """A key."""
        self._world.note("person", f"presses {command}")
        self.pressed.put_nowait(command)

    async def lines(self) -> AsyncIterator[str]:
        for wait, line in self.typed:
            due = self._loop.time() + wait
            while (left := due - self._loop.time()) > 0 or not self.burst.empty():
                try:
                    async with asyncio.timeout(left):
                        sudden = await self.burst.get()
                except TimeoutError:
                    break
                yield self._types(sudden)
            assert isinstance(line, str)
            yield self._types(line)

    def _types(self, line: str) -> str:
        self._world.note("person", f"types {line}")
        self._world.told[-1].typed += things(line)
        return line

    async def commands(self) -> AsyncIterator[Command]:
        while True:
            yield await self.pressed.get()


def _moment(event: Output) -> str:
    match event:
        case LinkState(state=state):
            return state
        case GoAwayNotice():
            return "goaway"
        case Handover():
            return "handover"
        case ModelText(restored=False):
            return "answer"
        case UserText(final=True, source="speech" | "text"):
            return "question"
    return ""


# --------------------------------------------------------------------------------------- what happens


def play(seed: int) -> World:
    """One scenario from beginning to end, in virtual time."""
    world = World(scenario(seed))
    load_sdk()
    with (
        tempfile.TemporaryDirectory(prefix="livechat-chaos-") as folder,
        mock.patch.object(tls, "server_context", _certificate),
        _errors_logged(world),
        redirect_stderr(io.StringIO()),
    ):
        try:
            run(_play(world, Path(folder)))
        except Exception:  # noqa: BLE001 - the harness itself: as bad as any
            world.wrong.append(f"raised: {traceback.format_exc()}")
    return world


_new_certificate = tls.server_context


@cache
def _certificate() -> tuple[Any, bytes]:
    """One for all servers: a program that goes on knows the server that comes back."""
    return _new_certificate()


class Clock:
    """The time of day, which servers know, and what the person's computer takes it for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.off = 0.0

    def true(self) -> float:
        """Seconds."""
        return EPOCH + self._loop.time()

    def shown(self) -> float:
        """Seconds, on this computer."""
        return self.true() + self.off


async def _play(world: World, folder: Path) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.set_exception_handler(lambda _, context: world.wrong.append(f"left unhandled: {context}"))
    jitter = random.Random(world.scenario.seed + 1)
    clock = Clock(loop)
    with mock.patch.object(time, "time", clock.shown):
        servers = Servers(world, folder, clock.true)
        for one in world.scenario.runs:
            if one.server != "same":
                await servers.change(one, mindful=one.server != "forgetful")
            await _one_run(world, one, servers, folder, jitter, clock)
        await servers.stop()
        servers.close()
        await asyncio.sleep(5.0)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            world.wrong.append(f"tasks left over: {left}")
        if loop.open_sockets:
            world.wrong.append(f"{loop.open_sockets} sockets left open")
        with closing(Store(folder / "store.sqlite3", on_trouble=_trouble)) as store:
            check(world, store)


async def _one_run(
    world: World, one: Run, servers: Servers, folder: Path, jitter: random.Random, clock: Clock
) -> None:
    loop = asyncio.get_running_loop()
    voice = Voice(world.sayings, one.script, endless=one.endless) if one.script else None
    outages: list[asyncio.Task[None]] = []

    def do(deed: Deed) -> None:
        if not talk.done():
            _do(world, told, deed, talk, servers, outages, clock)

    display = Hand(world, one, do)
    told = Told(one, display, voice, began=loop.time())
    world.told.append(told)
    world.note("person", f"starts: {one}")
    server = servers.now
    assert server is not None
    with closing(Store(folder / "store.sqlite3", on_trouble=_trouble)) as store:
        _ran.clear()
        tool = f"{__name__}:{look_up_weather.__name__}" if world.scenario.tools else None
        settings = settings_for(
            server, folder, backend=world.scenario.backend, model=world.scenario.model, ptt=one.ptt, tool=tool
        )
        program = copy_context()
        program.run(PROGRAM.set, True)
        talk = loop.create_task(
            converse(
                Parts(
                    settings=settings,
                    display=display,
                    source=voice,
                    lines=display.lines() if one.lines is not None else None,
                    one_at_a_time=one.one_at_a_time,
                    sink=Loudspeaker(),
                    store=store,
                    resumed=store.archive().find(None),
                    random=jitter.random,
                    wall=time.time,
                )
            ),
            context=program,
        )
        if one.end:
            loop.call_later(one.end_at, do, Deed("", 0, None, one.end))
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
    told.ended, told.cut, told.ran = loop.time(), world.cut, list(_ran)
    world.note("person", f"ended: {told.code}")
    await asyncio.gather(*outages)


def _do(
    world: World,
    told: Told,
    deed: Deed,
    talk: asyncio.Task[int],
    servers: Servers,
    outages: list[asyncio.Task[None]],
    clock: Clock,
) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    world.note("hand", f"{deed.what} {deed.seconds or ''}".strip())
    if deed.what in ENDINGS:
        told.by_hand = told.by_hand or deed.what
    display = told.display
    assert isinstance(display, Hand)
    match deed.what:
        case "quit":
            display.quit.set()
        case "ctrl-c":
            signal.raise_signal(signal.SIGINT)
        case "kill":
            talk.cancel()
        case "type":
            for line in deed.lines:
                display.burst.put_nowait(line)
        case "stop":
            loop.stop_program(deed.seconds)
        case "suspend" | "clock":
            clock.off += deed.seconds
        case "outage":
            outages.append(loop.create_task(servers.outage(deed)))
        case "interrupt" | "mute" | "press" | "release" as key:
            display.press(key)


def _trouble(notice: Notice) -> None:
    raise AssertionError(f"the store: {notice.message} {notice.hint}")


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
