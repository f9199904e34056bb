"""What may still come of an answer that is over here, and until when."""

from __future__ import annotations

from livechat.session.aftermath import BURST_S, DOUBT_S, MORE_S, Aftermath


def test_nothing_is_left_over_before_the_first_answer() -> None:
    aftermath = Aftermath()
    assert not aftermath.is_rest(0.0)
    assert not aftermath.just_ended(0.0)
    assert not aftermath.same_again(0.0)
    assert not aftermath.was_empty(1e6)
    assert not aftermath.turn_end_due


def test_the_rest_of_an_answer_that_was_cut_into_is_dropped_until_its_time_is_over() -> None:
    aftermath = Aftermath()
    aftermath.expect_rest(103.0)
    assert [aftermath.is_rest(at) for at in (102.9, 103.0)] == [True, False]


def test_the_rest_of_an_answer_that_a_key_silenced_is_dropped_until_it_is_all_here() -> None:
    aftermath = Aftermath()
    aftermath.expect_rest()
    silenced = [aftermath.is_rest(1e6)]
    aftermath.no_rest()
    silenced.append(aftermath.is_rest(0.0))
    assert silenced == [True, False]


def test_a_limit_shortens_the_time_of_a_rest_and_never_begins_or_lengthens_one() -> None:
    aftermath = Aftermath()
    aftermath.limit_rest(110.0)
    rest = [aftermath.is_rest(100.0)]
    aftermath.expect_rest()
    aftermath.limit_rest(110.0)
    aftermath.limit_rest(120.0)
    rest += [aftermath.is_rest(109.9), aftermath.is_rest(110.0)]
    assert rest == [False, True, False]


def test_nothing_more_comes_of_a_link_that_is_gone() -> None:
    aftermath = Aftermath()
    aftermath.expect_rest()
    aftermath.expect_more(100.0)
    assert aftermath.more_until == 100.0 + MORE_S
    aftermath.lost()
    assert not aftermath.is_rest(0.0)
    assert not aftermath.more_until > 0.0


def test_more_of_an_answer_may_come_for_a_moment_after_its_turn() -> None:
    aftermath = Aftermath()
    aftermath.turn_ended(100.0)
    assert [aftermath.just_ended(at) for at in (100.0 + MORE_S - 0.1, 100.0 + MORE_S)] == [True, False]


def test_only_a_turn_end_right_after_another_may_be_the_same_one_said_twice() -> None:
    aftermath = Aftermath()
    aftermath.turn_ended(0.0)
    assert [aftermath.same_again(at) for at in (BURST_S - 0.01, BURST_S)] == [True, False]


def test_a_doubtful_turn_end_was_an_empty_turn_if_nothing_comes_and_means_nothing_if_something_does() -> None:
    aftermath = Aftermath()
    aftermath.doubt(100.0)
    empty = [aftermath.was_empty(at) for at in (100.0 + DOUBT_S, 100.1 + DOUBT_S)]
    aftermath.no_doubt()
    assert [*empty, aftermath.was_empty(1e6)] == [False, True, False]
