"""How far an answer has come: when its end is overdue, and when it has stopped."""

from __future__ import annotations

from livechat.session.answer import STUCK_S, TURN_END_S, Answer
from livechat.session.outbox import Mark


def begun(now: float) -> Answer:
    return Answer(Mark(0, 0), piece_at=now)


def test_the_end_of_a_turn_is_overdue_once_a_listener_has_heard_it_all_and_some_seconds_more() -> None:
    answer = begun(100.0)
    answer.sounds(2.0, 100.0)
    answer.sounds(3.0, 100.5)  # it comes faster than it sounds: the pieces play one after the other
    answer.whole = True
    assert not answer.turn_overdue(105.0 + TURN_END_S)
    assert answer.turn_overdue(105.1 + TURN_END_S)


def test_a_pause_in_an_answer_moves_the_end_of_its_playback() -> None:
    answer = begun(100.0)
    answer.sounds(1.0, 100.0)
    answer.sounds(1.0, 120.0)
    answer.whole = True
    assert not answer.turn_overdue(121.0 + TURN_END_S)
    assert answer.turn_overdue(121.1 + TURN_END_S)


def test_the_end_of_an_answer_that_is_not_whole_is_never_overdue() -> None:
    answer = begun(100.0)
    answer.sounds(1.0, 100.0)
    assert not answer.turn_overdue(1e6)


def test_an_incomplete_answer_has_stopped_when_no_piece_came_for_long_and_a_whole_one_never_has() -> None:
    answer = begun(100.0)
    assert not answer.stopped(100.0 + STUCK_S)
    assert answer.stopped(100.1 + STUCK_S)
    answer.piece_at = 105.0
    assert not answer.stopped(105.0 + STUCK_S)
    answer.whole = True
    assert not answer.stopped(1e6)
