"""Runs one conversation: one inbox, one machine, and the sound and text that pass the machine by.

The runner waits for an input or the machine's deadline, feeds the machine, performs its actions. Speech
goes source -> outbox -> link, and back link -> sink; what is said goes to the display and the store. What
the link says is handled in the order it came, one at a time; nothing here decides about links.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Literal, Protocol

from livechat.audio.base import FRAME_MS, OUTPUT_RATE, Sink, Source
from livechat.errors import LivechatError, LostError
from livechat.events import (
    Action,
    Asked,
    Audio,
    Begin,
    Command,
    Compression,
    Counted,
    CutIn,
    Dial,
    Expire,
    Finish,
    Flow,
    Forgo,
    HandleIn,
    HandleState,
    Handover,
    Hang,
    Heard,
    Hold,
    Input,
    Interrupted,
    Keep,
    Leave,
    Levels,
    Mic,
    ModelText,
    Output,
    Person,
    Replied,
    Replying,
    Resumption,
    Said,
    Show,
    Signal,
    Slept,
    Speaking,
    Stuck,
    Tick,
    Turn,
    TurnOver,
    Usage,
    UserText,
    Warned,
    Wire,
)
from livechat.session.barge_in import BargeIn
from livechat.session.gate import TAIL_MS, Gate
from livechat.session.machine import Machine, State
from livechat.session.outbox import Mark, Outbox
from livechat.session.seeding import Content, seed
from livechat.session.transcript import Transcript

METER_S = 0.1  # levels on the screen: ten a second
AWAY_S = 5.0  # a meter that comes so late, or a wall clock so far ahead of ours: the computer slept
LATE_S = 3.0  # after a cut: a turnComplete that has not come by then never will
STUCK_S = 10.0  # of an answer that has begun, nothing for so long; gaps of 4.4 s were measured on slow lines (1.6)
MORE_S = 1.0  # after a turnComplete that no generationComplete came before: it may have come early (F6)
TURN_END_S = 5.0  # after an answer's playback: a turnComplete that has not come by then never will
CUTS = 1  # a question whose answer is cut by a lost link is asked again so often, lest it be so for ever
LAST_ANSWER_S = 35.0  # after the input's end: how long a question may stay without an answer (machine, rule 7)
LAST_LINK_S = 300.0  # after the input's end: how long there may be no link for what was said last
LAST_NOISE_S = 6.0  # the same for what may be no question at all
LAST_LINKS = 5  # and on how many links in a row it may stay so for so long
FAST_AHEAD = 50  # frames unsent, 1 s: a source faster than speech waits for the link
LAST_WORDS_S = 1.0  # after the input's end: how long an answer may take to begin where nothing seems asked

_CONTENT = (Audio, Said, Heard, CutIn, Replied, TurnOver)  # what a link says of questions and answers
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


class Ledger(Protocol):
    """Where the conversation is kept as it happens (store.py has the real one)."""

    def turn(self, number: int, user: str, model: str) -> None:
        """Exchange `number`, counted from 0 in the whole conversation, as far as it has come."""

    def keep(self, resumption: Resumption) -> None:
        """The newest handle."""

    def expire(self) -> None:
        """The link of the newest handle ended."""


class Detector(Protocol):
    """Hears whether the person speaks (audio/dsp.py has the real one)."""

    hangover_ms: int
    voiced: bool  # the last frame, by itself

    def feed(self, frame: bytes) -> bool: ...


class Resampler(Protocol):
    """Changes the rate of a stream of s16le mono (audio/dsp.py has the real one)."""

    def feed(self, pcm: bytes) -> bytes: ...


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
        ttl: float,
        wall: Callable[[], float],
    ) -> None:
        """`source` and `lines` are what the person says and types, either may be None; `silence` follows a source.

        The conversation ends by itself when both have ended and the last answer is complete.
        `commands`: what keys ask for. `gate`: what of the source goes out.
        `fast`: the source is faster than speech; it is made to wait for the link, and while an answer is given.
        `barge_in`: what stops the model's voice when the person speaks; None leaves that to the server.
        `one_at_a_time`: a line waits for the answer to the one before (a pipe), instead of cutting in.
        `wall`: the time of day in seconds, which goes on while the computer sleeps.
        """
        self._begin, self._dial_link = begin, dial
        self._source, self._lines, self._one_at_a_time = source, lines, one_at_a_time
        self._commands, self._gate = commands, gate
        self._sink, self._detector, self._level, self._resampler = sink, detector, level, resampler
        self._resamplers: dict[int, Resampler] = {}  # by the rate of what comes
        self._silence, self._fast = silence, fast
        self._waited_s = 0.0  # how long a fast source has waited for an answer since the person fell silent
        self._away_s = 0.0  # and for a link
        self._ledger, self._show, self._ttl = ledger, show, ttl
        self._machine, self._wall, self._barge_in = machine, wall, barge_in
        self._transcript = transcript
        self.outbox = Outbox()
        self.turns = 0  # answered in this run
        self.links = 0
        self.longest_gap_ms = 0.0
        self._inbox: asyncio.Queue[Input | Wire] = asyncio.Queue()
        self._link: Linklike | None = None
        self._links: list[asyncio.Task[None]] = []  # the one that lives, and any that is still closing
        self._flow: Flow | None = None  # a link that is open and has not been given its context yet
        self._flowing = False
        self._dropped_before = 0  # before the handover going on
        self._wake = asyncio.Event()
        self._free = asyncio.Event()  # no question is open
        self._free.set()
        self._error: LivechatError | None = None
        self._lost: LivechatError | None = None  # what ended it here, and not in the machine
        self._reply_mark: Mark | None = None  # an answer is coming in; what it answers
        self._replied = False  # all of it is here, its turn is not over
        self._cuts = 0  # how often a lost link cut the answer to this question
        self._reply_ms: float | None = None
        self._alive_at = 0.0  # when a link last said anything
        self._piece_at = 0.0  # when the last of an answer came
        self._play_until = 0.0  # when a listener would have heard all of it, and TURN_END_S
        self._more_until = 0.0  # a turn was said to be over, and more of its answer may come until then
        self._final_to = 0  # so many characters of the answer going on have been shown as final
        self._late_until = 0.0  # what comes until the turn is over, or so long, is of an answer that was cut into
        self._unasked = False  # this link took up a session and has been given nothing to answer
        self._speaking = False
        self._asked_at: float | None = None  # when the person fell silent or typed
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
            self._show(Warned("what you typed last did not reach the server", "it is kept with the conversation"))
        return self._error or self._lost

    def leave(self, *, hurry: bool = False) -> None:
        """End the conversation: once its last handle is here, or at once. From the loop's thread."""
        self._inbox.put_nowait(Leave(hurry))

    async def _next(self) -> Input | Wire:
        deadline = self._machine.deadline()
        try:
            async with asyncio.timeout_at(deadline):
                return await self._inbox.get()
        except TimeoutError:
            return Tick()

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
            case Forgo():
                self.outbox.answered(self.outbox.sent_mark())
                if self._transcript.user:
                    self._transcript.close()
                self._check_free()
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
        if self._reply_mark is not None and not self._replied and self._cuts < CUTS:
            self._cuts += 1
            self._finalise(cut=True)
        elif self._reply_mark is not None:
            if not self._replied:
                self._show(Warned("the answer was cut off again, and is left at that", "ask for the rest"))
            self._turn_over(cut=True)
        self._reply_mark = None
        self._replied = False
        self._late_until = self._more_until = 0.0
        self._final_to = 0
        self._transcript.lost()

    # ---------------------------------------------------------------------------------- what the link says

    def _take(self, event: Input | Wire) -> None:
        link = getattr(event, "link", None)
        if link is not None and (self._link is None or link != self._link.n):
            return
        self._alive_at = self._now()
        if not self._flowing and self._flow is None and isinstance(event, _CONTENT):
            return  # from Hold on, what a link still says of an answer is cut off: it is asked for again
        match event:
            case Audio(_, pcm, rate):
                if self._reply():
                    self._sink.play(self._at_output_rate(pcm, rate))
                    self._play_until = max(self._play_until, self._now() + TURN_END_S) + len(pcm) / (2 * rate)
            case Said(_, text):
                if not self._repeated(model=text) and self._reply():
                    self._transcript.said(text)
                    self._show(ModelText(self._not_final(), final=False))
                    self._record()
            case Heard(_, text):
                if not self._repeated(user=text):
                    self._hear(text)
            case CutIn():
                self._cut_in()
            case Replied():
                if self._reply_mark is not None:
                    self._complete()
                self._late_until = 0.0  # all of what was cut into is here
            case TurnOver():
                if self._reply_mark is not None and not self._replied:
                    self._more_until = self._now() + MORE_S
                self._turn_over()
                self._feed(event)
            case Counted():
                self._count(event)
            case HandleIn(_, handle, _, consumed):
                if not handle:
                    self._show(HandleState("", resumable=False, expires_in_s=0.0))
                elif consumed is not None:
                    self.outbox.consumed(consumed)
                self._feed(replace(event, covers=self._answered()))
            case _:
                self._feed(event)

    def _answered(self) -> int:
        """Answered turns of the whole conversation, the one whose playback the server still counts among them."""
        return len(self._transcript.turns) + (1 if self._replied else 0)

    def _repeated(self, **piece: str) -> bool:
        """A session that was taken up may say its last words again (2.4); nobody has asked it anything."""
        return self._unasked and self._transcript.repeats(**piece)

    def _reply(self) -> bool:
        """Something of an answer came; False if it belongs to one that was cut into."""
        if self._now() < self._late_until:
            return False
        self._piece_at = self._now()
        if self._goes_on():
            if self._reply_mark is None:
                self._transcript.reopen()
                self._final_to = len(self._transcript.model)
                self._reply_mark = self.outbox.sent_mark()
                self._replied = True  # as often as it is answered, it counts once
                self._free.clear()
        elif self._reply_mark is None or self._replied:
            self._turn_over()  # a server may leave turnComplete out (C2)
            self._reply_mark = self.outbox.sent_mark()
            self._show_question()
            if self._asked_at is not None:
                self._reply_ms = (self._now() - self._asked_at) * 1000
                self._asked_at = None
            else:
                self._reply_ms = None
            self._play_until = self._now() + TURN_END_S
            self._feed(Replying(self._number()))
        return True

    def _goes_on(self) -> bool:
        """Whether what comes is of an answer that seemed whole: nothing has been asked since."""
        just_over = self._now() < self._more_until and not self._transcript.user and not self._unasked
        return (self._replied or (self._reply_mark is None and just_over)) and not self.outbox.waiting()

    def _not_final(self) -> str:
        """What of the answer has not been shown as final."""
        return self._transcript.model[self._final_to :].strip()

    def _complete(self, *, cut: bool = False) -> None:
        """All of the answer is here, or all that will come: its question need never be asked again."""
        if self._reply_mark is None or self._replied:
            return
        self.outbox.answered(self._reply_mark)
        self._replied = True
        self._sink.finish()
        self._cuts = 0
        self.turns += 1
        self._finalise(cut=cut)
        self._show(Turn(self.turns, self._reply_ms))
        self._record()
        self._feed(Replied(self._number()))

    def _finalise(self, *, cut: bool) -> None:
        if text := self._not_final():
            self._show(ModelText(text, final=True, cut=cut))
            self._final_to = len(self._transcript.model)

    def _turn_over(self, *, cut: bool = False) -> None:
        self._late_until = 0.0
        if self._reply_mark is None:
            return
        self._complete(cut=cut)
        self._finalise(cut=cut)
        self._transcript.close()
        self._final_to = 0
        if cut:
            self._more_until = 0.0
        self._reply_mark = None
        self._replied = False
        self._check_free()

    def _at_output_rate(self, pcm: bytes, rate: int) -> bytes:
        if rate == OUTPUT_RATE:
            return pcm
        if rate not in self._resamplers:
            self._resamplers[rate] = self._resampler(rate, OUTPUT_RATE)
        return self._resamplers[rate].feed(pcm)

    def _cut_in(self) -> None:
        unplayed = self._sink.flush()
        if self._barge_in is not None:
            self._barge_in.confirmed()
        if self._reply_mark is None and unplayed == 0:  # a stray one, with nothing in flight
            self._late_until = min(self._late_until, self._now() + LATE_S)
            return
        self._show(Interrupted(round(unplayed, 1)))
        more_to_come = self._reply_mark is not None and not self._replied
        self._turn_over(cut=True)
        if more_to_come:
            self._late_until = self._now() + LATE_S
        self._feed(TurnOver(self._number()))

    def _hear(self, text: str) -> None:
        self._late_until = 0.0  # the next question is heard: what comes now is its answer
        if self._replied and (self._speaking or self._asked_at is not None):
            self._take(
                TurnOver(self._number())
            )  # a server may leave turnComplete out (C2): this is the next question
        mark = self._reply_mark
        ahead = mark is not None and not self._replied and self.outbox.only_later_speech(mark)
        if not self._transcript.heard(text, ahead=ahead) or ahead:
            return
        fresh = self._transcript.fresh()
        if self._reply_mark is not None:
            self._show_question()  # it came after the answer began: there is nothing to wait for
        elif fresh:
            self._show(UserText(fresh, final=False, source="speech"))
        self._record()

    def _show_question(self) -> None:
        if fresh := self._transcript.fresh():
            self._show(UserText(fresh, final=True, source="speech"))
            self._transcript.shown()

    def _record(self) -> None:
        self._ledger.turn(len(self._transcript.turns), self._transcript.user, self._transcript.model.strip())

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
        self._waited_s = 0.0 if self._speaking else self._waited_s
        patience = LAST_ANSWER_S if self.outbox.asks() else LAST_NOISE_S
        awaited = self.outbox.waiting() and self._waited_s < patience
        if not self._speaking and (awaited or self._reply_mark is not None):
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
        if speaking == self._speaking:
            return
        self._speaking = speaking
        self._unasked = False
        if speaking:
            self._late_until = min(self._late_until, self._now() + LATE_S)
        else:
            self._asked_at = self._now() - late_ms / 1000
        self._inbox.put_nowait(Person(speaking))
        if self._fast and not speaking and self.outbox.asks():
            self._inbox.put_nowait(Asked())  # by the clock it was too short to be a question
        self._check_free()

    async def _obey(self) -> None:
        """Do what keys ask for."""
        if self._source is not None and self._gate.push_to_talk:
            self._show(Mic("held"))
        async for command in self._commands:
            if command == "interrupt":
                self._interrupt()
            elif self._source is not None:
                self._shut_or_open(command)

    def _shut_or_open(self, command: Command) -> None:
        gate, before = self._gate, self._mic_state()
        if command == "mute":
            gate.mute(not gate.muted)
        elif gate.push_to_talk:
            gate.press(command == "press" or (command == "talk" and not gate.pressed))
            if gate.pressed:
                self._interrupt()
        if (after := self._mic_state()) != before:
            self._show(Mic(after))

    def _mic_state(self) -> Literal["open", "muted", "held"]:
        if self._gate.muted:
            return "muted"
        return "held" if self._gate.push_to_talk and not self._gate.pressed else "open"

    def _interrupt(self) -> None:
        """Silence the model. A server cannot be told to stop: the rest is dropped until it says it is over."""
        more_to_come = self._reply_mark is not None and not self._replied
        self._cut_in()
        if more_to_come:
            self._late_until = math.inf

    async def _type(self) -> None:
        if self._lines is None:
            return
        async for line in self._lines:
            if self._one_at_a_time:
                await self._until_free()
            self._unasked = False
            self._late_until = min(self._late_until, self._now() + LATE_S)
            self._transcript.typed(line)
            self._show(UserText(line, final=True, source="text"))
            self._record()
            self.outbox.add_text(line)
            self._asked_at = self._now()
            self._wake.set()
            self._inbox.put_nowait(Asked())
        self._input_ended()

    async def _until_free(self) -> None:
        await self._free.wait()
        while (left := self._more_until - self._now()) > 0:
            await asyncio.sleep(left)
            await self._free.wait()
        self._free.clear()

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
        self._unasked = not self.outbox.waiting()
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

    def _check_free(self) -> None:
        if not self._speaking and not self.outbox.waiting() and self._reply_mark is None:
            self._free.set()

    async def _meter(self) -> None:
        """Levels and who speaks, ten times a second; and whether all is said."""
        spoke = Speaking(person=False, model=False)
        at, day = self._now(), self._wall()
        while True:
            await asyncio.sleep(METER_S)
            passed, passed_outside = self._now() - at, self._wall() - day
            at, day = at + passed, day + passed_outside
            if max(passed, passed_outside) > METER_S + AWAY_S:
                self._inbox.put_nowait(Slept(max(0.0, passed_outside - passed)))
            speaking = Speaking(self._speaking, self._sink.pending_ms() > 0)
            if speaking != spoke:
                self._show(spoke := speaking)
            self._show(Levels(self._mic_level, self._sink.level()))
            if self._replied and at > self._play_until:
                self._inbox.put_nowait(TurnOver(self._number()))
            elif self._reply_mark is not None and not self._replied and at > self._piece_at + STUCK_S:
                # A link that says other things has said all of its answer; some servers never say so (C2).
                alive = self._alive_at > self._piece_at + STUCK_S / 2
                self._inbox.put_nowait((TurnOver if alive else Stuck)(self._number()))
            if self._ended_at is not None:
                self._listened_s += METER_S if self._flowing else 0.0
                if self._all_said(at - max(self._ended_at, self._flowing_at)):
                    self._ended_at = None
                    self.leave()

    def _all_said(self, since_s: float) -> bool:
        if self._reply_mark is not None and not self._replied:
            return False
        if self._sink.pending_ms() > 0 or self._now() < self._more_until:
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
        self._show(Warned("no answer came to the last words", "they may have been too short, or not speech"))
        return True


def digest(handle: str) -> str:
    """A handle's name for people and programs: eight hex digits that say nothing of it."""
    return hashlib.sha256(handle.encode()).hexdigest()[:8]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
