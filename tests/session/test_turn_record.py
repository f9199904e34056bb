"""What of a turn is shown, and what is kept, as its words come."""

from __future__ import annotations

from livechat.events import ModelText, Output, Turn, UserText
from livechat.session.transcript import Transcript
from livechat.session.turn_record import TurnRecord
from tests.support.fake_ledger import FakeLedger


class Recorded:
    """A record and its transcript, and what is shown and kept of them."""

    def __init__(self) -> None:
        self.transcript, self.ledger = Transcript(), FakeLedger()
        self.shown: list[Output] = []
        self.record = TurnRecord(self.transcript, self.ledger, self.shown.append)

    def types(self, line: str) -> None:
        self.record.typed(line)

    def hears(self, piece: str, *, answering: bool = False) -> None:
        self.transcript.heard(piece)
        self.record.heard(answering=answering)

    def says(self, piece: str) -> None:
        self.transcript.said(piece)
        self.record.piece()

    def new(self) -> list[Output]:
        """What was shown since the last time."""
        shown, self.shown[:] = list(self.shown), []
        return shown


def test_a_typed_line_is_shown_as_final_and_kept_before_it_has_an_answer() -> None:
    recorded = Recorded()
    recorded.types("hello")
    assert recorded.new() == [UserText("hello", final=True, source="text")]
    assert recorded.ledger.turns == {0: ("hello", "")}


def test_what_is_heard_is_shown_as_it_comes_and_as_final_once_the_answer_begins() -> None:
    recorded = Recorded()
    recorded.hears("what")
    recorded.hears(" is it")
    assert recorded.ledger.turns == {0: ("what is it", "")}
    recorded.record.question()
    assert recorded.new() == [
        UserText("what", final=False, source="speech"),
        UserText("what is it", final=False, source="speech"),
        UserText("what is it", final=True, source="speech"),
    ]
    recorded.record.question()
    assert recorded.new() == []  # once


def test_what_is_heard_of_a_question_during_its_answer_is_shown_as_final_and_kept() -> None:
    recorded = Recorded()
    recorded.hears("late", answering=True)
    assert recorded.new() == [UserText("late", final=True, source="speech")]
    assert recorded.ledger.turns == {0: ("late", "")}


def test_each_piece_of_an_answer_is_shown_and_kept_and_each_utterance_of_it_is_final_once() -> None:
    recorded = Recorded()
    recorded.types("what is it")
    recorded.new()
    recorded.says("Let me")
    recorded.says(" check. ")
    recorded.record.answer(cut=False)
    recorded.record.answer(cut=False)
    recorded.says("Ten")
    recorded.record.answer(cut=True)
    assert recorded.new() == [
        ModelText("Let me", final=False),
        ModelText("Let me check.", final=False),
        ModelText("Let me check.", final=True),
        ModelText("Ten", final=False),
        ModelText("Ten", final=True, cut=True),
    ]
    assert recorded.ledger.turns == {0: ("what is it", "Let me check. Ten")}


def test_the_next_turn_has_its_own_number_and_words() -> None:
    recorded = Recorded()
    for question, answer in (("one", "First."), ("two", "Second.")):
        recorded.types(question)
        recorded.says(answer)
        recorded.record.answer(cut=False)
        recorded.record.answered(500.0)
        recorded.record.close()
    assert recorded.ledger.turns == {0: ("one", "First."), 1: ("two", "Second.")}
    assert [shown for shown in recorded.new() if isinstance(shown, Turn)] == [Turn(1, 500.0), Turn(2, 500.0)]
    assert recorded.record.count == 2


def test_an_answer_that_is_taken_back_goes_on_after_what_was_shown_of_it() -> None:
    recorded = Recorded()
    assert not recorded.record.reopen()  # there is none
    recorded.types("what is it")
    recorded.says("It is")
    recorded.record.answer(cut=False)
    recorded.record.close()
    recorded.new()
    assert recorded.record.reopen()
    recorded.says(" ten.")
    assert recorded.new() == [ModelText("ten.", final=False)]
    assert recorded.ledger.turns == {0: ("what is it", "It is ten.")}


def test_an_answer_that_a_lost_link_cut_is_shown_from_its_beginning_when_it_comes_again() -> None:
    recorded = Recorded()
    recorded.hears("what is it")
    recorded.record.question()
    recorded.says("It is")
    recorded.record.answer(cut=True)
    recorded.new()
    recorded.record.lost()
    recorded.hears("what is it")
    assert recorded.new() == []  # the question was shown
    recorded.says("It is ten.")
    assert recorded.new() == [ModelText("It is ten.", final=False)]
    assert recorded.ledger.turns == {0: ("what is it", "It is ten.")}
