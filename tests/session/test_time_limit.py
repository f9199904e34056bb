"""How long a link may be stayed on: the server's notice, our own limit, and what goes on meanwhile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.models import ROTATE_AFTER_S
from livechat.session.time_limit import LAST_MOMENT_S, TimeLimit
from livechat.session.verdicts import STABLE_S

NOTICE = [(50.0, 40.0), (9.0, 6.0), (3.0, 1.5), (1.0, 0.0), (0.0, 0.0), (1e9, 1e9 - 10)]


def opened(now: float = 0.0, *, stay: bool = False) -> TimeLimit:
    limit = TimeLimit()
    limit.opened(now, stay=stay)
    return limit


@pytest.mark.parametrize(("time_left", "stay"), NOTICE)
def test_a_third_of_the_notice_within_bounds_is_kept_as_a_margin_where_somebody_speaks(
    time_left: float, stay: float
) -> None:
    limit = opened()
    limit.notice(time_left, 100.0)
    assert limit.over(100.0 + stay, answer_due=False)
    assert stay == 0.0 or not limit.over(100.0 + stay - 0.01, answer_due=False)


def test_an_answer_on_its_way_is_waited_for_to_the_last_moment() -> None:
    limit = opened()
    limit.notice(4.0, 100.0)
    assert not limit.over(104.0 - LAST_MOMENT_S - 0.01, answer_due=True)
    assert limit.over(104.0 - LAST_MOMENT_S, answer_due=True)


def test_a_second_notice_never_postpones_the_first() -> None:
    limit = opened()
    limit.notice(50.0, 540.0)
    limit.notice(50.0, 550.0)
    assert limit.over(580.0, answer_due=False)
    assert limit.over(590.0 - LAST_MOMENT_S, answer_due=True)


def test_a_second_notice_may_be_shorter() -> None:
    limit = opened()
    limit.notice(50.0, 540.0)
    limit.notice(0.0, 551.0)
    assert limit.over(551.0, answer_due=False)
    assert limit.over(551.0, answer_due=True)


def test_the_first_half_of_the_time_to_leave_is_given_to_an_answers_playback() -> None:
    limit = opened()
    settled = [limit.settled]
    limit.notice(50.0, 100.0)
    for at in (100.0, 119.9, 120.0):
        assert 120.0 in limit.deadlines(answer_due=False)
        limit.tick(at)
        settled.append(limit.settled)
    assert settled == [False, False, False, True]


def test_our_own_limit_is_a_reason_to_leave_and_no_end() -> None:
    limit = opened(100.0)
    assert limit.deadlines(answer_due=False) == [100.0 + ROTATE_AFTER_S]
    limit.tick(100.0 + ROTATE_AFTER_S - 0.1)
    assert limit.cause == ""
    limit.tick(100.0 + ROTATE_AFTER_S)
    assert limit.cause == "our own time limit for one connection"
    assert limit.deadlines(answer_due=False) == []
    assert not limit.over(1e9, answer_due=False)


def test_our_own_limit_does_not_hide_the_notice_that_came_before_it() -> None:
    limit = opened()
    limit.notice(600.0, 0.0)
    limit.tick(ROTATE_AFTER_S)
    assert limit.cause == "the server's time limit for one connection"


def test_a_link_after_one_that_was_left_early_is_used_for_a_while() -> None:
    limit = opened(100.0, stay=True)
    assert 100.0 + STABLE_S in limit.deadlines(answer_due=False)
    staying = [limit.staying]
    for at in (100.0 + STABLE_S - 0.1, 100.0 + STABLE_S):
        limit.tick(at)
        staying.append(limit.staying)
    assert staying == [True, True, False]
    assert not opened().staying


def test_nothing_of_a_links_notice_is_left_on_the_next() -> None:
    limit = opened(stay=True)
    limit.notice(50.0, 1.0)
    limit.opened(60.0, stay=False)
    assert (limit.cause, limit.noticed, limit.staying, limit.settled) == ("", False, False, False)
    assert limit.age_s(70.0) == 10.0
    assert limit.deadlines(answer_due=True) == [60.0 + ROTATE_AFTER_S]


notices = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 4_000)), min_size=1, max_size=5)


@given(notices, st.booleans(), st.booleans())
def test_the_time_to_leave_is_never_later_than_the_earliest_notice_and_always_a_deadline(
    notices: list[tuple[float, float]], answer_due: bool, stay: bool
) -> None:
    limit, now, end = opened(stay=stay), 0.0, float("inf")
    for passed, time_left in notices:
        now += passed
        limit.tick(now)
        limit.notice(time_left, now)
        end = min(end, now + time_left)
        deadline = min(limit.deadlines(answer_due=answer_due))
        assert deadline <= max(end, now)
        assert limit.over(max(end, now), answer_due=answer_due)


@given(notices, st.floats(0, 5_000))
def test_an_answer_on_its_way_is_never_a_reason_to_leave_sooner(
    notices: list[tuple[float, float]], at: float
) -> None:
    limit, now = opened(), 0.0
    for passed, time_left in notices:
        now += passed
        limit.notice(time_left, now)
    assert limit.over(at, answer_due=False) or not limit.over(at, answer_due=True)


@given(notices, st.booleans(), st.booleans())
def test_a_tick_at_each_deadline_leads_to_the_end_without_a_busy_loop(
    notices: list[tuple[float, float]], answer_due: bool, stay: bool
) -> None:
    limit, now = opened(stay=stay), 0.0
    for passed, time_left in notices:
        now += passed
        limit.notice(time_left, now)
    limit.tick(now)
    ticks = 0
    while not limit.over(now, answer_due=answer_due):
        deadline = min(limit.deadlines(answer_due=answer_due))
        assert deadline > now
        now = deadline
        limit.tick(now)
        ticks += 1
    assert ticks <= 3  # enough of a stay, no more playback, the end
