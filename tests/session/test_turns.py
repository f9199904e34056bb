"""Turn-taking by itself: what a link says goes in, and what is shown, kept and told to the machine is looked at."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest

from livechat.audio.sinks import NullSink
from livechat.errors import Notice
from livechat.events import ModelText, Output, Turn, UserText, Working
from livechat.session.aftermath import DOUBT_S
from livechat.session.current_turn import CurrentTurn
from livechat.session.events import (
    Asked,
    Called,
    CutIn,
    Heard,
    Noticed,
    Reopened,
    Replied,
    Replying,
    Said,
    Status,
    Stuck,
    TurnOver,
    Written,
)
from livechat.session.interaction import GRACE_S, IDLE_S
from livechat.session.outbox import Outbox
from livechat.session.transcript import Transcript
from livechat.session.turns import NO_ANSWER, Turns
from tests.support.fake_ledger import FakeLedger

T = TypeVar("T")


class Table:
    """One conversation at link 1, and its clock."""

    def __init__(self, *, interactions: bool = False, silent: bool = True, goes_on: bool = False) -> None:
        self.now = 100.0
        self.shown: list[Output] = []
        self.fed: list[Any] = []
        self.kept = FakeLedger()
        self.box = Outbox()
        turn = CurrentTurn(
            outbox=self.box, transcript=Transcript(), sink=NullSink(), ledger=self.kept, show=self.shown.append,
            feed=self.fed.append, link=lambda: 1, now=lambda: self.now, interactions=interactions,
            goes_on=goes_on,
        )  # fmt: skip
        self.turns = Turns(turn, barge_in=None, silent=silent)
        self.turns.begin()
        self.box.rewind()

    def types(self, line: str) -> None:
        self.turns.typed(line)
        self.sent()

    def speaks(self, seconds: float) -> None:
        """The person says something, and our voice detection has not noticed that they have stopped."""
        self.turns.person(speaking=True, late_ms=0)
        self.keeps_on(seconds)

    def keeps_on(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            self.now += 0.02
            self.box.add_audio(bytes(640), speech=True)
            self.sent()

    def stops(self, late_ms: float = 400) -> None:
        self.turns.person(speaking=False, late_ms=late_ms)
        for _ in range(30):
            self.now += 0.02
            self.box.add_audio(bytes(640), speech=False)
            self.sent()

    def sent(self) -> list[str]:
        return [item.text for item in iter(self.box.next, None)]

    def hear(self, *said: Any, after: float = 0.1) -> None:
        """What the link says, one after the other."""
        for event in said:
            self.now += after
            self.turns.alive()
            self.turns.take(event)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.shown if isinstance(event, kind)]

    @property
    def answers(self) -> list[str]:
        return [event.text for event in self.of(ModelText) if event.final]

    @property
    def told(self) -> list[type]:
        return [type(event) for event in self.fed]


# --------------------------------------------------------------- a server that is quicker than our detection


def test_a_question_that_is_answered_before_we_noticed_its_end_is_not_asked_again() -> None:
    """Nor the one after it: what our detection took for speech of the first is no question that waits."""
    table = Table()
    for question in (1, 2, 3):
        table.speaks(2.2)
        table.hear(Heard(1, "Go somewhere."), Said(1, "I heard: Go somewhere."))
        table.keeps_on(0.5)
        table.stops()
        table.hear(Replied(1))
        assert table.of(Turn)[-1] == Turn(question, None)
    table.box.hold()
    assert table.box.rewind() <= 500 + 40  # what our detection took for speech since, and no question


def test_the_delay_of_the_next_answer_counts_from_the_next_question() -> None:
    table = Table()
    table.speaks(2.2)
    table.hear(Heard(1, "Go somewhere."), Said(1, "I heard: Go somewhere."))
    table.keeps_on(0.5)
    table.stops()
    table.hear(Replied(1), TurnOver(1, "", ""))
    table.speaks(2.0)
    table.stops(late_ms=0)
    table.hear(Heard(1, "Go forward."), Said(1, "I heard: Go forward."), Replied(1))
    first, second = table.of(Turn)
    assert first.reply_ms is None
    assert second.reply_ms == pytest.approx(800)
    assert not table.box.waiting()


def test_speech_that_begins_while_another_question_waits_is_not_what_is_answered() -> None:
    table = Table()
    table.types("what is it")
    table.speaks(2.2)
    table.hear(Heard(1, "Go some"), Said(1, "It is ten."), Replied(1))
    table.box.hold()
    assert table.box.rewind() >= 2_200


@pytest.mark.parametrize("said", [(), (Heard(1, "Ah"),)])
def test_a_cough_or_what_no_server_heard_is_no_question_that_is_answered(said: tuple[Heard, ...]) -> None:
    table = Table()
    table.speaks(1.0 if said else 2.2)
    table.hear(*said, Said(1, "By the way."), Replied(1))
    table.box.hold()
    assert table.box.rewind() >= 1_000


# ------------------------------------------------------------------------------------------------ functions


def test_the_words_of_a_result_end_the_question_though_the_calling_turn_is_said_to_end_late() -> None:
    table = Table(goes_on=True)
    table.types("weather")
    table.hear(Called(1, "c", "look", {}), Said(1, "Let me check. "), Replied(1))
    table.turns.returned("c")
    table.hear(Said(1, "It rains."), Replied(1), TurnOver(1, "", ""))
    assert not table.box.waiting()
    table.types("next")
    table.hear(Said(1, "The answer."), Replied(1))
    assert not table.box.waiting()


def test_what_comes_after_a_question_that_passed_over_a_result_answers_that_question() -> None:
    table = Table(goes_on=True)
    table.types("weather")
    table.hear(Called(1, "c", "look", {}), Said(1, "Let me check."), Replied(1), TurnOver(1, "", ""))
    table.turns.returned("c")
    table.now += 1
    table.types("next")
    table.hear(Said(1, "The answer."), Replied(1))
    assert not table.box.waiting()
    assert table.answers == ["Let me check.", "The answer."]


# --------------------------------------------------------------------------------------------- interactions


@pytest.mark.parametrize("interactions", [True, False])
def test_two_utterances_of_one_interaction_are_one_turn(interactions: bool) -> None:
    """Also of a model that is not known to send any: what it said first is taken back."""
    table = Table(interactions=interactions)
    table.types("what is it")
    table.hear(Said(1, "Let me check."), Replied(1), TurnOver(1, "working"))
    assert table.box.waiting()
    assert table.turns.incomplete
    assert table.of(Working) == [Working(active=True)]
    table.hear(Said(1, "It is ten."), Replied(1), TurnOver(1, "idle"))
    assert table.answers == ["Let me check.", "It is ten."]
    assert len(table.of(Turn)) == 1
    assert table.kept.turns == {0: ("what is it", "Let me check. It is ten.")}
    assert not table.box.waiting()
    assert table.told[-1] is TurnOver
    assert table.told.count(Replied) - table.told.count(Reopened) == 1
    assert table.of(Working)[-1] == Working(active=False)


def test_a_status_in_messages_of_its_own_says_the_same() -> None:
    table = Table(interactions=True)
    table.types("what is it")
    table.hear(Status(1, "working"))
    assert table.told == [Replying]
    table.hear(Said(1, "Let me check."), Replied(1), TurnOver(1), Status(1, "working"), Said(1, "Ten."), TurnOver(1))
    assert table.turns.incomplete
    table.hear(Status(1, "idle"))
    assert table.told == [Replying, Replied, TurnOver]
    assert table.answers == ["Let me check.", "Ten."]


def test_work_announced_after_the_turn_takes_the_answer_back() -> None:
    table = Table()
    table.types("what is it")
    table.hear(Said(1, "Let me check."), Replied(1), TurnOver(1), Status(1, "working"))
    assert table.turns.incomplete
    table.hear(Said(1, "Ten."), TurnOver(1, "idle"))
    assert table.kept.turns == {0: ("what is it", "Let me check. Ten.")}
    assert len(table.of(Turn)) == 1


def test_words_that_come_after_the_turn_are_no_cut_answer() -> None:
    table = Table()
    table.types("what is it")
    table.hear(Said(1, "It is"), TurnOver(1), Said(1, " ten."))
    table.turns.lost()
    assert [(event.text, event.cut) for event in table.of(ModelText) if event.final] == [
        ("It is", False),
        ("ten.", False),
    ]


def test_a_lost_link_leaves_the_question_of_an_unfinished_interaction_open() -> None:
    table = Table(interactions=True)
    table.types("what is it")
    table.hear(Said(1, "Let me check."), Replied(1), TurnOver(1, "working"))
    table.turns.lost()
    table.box.rewind()
    assert table.sent() == ["what is it"]


def test_a_link_that_is_lost_in_the_moment_after_a_turn_without_a_status_takes_no_answer_with_it() -> None:
    table = Table(interactions=True)
    table.types("what is it")
    table.hear(Said(1, "It is ten."), Replied(1), TurnOver(1))
    table.turns.lost()
    table.box.rewind()
    assert table.sent() == []
    assert table.kept.turns == {0: ("what is it", "It is ten.")}


@pytest.mark.parametrize(("status", "wait"), [("", GRACE_S), ("working", IDLE_S)])
def test_idle_that_never_comes_ends_the_question_all_the_same(status: Any, wait: float) -> None:
    table = Table(interactions=True)
    table.types("what is it")
    table.hear(Said(1, "It is ten."), Replied(1), TurnOver(1, status), after=4.0)
    assert table.turns.overdue() is None
    table.now += wait + 0.1
    assert table.turns.overdue() == TurnOver(1, "idle")
    table.hear(TurnOver(1, "idle"))
    assert table.told == [Replying, Replied, TurnOver]


@pytest.mark.parametrize("handles", [True, False])
def test_a_server_that_works_and_goes_quiet_is_stuck_if_it_used_to_say_more(handles: bool) -> None:
    table = Table(interactions=True)
    table.types("what is it")
    if handles:
        table.turns.handle(resumable=True)
        table.turns.handle(resumable=False)
    table.hear(Said(1, "Let me check."), TurnOver(1, "working"))
    table.now += IDLE_S + 0.1
    assert table.turns.overdue() == (Stuck(1) if handles else TurnOver(1, "idle"))


def test_a_server_that_says_that_it_is_at_work_may_take_its_time() -> None:
    table = Table(interactions=True)
    table.types("what is it")
    table.hear(Said(1, "Let me check."), TurnOver(1, "working"))
    for _ in range(10):
        table.now += IDLE_S / 2
        table.turns.handle(resumable=False)
        assert table.turns.overdue() is None


def test_silencing_a_server_at_work_silences_all_it_says_until_it_has_finished() -> None:
    table = Table(interactions=True)
    table.types("what is it")
    table.hear(Said(1, "Let me check."), TurnOver(1, "working"))
    table.turns.interrupt()
    table.hear(
        Said(1, "Ten."), Replied(1), TurnOver(1, "working"), Said(1, "Or so."), Replied(1), TurnOver(1, "idle")
    )
    assert table.answers == ["Let me check."]
    table.types("and now")
    table.hear(Said(1, "Eleven."), TurnOver(1, "idle"))
    assert table.answers[-1] == "Eleven."


def test_a_key_pressed_twice_silences_as_much_as_once() -> None:
    table = Table(interactions=True)
    table.types("what is it")
    table.hear(Said(1, "Let me check."))
    table.turns.interrupt()
    table.turns.interrupt()
    table.hear(TurnOver(1, "working"), Said(1, "Ten."), Replied(1), TurnOver(1, "idle"), after=2.0)
    assert table.answers == ["Let me check."]
    assert len(table.of(Turn)) == 1


def test_work_on_an_answer_that_was_cut_into_is_none_on_the_next_question() -> None:
    table = Table(interactions=True)
    table.types("one")
    table.hear(Said(1, "Let me check."))
    table.turns.interrupt()
    table.types("two")
    table.hear(TurnOver(1, "working"), CutIn(1), TurnOver(1, "idle"))
    table.turns.lost()
    table.box.rewind()
    assert table.sent() == ["two"]


def test_work_on_the_next_question_takes_no_answer_back() -> None:
    table = Table()
    table.types("one")
    table.hear(Said(1, "First."), Replied(1))
    table.types("two")
    table.hear(Status(1, "working"), Said(1, "Second."), TurnOver(1, "idle"))
    assert [model for _, model in table.kept.turns.values()] == ["First.", "Second."]
    assert len(table.of(Turn)) == 2
    assert Reopened not in table.told


def test_the_person_who_speaks_before_a_silenced_server_has_finished_hears_no_more_of_it() -> None:
    table = Table(interactions=True)
    table.types("one")
    table.hear(Said(1, "Let me check."))
    table.turns.interrupt()
    table.hear(TurnOver(1, "working"))
    table.turns.person(speaking=True, late_ms=0)
    table.hear(Said(1, "One."), after=4.0)
    assert len(table.of(Turn)) == 1
    table.hear(CutIn(1), TurnOver(1, "idle"), Heard(1, "two"), Said(1, "Two."))
    assert table.told.count(Replying) == 2


# -------------------------------------------------------------------------------------------------- silence


def test_a_reason_ends_the_question() -> None:
    table = Table()
    table.types("say it")
    table.hear(TurnOver(1, reason="PROHIBITED_INPUT_CONTENT"))
    assert not table.box.waiting()
    (warned,) = table.of(Notice)
    assert warned.message == "the server does not accept what was asked (PROHIBITED_INPUT_CONTENT)"
    assert table.told == [Replying, Replied, TurnOver]
    assert table.of(Turn) == []


def test_a_reason_ends_a_question_though_the_turn_before_never_ended() -> None:
    table = Table()
    table.types("one")
    table.hear(Said(1, "First"), CutIn(1))
    table.turns.person(speaking=True, late_ms=0)
    table.turns.person(speaking=False, late_ms=0)
    table.box.add_audio(bytes(640), speech=True)
    table.box.add_audio(bytes(640), speech=False)
    table.sent()
    table.hear(Heard(1, "two"), TurnOver(1, reason="NEED_MORE_INPUT"))
    assert not table.box.waiting()


def test_a_reason_is_shown_where_something_was_said_too() -> None:
    table = Table()
    table.types("say it")
    table.hear(Said(1, "It is"), TurnOver(1, reason="GENERATED_AUDIO_SAFETY"))
    assert len(table.of(Notice)) == len(table.of(Turn)) == 1


def test_an_empty_turn_is_asked_again_once_on_the_same_link() -> None:
    table = Table()
    table.types("say it")
    table.hear(TurnOver(1))
    assert table.told == [Asked]
    assert table.sent() == ["say it"]
    table.hear(TurnOver(1), after=2.0)
    assert table.sent() == []
    assert not table.box.waiting()
    assert [w.message for w in table.of(Notice)] == ["the model gave no answer to this"]
    table.types("say it again")
    table.hear(TurnOver(1), after=2.0)
    assert table.sent() == ["say it again"]


def test_what_is_refused_again_as_fast_is_over() -> None:
    """A second empty turn soon after the first is not the first said twice."""
    table = Table()
    table.types("say it")
    table.hear(TurnOver(1))
    assert table.sent() == ["say it"]
    table.hear(TurnOver(1), after=0.1)
    assert not table.box.waiting()
    assert [w.message for w in table.of(Notice)] == ["the model gave no answer to this"]
    table.types("and this")
    table.hear(Noticed(1), TurnOver(1), after=0.05)
    assert not table.box.waiting()


def test_an_empty_turn_said_twice_at_once_is_one() -> None:
    table = Table()
    table.types("say it")
    table.hear(TurnOver(1))
    assert table.sent() == ["say it"]
    table.hear(TurnOver(1), after=0.001)
    assert table.box.waiting()
    table.hear(Said(1, "It"), Replied(1), TurnOver(1))
    assert table.answers == ["It"]


def test_an_empty_turn_of_a_model_that_heard_and_may_be_silent_is_its_choice() -> None:
    table = Table()
    table.types("say it")
    table.hear(Noticed(1), TurnOver(1))
    assert table.sent() == []
    assert not table.box.waiting()


def test_an_empty_turn_of_another_model_is_asked_again() -> None:
    table = Table(silent=False)
    table.types("say it")
    table.hear(Noticed(1), TurnOver(1))
    assert table.sent() == ["say it"]


def test_the_turn_complete_of_an_answer_that_was_cut_is_no_silence_of_the_next() -> None:
    table = Table()
    table.types("one")
    table.hear(Said(1, "First"))
    table.turns.interrupt()
    table.types("two")
    table.hear(CutIn(1), TurnOver(1))
    assert table.box.waiting()
    assert table.sent() == []
    table.hear(Said(1, "Second"), Replied(1), TurnOver(1))
    assert table.answers == ["First", "Second"]


def test_what_was_on_its_way_when_a_whole_answer_was_cut_into_is_no_other_answer() -> None:
    table = Table()
    table.types("one")
    table.hear(Said(1, "First."), Replied(1), CutIn(1), Said(1, "First."), TurnOver(1))
    assert len(table.of(Turn)) == 1
    table.types("two")
    table.hear(Said(1, "Second."))
    assert table.told.count(Replying) == 2


def test_a_turn_complete_said_twice_is_no_silence() -> None:
    table = Table()
    table.types("one")
    table.hear(Said(1, "First"), Replied(1), TurnOver(1))
    table.types("two")
    table.hear(TurnOver(1), after=0.01)
    assert table.box.waiting()
    assert table.sent() == []


@pytest.mark.parametrize("cut_by", ["what was sent with it", "the person", "the person, as we notice late", "a key"])
def test_of_several_questions_sent_at_once_an_answer_that_is_cut_into_was_to_the_first(cut_by: str) -> None:
    table = Table()
    for number in range(80):
        table.box.add_audio(bytes([number]) * 640, speech=number < 5 or number >= 70)
    table.turns.lost()
    table.turns.begin()
    table.box.rewind()
    for _ in range(30):
        table.box.add_audio(bytes(640), speech=False)
    table.sent()
    table.hear(Heard(1, "One."), Said(1, "First"))
    if cut_by == "the person":
        table.turns.person(speaking=True, late_ms=0)
    if cut_by == "a key":
        table.turns.interrupt()
    table.hear(CutIn(1), TurnOver(1))
    if cut_by == "the person, as we notice late":
        table.turns.person(speaking=True, late_ms=0)
    table.turns.lost()
    table.box.rewind()
    again = b"".join(item.audio for item in iter(table.box.next, None) if item.speech)[::640]
    assert list(again[-10:]) == (list(range(70, 80)) if cut_by == "what was sent with it" else [])
    assert 1 not in again


@pytest.mark.parametrize("first", ["speech", "text"])
@pytest.mark.parametrize("said", [[], [Heard(1, "Two.")], [Heard(1, "Two."), Said(1, "Second")], [Said(1, "Second")]])
def test_what_cut_in_is_asked_again_until_it_has_its_answer(first: str, said: list[Any]) -> None:
    """A link was lost in the middle of the answer to the second of two questions sent at once: it was never asked."""
    table = Table()
    if first == "text":
        table.box.add_text("one")
    for number in range(80):
        table.box.add_audio(bytes([number]) * 640, speech=(number < 5 and first == "speech") or number >= 70)
    table.turns.lost()
    table.turns.begin()
    table.box.rewind()
    for _ in range(30):
        table.box.add_audio(bytes(640), speech=False)
    table.sent()
    table.hear(Said(1, "First"), CutIn(1), TurnOver(1), *said)
    table.turns.lost()
    table.box.rewind()
    again = list(iter(table.box.next, None))
    loud = [number for number in b"".join(item.audio for item in again)[::640] if number]
    assert loud[-10:] == list(range(70, 80))
    assert not any(item.text for item in again)


def test_the_rest_of_an_answer_stays_silenced_though_its_turn_was_said_to_be_over_too_early() -> None:
    table = Table()
    table.types("one")
    table.hear(Said(1, "First"))
    table.turns.interrupt()
    table.hear(TurnOver(1), *[Said(1, "more")] * 30, Replied(1), TurnOver(1))
    assert table.answers == ["First"]
    assert len(table.of(Turn)) == 1
    table.types("two")
    table.hear(Said(1, "Second"), Replied(1), TurnOver(1))
    assert table.answers == ["First", "Second"]


def test_a_question_that_a_key_silenced_is_not_asked_again_though_the_server_is_at_work_on_it() -> None:
    table = Table(interactions=True)
    table.types("one")
    table.hear(Said(1, "First"))
    table.turns.interrupt()
    table.hear(TurnOver(1, "working"), Status(1, "working"))
    table.turns.lost()
    table.box.rewind()
    assert table.sent() == []


@pytest.mark.parametrize("server", ["begins to hear it", "has heard it"])
def test_a_question_counts_as_heard_once_the_server_knows_that_it_is_over(server: str) -> None:
    """A link that stalled in the middle of a question was taken for one that had heard it."""
    table = Table()
    table.types("one")
    table.hear(Noticed(1, whole=server == "has heard it"))
    assert (Noticed in table.told) == (server == "has heard it")


def test_an_empty_turn_right_after_another_turn_is_one_all_the_same() -> None:
    """A fast server's is no turnComplete said twice: it cost ten seconds, and three such turns the session."""
    table = Table()
    table.types("say it")
    table.hear(TurnOver(1))
    assert table.sent() == ["say it"]
    table.hear(TurnOver(1), after=0.01)
    assert table.turns.overdue() is None
    table.now += DOUBT_S + 0.1
    over = table.turns.overdue()
    assert isinstance(over, TurnOver)
    table.hear(over)
    assert not table.box.waiting()
    assert [w.message for w in table.of(Notice)] == [NO_ANSWER]
    table.types("something else")
    assert table.turns.overdue() is None
    table.hear(Said(1, "An answer"), Replied(1), TurnOver(1))
    table.now += DOUBT_S + 0.1
    assert table.turns.overdue() is None


@pytest.mark.parametrize("said", [[Status(1, "working"), Status(1, "idle")],
                                  [Status(1, "working"), TurnOver(1, "idle")],
                                  [TurnOver(1, "working"), Status(1, "idle")]])  # fmt: skip
@pytest.mark.parametrize("interactions", [True, False])
def test_work_that_ends_with_nothing_said_is_told(said: list[Any], interactions: bool) -> None:
    table = Table(interactions=interactions)
    table.types("say it")
    table.hear(*said)
    assert not table.box.waiting()
    assert [w.message for w in table.of(Notice)] == [NO_ANSWER]


# ------------------------------------------------------------------------------------------ text, and ears


def test_an_answer_in_writing_is_the_answer() -> None:
    table = Table()
    table.types("say it")
    table.hear(Written(1, "It "), Written(1, "is ten."), TurnOver(1))
    assert table.answers == ["It is ten."]
    assert not table.box.waiting()


def test_what_a_quiet_microphone_says_is_never_taken_for_a_repeat() -> None:
    """Our own ears hear nothing; the server hears the same exchange twice, and words of the last question."""
    table = Table()
    for _ in range(2):
        table.hear(Heard(1, "I see, no."), Said(1, "Good."), Replied(1), TurnOver(1))
    table.hear(Heard(1, "no."), Said(1, "Good."), Replied(1), TurnOver(1))
    assert [user.text for user in table.of(UserText) if user.final] == ["I see, no.", "I see, no.", "no."]
    assert table.answers == ["Good."] * 3


def test_words_that_were_shown_are_kept_though_the_link_is_lost_and_something_typed() -> None:
    table = Table()
    table.hear(Heard(1, "I see, no."), Said(1, "Go"))
    table.turns.lost()
    table.turns.begin()
    table.types("bye")
    assert table.kept.turns[0] == ("bye\nI see, no.", "")


@pytest.mark.parametrize("noticed", [(), (Noticed(1),)])
def test_only_a_session_taken_up_repeats_itself_until_it_hears_somebody(
    noticed: tuple[Noticed, ...],
) -> None:
    table = Table()
    table.hear(Heard(1, "I see, no."), Said(1, "Good."), Replied(1), TurnOver(1))
    table.turns.lost()
    table.turns.begin()
    table.hear(*noticed, Heard(1, "no."))
    assert len([user for user in table.of(UserText) if "no." in user.text]) == (2 if not noticed else 3)
