"""Who notices a sleep, and a stop of the process: two clocks, looked at all the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.session.sleep_watch import AWAY_S, LOOK_S, STOPPED_S, Passed, SleepWatch

DAY = 1.7e9


class Clocks:
    """The loop's clock and the time of day, and who watches them."""

    def __init__(self) -> None:
        self.now, self.day = 100.0, DAY
        self.watch = SleepWatch()
        self.watch.begin(self.now, self.day)

    def look(self, loop_s: float, day_s: float) -> Passed:
        self.now += loop_s
        self.day += day_s
        return self.watch.look(self.now, self.day)


def test_a_look_that_comes_in_time_finds_nothing() -> None:
    passed = Clocks().look(LOOK_S, LOOK_S)
    assert (passed.since, passed.stopped, passed.unseen) == (100.0, False, None)
    assert passed.seconds == pytest.approx(LOOK_S)


def test_a_sleep_in_which_the_loops_clock_stood_still_is_unseen_by_it() -> None:
    passed = Clocks().look(LOOK_S, 3_600.0)
    assert not passed.stopped
    assert passed.unseen == pytest.approx(3_600.0 - LOOK_S)


def test_a_sleep_in_which_the_loops_clock_went_on_is_one_of_which_nothing_is_unseen() -> None:
    passed = Clocks().look(3_600.0, 3_600.0)
    assert passed.stopped
    assert passed.unseen == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("late_s", "stopped", "slept"),
    [(STOPPED_S - 0.1, False, False), (STOPPED_S + 0.1, True, False), (AWAY_S - 0.1, True, False),
     (AWAY_S + 0.1, True, True)],
)  # fmt: skip
def test_a_short_stop_is_caught_up_after_and_only_a_long_one_costs_the_link(
    late_s: float, stopped: bool, slept: bool
) -> None:
    passed = Clocks().look(LOOK_S + late_s, LOOK_S + late_s)
    assert (passed.stopped, passed.unseen is not None) == (stopped, slept)


def test_a_time_of_day_that_is_set_back_is_no_sleep_and_takes_no_time_from_the_next_one() -> None:
    clocks = Clocks()
    assert clocks.look(LOOK_S, -3_600.0).unseen is None
    assert clocks.look(LOOK_S, 60.0).unseen == pytest.approx(60.0 - LOOK_S)


def test_time_that_was_never_seen_is_never_negative() -> None:
    """The time of day was set back during a stop."""
    assert Clocks().look(60.0, -3_600.0).unseen == 0.0


def test_this_process_is_just_waking_until_what_came_meanwhile_has_been_read() -> None:
    clocks = Clocks()
    assert not clocks.watch.was_stopped(100.0 + LOOK_S + STOPPED_S - 0.01)
    assert clocks.watch.was_stopped(100.01 + LOOK_S + STOPPED_S)
    clocks.look(60.0, 60.0)
    assert clocks.watch.was_stopped(clocks.now)
    clocks.watch.ready(clocks.now)
    assert not clocks.watch.was_stopped(clocks.now)


def test_nothing_is_waking_before_the_first_look() -> None:
    assert not SleepWatch().was_stopped(1e9)


@given(st.lists(st.tuples(st.floats(0.1, 10_000), st.floats(0, 10_000)), max_size=20))
def test_the_time_that_was_seen_and_the_time_that_was_not_add_up_to_the_time_of_day(
    looks: list[tuple[float, float]],
) -> None:
    clocks = Clocks()
    seen = unseen = 0.0
    for loop_s, asleep_s in looks:
        passed = clocks.look(loop_s, loop_s + asleep_s)
        seen += passed.seconds
        if passed.unseen is not None:
            unseen += passed.unseen
        else:
            assert asleep_s <= LOOK_S + AWAY_S  # too short to be a sleep
            unseen += asleep_s
    assert seen + unseen == pytest.approx(clocks.day - DAY, abs=1e-3)
    assert seen == pytest.approx(clocks.now - 100.0, abs=1e-3)
