"""The machine: its table, the first link, a drop, a rest and the end, by example.

Its other tests are test_machine_handover.py (a link is left for the next), test_machine_refusals.py (a link is
refused), test_machine_unanswered.py (no answer comes) and test_machine_world.py (a random world).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import get_args

import pytest

from livechat.errors import LostError, Notice
from livechat.session.events import (
    Asked,
    Begin,
    Ended,
    Expire,
    Finish,
    Flow,
    GoAway,
    HandleIn,
    Hang,
    Hold,
    Input,
    Keep,
    Leave,
    Noticed,
    Opened,
    Person,
    Reopened,
    Replied,
    Replying,
    Resumption,
    Show,
    Slept,
    Stuck,
    Tick,
    TurnOver,
)
from livechat.session.failures import FIRST_TRIES
from livechat.session.machine import LAST_HANDLE_S, TABLE, State
from tests.support.line import KEY_WRONG, QUOTA, TTL, Line, kinds, live, spoken

LINKED = (
    Opened,
    Ended,
    HandleIn,
    GoAway,
    Replying,
    Replied,
    Reopened,
    Noticed,
    TurnOver,
    Stuck,
)  # they carry a link's number


# What cannot happen, by construction. A new state or input type is neither here nor in the table.
IMPOSSIBLE: dict[State, tuple[type, ...]] = {
    # The runner feeds Begin before anything else; no link has a number yet.
    State.NEW: (*LINKED, Leave, Tick),
    # A link says Opened before all else it hears, and the answer of the link before is over (Hold).
    State.DIALING: (Begin, HandleIn, GoAway, Replying, Replied, Reopened, Noticed, Stuck),
    # A link opens once.
    State.LIVE: (Begin, Opened),
    State.MOVING: (Begin, Opened),
    # The only link that may speak here has said Ended: stale by rule 2.
    State.WAITING: (Begin, *LINKED),
    State.RESTING: (Begin, *LINKED),
    State.LEAVING: (Begin, Opened),
    # Everything is ignored once it is over.
    State.OVER: get_args(Input),
}


def test_every_pair_of_state_and_input_is_a_row_or_impossible_for_a_written_reason() -> None:
    pairs = set(itertools.product(State, get_args(Input)))
    impossible = {(state, kind) for state, kinds_ in IMPOSSIBLE.items() for kind in kinds_}
    assert set(TABLE) | impossible == pairs
    assert set(TABLE) & impossible == set()


def test_an_impossible_input_is_an_error_that_names_it_and_not_silence() -> None:
    line = live()
    with pytest.raises(KeyError, match="Opened cannot happen while LIVE"):
        line.feed(Opened(line.link, 1.0))
    with pytest.raises(KeyError, match="Begin cannot happen while LIVE"):
        line.feed(Begin())


def test_what_an_older_link_says_is_ignored_in_every_state() -> None:
    line = live()
    line.cut()
    assert line.link == 2
    stale: list[Input] = [
        Opened(1, 1.0), Ended(1, "close", 1007, KEY_WRONG), HandleIn(1, "h", 0), GoAway(1, 0.0), Replying(1),
        Replied(1), TurnOver(1),
    ]  # fmt: skip
    for prepare in (lambda: None, line.open, lambda: line.feed(Leave()), lambda: line.feed(Leave(hurry=True))):
        prepare()
        state = line.state
        assert [line.feed(event) for event in stale] == [[]] * len(stale)
        assert line.state is state


def test_what_a_link_says_after_its_end_is_ignored_while_waiting() -> None:
    """The runner's own watchdog may say TurnOver in the moment the link's end lies in the inbox."""
    line = live()
    line.feed(Replying(1))
    line.feed(Replied(1))
    line.close(QUOTA)
    assert line.at(State.WAITING)
    assert line.feed(TurnOver(1)) == []
    assert line.at(State.WAITING)


def test_a_key_that_silences_the_last_answer_while_a_link_is_opened_is_nothing_to_it() -> None:
    line = live()
    line.cut()
    assert line.at(State.DIALING)
    assert line.feed(TurnOver(line.link)) == []


def test_nothing_is_done_once_it_is_over() -> None:
    line = live()
    line.close(KEY_WRONG, 1007)
    assert line.at(State.OVER)
    everything: list[Input] = [
        Begin(), Opened(1, 1.0), Ended(1, "network"), HandleIn(1, "h", 0), GoAway(1, 0.0), Person(speaking=True),
        Asked(), Replying(1), Replied(1), Reopened(1), Noticed(1), TurnOver(1), Stuck(1), Slept(1.0), Leave(),
        Tick(),
    ]  # fmt: skip
    assert {type(event) for event in everything} == set(get_args(Input))
    assert [line.feed(event) for event in everything] == [[]] * len(everything)
    assert line.machine.deadline() is None


# -------------------------------------------------------------------------------------------- the first link


def test_the_first_link_is_dialled_with_the_newest_handle_and_is_no_handover() -> None:
    line = live(Resumption("new", 3, 5_000.0), Resumption("old", 2, 5_000.0), turns=4)
    assert [d.resumption and d.resumption.handle for d in line.dials] == ["new"]
    assert (line.flow.covers, line.flow.how, line.flow.cause, line.flow.gap_ms) == (3, "resumed", "", 0.0)


def test_expired_handles_are_never_dialled_and_the_person_is_told() -> None:
    line = Line()
    actions = line.begin(Resumption("dead", 3, 999.0), Resumption("older", 2, 5_000.0), turns=3)
    assert line.dialled == "older"
    assert [a.output for a in kinds(actions, Show) if isinstance(a.output, Notice)] == [
        Notice("the session's handle has expired", "trying the one before it")
    ]
    line.open()
    assert line.flow.how == "previous"


def test_an_address_where_nothing_ever_opens_is_given_up_with_exit_5() -> None:
    line = Line()
    line.begin()
    for _ in range(FIRST_TRIES - 1):
        line.cut(0.1)
        if line.at(State.WAITING):
            line.tick()
    line.cut(0.1)
    assert isinstance(line.finish.error, LostError)
    assert line.finish.error.exit_code == 5
    assert line.finish.error.hint == "check the network"
    assert len(line.dials) == FIRST_TRIES


# ---------------------------------------------------------------------------------------------------- a drop


def test_a_drop_is_dialled_again_at_once_with_the_newest_handle_and_the_gap_is_measured() -> None:
    line = live()
    line.handle("h1")
    line.handle("h2", 1.0, covers=1)
    actions = line.cut(60.0)
    assert line.at(State.DIALING)
    assert kinds(actions, Hold)
    assert kinds(actions, Expire)
    assert line.dialled == "h2"
    assert line.dials[-1].resumption == Resumption("h2", 1, line.now + TTL)
    line.open(0.25)
    assert line.flow == Flow(
        2, 1, replay="missing", cause="the connection was cut", how="resumed", gap_ms=line.flow.gap_ms
    )
    assert line.flow.gap_ms == pytest.approx(250.0)


def test_open_alone_does_not_reset_the_back_off_but_an_answer_does() -> None:
    line = live()
    for _ in range(4):
        line.cut(0.1)
        if line.at(State.WAITING):
            line.tick()
        line.open()
    line.cut(0.1)
    assert line.at(State.WAITING)
    line.tick()
    line.open()
    line.feed(Replying(line.link))
    line.cut(0.1)
    assert line.at(State.DIALING)


def test_a_handle_may_expire_during_an_outage() -> None:
    line = live(ttl=60.0)
    line.handle("h", 10.0, covers=2)
    line.cut(10.0)
    assert line.dialled == "h"
    while line.dialled == "h":
        line.cut(9.9)
        line.tick()
        assert line.now < 1_200.0
    assert line.dials[-1].resumption is None
    assert line.now > 1_020.2 + 60.0


def test_a_handle_that_holds_part_of_a_question_is_trusted_until_the_session_is_deaf() -> None:
    line = live()
    line.handle("h")
    line.cut()
    line.open()
    assert (line.flow.how, line.flow.replay) == ("resumed", "missing")
    spoken(line)
    line.tick()
    line.tick()
    line.close("", 1000)
    line.open()
    assert (line.flow.how, line.flow.replay) == ("resumed", "all")
    line.answer()
    line.handle("h2", covers=1)
    line.cut()
    line.open()
    assert line.flow.replay == "missing"


def test_a_handle_that_may_hold_half_of_an_answered_question_is_not_gone_on_with() -> None:
    line = live()
    line.handle("h")
    line.answer()
    line.cut()
    assert not line.dials[-1].transparent
    line.open()
    assert line.flow.replay == "all"
    earlier = live(Resumption("stored", 0, 5_000.0, stored=True))
    assert not earlier.dials[-1].transparent


def test_a_session_that_cannot_be_resumed_just_now_keeps_its_older_handle() -> None:
    line = live()
    line.handle("h1", 0.1)
    assert line.handle("", 0.1) == []
    line.cut(60.0)
    assert line.dialled == "h1"


def test_a_sleep_leaves_the_link_and_ages_the_handles() -> None:
    line = live(Resumption("old", 0, 5_000.0))
    line.feed(Slept(60.0))
    assert line.at(State.MOVING)
    line.cut(0.1)
    line.open()
    line.feed(Slept(8_000.0), after=20.0)
    line.cut(0.1)
    assert [dial.resumption and dial.resumption.handle for dial in line.dials] == ["old", "old", None]


# ---------------------------------------------------------------------------------------------------- a rest


def test_an_idle_close_rests_until_the_person_speaks_or_types() -> None:
    for wake in (Person(speaking=True), Asked()):
        line = live()
        line.handle("h")
        line.close("The operation was aborted.", 1008, after=150.0)
        assert line.at(State.RESTING)
        assert line.machine.deadline() is None
        line.feed(wake, 600.0)
        assert line.at(State.DIALING)
        assert line.dialled == "h"


def test_an_idle_close_with_a_question_open_is_no_rest() -> None:
    line = live()
    line.feed(Asked())
    line.close("The operation was aborted.", 1008)
    assert line.at(State.DIALING)


def test_an_idle_close_in_the_middle_of_an_answer_is_no_rest() -> None:
    line = live()
    line.feed(Asked())
    line.feed(Replying(1), 1.0)
    line.close("The operation was aborted.", 1008)
    assert line.at(State.DIALING)


# --------------------------------------------------------------------------------------------------- leaving


def leave_fresh(line: Line) -> None:
    line.begin()


def leave_live(line: Line) -> None:
    line.begin()
    line.open()


def leave_waiting(line: Line) -> None:
    leave_live(line)
    line.close(QUOTA)


def leave_moving(line: Line) -> None:
    leave_live(line)
    line.feed(GoAway(1, 0.0))


def leave_leaving(line: Line) -> None:
    leave_live(line)
    line.feed(Leave())


@pytest.mark.parametrize("hurry", [False, True])
@pytest.mark.parametrize(
    ("prepare", "state"),
    [
        (leave_fresh, State.DIALING),
        (leave_live, State.LIVE),
        (leave_waiting, State.WAITING),
        (leave_moving, State.MOVING),
        (leave_leaving, State.LEAVING),
    ],
)
def test_leaving_works_in_every_state_and_ends_within_seconds_of_a_dead_link(
    prepare: Callable[[Line], None], state: State, *, hurry: bool
) -> None:
    line = Line()
    prepare(line)
    assert line.state is state
    asked = line.now
    line.feed(Leave(hurry))
    if hurry and state is not State.WAITING:
        assert len(kinds(line.actions, Hang)) == 1  # at once
    while not line.at(State.OVER):
        line.tick()
    assert line.now - asked <= (1 if hurry else 2) * LAST_HANDLE_S
    assert line.finish == Finish(None)
    assert len(kinds(line.actions, Hang)) <= 1


def test_leaving_waits_for_the_handle_that_covers_the_last_answer_and_no_longer() -> None:
    line = live()
    line.handle("h1", 0.1)
    line.answer()
    assert line.feed(Leave()) == []
    actions = line.handle("h2", 0.4, covers=1)
    assert kinds(actions, Keep) == [Keep(Resumption("h2", 1))]
    assert kinds(actions, Hang) == [Hang(1)]
    assert line.handle("h3", 0.1) == [Keep(Resumption("h3", 0))]
    actions = line.close("", 1000, after=0.1)
    assert actions == [Expire(), Finish(None)]


def test_leaving_with_all_covered_hangs_up_at_once() -> None:
    line = live()
    line.answer()
    line.handle("h1", 0.1, covers=1)
    assert line.feed(Leave()) == [Hold(), Hang(1)]
