"""The turn going on: how its answer begins, is whole, is reopened and ends, and what follows from each.

    Question (question.py) -> Answer (answer.py) -> Aftermath (aftermath.py)

turns.py decides which of these steps a message of the link means. Here each step is told to those whom it concerns:
the outbox, whose question need not be sent again; the record (turn_record.py), which shows and keeps the words; the
sound that is played; and the machine.
"""

from collections.abc import Callable

from livechat.audio.interfaces import Sink
from livechat.errors import Notice
from livechat.events import Output, Working
from livechat.session import events as ev
from livechat.session.aftermath import Aftermath
from livechat.session.answer import TURN_END_S, Answer
from livechat.session.interaction import Interaction
from livechat.session.outbox import Outbox
from livechat.session.question import Question
from livechat.session.transcript import Transcript
from livechat.session.turn_record import Ledger, TurnRecord

ONSET_S = 0.5  # so much later than a server we may notice that the person began to speak
CUTS = 1  # how often a question is asked again whose answer a lost link cut: else it might be asked for ever

Feed = Callable[[ev.Replying | ev.Replied | ev.Reopened | ev.Noticed | ev.TurnOver | ev.Asked], None]


class CurrentTurn:
    """One conversation's. Times are those of `now`, in seconds."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        transcript: Transcript,
        sink: Sink,
        ledger: Ledger,
        show: Callable[[Output], None],
        feed: Feed,
        link: Callable[[], int],
        now: Callable[[], float],
        interactions: bool,
        goes_on: bool = False,
    ) -> None:
        """`feed` tells the machine, on the link that lives, `link`. The last two are those of models.Family."""
        self.outbox, self.transcript, self.sink = outbox, transcript, sink
        self.show, self.feed, self.link, self.now = show, feed, link, now
        self.record = TurnRecord(transcript, ledger, show)
        self.interaction = Interaction(announced=interactions, goes_on=goes_on)
        self.question = Question()
        self.answer: Answer | None = None
        self.aftermath = Aftermath()
        self._work_shown = False  # it was shown that the server is at work
        self.unasked = False  # this link took up a session and has been given nothing to answer
        self._catching_up = False  # this link was given all at once what was asked before it
        self._unheard_after: int | None = None  # a question that was sent after this index may be what cut in
        self._cut_at = 0.0
        self._cut_by_key = False

    def asked_since(self) -> bool:
        """Whether this link was given a question that has no answer yet."""
        return self.outbox.asks_since(self.outbox.sent_mark())

    def left_for_another(self, answer: Answer, *, speaking: bool) -> bool:
        """Whether what comes now answers a question that was asked since: `answer` is whole, or it was passed over.

        The second is so where something was asked after a function's result was given, and before a word of it.
        """
        asked = self.question.ended_at
        passed = self.interaction.due and not speaking and asked is not None and asked > answer.piece_at
        return (answer.whole or passed) and self.asked_since()

    def on_new_link(self) -> None:
        """A link takes input: what waits for an answer is sent to it next."""
        self._catching_up = self.outbox.waiting()
        self.unasked = not self._catching_up
        self.question.forget()
        self.aftermath.no_doubt()
        self.aftermath.turn_end_due = False

    def begin(self) -> Answer:
        """The server answers, or says that it is at work: what it was given last is being answered."""
        if not self.interaction.working:
            self.interaction.reset()
        usual = self.outbox.sent_mark()
        mark = self.outbox.heard_mark() if self.transcript.user else usual
        self.question.overtaken = mark != usual
        self.answer = Answer(mark, piece_at=self.now())
        self.aftermath.no_doubt()
        self.aftermath.turn_end_due = self.unasked = False
        self._ask_what_cut_in()
        self.record.question()
        self.feed(ev.Replying(self.link()))
        return self.answer

    def complete(self, *, cut: bool = False) -> None:
        """All of the answer is here, or all that will come: its question need never be asked again."""
        answer = self.answer
        if answer is None or answer.whole:
            return
        self.outbox.answered(answer.mark)
        self._catching_up = self._catching_up and self.outbox.waiting()
        answer.whole = True
        self.sink.finish()
        self.question.cuts = 0
        self.record.answer(cut=cut)
        if not answer.counted:
            answer.counted = True
            self.record.answered(answer.reply_ms)
        self.record.keep(answering=True)
        self.feed(ev.Replied(self.link()))

    def utterance_over(self) -> None:
        """One utterance of the answer is over, and the server has more to say."""
        self.record.answer(cut=False)
        self.sink.finish()
        self.transcript.pause()

    def over(self, *, cut: bool = False) -> None:
        """The turn ends here, whatever the server says. `cut`: its answer was cut into."""
        self.aftermath.no_rest()
        if self.answer is None:
            return
        self.complete(cut=cut)
        self.record.answer(cut=cut)
        self.record.close()
        if cut:
            self.aftermath.more_until = 0.0
        self.answer = None
        self.question.repeated = False
        self._end_interaction()

    def over_by_server(self) -> None:
        """The turn ends by the server's word, or by what it has left out."""
        self.over()
        self.feed(ev.TurnOver(self.link()))

    def cut_in(self, *, by_question: bool, by_key: bool) -> None:
        """The turn ends because of the person. `by_question`: perhaps because of one that was sent with this one.

        `by_key`: what was sent with this one is not asked again, unless the server answers it.
        """
        first = None
        if self.answer is not None and self._catching_up and by_question:
            first = self.outbox.first_utterance(self.answer.mark)
        self.aftermath.turn_end_due = self.answer is not None
        self.over(cut=True)
        self._unheard_after, self._cut_at, self._cut_by_key = first, self.now(), by_key

    def person_speaks(self) -> None:
        """The person began to speak: it was they who cut in just before, and no question that was sent."""
        self.question.overtaken = False
        if self.now() - self._cut_at <= ONSET_S:
            self._unheard_after = None

    def heard(self) -> None:
        """The server heard a question: none of those that were sent is unheard."""
        self._ask_what_cut_in()

    def _ask_what_cut_in(self) -> None:
        """Of several questions sent at once the second cut into the answer to the first, and has no answer yet."""
        if self._unheard_after is not None:
            self.outbox.reopened(after=self._unheard_after)
            self._unheard_after = None

    def reopen(self) -> None:
        """What seemed the whole answer was one utterance of it."""
        answer = self.answer or self.reopen_last()
        if answer is None:
            return
        answer.whole = False
        self.transcript.pause()
        self.outbox.reopened()
        self.feed(ev.Reopened(self.link()))

    def reopen_last(self) -> Answer | None:
        """Go on with the turn that seemed over, whose answer counts already. None if there is none."""
        if self.record.reopen():
            now = self.now()
            played = now + self.sink.pending_ms() / 1000 + TURN_END_S
            self.answer = Answer(self.outbox.sent_mark(), now, content=True, counted=True, play_until=played)
        return self.answer

    def forgo(self, *, heard: bool) -> None:
        """No answer will come to what was asked. `heard`: it was heard as it is shown."""
        if heard:
            self.record.question()
        self.outbox.answered(self.outbox.sent_mark())
        if self.transcript.user:
            self.record.close()
            self.feed(ev.Replied(self.link()))
        self.show(Working(active=False))
        self.question.forget()

    def close_unanswered(self) -> None:
        """The question is over without an answer, by the server's own word."""
        self.answer = None
        self.feed(ev.Replying(self.link()))
        self.forgo(heard=True)
        self.feed(ev.TurnOver(self.link()))
        self._end_interaction()

    def lost(self) -> None:
        """The link is gone, and with it what was still to come of an answer."""
        if self._cut_by_key:
            self._unheard_after = None
        self._ask_what_cut_in()
        if self.interaction.paused and not self.interaction.working and not self.interaction.owing:
            self.complete()  # its turn was complete, and nothing says that there was more to come
        if self.answer is not None and not self.answer.whole and self.question.cuts < CUTS:
            self.question.cuts += 1
            self.record.answer(cut=True)
        elif self.answer is not None:
            cut = not self.answer.whole
            if cut:
                self.show(Notice("the answer was cut off again, and is left at that", "ask for the rest"))
            self.over(cut=cut)
        self.answer = None
        self.aftermath.lost()
        self.record.lost()
        self._end_interaction()

    def show_work(self) -> None:
        """Say so when the server has more to say to a question, and when it has no more."""
        working = self.answer is not None and self.interaction.working
        if working != self._work_shown:
            self._work_shown = working
            self.show(Working(working))

    def _end_interaction(self) -> None:
        self.interaction.reset()
        self.question.noticed = self.question.passed_over = False
        self.show_work()
