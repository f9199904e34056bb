"""Turn-taking: which answer belongs to which question, and when it is whole.

Told what a link says, in the order it came, and what the person does; current_turn.py does what follows. It decides
nothing about links: what the machine must know of a turn goes to `feed`. What servers leave out, or say too early or
too late, is made up for here (docs/wire.md 1.5, C2).
"""

from livechat.errors import Notice
from livechat.events import Interrupted, ThoughtText
from livechat.session import events as ev
from livechat.session.aftermath import AT_ONCE_S, LATE_S
from livechat.session.answer import STUCK_S, Answer
from livechat.session.barge_in import BargeIn
from livechat.session.current_turn import CurrentTurn
from livechat.session.interaction import IDLE_S
from livechat.session.pulse import Pulse
from livechat.session.turn_end_reasons import ASK_AGAIN, explained

NO_ANSWER = "the model gave no answer to this"


class Turns:
    """One conversation's. Times are those of `now`, in seconds."""

    def __init__(self, turn: CurrentTurn, *, barge_in: BargeIn | None, silent: bool) -> None:
        """`silent`: the model may choose to give no answer (models.Family)."""
        self._turn, self._barge_in, self._silent = turn, barge_in, silent
        self._outbox, self._transcript, self._sink = turn.outbox, turn.transcript, turn.sink
        self._show, self._feed, self._link, self._now = turn.show, turn.feed, turn.link, turn.now
        self._question, self._aftermath = self._turn.question, self._turn.aftermath
        self._interaction, self._record = self._turn.interaction, self._turn.record
        self.speaking = False  # the person
        self._pulse = Pulse()  # of the link's handles, and of word that there is none
        self._alive_at = 0.0  # when a link last said anything

    @property
    def count(self) -> int:
        """Questions answered in this run."""
        return self._record.count

    @property
    def going_on(self) -> bool:
        """An answer has begun, and its turn is not over."""
        return self._turn.answer is not None

    @property
    def incomplete(self) -> bool:
        """An answer has begun, and not all of it is here."""
        return self._turn.answer is not None and not self._turn.answer.whole

    @property
    def free(self) -> bool:
        """Nothing is asked, and nothing is being answered; but see `more_until`."""
        return not self.speaking and not self._outbox.waiting() and self._turn.answer is None

    @property
    def more_until(self) -> float:
        """Until then more of an answer may come, though its turn was said to be over."""
        return self._aftermath.more_until

    def answered(self) -> int:
        """Answered turns of the whole conversation, the one whose playback the server still counts among them."""
        return len(self._transcript.turns) + (self.going_on and not self.incomplete)

    def overdue(self) -> ev.TurnOver | ev.Stuck | None:
        """What a server has left out, or what that means; None while all is well."""
        at, answer = self._now(), self._turn.answer
        over = ev.TurnOver(self._link(), "idle")
        if self._aftermath.was_empty(at):
            return over
        if answer is None or self._interaction.calling:
            return None  # a function has a limit of its own
        if answer.turn_overdue(at):
            return over
        if self._interaction.paused:
            if not self._interaction.expired(at):
                return None
            dead = self._interaction.working and (not answer.content or self._pulse.stopped(at))
            return ev.Stuck(self._link()) if dead else over
        if answer.stopped(at):
            # A link that says other things has said all of its answer; some servers never say so (C2).
            return over if self._alive_at > answer.piece_at + STUCK_S / 2 else ev.Stuck(self._link())
        return None

    # ---------------------------------------------------------------------------------- what the person does

    def person(self, *, speaking: bool, late_ms: float) -> None:
        """They begin or stop to speak; the latter was `late_ms` ago."""
        self.speaking = speaking
        self._turn.unasked = False
        if speaking:
            self._turn.person_speaks()
            self._ask_anew()
            # The server hears them later than we do, and says more of an answer of several utterances until then.
            self._aftermath.limit_rest(self._now() + (IDLE_S if self._interaction.announced else LATE_S))
        elif not self._question.overtaken:  # else it is being answered already
            self._question.ended_at = self._now() - late_ms / 1000

    def typed(self, line: str) -> None:
        """They typed something, which goes into the outbox."""
        self._ask_anew()
        self._turn.unasked = False
        self._aftermath.limit_rest(self._now() + LATE_S)
        self._record.typed(line)
        self._outbox.add_text(line)
        self._question.ended_at = self._now()

    def told(self, text: str) -> int:
        """The model is to know `text`. Returns how many turns were known before."""
        return self._record.told(text, answering=self.going_on)

    def interrupt(self) -> None:
        """Silence the model. A server cannot be told to stop: the rest is dropped until it says it is over."""
        more_to_come, working = self.incomplete, self._interaction.working
        self._cut_in(by_key=True)
        if more_to_come:
            self._aftermath.expect_rest()
        if working:
            self._interaction.told("working", self._now())

    def _ask_anew(self) -> None:
        """A new question begins: what was said of the one before says nothing of it."""
        if self._question.passed_over:
            self._turn.close_unanswered()
        self._question.noticed = False
        self._aftermath.no_doubt()
        if self._turn.answer is None:
            self._interaction.reset()

    # ---------------------------------------------------------------------------------- what becomes of links

    def begin(self) -> None:
        """A link takes input: what waits for an answer is sent to it next."""
        self._pulse = Pulse()
        self._turn.on_new_link()

    def lost(self) -> None:
        """The link is gone, and with it what was still to come of an answer."""
        self._turn.lost()

    def forgo(self, *, heard: bool) -> None:
        """No answer will come to what was asked. `heard`: it was heard as it is shown."""
        self._turn.forgo(heard=heard)

    def handle(self, *, resumable: bool) -> None:
        """A resumption update came; a `resumable` one while nothing is being generated (docs/wire.md 2.2)."""
        now = self._now()
        self._pulse.beat(now)
        if not resumable:
            self._interaction.still(now)
        asked = self._turn.answer is None and not self.speaking and bool(self._transcript.heard_text)
        ignored = resumable and self._question.noticed and self._question.overdue(now)
        self._question.passed_over = self._silent and asked and ignored

    def alive(self) -> None:
        """The link said something, whatever it was."""
        self._alive_at = self._now()

    # ---------------------------------------------------------------------------------- what the link says

    def _take_of_tool(self, event: ev.Called | ev.CallsCancelled | ev.Grounded) -> None:
        match event:
            case ev.Called(_, name):
                self._called(name)
            case ev.CallsCancelled(_, names):
                for name in names:
                    self.returned(name, cancelled=True)
            case ev.Grounded(_, queries, sources):
                self._record.sources(queries, sources)

    def _called(self, name: str) -> None:
        """The model calls a function: it has heard the question, and its answer waits for the result."""
        self._notice()
        if self._turn.answer is None and self._turn.asked_since():
            self._turn.begin()
        if self._turn.answer is not None:
            self._interaction.called(name)
            self._turn.show_work()

    def returned(self, name: str, *, cancelled: bool = False) -> None:
        """The model has the result of a function, or does not wait for it any more."""
        self._interaction.returned(name, self._now(), cancelled=cancelled)
        if self._turn.answer is not None:
            self._turn.answer.piece_at = self._now()
        self._turn.show_work()

    def take(self, event: ev.Told) -> None:
        match event:
            case ev.Audio(_, pcm, rate):
                if answer := self._piece():
                    self._sink.play(pcm, rate)
                    answer.sounds(len(pcm) / (2 * rate), self._now())
            case ev.Said(_, text):
                if not self._repeated(model=text) and self._piece() and self._transcript.said(text):
                    self._record.piece()
            case ev.Written(_, text):
                if self._piece() and self._transcript.written(text):
                    self._record.piece()
            case ev.Heard(_, text):
                self._notice()
                self._turn.heard()
                if not self._repeated(user=text):
                    self._turn.unasked = False
                    self._hear(text)
            case ev.Noticed(_, whole):
                self._turn.unasked = False  # it hears somebody: no repeat, though our own ears heard nothing
                if whole:
                    self._notice()
            case ev.Thought(_, text):
                self._notice()
                if text and not self._aftermath.is_rest(self._now()):
                    self._show(ThoughtText(text))
            case ev.Called() | ev.CallsCancelled() | ev.Grounded():
                self._take_of_tool(event)
            case ev.CutIn():
                self._cut_in()
            case ev.Replied():
                self._all_generated()
            case ev.Status(_, "working"):
                self._at_work(with_turn=False)
                self._turn.show_work()
            case ev.Status(_, "idle"):
                self._at_rest()
                self._turn.show_work()
            case ev.TurnOver():
                self._turn_complete(event)
                self._turn.show_work()

    def _notice(self) -> None:
        if not self._question.noticed:
            self._question.noticed = True
            self._feed(ev.Noticed(self._link()))

    def _repeated(self, **piece: str) -> bool:
        """A session taken up may say its last words again (docs/wire.md 2.4). Nobody asked it anything."""
        return self._turn.unasked and self._transcript.repeats(**piece)

    def _hear(self, text: str) -> None:
        """A piece of a question was heard: what comes now is its answer, or word that there is none."""
        self._aftermath.no_rest()
        self._aftermath.turn_end_due = False
        answer = self._turn.answer
        said = answer is not None and (answer.whole or (self._interaction.announced and answer.generated))
        if said and (self.speaking or self._question.ended_at is not None):
            self._turn.over_by_server()  # a server may leave turnComplete out (C2): this is the next question
        answer = self._turn.answer
        ahead = answer is not None and not answer.whole and self._outbox.only_later_speech(answer.mark)
        if self._transcript.heard(text, ahead=ahead) and not ahead:
            self._record.heard(answering=answer is not None)

    # ---------------------------------------------------------------------------------------- the answer

    def _piece(self) -> Answer | None:
        """A piece of an answer came. None if it is of an answer that was cut into."""
        now = self._now()
        if self._aftermath.is_rest(now):
            self._aftermath.rest_came(now)
            return None
        answer = self._turn.answer or self._continued()
        if answer is None or self._turn.left_for_another(answer, speaking=self.speaking):
            self._turn.over()  # a server may leave turnComplete out (C2)
            answer = self._turn.begin()
        self._interaction.more()
        answer.piece_at, answer.generated = now, False
        if not answer.content:
            answer.content = True
            answer.reply_ms = self._question.waited_ms(now)
            answer.sounds(0.0, now)
        return answer

    def _continued(self) -> Answer | None:
        """The last answer, where a server said too early that its turn was over (docs/wire.md F6)."""
        over = self._now() >= self.more_until
        if over or self._transcript.user or self._turn.unasked or self._turn.asked_since():
            return None
        last = self._turn.reopen_last()
        if last is not None:
            last.whole = True
        return last

    def _all_generated(self) -> None:
        """A generationComplete: all of the answer is here, or all of one utterance of it."""
        self._sink.finish()
        if self._turn.answer is not None:
            self._turn.answer.generated = True
        self._interaction.utterance_whole()
        if not self._interaction.announced and not self._interaction.owing:
            self._turn.complete()
            self._aftermath.no_rest()  # all of what was cut into is here

    def _cut_in(self, *, by_key: bool = False) -> None:
        """The server says `interrupted`, or a key does."""
        now, going_on = self._now(), self.going_on
        if not by_key and self._nobody_cut_in():
            return
        unplayed = self._sink.flush()
        if self._barge_in is not None:
            self._barge_in.confirmed()
        if not going_on and unplayed == 0:  # a stray one, with nothing in flight
            if not by_key:
                self._aftermath.limit_rest(now + LATE_S)
            return
        self._show(Interrupted(round(unplayed, 1)))
        late_s = LATE_S if self.incomplete else AT_ONCE_S
        self._turn.cut_in(by_question=not self.speaking, by_key=by_key)
        if going_on:
            self._aftermath.expect_rest(now + late_s)
        self._feed(ev.TurnOver(self._link()))

    def _nobody_cut_in(self) -> bool:
        """Nothing sounds, a function's result is to come, and the person has neither spoken nor typed since."""
        answer, asked = self._turn.answer, self._question.ended_at
        if answer is None or not self._interaction.owing or self.speaking or self._sink.pending_ms() > 0:
            return False
        return asked is None or asked <= answer.piece_at

    def _turn_complete(self, event: ev.TurnOver) -> None:
        """A turnComplete: the end of an answer, of an utterance of it, or of a question without an answer."""
        now, reason = self._now(), event.reason
        if reason:
            self._record.question()
            self._show(Notice(explained(reason), ASK_AGAIN))
        if event.status == "working":
            self._at_work(with_turn=True)
        else:
            self._interaction.told(event.status, now)
        if self._turn.answer is None:
            self._over_without_answer(reason)
        elif self._interaction.utterance_over(now):
            self._end(self._turn.answer, reason)
        else:
            self._turn.utterance_over()
        self._aftermath.turn_ended(now)

    def _end(self, answer: Answer, reason: str = "") -> None:
        """The server has no more to say to the question."""
        if not answer.content:
            self._leave_unanswered(reason)
            return
        if not answer.whole and not answer.generated:
            self._aftermath.expect_more(self._now())
        self._turn.over_by_server()

    def _over_without_answer(self, reason: str) -> None:
        """A turnComplete though no answer began: an old one, or the model has nothing to say."""
        due, self._aftermath.turn_end_due = self._aftermath.turn_end_due, False
        mark = self._outbox.sent_mark()
        asked = not self.speaking and self._outbox.asks_since(mark)
        if not self._interaction.working:
            self._aftermath.turn_of_rest_over(self._now(), sure=asked or self.speaking or not due)
        in_doubt = asked and not reason and not due and self._aftermath.same_again(self._now())
        self._aftermath.no_doubt()
        if in_doubt:
            self._aftermath.doubt(self._now())
        if due or in_doubt or not asked:
            self._feed(ev.TurnOver(self._link()))
        elif reason or self._question.repeated or (self._question.noticed and self._silent):
            self._leave_unanswered(reason)
        else:
            # The turn was empty, and nothing shows that the question was heard.
            self._question.repeated = True
            self._transcript.lost()
            self._outbox.again(mark)
            self._feed(ev.Asked())

    def _leave_unanswered(self, reason: str) -> None:
        if not reason:  # else it has been shown
            self._show(Notice(NO_ANSWER, ASK_AGAIN))
        self._turn.close_unanswered()

    # ------------------------------------------------------------- the server's word on the whole question

    def _at_work(self, *, with_turn: bool) -> None:
        """The server is still at work on the question, or begins; `with_turn`: said with an utterance's end."""
        now, answer = self._now(), self._turn.answer
        self._interaction.told("working", now)
        if answer is None and (self._aftermath.turn_end_due or self._aftermath.is_rest(now)):
            return  # it is at work on an answer that was cut into
        nothing_asked = not self._outbox.waiting()
        if answer is None:
            more = nothing_asked and self._aftermath.just_ended(now) and not self._transcript.user
        else:
            more = answer.whole and (with_turn or nothing_asked)
        if more:
            self._turn.reopen()
        elif not self.incomplete and self._turn.asked_since():
            self._turn.over()
            self._interaction.told("working", now)
            self._turn.begin()

    def _at_rest(self) -> None:
        """The server has finished with the question, whatever turns its answer was in."""
        was_paused = self._interaction.paused
        self._interaction.told("idle", self._now())
        if self._turn.answer is None:
            self._aftermath.no_rest()
        elif was_paused:
            self._end(self._turn.answer)
        elif self._turn.answer.content:
            self._turn.complete()
