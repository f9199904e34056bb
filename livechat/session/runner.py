"""Runs one conversation: one inbox, one machine, and the sound and text that pass the machine by.

The runner waits for an input or the machine's deadline, feeds the machine, performs its actions. Speech goes
source -> gate -> outbox -> link. What the link says is handled in the order it came, one at a time: what it says
of questions and answers goes to turns.py, the rest to the machine. Nothing here decides about links.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Literal, Protocol

from livechat.audio.interfaces import FRAME_MS, Sink, Source
from livechat.errors import LivechatError, LostError, Notice
from livechat.events import Command, Compression, HandleState, Handover, Levels, Mic, Output, Speaking, Usage
from livechat.models import Family
from livechat.session.barge_in import BargeIn
from livechat.session.context_replay import Content, seed
from livechat.session.events import (
    Action,
    Asked,
    Begin,
    Counted,
    Dial,
    Expire,
    Finish,
    Flow,
    Forgo,
    HandleIn,
    Hang,
    Hold,
    Input,
    Keep,
    Leave,
    Person,
    Show,
    Signal,
    Slept,
    Tick,
    Wire,
)
from livechat.session.machine import Machine, State
from livechat.session.outbox import Outbox
from livechat.session.push_to_talk import TAIL_MS, Gate
from livechat.session.transcript import Transcript
from livechat.session.turns import Content as Told
from livechat.session.turns import Ledger, Resampler, Turns

METER_S = 0.1  # levels on the screen: ten a second
STOPPED_S = 1.0  # without a meter: this process was stopped, or the computer slept
CATCH_UP_S = 0.3  # then what came meanwhile lies in the socket: it is read before anything is sent or decided
AWAY_S = 5.0  # a meter that comes so late, or a wall clock so far ahead of ours: the computer slept
LAST_ANSWER_S = 35.0  # after the input's end: how long a question may stay without an answer (machine, rule 7)
LAST_LINK_S = 300.0  # after the input's end: how long there may be no link for what was said last
LAST_NOISE_S = 6.0  # the same for what may be no question at all
LAST_LINKS = 5  # and on how many links in a row it may stay so for so long
FAST_AHEAD = 50  # frames unsent, 1 s: a source faster than speech waits for the link
LAST_WORDS_S = 1.0  # after the input's end: how long an answer may take to begin where nothing seems asked

_log = logging.getLogger(__name__)


class Linklike(Protocol):
    """What the runner needs of a link (session/link.py has the real one)."""

    n: int

    async def run(self) -> None: ...
    async def close(self) -> None: ...
    async def send_audio(self, frame: bytes) -> None: ...
    async def send_text(self, text: str) -> None: ...
    async def send_signal(self, signal: Signal) -> None: ...
    async def send_context(self, contents: list[Content]) -> None: ...


class Detector(Protocol):
    """Hears whether the person speaks (audio/dsp.py has the real one)."""

    hangover_ms: int
    voiced: bool  # the last frame, by itself

    def feed(self, frame: bytes) -> bool: ...


class Runner:
    """One conversation, from the first dial to its end."""

    def __init__(
        self,
        *,
        begin: Begin,
        dial: Callable[[Dial, Callable[[Wire], None]], Linklike],
        source: Source | None,
        silence: Source,
        fast: bool,
        lines: AsyncIterator[str] | None,
        one_at_a_time: bool,
        commands: AsyncIterator[Command],
        gate: Gate,
        sink: Sink,
        detector: Detector | None,
        barge_in: BargeIn | None,
        level: Callable[[bytes], float],
        resampler: Callable[[int, int], Resampler],
        ledger: Ledger,
        show: Callable[[Output], None],
        transcript: Transcript,
        machine: Machine,
        family: Family,
        ttl: float,
        wall: Callable[[], float],
    ) -> None:
        """`source` and `lines` are what the person says and types, either may be None; `silence` follows a source.

        The conversation ends by itself when both have ended and the last answer is complete.
        `commands`: what keys ask for. `gate`: what of the source goes out.
        `fast`: the source is faster than speech; it is made to wait for the link, and while an answer is given.
        `barge_in`: what stops the model's voice when the person speaks; None leaves that to the server.
        `one_at_a_time`: a line waits for the answer to the one before (a pipe), instead of cutting in.
        `family`: what the model does. `wall`: the time of day in seconds, which goes on while the computer sleeps.
        """
        self._begin, self._dial_link = begin, dial
        self._source, self._lines, self._one_at_a_time = source, lines, one_at_a_time
        self._commands, self._gate = commands, gate
        self._sink, self._detector, self._level = sink, detector, level
        self._silence, self._fast = silence, fast
        self._waited_s = 0.0  # how long a fast source has waited for an answer since the person fell silent
        self._away_s = 0.0  # and for a link
        self._ledger, self._show, self._ttl = ledger, show, ttl
        self._machine, self._wall, self._barge_in = machine, wall, barge_in
        self._transcript = transcript
        self.outbox = Outbox()
        self.turns = Turns(
            outbox=self.outbox,
            transcript=transcript,
            sink=sink,
            barge_in=barge_in,
            resampler=resampler,
            ledger=ledger,
            show=show,
            feed=self._feed,
            link=self._number,
            now=self._now,
            interactions=family.interactions,
            silent=family.silent,
        )
        self.links = 0
        self.longest_gap_ms = 0.0
        self._inbox: asyncio.Queue[Input | Wire] = asyncio.Queue()
        self._link: Linklike | None = None
        self._links: list[asyncio.Task[None]] = []  # the one that lives, and any that is still closing
        self._flow: Flow | None = None  # a link that is open and has not been given its context yet
        self._flowing = False
        self._dropped_before = 0  # before the handover going on
        self._leave_when_heard = False
        self._metered_at = math.inf  # when the levels were shown last
        self._wake = asyncio.Event()
        self._error: LivechatError | None = None
        self._lost: LivechatError | None = None  # what ended it here, and not in the machine
        self._mic_level = -90.0
        self._context = 0  # tokens, by the last count
        self._inputs = (source is not None) + (lines is not None)  # not ended yet
        self._ended_at: float | None = None  # when the last of them ended
        self._flowing_at = 0.0  # when this link was given what waits for an answer
        self._listened_s = 0.0  # for how long any link could have answered since the input's end

    async def run(self) -> LivechatError | None:
        """Talk until it ends. Returns what it ended of, None if well. Cancel it to end it without a word."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                helpers = [
                    group.create_task(work)
                    for work in (
                        self._capture(),
                        self._type(),
                        self._obey(),
                        self._pump(),
                        self._meter(),
                        self._sink.run(),
                    )
                ]
                self._feed(self._begin)
                while self._machine.state is not State.OVER:
                    self._take(await self._next())
                if self._link is not None:
                    await self._link.close()
                for task in (*helpers, *self._links):
                    task.cancel()
        except BaseExceptionGroup as group_error:
            raise _first(group_error) from None
        if self.outbox.give_up():
            self._show(Notice("what you typed last did not reach the server", "it is kept with the conversation"))
        return self._error or self._lost

    def leave(self, *, hurry: bool = False) -> None:
        """End the conversation: once its last handle is here, or at once. From the loop's thread."""
        self._inbox.put_nowait(Leave(hurry))

    def leave_when_heard(self) -> None:
        """End the conversation once the answer going on is whole and has been heard."""
        self._leave_when_heard = True

    async def _next(self) -> Input | Wire:
        deadline = self._machine.deadline()
        try:
            async with asyncio.timeout_at(deadline):
                return await self._inbox.get()
        except TimeoutError:
            await self._catch_up()
            return Tick() if self._inbox.empty() else self._inbox.get_nowait()

    # ---------------------------------------------------------------------------------- machine's actions

    def _feed(self, event: Input) -> None:
        now = asyncio.get_running_loop().time()
        _log.debug("%s: %s", self._machine.state.name, event)
        for action in self._machine.handle(event, now):
            self._perform(action)

    def _perform(self, action: Action) -> None:
        match action:
            case Dial():
                self.links += 1
                self._link = self._dial_link(action, self._inbox.put_nowait)
                self._links = [task for task in self._links if not task.done()]
                self._links.append(self._group.create_task(self._link.run()))
            case Hold():
                self._hold()
            case Hang():
                if self._link is not None:
                    self._group.create_task(self._link.close())
            case Flow():
                self._flow = action
                self._wake.set()
            case Forgo(heard):
                self.turns.forgo(heard=heard)
            case Keep(resumption):
                self._ledger.keep(resumption)
                self._show(HandleState(digest(resumption.handle), resumable=True, expires_in_s=self._ttl))
            case Expire():
                self._ledger.expire()
            case Show(output):
                self._show(output)
            case Finish(error):
                self._error = error

    def _hold(self) -> None:
        if self._flowing:
            self._dropped_before = self.outbox.dropped_ms
        self._flowing = False
        self._flow = None
        self.outbox.hold()
        self.turns.lost()

    # ---------------------------------------------------------------------------------- what the link says

    def _take(self, event: Input | Wire) -> None:
        link = getattr(event, "link", None)
        if link is not None and (self._link is None or link != self._link.n):
            return
        self.turns.alive()
        match event:
            case _ if isinstance(event, Told):
                # From Hold on, what a link still says of an answer is cut off: it is asked for again.
                if self._flowing or self._flow is not None:
                    self.turns.take(event)
                    self._wake.set()  # it may ask again
            case Counted():
                self._count(event)
            case HandleIn(_, handle, _, consumed):
                self.turns.handle(resumable=bool(handle))
                if not handle:
                    self._show(HandleState("", resumable=False, expires_in_s=0.0))
                elif consumed is not None:
                    self.outbox.consumed(consumed)
                self._feed(replace(event, covers=self.turns.answered()))
            case _:
                self._feed(event)

    def _count(self, event: Counted) -> None:
        self._show(Usage(event.prompt_tokens, event.response_tokens, event.total_tokens))
        if event.prompt_tokens < self._context:
            self._show(Compression(self._context, event.prompt_tokens))
        self._context = event.prompt_tokens

    # ---------------------------------------------------------------------------------- what the person says

    async def _capture(self) -> None:
        """Hear the person; after the input's end keep the line busy with silence, so that turns still end."""
        if self._source is None:
            return
        async for frame in self._source.frames():
            self._speak(frame)
            if self._fast:
                await self._slow_down()
        self._input_ended()
        async for frame in self._silence.frames():
            self._speak(frame)

    async def _slow_down(self) -> None:
        """Make a source that is faster than speech wait for the link, and keep the time of an answer.

        A pause is as long as it sounds while an answer is awaited or given: so what is said next cuts into it, or
        does not, as it would at the pace of speech.
        """
        speaking = self.turns.speaking
        self._waited_s = 0.0 if speaking else self._waited_s
        patience = LAST_ANSWER_S if self.outbox.asks() else LAST_NOISE_S
        awaited = self.outbox.waiting() and self._waited_s < patience
        if not speaking and (awaited or self.turns.going_on):
            await asyncio.sleep(FRAME_MS / 1000)
            self._waited_s += FRAME_MS / 1000
        while self._behind():
            await asyncio.sleep(FRAME_MS / 1000)
            self._away_s += FRAME_MS / 1000

    def _behind(self) -> bool:
        if self._flowing or self._machine.state is State.RESTING:  # a voice ends the rest
            self._away_s = 0.0
            return self.outbox.unsent() > FAST_AHEAD
        return self._away_s < LAST_LINK_S

    def _speak(self, frame: bytes) -> None:
        self._mic_level = self._level(frame)
        for out in self._gate.feed(frame, self._now()):
            if out.signal:
                self._person(speaking=out.signal == "start", late_ms=TAIL_MS)
                self.outbox.add_signal(out.signal)
            elif out.speech is None and self._detector is not None:
                speech = self._detector.feed(out.frame)
                if self._barge_in is not None:
                    self._barge_in.heard(self._detector.voiced, self._now())
                self._person(speaking=speech, late_ms=self._detector.hangover_ms)
                self.outbox.add_audio(out.frame, speech=speech)
            else:
                self._person(speaking=bool(out.speech), late_ms=0)
                self.outbox.add_audio(out.frame, speech=bool(out.speech))
        self._wake.set()

    def _person(self, *, speaking: bool, late_ms: float) -> None:
        """The person speaks or does not; that they stopped is known `late_ms` after it."""
        if speaking == self.turns.speaking:
            return
        self.turns.person(speaking=speaking, late_ms=late_ms)
        self._inbox.put_nowait(Person(speaking))
        if self._fast and not speaking and self.outbox.asks():
            self._inbox.put_nowait(Asked())  # by the clock it was too short to be a question

    async def _obey(self) -> None:
        """Do what keys ask for."""
        if self._source is not None and self._gate.push_to_talk:
            self._show(Mic("held"))
        async for command in self._commands:
            if command == "interrupt":
                self.turns.interrupt()
            elif self._source is not None:
                self._shut_or_open(command)

    def _shut_or_open(self, command: Command) -> None:
        gate, before = self._gate, self._mic_state()
        if command == "mute":
            gate.mute(not gate.muted)
        elif gate.push_to_talk:
            gate.press(command == "press" or (command == "talk" and not gate.pressed))
            if gate.pressed:
                self.turns.interrupt()
        if (after := self._mic_state()) != before:
            self._show(Mic(after))

    def _mic_state(self) -> Literal["open", "muted", "held"]:
        if self._gate.muted:
            return "muted"
        return "held" if self._gate.push_to_talk and not self._gate.pressed else "open"

    async def _type(self) -> None:
        if self._lines is None:
            return
        async for line in self._lines:
            if self._one_at_a_time:
                await self.turns.until_free()
            if self._leave_when_heard:
                return  # it would be sent, paid for, and left without its answer
            self.turns.typed(line)
            self._wake.set()
            self._inbox.put_nowait(Asked())
        self._input_ended()

    def _input_ended(self) -> None:
        self._inputs -= 1
        if self._inputs == 0:
            self._ended_at = self._now()

    async def _pump(self) -> None:
        """Send: on a new link first its context and the old questions, then whatever comes."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._flow is not None:
                await self._start(self._flow)
            await self._catch_up(sending=True)
            while self._flowing and self._link is not None and (item := self.outbox.next()) is not None:
                if item.audio:
                    await self._link.send_audio(item.audio)
                elif item.signal:
                    await self._link.send_signal(item.signal)
                else:
                    await self._link.send_text(item.text)

    async def _start(self, flow: Flow) -> None:
        link = self._link
        contents = [] if flow.replay == "none" else seed(self._transcript.turns[flow.covers :])
        if contents and link is not None:
            await link.send_context(contents)
        if self._flow is not flow:
            return  # that link is gone already
        self._flow = None
        self.turns.begin()
        replayed = self.outbox.rewind(flow.replay, given=bool(contents))
        self._flowing = True
        self._flowing_at = self._now()
        if flow.how not in ("resumed", "previous"):
            self._context = 0
        if flow.cause:
            self.longest_gap_ms = max(self.longest_gap_ms, flow.gap_ms)
            dropped = self.outbox.dropped_ms - self._dropped_before
            self._show(Handover(flow.n, flow.cause, flow.how, round(flow.gap_ms, 1), replayed, dropped))

    # ---------------------------------------------------------------------------------- the clock

    def _number(self) -> int:
        return self._link.n if self._link is not None else 0

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _catch_up(self, *, sending: bool = False) -> None:
        """After a stop, let the link read first: sending to a server that has left throws away what it sent.

        `sending` waits for what was read to be taken in, too: an answer is to what was sent before it.
        """
        if self._now() - self._metered_at > METER_S + STOPPED_S:
            await asyncio.sleep(CATCH_UP_S * (2 if sending else 1))

    def _stopped(self, since: float, seconds: float) -> None:
        """Nobody waited for an answer meanwhile: what is counted from before the stop is counted anew."""
        if self._ended_at is not None and self._ended_at <= since:
            self._ended_at += seconds
        if self._flowing_at <= since:
            self._flowing_at += seconds

    async def _meter(self) -> None:
        """Levels and who speaks, ten times a second; and whether all is said."""
        spoke = Speaking(person=False, model=False)
        self._metered_at = self._now()
        at, day = self._now(), self._wall()
        while True:
            await asyncio.sleep(METER_S)
            passed, passed_outside = self._now() - at, self._wall() - day
            at, day = at + passed, day + passed_outside
            await self._catch_up()
            if passed > METER_S + STOPPED_S:
                self._stopped(at - passed, passed)
            self._metered_at = self._now()
            if max(passed, passed_outside) > METER_S + AWAY_S:
                self._inbox.put_nowait(Slept(max(0.0, passed_outside - passed)))
            speaking = Speaking(self.turns.speaking, self._sink.pending_ms() > 0)
            if speaking != spoke:
                self._show(spoke := speaking)
            self._show(Levels(self._mic_level, self._sink.level()))
            if late := self.turns.overdue():
                self._inbox.put_nowait(late)
            if self._leave_when_heard and not self.turns.incomplete and self._sink.pending_ms() == 0:
                self.leave()  # again and again, until it has: nothing changes by that
            if self._ended_at is not None:
                self._listened_s += METER_S if self._flowing else 0.0
                if self._all_said(at - max(self._ended_at, self._flowing_at)):
                    self._ended_at = None
                    self.leave()

    def _all_said(self, since_s: float) -> bool:
        if self.turns.incomplete or self._sink.pending_ms() > 0 or self._now() < self.turns.more_until:
            return False
        if not self.outbox.waiting():  # with a link or without one
            return since_s > LAST_WORDS_S or self._source is None
        if not self._flowing:
            if self._flowing_at and since_s > LAST_LINK_S:
                self._lost = LostError("what was said last could not be delivered", "resume when the server is back")
            return self._lost is not None
        patience = LAST_ANSWER_S if self.outbox.asks() else LAST_NOISE_S
        if since_s < patience and self._listened_s < LAST_LINKS * patience:
            return False
        self._show(Notice("no answer came to the last words", "they may have been too short, or not speech"))
        return True


def digest(handle: str) -> str:
    """A handle's name for people and programs: eight hex digits that say nothing of it."""
    return hashlib.sha256(handle.encode()).hexdigest()[:8]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
