"""Runs one conversation: one inbox, one machine, and the sound and text that pass the machine by.

The runner waits for an input or the machine's deadline, feeds the machine, performs its actions. Speech goes
source -> listening -> outbox -> link. What the link says is handled in the order it came, one at a time: what it says
of questions and answers goes to turns.py, the rest to the machine. Nothing here decides about links. docs/design.md
lists the files that the runner joins.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

from livechat import events as shown
from livechat.audio.interfaces import FRAME_MS, Sink
from livechat.errors import LivechatError, LostError, Notice, first_of
from livechat.models import Family
from livechat.session import events as ev
from livechat.session.compression import ContextCount
from livechat.session.current_turn import CurrentTurn
from livechat.session.fast_pacing import FastPacing
from livechat.session.function_calls import FunctionCalls, summary
from livechat.session.last_words import LastWords
from livechat.session.listening import Listening
from livechat.session.machine import Machine, State
from livechat.session.outbox import Outbox
from livechat.session.sender import Linklike, Sender
from livechat.session.sleep_watch import LOOK_S, SleepWatch
from livechat.session.tools import Tools
from livechat.session.transcript import Transcript
from livechat.session.turn_record import Ledger
from livechat.session.turns import Turns
from livechat.session.video import Video
from livechat.ticks import tick

TIMER_S = 1e-6  # so much before its time a timer may go off
CATCH_UP_S = 0.3  # after a stop, what came meanwhile lies in the socket: it is read before anything is sent

_log = logging.getLogger(__name__)


class Runner:
    """One conversation, from the first dial to its end."""

    def __init__(
        self,
        *,
        begin: ev.Begin,
        dial: Callable[[ev.Dial, Callable[[ev.Wire], None]], Linklike],
        listening: Listening,
        lines: AsyncIterator[shown.Typed] | None,
        one_at_a_time: bool,
        commands: AsyncIterator[shown.Command],
        sink: Sink,
        ledger: Ledger,
        show: Callable[[shown.Output], None],
        transcript: Transcript,
        machine: Machine,
        family: Family,
        tools: Tools,
        instruct: Callable[[str], None],
        wall: Callable[[], float],
        video: Video | None = None,
    ) -> None:
        """`listening` and `lines`: what the person says and types, or None. It ends by itself when both have ended.

        `begin`: the first input of the `machine`. `dial`: opens a link, which hands what it hears to the function.
        `one_at_a_time`: a line waits for the answer to the one before (a pipe), instead of cutting in.
        `commands`: what keys ask for. `sink`: plays the answers, s16le mono of the rate that each comes with.
        `ledger`: keeps turns and handles as they come. `show`: takes what a person or a program is shown.
        `transcript`: with the turns of an earlier run. `family`: what the model does; `tools`: what it may call.
        `instruct`: is told a new system instruction, for later links and runs. `video`: shows the model pictures.
        `wall`: the time of day in seconds, which goes on while the computer sleeps.
        """
        self._begin, self._dial_link = begin, dial
        self._listening, self._lines, self._one_at_a_time = listening, lines, one_at_a_time
        self._commands, self._sink, self._ledger, self._show = commands, sink, ledger, show
        self._transcript, self._machine, self._wall = transcript, machine, wall
        self._instruct, self._video = instruct, video
        self.outbox = Outbox()
        turn = CurrentTurn(
            outbox=self.outbox, transcript=transcript, sink=sink, ledger=ledger, show=show,
            feed=self._feed, link=self._number, now=self._now, interactions=family.interactions,
            goes_on=family.goes_on,
        )  # fmt: skip
        self.turns = Turns(turn, barge_in=listening.barge_in, silent=family.silent)
        self.links, self.longest_gap_ms = 0, 0.0
        self._inbox: asyncio.Queue[ev.Input | ev.Wire] = asyncio.Queue()
        self._link: Linklike | None = None
        self._links: list[asyncio.Task[None]] = []  # the one that lives, and any that is still closing
        self._leave_when_heard = False
        self._changed = asyncio.Event()  # for a line that waits its turn: the turn may be over
        self._error: LivechatError | None = None
        self._lost: LivechatError | None = None  # what ended it here, and not in the machine
        self._sender = Sender(
            self.outbox, transcript, caught_up=self._caught_up, begin=self.turns.begin, begun=self._begun
        )
        self._calls = FunctionCalls(tools, respond=self._respond, show=show)
        self._context = ContextCount()
        self._sleep_watch, self._pacing = SleepWatch(), FastPacing()
        voice = listening.source is not None
        self._last_words = LastWords(voice + (lines is not None), voice=voice)

    async def run(self) -> LivechatError | None:
        """Talk until it ends. Returns what it ended of, None if well. Cancel it to end it without a word."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                hands = (self._capture(), self._type(), self._obey())
                seeing = [self._video.run(self._sender.show, lambda: self._sender.flowing)] if self._video else []
                helpers = [*hands, self._sender.run(), self._meter(), self._sink.run(), *seeing]
                tasks = [group.create_task(helper) for helper in helpers]
                self._feed(self._begin)
                while self._machine.state is not State.OVER:
                    self._take(await self._next())
                if self._link is not None:
                    await self._link.close()
                for task in (*tasks, *self._links):
                    task.cancel()
        except BaseExceptionGroup as group_error:
            raise first_of(group_error) from None
        finally:
            self._calls.stop()
        if self.outbox.give_up():
            self._show(Notice("what you typed last did not reach the server", "it is kept with the conversation"))
        return self._error or self._lost

    def leave(self, *, hurry: bool = False) -> None:
        """End the conversation: once its last handle is here, or at once. From the loop's thread."""
        self._inbox.put_nowait(ev.Leave(hurry))

    def leave_when_heard(self) -> None:
        """End the conversation once the answer going on is whole and has been heard."""
        self._leave_when_heard = True

    async def _next(self) -> ev.Input | ev.Wire:
        deadline = self._machine.deadline()
        try:
            async with asyncio.timeout_at(deadline):
                return await self._inbox.get()
        except TimeoutError:
            await self._catch_up()
            return ev.Tick() if self._inbox.empty() else self._inbox.get_nowait()

    # ---------------------------------------------------------------------------------- machine's actions

    def _feed(self, event: ev.Input) -> None:
        _log.debug("%s: %s", self._machine.state.name, event)
        now = self._now()
        if isinstance(event, ev.Tick) and (due := self._machine.deadline()) is not None and due - now < TIMER_S:
            now = max(now, due)  # else the machine would find it too early, and set the same timer again, without end
        for action in self._machine.handle(event, now):
            self._perform(action)

    def _perform(self, action: ev.Action) -> None:
        match action:
            case ev.Dial():
                self.links += 1
                self._link = self._dial_link(action, self._inbox.put_nowait)
                self._links = [task for task in self._links if not task.done()]
                self._links.append(self._group.create_task(self._link.run()))
            case ev.Hold():
                self._sender.hold()
                self.turns.lost()
                self._changed.set()
            case ev.Hang():
                if self._link is not None:
                    self._group.create_task(self._link.close())
            case ev.Flow():
                self._sender.start(self._link, action)
            case ev.Forgo(heard):
                self.turns.forgo(heard=heard)
                self._changed.set()
            case ev.Keep(resumption):
                self._ledger.keep(resumption)
                self._show(shown.HandleState(resumption.name, resumable=True, expires_in_s=self._machine.ttl))
            case ev.Expire():
                self._ledger.expire()
            case ev.Show(output):
                self._show(output)
            case ev.Finish(error):
                self._error = error

    # ---------------------------------------------------------------------------------- what the link says

    def _take(self, event: ev.Input | ev.Wire) -> None:
        if isinstance(event, ev.OfLink) and (self._link is None or event.link != self._link.n):
            return
        self.turns.alive()
        match event:
            case _ if isinstance(event, ev.Told):
                if self._sender.open:  # from Hold on, what comes of an answer is cut off: it is asked for again
                    self.turns.take(event)
                    self._run_functions(event)
                    self._sender.wake()  # it may ask again
            case ev.Counted():
                self._count(event)
            case ev.HandleUpdate():
                self._handle(event)
            case _:
                self._feed(event)
        self._changed.set()

    def _run_functions(self, event: ev.Told) -> None:
        if isinstance(event, ev.Called):
            self._calls.call(event)
        elif isinstance(event, ev.Heard):
            self._calls.answered(event.text)
        elif isinstance(event, ev.CallsCancelled):
            self._calls.cancel(event.ids)
        elif not self.turns.going_on and not self.outbox.waiting():  # else it is asked again, and so is the function
            self._calls.forget()

    async def _respond(self, called: ev.Called, result: dict[str, Any]) -> None:
        """Give a function's result to the link that called it. Another link asks for it again, in its own call."""
        link = self._link
        if link is not None and link.n == called.link and self._sender.flowing:
            await link.send_result(called, result)
            self.turns.returned(called.id)
            self._transcript.note(summary(called, result))

    def _handle(self, update: ev.HandleUpdate) -> None:
        self.turns.handle(resumable=bool(update.handle))
        if not update.handle:
            self._show(shown.HandleState("", resumable=False, expires_in_s=0.0))
        elif update.consumed is not None:
            self.outbox.consumed(update.consumed)
        self._feed(ev.HandleIn(update.link, update.handle, self._sender.covered(self.turns.answered())))

    def _count(self, event: ev.Counted) -> None:
        counts = event.prompt_tokens, event.response_tokens, event.total_tokens
        details = dict(event.prompt_details), dict(event.response_details)
        self._show(shown.Usage(*counts, *details, thoughts=event.thoughts))
        if compression := self._context.counted(event.prompt_tokens):
            self._show(compression)

    # ---------------------------------------------------------------------------------- what the person says

    async def _capture(self) -> None:
        """Hear the person; after the input's end keep the line busy with silence, so that turns still end."""
        if self._listening.source is None:
            return
        async for frame in self._listening.source.frames():
            self._hear(frame)
            if self._listening.fast:
                await self._slow_down()
        self._last_words.input_ended(self._now())
        async for frame in self._listening.silence.frames():
            self._hear(frame)

    async def _slow_down(self) -> None:
        """Make a source that is faster than speech wait for the link, and keep the time of an answer."""
        if self._pacing.keeps_time(
            speaking=self.turns.speaking,
            answering=self.turns.going_on,
            waiting=self.outbox.waiting(),
            asks=self.outbox.asks(),
        ):
            await asyncio.sleep(FRAME_MS / 1000)
        while self._behind():
            await asyncio.sleep(FRAME_MS / 1000)
            self._pacing.waited_for_link()

    def _behind(self) -> bool:
        linked = self._sender.flowing or self._machine.state is State.RESTING  # a voice ends the rest
        return self._pacing.waits_for_link(linked=linked, unsent=self.outbox.unsent())

    def _hear(self, frame: bytes) -> None:
        for captured in self._listening.feed(frame, self._now()):
            self._person(speaking=captured.speaking, late_ms=captured.late_ms)
            if captured.signal:
                self.outbox.add_signal(captured.signal)
            else:
                self.outbox.add_audio(captured.frame, speech=captured.speaking)
        self._sender.wake()

    def _person(self, *, speaking: bool, late_ms: float) -> None:
        """The person speaks or does not; that they stopped is known `late_ms` after it."""
        if speaking == self.turns.speaking:
            return
        self.turns.person(speaking=speaking, late_ms=late_ms)
        self._changed.set()
        self._inbox.put_nowait(ev.Person(speaking))
        if self._listening.fast and not speaking and self.outbox.asks():
            self._inbox.put_nowait(ev.Asked())  # by the clock it was too short to be a question

    async def _obey(self) -> None:
        listening = self._listening
        if listening.source is not None and listening.state == "held":
            self._show(shown.Mic("held"))
        async for command in self._commands:
            before = listening.state
            if command == "video" and self._video:
                await self._video.toggle()
            elif command == "interrupt" or (listening.source is not None and listening.obey(command)):
                self.turns.interrupt()
            self._changed.set()
            if listening.state != before:
                self._show(shown.Mic(listening.state))

    async def _type(self) -> None:
        if self._lines is None:
            return
        async for line in self._lines:
            if self._one_at_a_time:
                await self._until_free()
            if isinstance(line, str) and self._calls.answered(line):
                continue
            if self._leave_when_heard:
                return  # it would be sent, paid for, and left without its answer
            match line:
                case shown.Instruct(text):
                    self._instruct(text)
                    await self._sender.instruct(text)
                case shown.Watch() | shown.Look():
                    if self._video:
                        await self._video.obey(line)
                case str():
                    self.turns.typed(line)
                    self._sender.wake()
                    self._inbox.put_nowait(ev.Asked())
                case told:
                    await self._sender.tell(self.turns.told(told.text))
        self._last_words.input_ended(self._now())

    async def _until_free(self) -> None:
        """Wait until nothing is asked, nothing is being answered, and no more of an answer is to come."""
        while not self._calls.asking and (not self.turns.free or self._now() < self.turns.more_until):
            self._changed.clear()
            try:
                async with asyncio.timeout_at(self.turns.more_until if self.turns.free else None):
                    await self._changed.wait()
            except TimeoutError:
                return  # not by a look at the clock: a timer may go off a moment before its time

    def _begun(self, flow: ev.Flow, replayed_ms: int, dropped_ms: int) -> None:
        self._changed.set()
        self._last_words.flowing(self._now())
        if flow.how not in ("resumed", "previous"):
            self._context.new_session()
        if flow.cause:
            self.longest_gap_ms = max(self.longest_gap_ms, flow.gap_ms)
            self._show(shown.Handover(flow.n, flow.cause, flow.how, round(flow.gap_ms, 1), replayed_ms, dropped_ms))

    # ---------------------------------------------------------------------------------- the clock

    def _number(self) -> int:
        return self._link.n if self._link is not None else 0

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _catch_up(self, seconds: float = CATCH_UP_S) -> None:
        """After a stop, let the link read first: sending to a server that has left throws away what it sent."""
        if self._sleep_watch.was_stopped(self._now()):
            await asyncio.sleep(seconds)

    async def _caught_up(self) -> None:
        """The same, and let what was read be taken in: an answer is to what was sent before it."""
        await self._catch_up(2 * CATCH_UP_S)

    async def _meter(self) -> None:
        """Who speaks, and whether all is said, ten times a second; levels every other time: each is a new screen."""
        spoke = shown.Speaking(person=False, model=False)
        self._sleep_watch.begin(self._now(), self._wall())
        for look in count():
            await tick(LOOK_S)
            at = self._now()
            passed = self._sleep_watch.look(at, self._wall())
            await self._catch_up()
            if passed.stopped:
                self._last_words.stopped(passed.since, passed.seconds)
            self._sleep_watch.ready(self._now())
            if passed.unseen is not None:
                self._inbox.put_nowait(ev.Slept(passed.unseen))
            speaking = shown.Speaking(self.turns.speaking, self._sink.pending_ms() > 0)
            if speaking != spoke:
                self._show(spoke := speaking)
            if look % 2:
                self._show(shown.Levels(self._listening.level, self._sink.level()))
            if late := self.turns.overdue():
                self._inbox.put_nowait(late)
            if self._leave_when_heard and not self.turns.incomplete and self._sink.pending_ms() == 0:
                self.leave()  # again and again, until it has: nothing changes by that
            if self._last_words.ended:  # else there is no need to look through the outbox ten times a second
                self._last_words.listened(LOOK_S if self._sender.flowing else 0.0)
                self._leave_when_all_is_said(at)

    def _leave_when_all_is_said(self, at: float) -> None:
        answering = self.turns.incomplete or self._sink.pending_ms() > 0 or self._now() < self.turns.more_until
        waiting, asks = self.outbox.waiting(), self.outbox.asks()
        end = self._last_words.over(at, answering=answering, waiting=waiting, asks=asks, linked=self._sender.flowing)
        if end is None:
            return
        if end == "undelivered":
            self._lost = LostError("what was said last could not be delivered", "resume when the server is back")
        if end == "unanswered":
            self._show(Notice("no answer came to the last words", "they may have been too short, or not speech"))
        self.leave()
