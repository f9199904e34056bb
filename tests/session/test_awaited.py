"""What is awaited, and what it means that it does not come: told directly what happened, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.session.awaited import ANSWER_S, DEAF_LINKS, QUESTION_S, Awaited

DEAF_S = 10.0


def opened(*, silent: bool = False) -> Awaited:
    """A link takes input since 0."""
    awaited = Awaited(answer_s=DEAF_S, silent=silent)
    awaited.opened(0.0)
    return awaited


def quiet(awaited: Awaited) -> bool:
    return awaited.quiet


def covered(awaited: Awaited) -> bool:
    return awaited.covered


def answer_due(awaited: Awaited) -> bool:
    return awaited.answer_due


def spoken(awaited: Awaited, since: float, until: float) -> None:
    awaited.person(since, speaking=True)
    awaited.person(until, speaking=False)


# ------------------------------------------------------------------------------------- when a link may be left


def test_nothing_is_awaited_before_anybody_has_said_anything() -> None:
    awaited = opened()
    assert quiet(awaited)
    assert [awaited.busy, awaited.answer_due, awaited.handed, awaited.covered] == [False] * 4
    assert (awaited.asked_until, awaited.deaf_at) == (None, None)


def test_a_link_is_quiet_again_after_the_turn_of_the_answer_and_not_before() -> None:
    awaited = opened()
    awaited.asked(1.0)
    assert not quiet(awaited)
    awaited.replying()
    awaited.replied(3.0)
    assert not awaited.quiet  # it is still played
    awaited.turn_over()
    assert quiet(awaited)


def test_late_in_a_notice_the_playback_of_a_whole_answer_is_not_waited_for_but_the_answer_is() -> None:
    awaited = opened()
    awaited.replying()
    awaited.settle()
    assert not quiet(awaited)
    awaited.replied(3.0)
    awaited.settle()
    assert quiet(awaited)


def test_only_a_handle_that_is_younger_than_the_last_whole_answer_covers_it() -> None:
    awaited = opened()
    assert not covered(awaited)
    awaited.handle(1.0, resumable=True)
    assert covered(awaited)
    awaited.replying()
    awaited.replied(2.0)
    assert not covered(awaited)
    awaited.handle(3.0, resumable=False)  # word that there is none just now
    assert not covered(awaited)
    awaited.handle(4.0, resumable=True)
    assert covered(awaited)


def test_a_handle_that_comes_in_the_moment_of_the_whole_answer_covers_it() -> None:
    awaited = opened()
    awaited.replying()
    awaited.replied(2.0)
    awaited.handle(2.0, resumable=True)
    assert awaited.covered


def test_a_handle_of_the_link_before_covers_nothing_on_the_next() -> None:
    awaited = opened()
    awaited.handle(1.0, resumable=True)
    awaited.opened(2.0)
    assert not awaited.handed
    assert not covered(awaited)


def test_a_handle_that_will_cover_the_last_answer_is_due_except_while_the_person_speaks() -> None:
    awaited = opened()
    awaited.handle(1.0, resumable=True)
    awaited.replying()
    assert answer_due(awaited)
    awaited.replied(2.0)
    awaited.turn_over()
    assert answer_due(awaited)
    awaited.person(2.5, speaking=True)
    assert not answer_due(awaited)
    awaited.handle(3.0, resumable=True)
    awaited.person(3.5, speaking=False)
    awaited.tick(3.5 + ANSWER_S)
    assert not answer_due(awaited)


def test_no_handle_is_due_from_a_server_that_gives_none() -> None:
    awaited = opened()
    awaited.replying()
    awaited.replied(2.0)
    awaited.turn_over()
    assert not answer_due(awaited)


def test_a_question_that_no_answer_follows_does_not_hold_the_line_for_ever() -> None:
    awaited = opened()
    spoken(awaited, 1.0, 2.0)
    assert awaited.asked_until == 2.0 + ANSWER_S
    awaited.tick(2.0 + ANSWER_S - 0.1)
    assert not quiet(awaited)
    awaited.tick(2.0 + ANSWER_S)
    assert quiet(awaited)
    assert awaited.busy  # it is still without its answer


# --------------------------------------------------------------------------------------- from link to link


def test_a_question_that_is_sent_again_counts_as_asked_on_the_next_link() -> None:
    awaited = opened()
    awaited.asked(1.0)
    awaited.replying()
    awaited.opened(5.0)  # the link before was lost in the middle of the answer
    assert not quiet(awaited)
    assert (awaited.asked_until, awaited.deaf_at) == (5.0 + ANSWER_S, 5.0 + DEAF_S)
    assert not awaited.owed


def test_an_answer_that_was_whole_before_the_drop_is_not_waited_for_again() -> None:
    awaited = opened()
    awaited.replying()
    awaited.replied(2.0)
    awaited.opened(3.0)
    assert quiet(awaited)
    assert not awaited.busy


def test_a_question_whose_answer_came_whole_from_the_link_before_is_not_awaited_from_the_next() -> None:
    awaited = opened()
    awaited.replying()
    awaited.answered_elsewhere(live=False)  # between the links
    awaited.opened(3.0)
    assert quiet(awaited)
    assert awaited.turns == 1


def test_an_old_links_last_word_takes_nothing_from_the_answer_of_the_link_that_lives() -> None:
    awaited = opened()
    awaited.replying()
    awaited.answered_elsewhere(live=True)
    assert awaited.owed


def test_a_person_who_speaks_when_the_link_opens_is_not_kept_on_it_for_a_question_typed_before() -> None:
    """Their words are sent again in any case; the typed question may never be answered now."""
    awaited = Awaited(answer_s=DEAF_S, silent=False)
    awaited.asked(0.0)
    awaited.person(0.1, speaking=True)
    awaited.opened(1.0)
    assert not answer_due(awaited)
    assert awaited.deaf_at is None


def test_an_answer_counts_as_one_turn_though_it_was_taken_back_in_between() -> None:
    awaited = opened()
    awaited.replying()
    awaited.replied(1.0)
    assert awaited.turns == 1
    awaited.reopened()
    assert (awaited.turns, awaited.owed, awaited.quiet) == (0, True, False)
    awaited.replied(2.0)
    assert awaited.turns == 1


# ------------------------------------------------------------------------------------------------ deafness


def test_a_question_without_an_answer_in_time_is_asked_on_another_link_then_in_a_new_session_then_left() -> None:
    awaited = opened()
    awaited.asked(0.0)
    assert awaited.deafened(DEAF_S - 0.1) is None
    assert awaited.deafened(DEAF_S) == "ask on another link"
    awaited.opened(20.0)
    assert awaited.deafened(20.0 + DEAF_S) == "ask in a new session"
    awaited.opened(40.0)
    assert awaited.deafened(40.0 + DEAF_S) == "no answer"
    assert awaited.deafened(1e9) is None
    awaited.opened(60.0)
    assert awaited.deaf_at is None


def test_an_answer_makes_a_session_trusted_again() -> None:
    awaited = opened()
    for at in (0.0, 100.0, 200.0):
        awaited.asked(at)
        assert awaited.deafened(at + DEAF_S) == "ask on another link"
        awaited.opened(at + 20.0)
        awaited.replying()
        assert awaited.deafened(at + 90.0) is None
        awaited.replied(at + 90.0)


def test_a_cough_expects_no_answer() -> None:
    awaited = opened()
    spoken(awaited, 1.0, 1.0 + QUESTION_S - 0.1)
    assert awaited.deaf_at is None
    assert awaited.deafened(1e9) is None
    spoken(awaited, 10.0, 10.0 + QUESTION_S)
    assert awaited.deaf_at == 10.0 + QUESTION_S + DEAF_S


def test_a_session_is_not_deaf_while_the_person_goes_on_speaking() -> None:
    awaited = opened()
    spoken(awaited, 0.0, 2.0)
    awaited.person(9.0, speaking=True)
    assert awaited.deafened(100.0) is None


def test_a_question_asked_during_an_answer_is_not_deaf_before_that_answer_is_whole() -> None:
    awaited = opened()
    awaited.replying()
    awaited.asked(1.0)
    assert awaited.deafened(1.0 + DEAF_S) is None
    assert awaited.deaf_at == 1.0 + 2 * DEAF_S
    awaited.replied(12.0)
    assert awaited.deafened(1.0 + 2 * DEAF_S) == "ask on another link"


# ------------------------------------------------------------------------------------------ chosen silence


def well(awaited: Awaited, until: int) -> None:
    """The handles keep coming, twice a second."""
    for half in range(2 * until + 1):
        awaited.handle(half / 2, resumable=True)


def test_a_heard_question_without_an_answer_is_the_silence_of_a_model_that_may_choose_it() -> None:
    awaited = opened(silent=True)
    awaited.asked(0.0)
    awaited.noticed()
    well(awaited, 10)
    awaited.tick(DEAF_S)
    assert awaited.deafened(DEAF_S) == "silence"
    assert not awaited.busy


def test_a_model_that_may_choose_silence_is_asked_once_more_in_the_same_session_and_no_more() -> None:
    awaited = opened(silent=True)
    awaited.asked(0.0)
    well(awaited, 10)
    assert awaited.deafened(DEAF_S) == "ask on another link"  # nothing shows that it was heard
    awaited.opened(11.0)
    awaited.handle(12.0, resumable=True)
    assert awaited.deafened(11.0 + DEAF_S) == "no answer"


def test_a_session_that_gives_no_handle_is_not_spared_for_a_model_that_may_choose_silence() -> None:
    awaited = opened(silent=True)
    awaited.asked(0.0)
    assert awaited.deafened(DEAF_S) == "ask on another link"
    awaited.opened(11.0)
    assert awaited.deafened(11.0 + DEAF_S) == "ask in a new session"


@pytest.mark.parametrize("evidence", ["another model", "nothing is resumable", "the handles stopped"])
def test_what_speaks_against_the_session_is_no_silence(evidence: str) -> None:
    awaited = opened(silent=evidence != "another model")
    awaited.asked(0.0)
    awaited.noticed()
    well(awaited, 4 if evidence == "the handles stopped" else 10)
    if evidence == "nothing is resumable":
        awaited.handle(10.0, resumable=False)
    assert awaited.deafened(DEAF_S) == "ask on another link"


@pytest.mark.parametrize("evidence", ["nothing is resumable", "the handles stopped"])
def test_what_spoke_against_the_session_on_the_link_before_says_nothing_of_the_next(evidence: str) -> None:
    awaited = opened(silent=True)
    well(awaited, 2)
    if evidence == "nothing is resumable":
        awaited.handle(2.5, resumable=False)
    awaited.opened(20.0)
    awaited.asked(20.0)
    awaited.noticed()
    assert awaited.deafened(20.0 + DEAF_S) == "silence"


@pytest.mark.parametrize("next_question", ["spoken", "typed", "on the next link"])
def test_that_a_question_was_heard_says_nothing_of_the_next(next_question: str) -> None:
    awaited = opened(silent=True)
    awaited.asked(0.0)
    awaited.noticed()
    match next_question:
        case "spoken":
            spoken(awaited, 0.0, 2.0)
        case "typed":
            awaited.asked(2.0)
        case _:
            awaited.opened(2.0)
    well(awaited, 12)
    assert awaited.deafened(2.0 + DEAF_S) == "ask on another link"


# ------------------------------------------------------------------------------------- whatever may happen


@given(st.lists(st.sampled_from(["speak", "type", "reply", "whole", "over", "open", "time"]), max_size=40))
def test_whatever_happens_a_question_is_answered_or_given_up_after_so_many_links(steps: list[str]) -> None:
    awaited, now = opened(), 0.0
    for step in steps:
        now += 0.5
        match step:
            case "speak":
                awaited.person(now, speaking=not awaited.speaking)
            case "type":
                awaited.asked(now)
            case "reply":
                awaited.replying()
            case "whole":
                if awaited.owed:
                    awaited.replied(now)
            case "over":
                awaited.turn_over()
            case "open":
                awaited.opened(now)
            case _:
                awaited.tick(now)
                awaited.deafened(now)
    if awaited.speaking:
        awaited.person(now, speaking=False)
    for _ in range(DEAF_LINKS + 1):  # from now on no link says anything
        awaited.opened(now)
        if awaited.deaf_at is None:
            break
        now = awaited.deaf_at
        assert awaited.deafened(now) is not None
    awaited.tick(now + ANSWER_S)
    awaited.opened(now + ANSWER_S)
    awaited.tick(now + 2 * ANSWER_S)
    assert not awaited.busy
    assert quiet(awaited)
    assert awaited.turns >= 0
