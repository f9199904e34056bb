"""Holds one conversation, from its first line to its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from livechat import __version__, leaving
from livechat.audio.interfaces import Sink, Source
from livechat.commands.make_runner import embedded_server, make_runner
from livechat.commands.notices import Notices
from livechat.commands.print_error import print_error
from livechat.commands.resume_conversation import options_to_keep
from livechat.conversations.records import Resumable
from livechat.conversations.store import Book, Store
from livechat.errors import INTERRUPTED, LivechatError, Notice
from livechat.events import (
    ContextText,
    Handover,
    LinkState,
    ModelText,
    Output,
    Start,
    Summary,
    Typed,
    Usage,
    UserText,
)
from livechat.prices import prices
from livechat.session.budget import Spend
from livechat.session.context_replay import Exchange
from livechat.settings import Settings
from livechat.ui.display import Display
from livechat.ui.status import KEYBOARD

if TYPE_CHECKING:
    from livechat.server.agent import Agent
    from livechat.server.brain import Brain
    from livechat.server.fault_plan import Plan
    from livechat.session.runner import Runner

_CATCH_UP_S = 1.0  # between two attempts to write to a locked store
_SHOWN_AGAIN = 6  # exchanges of a resumed conversation that are shown at its beginning


@dataclass
class Parts:
    """What a conversation is joined from. `livechat talk` makes them, and so does a test.

    `lines`: what is typed, or None. `one_at_a_time`: a line waits for the answer to the one before, as in a pipe.
    `resumed`: the conversation that goes on, or None. `told`: what the model is to know besides, before it begins.
    `trace` takes each line of the session's trace.
    `wall`: the time of day, in seconds. `random`: 0 to 1, spreads the retries.

    For the embedded server: `agent` answers (None: the best there is, with `brain` if it is given), `faults` is its
    plan of faults, and `memory` the file in which it remembers sessions (None: as long as it runs).
    """

    settings: Settings
    display: Display
    source: Source | None
    lines: AsyncIterator[Typed] | None
    one_at_a_time: bool
    sink: Sink
    store: Store
    resumed: Resumable | None = None
    told: Sequence[Exchange] = ()
    agent: Agent | None = None
    brain: Brain | None = None
    faults: Plan | None = None
    memory: Path | None = None
    notices: Notices = field(default_factory=Notices)
    wall: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    trace: Callable[[str], object] = len  # this one forgets the line


async def converse(parts: Parts) -> int:
    """Hold a conversation. Returns the exit code. Errors are printed, not raised."""
    return await _Conversation(parts).hold()


class _Conversation:
    """One conversation while it is held: who has ended it, and what is still to be closed and said."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._store, self._display = parts, parts.store, parts.display
        settings, kept = parts.settings, parts.resumed
        self._clock = asyncio.get_running_loop().time
        self._began, self._day = self._clock(), parts.wall()
        self._turns: list[Exchange] = [*(kept.turns if kept else ()), *parts.told]
        if kept and kept.id:
            self._identity = kept.id
        else:
            self._identity = self._store.begin(settings.backend, settings.model, options_to_keep(settings))
        numbers = kept.numbers if kept else (0,)
        self._book = Book(parts.store, self._identity, settings.handle_ttl_s, numbers)
        self._restored = len(self._turns) - len(parts.told)
        for number, exchange in enumerate(parts.told, start=self._restored):
            self._book.turn(number, exchange.user, exchange.model)
        known = prices(settings.model, settings.backend, settings.price_in, settings.price_out)
        self._spend = Spend(known, settings.max_tokens_total, settings.max_cost)
        self._cost: float | None = None
        self._limit_reached = False
        self._opened = asyncio.Event()  # a link was open
        self._runner: Runner | None = None
        self._interrupted = False
        self._error: LivechatError | None = None
        self._resumable = self._store.on_disk
        # The file comes before the device, which may hang. `_finish` may run on another thread at the same time: each
        # part is taken out of the list by whichever thread closes it, and the summary by whichever shows it.
        self._to_close = [part for part in (parts.sink, parts.source) if part is not None]
        self._to_say = ["summary"]

    async def hold(self) -> int:
        """Talk until the end. Returns the exit code."""
        loop = asyncio.get_running_loop()
        showing = loop.create_task(self._display.run())
        keeping = loop.create_task(_catch_up(self._store))
        leaving.prepare(self._finish)
        async with contextlib.AsyncExitStack() as stack:  # the embedded server ends last: it may still make a voice
            try:
                await self._talk(stack)
            except LivechatError as error:
                self._error = error
            finally:
                keeping.cancel()
                self._close_parts()
                self._measure()
                self._resumable = self._store.settle(self._identity)
                self._say_summary()
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)
                self._display.close()  # it waits for a slow reader of what was said, unless the person leaves
                leaving.countdown(self._code)
            if self._error is not None:
                print_error(self._error)
        return self._code

    async def _talk(self, stack: contextlib.AsyncExitStack) -> None:
        self._introduce()
        server = await embedded_server(self._parts, stack) if self._parts.settings.backend == "offline" else None
        self._runner = await make_runner(
            self._parts, server, self._book, self._turns, self._show, self._opened, stack
        )
        quitting = asyncio.ensure_future(self._leave_when_asked())
        with leaving.told(partial(self._leave, signalled=True)):
            try:
                self._error = await self._runner.run()
            finally:
                quitting.cancel()

    def _introduce(self) -> None:
        """Say who is at the other end, then what has waited to be said, then the last exchanges of an earlier run."""
        parts, settings, show = self._parts, self._parts.settings, self._display.show
        applied = settings.applied_compression
        show(Start(
            version=__version__, backend=settings.backend, model=settings.model, voice=settings.voice,
            input=parts.source.name if parts.source else KEYBOARD, output=parts.sink.name,
            compression={"trigger_tokens": applied[0], "target_tokens": applied[1]} if applied else None,
            conversation=self._identity, restored=self._restored,
        ))  # fmt: skip
        parts.notices.show_on(show)
        if parts.told:
            show(ContextText("\n".join(text for turn in parts.told for text in (turn.user, turn.model) if text)))
        for turn in self._turns[: self._restored][-_SHOWN_AGAIN:]:
            if turn.user:
                show(UserText(turn.user, final=True, source="restored"))
            if turn.model:
                show(ModelText(turn.model, final=True, restored=True))

    def _show(self, event: Output) -> None:
        """Show what the session says, and act on what concerns the whole conversation."""
        self._display.show(event)
        if isinstance(event, LinkState) and event.state == "open":
            self._opened.set()
        if isinstance(event, Handover):
            self._measure()
        if isinstance(event, Usage) and self._runner is not None:
            spent = self._spend.add(event)
            self._cost = spent.cost
            self._display.show(spent)
            if not self._limit_reached and (why := self._spend.over(spent)):
                self._limit_reached = True
                self._display.show(Notice(f"{why}: the conversation ends here, and can be resumed"))
                self._runner.leave_when_heard()

    async def _leave_when_asked(self) -> None:
        await self._display.quit.wait()
        self._leave(signalled=False)

    def _leave(self, *, signalled: bool) -> None:
        self._interrupted = self._interrupted or signalled
        leaving.countdown(self._code)
        if self._runner is not None:
            self._runner.leave(hurry=True)

    def _finish(self, code: int) -> None:
        """End in place of the loop's thread, which is stuck."""
        self._interrupted = code == INTERRUPTED
        self._close_parts()
        self._say_summary()
        self._display.close()

    @property
    def _code(self) -> int:
        return self._error.exit_code if self._error else INTERRUPTED if self._interrupted else 0

    def _close_parts(self) -> None:
        while self._to_close:
            self._to_close.pop(0).close()

    def _say_summary(self) -> None:
        if self._runner is not None and self._to_say:
            self._to_say.pop()
            self._display.show(self._summary(self._runner))

    def _measure(self) -> None:
        """Keep how continuous the conversation has been so far."""
        if self._runner is not None:
            self._store.measure(self._identity, self._day, self._summary(self._runner))

    def _summary(self, runner: Runner) -> Summary:
        box = runner.outbox
        return Summary(
            duration_s=round(self._clock() - self._began, 1), turns=runner.turns.count, links=runner.links,
            captured_ms=box.captured_ms, sent_ms=box.sent_ms, replayed_ms=box.replayed_ms,
            dropped_ms=box.dropped_ms, longest_gap_ms=round(runner.longest_gap_ms, 1),
            conversation=self._identity, resume=f"livechat resume {self._identity}" if self._resumable else "",
            exit_code=self._code, kept=self._store.complete, cost=self._cost,
        )  # fmt: skip


async def _catch_up(store: Store) -> None:
    """Write what waits for another program's lock, as soon as that is gone, even where nothing more is said."""
    while True:
        await asyncio.sleep(_CATCH_UP_S)
        store.catch_up()
