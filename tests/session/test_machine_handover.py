"""The machine leaves a link for the next, by example: at a quiet moment, or when the time for it is over."""

from __future__ import annotations

import pytest

from livechat.models import ROTATE_AFTER_S
from livechat.session.events import (
    Asked,
    Dial,
    Ended,
    Expire,
    GoAway,
    HandleIn,
    Hang,
    Hold,
    Keep,
    Person,
    Reopened,
    Replied,
    Replying,
    Resumption,
    TurnOver,
)
from livechat.session.machine import CLOSE_LIMIT_S, State
from livechat.session.verdicts import STABLE_S
from tests.support.line import kinds, live


def test_go_away_in_a_quiet_moment_moves_at_once_and_dials_only_when_the_link_has_ended() -> None:
    line = live()
    line.answer()
    line.handle("h", 0.1, covers=1)
    actions = line.feed(GoAway(1, 50.0), 540.0)
    assert kinds(actions, Hold)
    assert kinds(actions, Hang) == [Hang(1)]
    assert kinds(actions, Dial) == []
    actions = line.close("", 1000, after=0.1)
    assert kinds(actions, Expire)
    assert line.dialled == "h"
    line.open(0.2)
    assert line.flow.how == "resumed"
    assert line.flow.cause == "the server's time limit for one connection"
    assert line.flow.gap_ms == pytest.approx(300.0)


def test_a_person_who_speaks_is_left_alone_until_the_notice_runs_out() -> None:
    line = live()
    line.feed(Person(speaking=True))
    line.feed(GoAway(1, 50.0), 100.0)
    noticed = line.now
    line.until(State.MOVING)
    assert line.now - noticed == pytest.approx(40.0)


def test_late_in_the_notice_the_playback_of_an_answer_is_not_waited_for() -> None:
    line = live()
    line.feed(Asked())
    line.feed(Replying(1), 1.0)
    line.feed(GoAway(1, 50.0))
    line.feed(Replied(1), 5.0)
    line.handle("covers it", 1.0)
    assert line.at(State.LIVE)
    line.until(State.MOVING)
    assert line.now == 1_000.2 + 1.0 + 20.0  # half of the time there is to leave


def test_go_away_waits_for_the_answer_and_then_for_the_handle_that_covers_it() -> None:
    line = live()
    line.handle("h0", 1.0)
    line.feed(Asked())
    line.feed(GoAway(1, 50.0), 1.0)
    line.feed(Replying(1), 1.0)
    line.handle("h1", 1.0)
    line.feed(Replied(1), 1.0)
    line.feed(TurnOver(1), 1.0)
    assert line.at(State.LIVE)
    line.handle("h2", 0.5, covers=1)
    assert line.at(State.MOVING)
    line.close("", 1000)
    assert line.dialled == "h2"


def test_no_handover_while_the_server_is_still_working() -> None:
    line = live()
    line.handle("h")
    line.feed(Asked())
    line.feed(Replying(1), 1.0)
    line.feed(Replied(1))
    line.feed(Reopened(1))
    line.feed(GoAway(1, 50.0))
    line.feed(HandleIn(1, "h2", 0), 20.0)
    line.tick()
    assert line.at(State.LIVE)
    line.feed(Replied(1), 2.0)
    line.feed(TurnOver(1))
    line.feed(HandleIn(1, "h3", 1), 1.0)
    assert line.at(State.MOVING)


def test_a_question_sent_again_after_a_handover_counts_as_asked() -> None:
    """Its answer was cut by the drop: a GoAway that follows at once waits for the new answer."""
    line = live()
    line.handle("h", 0.1)
    line.feed(Asked())
    line.feed(Replying(1), 1.0)
    line.cut(0.5)
    line.open()
    line.handle("h2", 0.1)
    line.feed(GoAway(2, 50.0), 0.1)
    assert line.at(State.LIVE)
    line.feed(Replying(2), 1.0)
    line.feed(Replied(2), 1.0)
    line.feed(TurnOver(2), 1.0)
    line.handle("h3", 0.1)
    assert line.at(State.MOVING)


def test_our_own_mark_moves_a_quiet_line_but_never_a_busy_one() -> None:
    line = live()
    line.handle("h", 0.1)
    assert line.machine.deadline() == 1_000.2 + ROTATE_AFTER_S
    line.feed(Person(speaking=True), 1.0)
    line.tick()
    assert line.at(State.LIVE)
    assert line.machine.deadline() is None
    line.feed(Person(speaking=False), 100.0)
    line.answer()
    line.handle("h2", 0.1)
    assert line.at(State.MOVING)


def test_without_any_handle_our_own_mark_moves_nothing_and_costs_no_loop() -> None:
    line = live()
    line.tick()
    assert line.at(State.LIVE)
    assert line.machine.deadline() is None


def test_a_closing_link_that_never_ends_is_given_up_on() -> None:
    """A half-open connection whose buffers are full lets no close frame through."""
    line = live()
    line.handle("h", 0.1)
    line.feed(GoAway(1, 50.0), 540.0)
    assert line.at(State.MOVING)
    asked = line.now
    line.tick()
    assert (line.state, line.link, line.dialled) == (State.DIALING, 2, "h")
    assert line.now - asked == CLOSE_LIMIT_S
    assert line.feed(Ended(1, "network"), 1.0) == []
    line.open()
    assert line.at(State.LIVE)


def test_a_handle_that_comes_while_the_link_closes_is_the_one_to_resume_by() -> None:
    line = live()
    line.handle("h1", 0.1)
    line.feed(GoAway(1, 50.0), 540.0)
    assert line.handle("h2", 0.1) == [Keep(Resumption("h2", 0))]
    line.close("", 1000)
    assert line.dialled == "h2"


def test_a_server_that_sends_every_link_away_at_once_is_not_hammered() -> None:
    """A host being drained may say GoAway as its first word, each time."""
    line = live()
    began = line.now
    for _ in range(12):
        line.feed(GoAway(line.link, 0.0), 0.01)
        if line.at(State.LIVE):
            line.tick()
        assert line.at(State.MOVING)
        line.close("", 1000, after=0.01)
        if line.at(State.WAITING):
            line.tick()
        line.open(0.01)
    assert line.now - began > 60.0


def test_a_link_that_is_told_to_go_as_it_opens_is_used_for_the_time_it_has() -> None:
    """All links may be told so: if each were left at the first quiet moment, none would ever carry anything."""
    line = live()
    line.feed(GoAway(1, 25.0))
    line.handle("h1")
    assert line.at(State.MOVING)  # once is once
    line.close("", 1000)
    line.open()
    line.feed(GoAway(2, 25.0))
    line.handle("h2")
    assert line.at(State.LIVE)
    opened = line.now
    line.tick()
    assert line.at(State.MOVING)
    assert line.now - opened == STABLE_S
