"""What is known of the question that was asked last."""

from __future__ import annotations

import pytest

from livechat.session.question import PASSED_S, Question


def test_an_answer_tells_how_long_it_took_and_only_once() -> None:
    question = Question(ended_at=100.0)
    assert question.waited_ms(101.5) == pytest.approx(1_500.0)
    assert question.waited_ms(102.0) is None  # a second answer is to no question that we know the end of


def test_a_question_is_overdue_some_seconds_after_its_end() -> None:
    question = Question(ended_at=100.0)
    assert not question.overdue(100.0 + PASSED_S)
    assert question.overdue(100.1 + PASSED_S)


def test_a_question_that_has_no_end_yet_is_never_overdue() -> None:
    assert not Question().overdue(1e6)


def test_what_one_link_showed_of_a_question_is_forgotten_on_the_next_but_not_how_often_its_answer_was_cut() -> None:
    question = Question(ended_at=100.0, noticed=True, passed_over=True, repeated=True, cuts=1)
    question.forget()
    assert question == Question(ended_at=100.0, cuts=1)
