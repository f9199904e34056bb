"""Turn-taking: which answer belongs to which question, when it is whole, and what of it is heard, shown and kept.

Told what a link says, in the order it came, and what the person does. It decides nothing about links: what the
machine must know of a turn goes to `feed`. What servers leave out, or say too early or too late, is made up for
here (docs/wire.md 1.5, C2).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from livechat.audio.interfaces import OUTPUT_RATE, Sink
from livechat.errors import Notice
from livechat.events import Interrupted, ModelText, Output, ThoughtText, Turn, UserText, Working
from livechat.session.barge_in import BargeIn
from livechat.session.events import (
    Asked,
    Audio,
    CutIn,
    Heard,
    Noticed,
    Reopened,
    Replied,
    Replying,
    Resumption,
    Said,
    Status,
    Stuck,
    Thought,
    TurnOver,
    Written,
)
from livechat.session.interaction import IDLE_S, Interaction
from livechat.session.outbox import Mark, Outbox
from livechat.session.pulse import Pulse
from livechat.session.transcript import Transcript
from livechat.session.turn_end_reasons import ASK_AGAIN, explained

LATE_S = 3.0  # after a cut: a turnComplete that has not come by then never will
STUCK_S = 10.0  # of an answer that has begun, nothing for so long; gaps of 4.4 s were measured on slow lines (1.6)
MORE_S = 1.0  # after a turnComplete that no generationComplete came before: it may have come early (F6)
TURN_END_S = 5.0  # after an answer's playback: a turnComplete that has not come by then never will
PASSED_S = 2.0  # after a question: a handle that comes later says that no answer is being made
AT_ONCE_S = 0.5  # after a whole answer was cut into: what was on its way
BURST_S = 0.05  # after a turnComplete: another one may be the same one said twice
DOUBT_S = 4.0  # then: with nothing of an answer by then it was an empty turn
NO_ANSWER = "the model gave no answer to this"
CUTS = 1  # a question whose answer is cut by a lost link is asked again so often, lest it be so for ever

# What a link says of questions and answers.
Content = Audio | Said | Written | Thought | Heard | Noticed | CutIn | Replied | Status | TurnOver
Feed = Callable[[Replying | Replied | Reopened | Noticed | TurnOver | Asked], None]


class Ledger(Protocol):
    """Where the conversation is kept as it happens (store.py has the real one)."""

    def turn(self, number: int, user: str, model: str) -> None:
        """Exchange `number`, counted from 0 in the whole conversation, as far as it has come."""

    def keep(self, resumption: Resumption) -> None:
        """The newest handle."""

    def expire(self) -> None:
        """The link of the newest handle ended."""


class Resampler(Protocol):
    """Changes the rate of a stream of s16le mono (audio/dsp.py has the real one)."""

    def feed(self, pcm: bytes) -> bytes: ...


class Turns:
    """The turn going on, and how many there were. Times are those of `now`, in seconds."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        transcript: Transcript,
        sink: Sink,
        barge_in: BargeIn | None,
        resampler: Callable[[int, int], Resampler],
        ledger: Ledger,
        show: Callable[[Output], None],
        feed: Feed,
        link: Callable[[], int],
        now: Callable[[], float],
        interactions: bool,
        silent: bool,
    ) -> None:
        """`feed` tells the machine that an answer begins, is whole, or is over, on the link that lives, `link`.

        `interactions`, `silent`: what the model does (models.Family).
        """
        self._outbox, self._transcript, self._sink, self._barge_in = outbox, transcript, sink, barge_in
        self._ledger, self._show, self._feed, self._now = ledger, show, feed, now
        self._link, self._silent = link, silent
        self._interaction = Interaction(announced=interactions)
        self._resampler = resampler
        self._resamplers: dict[int, Resampler] = {}  # by the rate of what comes
        self.count = 0  # answered in this run
        self.speaking = False  # the person
        self._free = asyncio.Event()  # no question is open
        self._free.set()
        self.more_until = 0.0  # a turn was said to be over, and more of its answer may come until then
        self._mark: Mark | None = None  # an answer is coming in; what it answers
        self._replied = False  # all of it is here, its turn is not over
        self._content = False  # something of an answer came, and not the server's word alone that it is at work
        self._generated = False  # generationComplete came, and nothing of the answer since
        self._counted = False  # this answer is, though more of it may come
        self._noticed = False  # the server showed that it heard what is asked
        self._passed_over = False  # what is asked was heard, and the server does nothing about it
        self._repeated_once = False  # what is asked was asked again on this link, because nothing came back
        self._working = False  # it was shown that the server is at work
        self._over_due = False  # a turn was closed here before the server said so; it may say so yet
        self._over_at = -math.inf  # when a turnComplete came last
        self._doubt_until: float | None = None  # it came so soon after another that it may be that one
        self._cuts = 0  # how often a lost link cut the answer to this question
        self._asked_at: float | None = None  # when the person fell silent or typed
        self._reply_ms: float | None = None
        self._alive_at = 0.0  # when a link last said anything
        self._pulse = Pulse()  # of its handles, and of word that there is none
        self._piece_at = 0.0  # when the last of an answer came
        self._play_until = 0.0  # when a listener would have heard all of it, and TURN_END_S
        self._final_to = 0  # so many characters of the answer going on have been shown as final
        self._late_until = 0.0  # what comes until the turn is over, or so long, is of an answer that was cut into
        self._unheard_after: int | None = None  # what was asked after this was sent, and may be what cut in
        self._catching_up = False  # this link was given all at once what was asked before it
        self._unasked = False  # this link took up a session and has been given nothing to answer

    @property
    def going_on(self) -> bool:
        """An answer has begun, and its turn is not over."""
        return self._mark is not None

    @property
    def incomplete(self) -> bool:
        """An answer has begun, and not all of it is here."""
        return self._mark is not None and not self._replied

    def answered(self) -> int:
        """Answered turns of the whole conversation, the one whose playback the server still counts among them."""
        return len(self._transcript.turns) + (1 if self._replied else 0)

    def overdue(self) -> TurnOver | Stuck | None:
        """What a server has left out, or what that means; None while all is well."""
        at = self._now()
        over = TurnOver(self._link(), "idle")
        if self._doubt_until is not None and at > self._doubt_until:
            return over
        if self._replied and at > self._play_until:
            return over
        if self._mark is not None and self._interaction.paused:
            if not self._interaction.expired(at):
                return None
            dead = self._interaction.working and (not self._content or self._pulse.stopped(at))
            return Stuck(self._link()) if dead else over
        if self.incomplete and at > self._piece_at + STUCK_S:
            # A link that says other things has said all of its answer; some servers never say so (C2).
            return over if self._alive_at > self._piece_at + STUCK_S / 2 else Stuck(self._link())
        return None

    # ---------------------------------------------------------------------------------- what the person does

    def person(self, *, speaking: bool, late_ms: float) -> None:
        """They begin or stop to speak; the latter was `late_ms` ago."""
        self.speaking = speaking
        self._unasked = False
        if speaking:
            self._ask_anew()
            # The server hears them later than we do, and says more of an answer of several utterances until then.
            late_s = IDLE_S if self._interaction.announced else LATE_S
            self._late_until = min(self._late_until, self._now() + late_s)
        else:
            self._asked_at = self._now() - late_ms / 1000
        self._check_free()

    def typed(self, line: str) -> None:
        """They typed something, which goes into the outbox."""
        self._ask_anew()
        self._unasked = False
        self._late_until = min(self._late_until, self._now() + LATE_S)
        self._transcript.typed(line)
        self._show(UserText(line, final=True, source="text"))
        self._record()
        self._outbox.add_text(line)
        self._asked_at = self._now()

    def interrupt(self) -> None:
        """Silence the model. A server cannot be told to stop: the rest is dropped until it says it is over."""
        more_to_come, working = self.incomplete, self._interaction.working
        self._cut_in(by_key=True)
        if more_to_come:
            self._late_until = math.inf
        if working:
            self._interaction.told("working", self._now())

    async def until_free(self) -> None:
        """Wait until nothing is asked, and nothing is being answered; then something is."""
        await self._free.wait()
        while (left := self.more_until - self._now()) > 0:
            await asyncio.sleep(left)
            await self._free.wait()
        self._free.clear()

    # ---------------------------------------------------------------------------------- what becomes of links

    def begin(self) -> None:
        """A link takes input: what waits for an answer is sent to it next."""
        self._catching_up = self._outbox.waiting()
        self._unasked = not self._catching_up
        self._doubt_until = None
        self._pulse = Pulse()
        self._over_due = self._repeated_once = self._noticed = self._passed_over = False

    def lost(self) -> None:
        """The link is gone, and with it what was still to come of an answer."""
        if self._unheard_after is not None:
            # Of several questions sent at once the second cut into the answer to the first, and was not heard yet.
            self._outbox.reopened(after=self._unheard_after)
            self._unheard_after = None
        if self._interaction.paused and not self._interaction.working:
            self._complete()  # its turn was complete, and nothing says that there was more to come
        if self.incomplete and self._cuts < CUTS:
            self._cuts += 1
            self._finalise(cut=True)
        elif self.going_on:
            if not self._replied:
                self._show(Notice("the answer was cut off again, and is left at that", "ask for the rest"))
            self._turn_over(cut=not self._replied)
        self._mark = None
        self._replied = False
        self._late_until = self.more_until = 0.0
        self._final_to = 0
        self._transcript.lost()
        self._end_interaction()

    def forgo(self, *, heard: bool = False) -> None:
        """No answer will come to what was asked. `heard`: it was heard as it is shown."""
        if heard:
            self._show_question()
        self._outbox.answered(self._outbox.sent_mark())
        if self._transcript.user:
            self._transcript.close()
            self._feed(Replied(self._link()))
        self._show(Working(active=False))
        self._noticed = self._repeated_once = self._passed_over = False
        self._check_free()

    def handle(self, *, resumable: bool) -> None:
        """A resumption update came; a `resumable` one while nothing is being generated (2.2)."""
        self._pulse.beat(self._now())
        if not resumable:
            self._interaction.still(self._now())
        heard = self._noticed and self._mark is None and not self.speaking and bool(self._transcript.heard_text)
        late = self._asked_at is not None and self._now() - self._asked_at > PASSED_S
        self._passed_over = self._silent and resumable and heard and late

    def alive(self) -> None:
        """The link said something, whatever it was."""
        self._alive_at = self._now()

    # ---------------------------------------------------------------------------------- what the link says

    def take(self, event: Content) -> None:
        """The next thing that the link says."""
        match event:
            case Audio(_, pcm, rate):
                if self._reply():
                    self._sink.play(self._at_output_rate(pcm, rate))
                    self._play_until = max(self._play_until, self._now() + TURN_END_S) + len(pcm) / (2 * rate)
            case Said(_, text):
                if not self._repeated(model=text) and self._reply():
                    self._answer_text(new=self._transcript.said(text))
            case Written(_, text):
                if self._reply():
                    self._answer_text(new=self._transcript.written(text))
            case Heard(_, text):
                self._notice()
                self._unheard_after = None
                if not self._repeated(user=text):
                    self._unasked = False
                    self._hear(text)
            case Noticed():
                self._unasked = False  # it hears somebody: no repeat, though our own ears heard nothing
                self._notice()
            case Thought(_, text):
                self._notice()
                if text and self._now() >= self._late_until:
                    self._show(ThoughtText(text))
            case CutIn():
                self._cut_in()
            case Replied():
                self._sink.finish()
                self._generated = True
                if not self._interaction.announced:  # else it may be one utterance of several
                    self._complete()
                    self._late_until = 0.0  # all of what was cut into is here
            case Status(_, status):
                if status == "working":
                    self._at_work(with_turn=False)
                elif status == "idle":
                    self._at_rest()
                self._show_work()
            case TurnOver(_, status, reason):
                if reason:
                    self._show_question()
                    self._show(Notice(explained(reason), ASK_AGAIN))
                if status == "working":
                    self._at_work(with_turn=True)
                else:
                    self._interaction.told(status, self._now())
                self._take_over(reason)
                self._over_at = self._now()
                self._show_work()

    def _notice(self) -> None:
        if not self._noticed:
            self._noticed = True
            self._feed(Noticed(self._link()))

    def _answer_text(self, *, new: bool) -> None:
        if new:
            self._show(ModelText(self._not_final(), final=False))
            self._record()

    # ---------------------------------------------------------------------- the server's word on the whole

    def _at_rest(self) -> None:
        """The server has finished with the question, whatever turns its answer was in."""
        was_paused = self._interaction.paused
        self._interaction.told("idle", self._now())
        if self._mark is None:
            self._late_until = 0.0
        elif was_paused:
            self._end()
        elif self._content:
            self._complete()

    def _at_work(self, *, with_turn: bool) -> None:
        """The server is still at work on the question, or begins; `with_turn`: said with an utterance's end."""
        self._interaction.told("working", self._now())
        if self._mark is None and self._over_due:  # on an answer that was cut into
            return
        nothing_asked = not self._outbox.waiting()
        just_over = self._now() - self._over_at < MORE_S and not self._transcript.user
        if (self._replied and (with_turn or nothing_asked)) or (self._mark is None and just_over and nothing_asked):
            self._reopen()
        elif (self._replied or self._mark is None) and self._outbox.asks_since(self._outbox.sent_mark()):
            self._turn_over()
            self._interaction.told("working", self._now())
            self._begin()

    def _show_work(self) -> None:
        """Say so when the server has more to say to a question, and when it has no more."""
        working = self._mark is not None and self._interaction.working
        if working != self._working:
            self._working = working
            self._show(Working(working))

    def _reopen(self) -> None:
        """What seemed the whole answer was one utterance of it."""
        if self._mark is None and not self._reopen_last():
            return
        self._replied = False
        self._transcript.pause()
        self._outbox.reopened()
        self._feed(Reopened(self._link()))

    def _reopen_last(self) -> bool:
        """Go on with the exchange that seemed over. False if there is none."""
        if not self._transcript.turns:
            return False
        self._transcript.reopen()
        self._final_to = len(self._transcript.model)
        self._mark = self._outbox.sent_mark()
        self._content = self._counted = True  # as often as it is answered, it counts once
        self._free.clear()
        return True

    def _take_over(self, reason: str) -> None:
        """A turnComplete: the end of an answer, of an utterance of it, or of a question without an answer."""
        if self._mark is None:
            self._over_without_answer(reason)
        elif not self._interaction.utterance_over(self._now()):
            self._finalise(cut=False)
            self._sink.finish()
            self._transcript.pause()
        else:
            self._end(reason)

    def _end(self, reason: str = "") -> None:
        """The server has no more to say to the question."""
        if not self._content:
            self._leave_unanswered(reason)
            return
        if self.incomplete and not self._generated:
            self.more_until = self._now() + MORE_S
        self._turn_over()
        self._feed(TurnOver(self._link()))

    def _over_without_answer(self, reason: str) -> None:
        if not self._interaction.working:
            self._late_until = 0.0
        again = self._now() - self._over_at < BURST_S
        due, self._over_due = self._over_due, False
        mark = self._outbox.sent_mark()
        asked = not self.speaking and self._outbox.asks_since(mark)
        in_doubt = again and not reason and asked and not due
        self._doubt_until = self._now() + DOUBT_S if in_doubt else None
        if due or in_doubt or not asked:
            self._feed(TurnOver(self._link()))
            return
        if not reason and not self._repeated_once and not (self._noticed and self._silent):
            # The turn was empty, and nothing shows that the question was heard.
            self._repeated_once = True
            self._transcript.lost()
            self._outbox.again(mark)
            self._feed(Asked())
        else:
            self._leave_unanswered(reason)

    def _leave_unanswered(self, reason: str) -> None:
        if not reason:  # else it has been shown
            self._show(Notice(NO_ANSWER, ASK_AGAIN))
        self._silence()

    def _silence(self) -> None:
        """The question is over without an answer, by the server's own word."""
        self._mark = None
        self._feed(Replying(self._link()))
        self.forgo(heard=True)
        self._feed(TurnOver(self._link()))
        self._end_interaction()

    def _end_interaction(self) -> None:
        self._interaction.reset()
        self._content = self._counted = self._noticed = self._passed_over = False
        self._show_work()

    def _ask_anew(self) -> None:
        """A new question begins: what was said of the one before says nothing of it."""
        if self._passed_over:
            self._silence()
        self._noticed = False
        self._doubt_until = None
        if self._mark is None:
            self._interaction.reset()

    def _repeated(self, **piece: str) -> bool:
        """A session that was taken up may say its last words again (2.4); nobody has asked it anything."""
        return self._unasked and self._transcript.repeats(**piece)

    def _reply(self) -> bool:
        """Something of an answer came; False if it belongs to one that was cut into."""
        if self._now() < self._late_until:
            return False
        self._piece_at = self._now()
        self._generated = False
        self._interaction.more()
        if self._goes_on():
            if self._mark is None:
                self._replied = self._reopen_last()
        elif self._mark is None or self._replied:
            self._turn_over()  # a server may leave turnComplete out (C2)
            self._begin()
        if not self._content:
            self._content = True
            self._reply_ms = None if self._asked_at is None else (self._now() - self._asked_at) * 1000
            self._asked_at = None
            self._play_until = self._now() + TURN_END_S
        return True

    def _begin(self) -> None:
        """The server answers, or says that it is at work: what it was given last is being answered."""
        if not self._interaction.working:
            self._interaction.reset()
        self._mark = self._outbox.sent_mark()
        self._doubt_until = self._unheard_after = None
        self._content = self._counted = self._over_due = self._unasked = False
        self._piece_at = self._now()
        self._show_question()
        self._feed(Replying(self._link()))

    def _goes_on(self) -> bool:
        """Whether what comes is of an answer that seemed whole: no question has ended since."""
        just_over = self._now() < self.more_until and not self._transcript.user and not self._unasked
        if not (self._replied or (self._mark is None and just_over)):
            return False
        return not self._outbox.asks_since(self._outbox.sent_mark())

    def _not_final(self) -> str:
        """What of the answer has not been shown as final."""
        return self._transcript.model[self._final_to :].strip()

    def _complete(self, *, cut: bool = False) -> None:
        """All of the answer is here, or all that will come: its question need never be asked again."""
        if self._mark is None or self._replied:
            return
        self._outbox.answered(self._mark)
        self._catching_up = self._catching_up and self._outbox.waiting()
        self._replied = True
        self._sink.finish()
        self._cuts = 0
        self._finalise(cut=cut)
        if not self._counted:
            self.count += 1
            self._show(Turn(self.count, self._reply_ms))
            self._counted = True
        self._record()
        self._feed(Replied(self._link()))

    def _finalise(self, *, cut: bool) -> None:
        if text := self._not_final():
            self._show(ModelText(text, final=True, cut=cut))
            self._final_to = len(self._transcript.model)

    def _turn_over(self, *, cut: bool = False) -> None:
        self._late_until = 0.0
        if self._mark is None:
            return
        self._complete(cut=cut)
        self._finalise(cut=cut)
        self._transcript.close()
        self._final_to = 0
        if cut:
            self.more_until = 0.0
        self._mark = None
        self._replied = self._repeated_once = False
        self._end_interaction()
        self._check_free()

    def _at_output_rate(self, pcm: bytes, rate: int) -> bytes:
        if rate == OUTPUT_RATE:
            return pcm
        if rate not in self._resamplers:
            self._resamplers[rate] = self._resampler(rate, OUTPUT_RATE)
        return self._resamplers[rate].feed(pcm)

    def _cut_in(self, *, by_key: bool = False) -> None:
        unplayed = self._sink.flush()
        if self._barge_in is not None:
            self._barge_in.confirmed()
        if self._mark is None and unplayed == 0:  # a stray one, with nothing in flight
            self._late_until = min(self._late_until, self._now() + LATE_S)
            return
        self._show(Interrupted(round(unplayed, 1)))
        late_s = LATE_S if self.incomplete else AT_ONCE_S if self.going_on else 0.0
        self._over_due = self.going_on
        first = None
        if self._mark is not None and self._catching_up and not self.speaking and not by_key:
            first = self._outbox.first_utterance(self._mark)
        self._turn_over(cut=True)
        self._unheard_after = first
        if late_s:
            self._late_until = self._now() + late_s
        self._feed(TurnOver(self._link()))

    def _hear(self, text: str) -> None:
        self._late_until = 0.0  # the next question is heard: what comes now is its answer
        self._over_due = False  # or word that there is none
        whole = self._replied or (self._interaction.announced and self._generated)
        if whole and (self.speaking or self._asked_at is not None):
            self._turn_over()  # a server may leave turnComplete out (C2): this is the next question
            self._feed(TurnOver(self._link()))
        ahead = self._mark is not None and not self._replied and self._outbox.only_later_speech(self._mark)
        if not self._transcript.heard(text, ahead=ahead) or ahead:
            return
        fresh = self._transcript.fresh()
        if self._mark is not None:
            self._show_question()  # it came after the answer began: there is nothing to wait for
        elif fresh:
            self._show(UserText(fresh, final=False, source="speech"))
        self._record()

    def _show_question(self) -> None:
        if fresh := self._transcript.fresh():
            self._show(UserText(fresh, final=True, source="speech"))
            self._transcript.shown()

    def _record(self) -> None:
        question = self._transcript.pending if self._mark is None else self._transcript.question
        self._ledger.turn(len(self._transcript.turns), question, self._transcript.model.strip())

    def _check_free(self) -> None:
        """Let who waits go on if no question is open."""
        if not self.speaking and not self._outbox.waiting() and self._mark is None:
            self._free.set()
