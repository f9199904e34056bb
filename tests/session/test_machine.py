"""The session machine against an adversary: its table, each rule by example, then a random outside world.

`World` plays network, server, person and clock in every legal order and checks after each step what must
hold for any of them: one link at a time, no good handle given up, no dead one kept, no deadline missed, no
endless loop, and an end that comes soon after it was asked for.

Numbers in parentheses are sections of docs/wire.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, get_args

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from livechat.errors import ConfigError, LostError, Notice
from livechat.events import LinkState
from livechat.models import ROTATE_AFTER_S
from livechat.session.awaited import ANSWER_S, QUESTION_S
from livechat.session.events import (
    Action,
    Asked,
    Begin,
    Dial,
    Ended,
    Expire,
    Finish,
    Flow,
    Forgo,
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
from livechat.session.failures import BACKOFF_S, DOUBTS, FIRST_TRIES
from livechat.session.ladder import HANDLE_STRIKES
from livechat.session.machine import CLOSE_LIMIT_S, LAST_HANDLE_S, TABLE, Machine, State
from livechat.session.time_limit import LAST_MOMENT_S
from livechat.session.verdicts import SLOW_S, STABLE_S

TTL = 7200.0
KEY_WRONG = "API key not valid. Please pass a valid API key."
QUOTA = "You exceeded your current quota, please check your plan and billing details."
INTERNAL = "Internal error encountered."
NOT_FOUND = "BidiGenerateContent session not found"
INVALID = "Request contains an invalid argument."

A = TypeVar("A")


def kinds(actions: list[Action], kind: type[A]) -> list[A]:
    """The actions of one kind, in order."""
    return [a for a in actions if isinstance(a, kind)]


class Line:
    """A machine, its clock, and everything it ever asked for."""

    def __init__(self, *, draw: float = 0.5, ttl: float = TTL, silent: bool = False) -> None:
        self.now = 1_000.0
        self.machine = Machine(random=lambda: draw, ttl=ttl, silent=silent)
        self.actions: list[Action] = []

    @property
    def state(self) -> State:
        return self.machine.state

    def at(self, state: State) -> bool:
        return self.machine.state is state

    @property
    def link(self) -> int:
        return self.dials[-1].n

    @property
    def dials(self) -> list[Dial]:
        return kinds(self.actions, Dial)

    @property
    def dialled(self) -> str | None:
        resumption = self.dials[-1].resumption
        return resumption.handle if resumption else None

    @property
    def flow(self) -> Flow:
        return kinds(self.actions, Flow)[-1]

    @property
    def finish(self) -> Finish:
        return kinds(self.actions, Finish)[-1]

    def feed(self, event: Input, after: float = 0.0) -> list[Action]:
        self.now += after
        actions = self.machine.handle(event, self.now)
        self.actions += actions
        return actions

    def begin(self, *handles: Resumption, turns: int = 0) -> list[Action]:
        return self.feed(Begin(handles, turns))

    def open(self, after: float = 0.2) -> list[Action]:
        return self.feed(Opened(self.link, after * 1000), after)

    def handle(self, handle: str, after: float = 0.0, covers: int = 0) -> list[Action]:
        return self.feed(HandleIn(self.link, handle, covers), after)

    def close(self, reason: str = INTERNAL, code: int = 1011, after: float = 1.0) -> list[Action]:
        return self.feed(Ended(self.link, "close", code, reason), after)

    def cut(self, after: float = 1.0) -> list[Action]:
        return self.feed(Ended(self.link, "network"), after)

    def answer(self, after: float = 1.0) -> list[Action]:
        """A whole answer, its playback counted."""
        begun = self.feed(Replying(self.link), after)
        return begun + self.feed(Replied(self.link)) + self.feed(TurnOver(self.link))

    def until(self, state: State) -> None:
        """Let the time pass until the machine is in that state by itself."""
        for _ in range(10):
            if not self.at(state):
                self.tick()
        assert self.at(state)

    def tick(self) -> list[Action]:
        """Let the time pass until the machine's deadline."""
        deadline = self.machine.deadline()
        assert deadline is not None
        self.now = max(self.now, deadline)
        return self.feed(Tick())


def live(*handles: Resumption, turns: int = 0, draw: float = 0.5, ttl: float = TTL) -> Line:
    """A line whose first link has just opened."""
    line = Line(draw=draw, ttl=ttl)
    line.begin(*handles, turns=turns)
    line.open()
    return line


# ------------------------------------------------------------------------------------------------- table

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


# ------------------------------------------------------------------------------------------- watchdogs


def spoken(line: Line, seconds: float = 2.0) -> None:
    line.feed(Person(speaking=True))
    line.feed(Person(speaking=False), seconds)


def test_a_deaf_link_is_left_for_another_then_its_session_and_then_it_is_left_at_that() -> None:
    line = live(Resumption("old", 0, 5_000.0), turns=1)
    spoken(line)
    asked = line.now
    line.tick()  # no answer is expected for a quiet point any more
    line.tick()
    assert line.now == asked + 10.0
    assert line.at(State.MOVING)
    line.cut(0.1)
    line.open()
    line.tick()
    line.tick()
    line.cut(0.1)
    line.open()
    handles = [dial.resumption and dial.resumption.handle for dial in line.dials]
    assert handles == ["old", "old", None]  # it may be poisoned: at last a session that is told the transcript
    line.tick()
    line.tick()
    assert line.at(State.LIVE)
    assert kinds(line.actions, Show)[-1].output == Notice(
        "there is no answer to this", "say it again, or in other words"
    )
    spoken(line)
    line.answer()
    spoken(line)
    line.tick()
    line.tick()
    assert line.at(State.MOVING)  # an answer has made it trusted again


def silent() -> Line:
    """A live line to a model that may choose silence."""
    line = Line(silent=True)
    line.begin()
    line.open()
    line.feed(HandleIn(1, "h", 0))
    return line


def test_a_heard_question_without_an_answer_is_the_silence_of_a_model_that_may_choose_it() -> None:
    line = silent()
    spoken(line)
    line.feed(Noticed(1))
    for _ in range(20):
        line.feed(HandleIn(1, "h", 0), 0.5)
    line.tick()
    assert line.at(State.LIVE)
    assert kinds(line.actions, Forgo) == [Forgo(heard=True)]


def test_a_model_that_may_choose_silence_is_asked_once_more_and_keeps_its_session() -> None:
    line = silent()
    line.feed(Asked())
    line.tick()
    line.tick()
    line.cut(0.1)
    line.open()
    assert line.dialled == "h"
    line.feed(HandleIn(2, "h2", 0), 1.0)
    line.tick()
    line.tick()
    assert line.at(State.LIVE)
    assert kinds(line.actions, Forgo) == [Forgo()]


@pytest.mark.parametrize("evidence", ["nothing is resumable", "the handles stopped"])
def test_what_speaks_against_the_session_is_no_silence(evidence: str) -> None:
    line = silent()
    if evidence == "the handles stopped":
        line.feed(HandleIn(1, "h", 0), 1.0)
    spoken(line)
    line.feed(Noticed(1))
    if evidence == "nothing is resumable":
        line.feed(HandleIn(1, "", 0), 1.0)
    line.tick()
    line.tick()
    assert line.at(State.MOVING)


def test_a_question_asked_while_an_answer_is_on_its_way_is_not_deaf() -> None:
    line = live()
    line.feed(Asked())
    line.feed(Replying(1), 1.0)
    line.feed(Asked(), 1.0)
    line.tick()
    line.tick()
    assert line.at(State.LIVE)


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


def test_a_key_that_silences_the_last_answer_while_a_link_is_opened_is_nothing_to_it() -> None:
    line = live()
    line.cut()
    assert line.at(State.DIALING)
    assert line.feed(TurnOver(line.link)) == []


def test_a_cough_expects_no_answer() -> None:
    line = live()
    spoken(line, 0.5)
    line.tick()
    assert line.at(State.LIVE)
    assert line.machine.deadline() == 1_000.2 + ROTATE_AFTER_S


def test_a_question_is_not_deaf_while_the_person_goes_on_speaking() -> None:
    line = live()
    spoken(line)
    line.feed(Person(speaking=True), 9.0)
    line.feed(Tick(), 20.0)
    assert line.at(State.LIVE)


def test_an_answer_that_stops_coming_is_asked_for_once_more() -> None:
    line = live()
    line.feed(Asked())
    line.feed(Replying(1), 1.0)
    line.feed(Stuck(1), 10.0)
    assert line.at(State.MOVING)
    line.cut(0.1)
    line.open()
    assert line.flow.cause == "the answer stopped coming"


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


def test_a_sleep_leaves_the_link_and_ages_the_handles() -> None:
    line = live(Resumption("old", 0, 5_000.0))
    line.feed(Slept(60.0))
    assert line.at(State.MOVING)
    line.cut(0.1)
    line.open()
    line.feed(Slept(8_000.0), after=20.0)
    line.cut(0.1)
    assert [dial.resumption and dial.resumption.handle for dial in line.dials] == ["old", "old", None]


# ------------------------------------------------------------------------------------------- first link


def test_the_first_link_is_dialled_with_the_newest_handle_and_is_no_handover() -> None:
    line = live(Resumption("new", 3, 5_000.0), Resumption("old", 2, 5_000.0), turns=4)
    assert [d.resumption and d.resumption.handle for d in line.dials] == ["new"]
    assert (line.flow.covers, line.flow.how, line.flow.cause, line.flow.gap_ms) == (3, "resumed", "", 0.0)


def test_no_more_than_two_handles_are_ever_tried() -> None:
    line = Line()
    line.begin(*(Resumption(name, 0, 5_000.0) for name in "abcd"))
    for _ in range(2):
        line.close(NOT_FOUND, 1008)
    assert [d.resumption and d.resumption.handle for d in line.dials] == ["a", "b", None]


def test_expired_handles_are_never_dialled_and_the_person_is_told() -> None:
    line = Line()
    actions = line.begin(Resumption("dead", 3, 999.0), Resumption("older", 2, 5_000.0), turns=3)
    assert line.dialled == "older"
    assert [a.output for a in kinds(actions, Show) if isinstance(a.output, Notice)] == [
        Notice("the session's handle has expired", "trying the one before it")
    ]
    line.open()
    assert line.flow.how == "previous"


def test_a_handle_that_expired_at_the_very_zero_of_the_clock_is_expired() -> None:
    line = Line()
    line.begin(Resumption("dead", 0, 0.0))
    assert line.dialled is None


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


@pytest.mark.parametrize(
    "end",
    [
        Ended(1, "bad", reason="Project ID is missing"),
        Ended(1, "bad", 407, "the proxy proxy:3128 wants a user name and password (HTTP 407)", "set HTTPS_PROXY"),
        Ended(1, "http", 403),
        Ended(1, "tls", reason="self-signed certificate"),
        Ended(1, "close", 1007, KEY_WRONG),
        Ended(1, "close", 1007, INVALID),
    ],
)
def test_a_wrong_configuration_ends_it_at_once_with_exit_3(end: Ended) -> None:
    line = Line()
    line.begin()
    line.feed(end)
    assert line.at(State.OVER)
    assert isinstance(line.finish.error, ConfigError)
    assert line.finish.error.exit_code == 3
    assert line.finish.error.hint


@pytest.mark.parametrize(
    "how",
    [
        Ended(2, "tls", reason="unable to get local issuer certificate"),
        Ended(2, "bad", reason="no token"),
        Ended(2, "bad", 407, "the proxy proxy:3128 wants a user name and password (HTTP 407)", "set HTTPS_PROXY"),
        Ended(2, "bad", 302, "the server sent the connection on to portal.test (HTTP 302)", "open a web page"),
        Ended(2, "proxy", 503, "the proxy proxy:3128 does not get through to live.test (HTTP 503)", "check it"),
    ],
)
def test_what_worked_in_this_run_is_not_the_configurations_fault(how: Ended) -> None:
    """A captive portal has its own certificate, and without a network no token is renewed: both pass."""
    line = live()
    line.answer()
    line.cut(600.0)
    line.feed(how)
    assert line.at(State.WAITING)
    line.tick()
    line.open()
    assert line.at(State.LIVE)


NO_MODEL = "models/x is not found for API version v1, or is not supported for bidiGenerateContent."
REFUSALS = [
    *(Ended(2, "http", status) for status in (400, 401, 403, 404, 407, 410, 451)),
    Ended(2, "close", 1007, KEY_WRONG),
    Ended(2, "close", 1007, "API key expired. Please renew the API key."),
    Ended(2, "close", 1008, NO_MODEL),
    Ended(2, "close", 1008, "Words nobody has seen before."),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
@pytest.mark.parametrize("life", [3.0, 600.0])
def test_what_was_accepted_before_is_tried_again_when_it_is_refused_and_keeps_its_session(
    refusal: Ended, life: float
) -> None:
    line = live()
    line.handle("h", 1.0)
    line.cut(life)
    vague = "Words" in refusal.reason
    for _ in range(2):
        line.feed(replace(refusal, link=line.link), 0.1)
        if line.at(State.WAITING):
            line.tick()
        assert line.at(State.DIALING)
    assert line.dialled == (None if vague else "h")
    line.open()
    assert line.at(State.LIVE)


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_what_goes_on_being_refused_is_believed_soon(refusal: Ended) -> None:
    line = live()
    line.handle("h", 1.0)
    line.cut(60.0)
    began = line.now
    while not line.at(State.OVER):
        line.feed(replace(refusal, link=line.link), 0.1)
        if line.at(State.WAITING):
            line.tick()
    assert isinstance(line.finish.error, ConfigError)
    assert line.finish.error.hint
    assert len(line.dials) == 2 + DOUBTS
    assert line.now - began < 30.0


def test_doubts_are_of_refusals_in_a_row() -> None:
    line = live()
    for _ in range(3 * DOUBTS):
        line.answer()
        line.cut(60.0)
        line.feed(Ended(line.link, "http", 403), 0.1)
        line.until(State.DIALING)
        line.open()
    assert line.at(State.LIVE)


def test_a_key_that_a_good_link_is_closed_for_is_shown_once_more() -> None:
    line = live()
    line.answer()
    line.close(KEY_WRONG, 1007, after=60.0)
    assert line.at(State.DIALING)
    line.open()
    assert line.at(State.LIVE)


def test_credentials_that_were_taken_back_end_it_at_once() -> None:
    line = live()
    line.answer()
    line.cut(3600.0)
    line.feed(Ended(line.link, "auth", reason="Google refused the credentials (invalid_grant)"), 0.1)
    assert isinstance(line.finish.error, ConfigError)


def test_a_token_that_cannot_be_renewed_just_now_is_a_dropped_line() -> None:
    line = live()
    line.handle("h", 1.0)
    line.cut(3600.0)
    for _ in range(20):
        line.feed(Ended(line.link, "token", reason="HTTP 503"), 0.1)
        line.until(State.DIALING)
    assert line.dialled == "h"
    line.open()
    assert line.at(State.LIVE)


# ----------------------------------------------------------------------------------------------- a drop


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


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999_999])
def test_back_off_grows_from_half_a_second_to_thirty_with_jitter_on_the_upper_half(draw: float) -> None:
    line = live(draw=draw)
    line.cut(60.0)
    waits = []
    for _ in range(12):
        line.cut(0.1)
        deadline = line.machine.deadline()
        assert deadline is not None
        waits.append(deadline - line.now)
        line.tick()
    steps = [min(BACKOFF_S[1], BACKOFF_S[0] * 2**n) for n in range(12)]
    assert waits == pytest.approx([step * (0.5 + draw / 2) for step in steps])


def test_a_network_that_is_away_for_a_day_overflows_nothing() -> None:
    line = live()
    line.cut(60.0)
    for _ in range(4_000):
        line.cut(0.1)
        line.tick()
    assert line.at(State.DIALING)
    line.open()
    assert line.flow.gap_ms > 24 * 3600 * 1000


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


def test_a_quota_is_left_alone_for_65_seconds_then_longer_and_keeps_its_handle() -> None:
    line = live()
    line.handle("h", 10.0)
    waits = []
    line.close(QUOTA)
    for _ in range(4):
        deadline = line.machine.deadline()
        assert line.at(State.WAITING)
        assert deadline is not None
        waits.append(deadline - line.now)
        line.tick()
        assert line.dialled == "h"
        line.open()  # quota errors come after setupComplete
        line.close(QUOTA, after=0.8)
    assert waits == [SLOW_S[0], SLOW_S[0] * 2, SLOW_S[0] * 4, SLOW_S[1]]
    hints = [a.output for a in kinds(line.actions, Show) if isinstance(a.output, Notice)]
    assert len(hints) == 1  # said once, not at every try


# ------------------------------------------------------------------------------------------- the ladder


def test_a_refused_handle_steps_down_the_ladder_at_once_to_a_seeded_session() -> None:
    line = Line()
    line.begin(Resumption("new", 3, 5_000.0), Resumption("old", 2, 5_000.0), turns=3)
    line.close(NOT_FOUND, 1008, after=0.2)
    assert (line.state, line.dialled) == (State.DIALING, "old")
    line.close(NOT_FOUND, 1008, after=0.2)
    assert (line.state, line.dialled) == (State.DIALING, None)
    line.open()
    assert (line.flow.how, line.flow.covers) == ("seeded", 0)
    hints = [a.output.hint for a in kinds(line.actions, Show) if isinstance(a.output, Notice)]
    assert hints == ["trying the one before it", "opening a new session that is told the transcript"]


def test_a_session_that_dies_at_once_on_every_link_is_left_although_each_link_brings_a_new_handle() -> None:
    """Poisoned (2.6), on a server that hands out a handle right after setupComplete (11)."""
    line = live()
    line.answer()
    line.handle("h1", 10.0, covers=1)
    line.close()
    for n in range(6):
        if line.at(State.WAITING):
            line.tick()
        if line.dialled is None:
            break
        line.open()
        line.handle(f"again{n}", 0.01, covers=1)
        line.close(after=0.5)
    assert [d.resumption and d.resumption.handle for d in line.dials] == [None, "h1", "again0", None]
    line.open()
    assert line.flow.how == "seeded"


def test_handles_older_than_a_dead_one_are_still_tried() -> None:
    line = Line()
    line.begin(Resumption("new", 3, 5_000.0), Resumption("old", 2, 5_000.0), turns=3)
    for _ in range(HANDLE_STRIKES):
        line.close(INTERNAL, 1011, after=0.1)
    assert line.dialled == "old"
    line.open()
    assert line.flow.how == "previous"


def test_links_without_a_handle_put_no_strike_on_the_handle_that_comes_later() -> None:
    line = live()
    line.close()
    line.close(after=0.1)
    line.tick()
    line.open()
    line.handle("h", 0.1)
    line.close(after=0.5)
    line.tick()
    assert line.dialled == "h"


def test_a_server_that_forgets_each_session_at_once_is_not_hammered() -> None:
    """Every link opens, brings a handle, and dies saying that the session is not found."""
    line = live()
    began = line.now
    for n in range(12):
        line.handle(f"h{n}", 0.01)
        line.close(NOT_FOUND, 1008, after=0.01)
        if line.at(State.WAITING):
            line.tick()
        line.open(0.01)
    assert line.now - began > 60.0


def test_a_refused_setup_puts_the_handle_in_doubt_before_the_configuration() -> None:
    """1007 "invalid argument" answers a resumption that once worked (2.10): the conversation is not over."""
    line = live()
    line.answer()
    line.handle("h1", 1.0, covers=1)
    line.cut(60.0)
    line.close(INVALID, 1007, after=0.1)
    assert (line.state, line.dialled) == (State.DIALING, None)
    line.open()
    assert line.flow.how == "seeded"


def test_a_long_session_that_is_given_up_is_left_with_all_its_handles() -> None:
    """1007 after minutes of health: the trimmed session is dead, not just its newest handle (4)."""
    line = live()
    line.answer()
    line.handle("h1", 1.0, covers=1)
    line.handle("h2", 1.0, covers=1)
    line.close(INVALID, 1007, after=300.0)
    assert (line.state, line.dialled) == (State.DIALING, None)
    line.open()
    assert (line.flow.how, line.flow.covers) == ("seeded", 0)


def test_a_link_that_dies_of_old_speech_is_resumed_once_more_without_it() -> None:
    """Audio buffered over the gap and flushed after a resume caused 1007 (2.11)."""
    line = live()
    line.answer()
    line.handle("h", 1.0, covers=1)
    line.cut(60.0)
    line.open()
    line.close(INVALID, 1007, after=0.3)
    line.tick()
    assert (line.state, line.dialled) == (State.DIALING, "h")
    line.open()
    line.cut(60.0)
    line.open()
    assert [flow.replay == "none" for flow in kinds(line.actions, Flow)] == [
        False,
        False,
        True,
        False,
    ]  # only that once
    assert [flow.cause for flow in kinds(line.actions, Flow)][2].startswith(
        "the server refused what it was sent again"
    )


def test_a_link_that_had_answered_before_it_was_refused_was_set_up_well() -> None:
    line = live()
    line.answer(1.0)
    line.close(INVALID, 1007, after=1.0)
    assert line.at(State.DIALING)


def test_a_setup_refused_on_every_rung_ends_it_with_exit_3() -> None:
    line = live()
    line.answer()
    line.handle("h0", 1.0, covers=1)
    line.cut(60.0)
    for n in range(20):
        if line.at(State.OVER):
            break
        if line.at(State.WAITING):
            line.tick()
        line.open()
        line.handle(f"h{n}", 0.01, covers=1)
        line.close(INVALID, 1007, after=0.1)
    assert line.at(State.OVER)
    assert isinstance(line.finish.error, ConfigError)
    assert any(flow.replay == "none" for flow in kinds(line.actions, Flow))
    assert any(dial.resumption is None for dial in line.dials[1:])


# --------------------------------------------------------------------------------------------- handover


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


@pytest.mark.parametrize(
    ("time_left", "stay"), [(50.0, 40.0), (9.0, 6.0), (3.0, 1.5), (1.0, 0.0), (0.0, 0.0), (1e9, 1e9 - 10)]
)
def test_a_person_who_speaks_is_left_alone_until_the_notice_runs_out(time_left: float, stay: float) -> None:
    line = live()
    line.feed(Person(speaking=True))
    line.feed(GoAway(1, time_left), 100.0)
    noticed = line.now
    line.until(State.MOVING)
    assert line.now - noticed == pytest.approx(stay)


def test_an_answer_on_its_way_is_waited_for_to_the_last_moment() -> None:
    line = live()
    line.handle("h")
    line.feed(Asked())
    line.feed(Replying(1), 1.0)
    line.feed(GoAway(1, 4.0))
    noticed = line.now
    line.until(State.MOVING)
    assert line.now - noticed == pytest.approx(4.0 - LAST_MOMENT_S)


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


def test_a_second_go_away_never_postpones_the_first() -> None:
    line = live()
    line.feed(Person(speaking=True))
    line.feed(GoAway(1, 50.0), 540.0)
    line.tick()
    first = line.machine.deadline()
    line.feed(GoAway(1, 50.0), 10.0)
    line.tick()
    assert line.machine.deadline() == first
    line.feed(GoAway(1, 0.0), 1.0)
    assert line.machine.deadline() == line.now


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


def test_a_question_that_no_answer_follows_does_not_hold_the_line_for_ever() -> None:
    line = live()
    line.handle("h", 0.1)
    line.feed(Person(speaking=True), 1.0)
    line.feed(Person(speaking=False), 1.0)
    line.feed(GoAway(1, 50.0), 1.0)
    line.tick()
    assert line.at(State.MOVING)
    assert line.now == pytest.approx(1_000.2 + 0.1 + 2.0 + ANSWER_S)


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


def test_an_answer_that_was_whole_before_the_drop_is_not_waited_for_again() -> None:
    line = live()
    line.feed(Replying(1), 1.0)
    line.feed(Replied(1), 1.0)
    line.cut(0.1)
    line.open()
    line.handle("h2", 0.1)
    line.feed(GoAway(2, 50.0), 0.1)
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


def test_a_person_who_speaks_when_the_link_opens_is_not_kept_on_it_to_the_last_moment() -> None:
    """Their words are sent again in any case; the typed question before them may never be answered now."""
    line = Line()
    line.begin()
    line.feed(Asked())
    line.feed(Person(speaking=True))
    line.open()
    line.feed(GoAway(1, 3.0))
    line.feed(Tick(), 1.5)
    assert line.at(State.MOVING)


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


def test_a_handle_that_comes_while_the_link_closes_is_the_one_to_resume_by() -> None:
    line = live()
    line.handle("h1", 0.1)
    line.feed(GoAway(1, 50.0), 540.0)
    assert line.handle("h2", 0.1) == [Keep(Resumption("h2", 0))]
    line.close("", 1000)
    assert line.dialled == "h2"


def test_a_session_that_cannot_be_resumed_just_now_keeps_its_older_handle() -> None:
    line = live()
    line.handle("h1", 0.1)
    assert line.handle("", 0.1) == []
    line.cut(60.0)
    assert line.dialled == "h1"


# ----------------------------------------------------------------------------------------------- leaving


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


# --------------------------------------------------------------------------------------- a random world

ENDS: tuple[tuple[str, int | None, str], ...] = (
    ("close", 1000, ""),
    ("close", 1006, ""),
    ("close", 1011, INTERNAL),
    ("close", 1011, "The service is currently unavailable."),
    ("close", 1011, "Deadline expired before operation could complete."),
    ("close", 1011, QUOTA),
    ("close", 1008, "The operation was aborted."),
    ("close", 1008, NOT_FOUND),
    ("close", 1007, "Invalid session handle"),
    ("close", 1007, INVALID),
    ("close", 1007, "Words nobody has seen before."),
    ("close", 1008, "Operation is not implemented, or supported, or enabled."),
    ("http", 429, ""),
    ("http", 503, ""),
    ("network", None, "Connection reset by peer"),
    ("network", 1006, ""),
    ("dns", None, "Name or service not known"),
    ("timeout", None, ""),
    ("tls", None, "certificate has expired"),
    ("bad", None, "nothing to sign with"),
    ("close", 1007, KEY_WRONG),
    ("http", 401, ""),
    ("http", 404, ""),
    ("token", None, "HTTP 503"),
    ("auth", None, "Google refused the credentials"),
)
SLOW_ENDS = {("close", QUOTA), ("http", "")}
seconds = st.sampled_from([0.0, 0.001, 0.3, 1.0, 1.5, 3.0, 5.9, 6.0, 7.9, 8.0, 30.0, 100.0, 540.0, 570.0, 4_000.0])
GRACE = 1e-6


class World(RuleBasedStateMachine):
    """Everything outside the machine, in any order that can happen."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.begun = self.leaving = self.over = False
        self.machine = Machine(random=lambda: 0.3, ttl=TTL)
        self.link = 0
        self.alive = self.opened = self.hung = self.flowing = False
        self.opened_at = self.hung_at = 0.0
        self.ended = False  # the link has said Ended, no other is dialled yet
        self.brought = False  # this link brought something of an answer
        self.replied = True
        self.turn_open = self.speaking = False
        self.asked_until = -1.0
        self.question = False  # something that wants an answer has been asked, and none has begun
        self.speaking_since = 0.0
        self.move_by: float | None = None  # the earliest end of the notices of this link, less the margin
        self.handle_at: float | None = None  # on this link
        self.replied_at = 0.0
        self.owed = False  # the link before was lost in the middle of an answer
        self.end_by = 0.0  # the same, to the last moment
        self.settled_at = 0.0  # from then on playback is not waited for
        self.names = itertools.count()
        self.issued: list[tuple[str, int]] = []  # (handle, by which link), oldest first
        self.dialled: str | None = None
        self.expiry: dict[str, float] = {}
        self.suspect: set[str] = set()  # handles there is a reason not to dial
        self.refused: set[str] = set()  # handles the server said it does not know
        self.bad_in_a_row = 0  # links closed young and without an answer, each dialled with a handle
        self.failing = 0  # links in a row that never brought anything, however they ended
        self.finished: Finish | None = None

    # ---------------------------------------------------------------------------------- feeding, checking

    def feed(self, event: Input) -> list[Action]:
        was_live = self.machine.state is State.LIVE
        if was_live and isinstance(event, Tick) and self.now >= self.asked_until:
            self.asked_until = -1.0
        settled = self.move_by is not None and self.now >= self.settled_at - GRACE
        playing = self.turn_open and not (settled and self.replied)
        busy = self.speaking or playing or self.now < self.asked_until
        latest = self.end_by if self.due() else self.move_by
        due = self.move_by is not None and latest is not None and self.now >= latest - GRACE
        if isinstance(event, Tick) and self.machine.state is State.MOVING and not self.leaving:
            assert self.now >= self.hung_at + CLOSE_LIMIT_S - GRACE
            self._link_is_gone()  # given up on
        actions = self.machine.handle(event, self.now)
        said = [a.output.message for a in kinds(actions, Show) if isinstance(a.output, Notice)]
        if any("did not answer" in message for message in said):  # deaf: the session may be at fault too
            self.suspect |= {self.dialled} if self.dialled else set()
            self.suspect |= {name for name, link in self.issued if link == self.link}
        due = due or isinstance(event, Slept | Stuck) or any("did not answer" in message for message in said)
        for action in actions:
            match action:
                case Forgo():
                    self.question = False
                case Dial(n, resumption, _):
                    self._dial(n, resumption)
                case Hang(n):
                    assert n == self.link
                    assert self.alive
                    assert not self.hung, "hung up twice"
                    self.hung, self.hung_at = True, self.now
                    if was_live and not self.leaving:
                        assert due or not busy, "left a busy line although nothing forced it"
                case Flow(n):
                    assert self.opened
                    assert n == self.link
                    assert not self.flowing
                    assert action.gap_ms >= 0.0
                    self.flowing = True
                case Hold():
                    self.flowing = False
                case Keep(resumption):
                    assert isinstance(event, HandleIn)
                    assert resumption.handle == event.handle
                case Finish():
                    assert self.finished is None
                    self.finished = action
                    self.over = True
                case Show(LinkState(state="waiting", retry_in_s=wait)):
                    assert wait is not None
                    assert 0.0 < wait <= SLOW_S[1]
        return actions

    def _dial(self, n: int, resumption: Resumption | None) -> None:
        assert not self.alive, "a second link beside a living one"
        assert not self.flowing, "dialled without a Hold"
        assert not self.leaving
        assert n == self.link + 1
        handle = resumption.handle if resumption else None
        if resumption is not None:
            assert resumption.expires is not None
            assert resumption.expires >= self.now, "dialled with an expired handle"
            assert resumption.expires <= self.expiry[resumption.handle] + GRACE
            assert resumption.handle not in self.refused, "dialled with a refused handle"
        for name, _ in reversed(self.issued):
            if name == handle:
                break
            expired = self.expiry.get(name, self.now) < self.now
            assert expired or name in self.suspect, f"gave up {name}, a good handle"
        self.bad_in_a_row = self.bad_in_a_row if handle else 0
        assert self.bad_in_a_row <= 2 * HANDLE_STRIKES, "retries a dead session for ever"
        self.link, self.dialled = n, handle
        self.alive, self.opened, self.hung, self.ended = True, False, False, False
        self.brought, self.replied, self.turn_open = False, True, False
        self.move_by = self.handle_at = None

    @invariant()
    def a_tick_at_the_deadline_always_makes_progress(self) -> None:
        deadline = self.machine.deadline()
        if deadline is None or deadline > self.now:
            return
        state = self.machine.state
        self.feed(Tick())
        after = self.machine.deadline()
        assert self.machine.state is not state or after is None or after > self.now, "busy loop"

    @invariant()
    def the_notice_of_a_go_away_is_never_outstayed(self) -> None:
        if self.machine.state is State.LIVE and self.move_by is not None:
            deadline = self.machine.deadline()
            assert deadline is not None
            assert deadline <= max(self.move_by if not self.due() else self.end_by, self.now) + GRACE

    def due(self) -> bool:
        """Whether an answer is on its way, or may be, or the handle that covers it."""
        uncovered = self.handle_at is not None and self.handle_at < self.replied_at and not self.speaking
        return (self.turn_open and not self.replied) or self.now < self.asked_until or uncovered

    @invariant()
    def a_wait_always_has_an_end(self) -> None:
        if self.machine.state in (State.WAITING, State.MOVING):
            deadline = self.machine.deadline()
            assert deadline is not None
            assert deadline - self.now <= max(SLOW_S[1], CLOSE_LIMIT_S) + GRACE

    @invariant()
    def it_is_over_exactly_when_it_said_so(self) -> None:
        assert (self.machine.state is State.OVER) == self.over
        if self.finished is not None and self.finished.error is not None:
            assert isinstance(self.finished.error, ConfigError | LostError)
            assert self.finished.error.exit_code in (3, 5)
            assert not self.leaving, "who leaves is not told of an error"

    # ---------------------------------------------------------------------------------- what can happen

    @initialize(handles=st.lists(st.sampled_from([-5.0, 1.0, 50.0, 7_000.0]), max_size=3), turns=st.integers(0, 3))
    def begin(self, handles: list[float], turns: int) -> None:
        kept = [Resumption(f"kept{i}", 0, self.now + left) for i, left in enumerate(handles)]
        self.issued = [(h.handle, 0) for h in reversed(kept[:2])]
        self.expiry = {h.handle: h.expires for h in kept if h.expires is not None}
        self.begun = True
        self.feed(Begin(tuple(kept), turns))

    @rule(dt=seconds)
    def time_passes(self, dt: float) -> None:
        """No further than the machine's next deadline: the runner would have fed a Tick by then."""
        deadline = self.machine.deadline()
        self.now = self.now + dt if deadline is None else max(self.now, min(self.now + dt, deadline))

    @rule()
    def time_passes_to_the_deadline(self) -> None:
        self.now = max(self.now, self.machine.deadline() or 0.0)

    @precondition(lambda self: self.alive and not self.opened and not self.over)
    @rule()
    def opens(self) -> None:
        self.opened, self.opened_at = True, self.now
        self.question = self.question or self.owed
        if not self.speaking and (self.turn_owed() or self.question):
            self.asked_until = self.now + ANSWER_S
        self.owed = False
        self.feed(Opened(self.link, 200.0))

    def turn_owed(self) -> bool:
        """Asked, and not given up on: while there is no link, nothing is."""
        return self.asked_until >= 0

    @precondition(lambda self: self.alive and not self.over)
    @rule(end=st.integers(-2 * len(ENDS), len(ENDS) - 1))
    def ends(self, end: int) -> None:
        if end < 0:
            return  # most links live for a while
        how, code, reason = ENDS[end]
        if self.opened and how in ("http", "dns", "bad", "timeout", "token", "auth"):
            how, code, reason = "network", None, ""
        self._end(how, code, reason)

    @precondition(lambda self: self.alive and not self.opened and not self.over and not self.leaving)
    @rule(links=st.integers(1, 8), handles=st.integers(0, 3), reason=st.sampled_from([INTERNAL, NOT_FOUND, INVALID]))
    def links_die_young(self, links: int, handles: int, reason: str) -> None:
        """A server that opens, hands out handles and drops the line, over and over."""
        for _ in range(links):
            if self.machine.state is State.WAITING:
                self.time_passes_to_the_deadline()
                self.feed(Tick())
            if self.over:
                return
            self.opens()
            for _ in range(handles):
                self.a_handle_comes(resumable=True)
            self._end("close", 1011, reason)

    @precondition(lambda self: self.alive and self.hung and not self.over)
    @rule()
    def the_close_is_answered(self) -> None:
        self._end("close", 1000, "")

    def _end(self, how: Any, code: int | None, reason: str) -> None:
        young = not self.opened or (self.now - self.opened_at < STABLE_S and not self.brought)
        planned = self.machine.state is State.MOVING
        unknown = reason in (NOT_FOUND, "Invalid session handle")
        vague = how == "close" and code in (1007, 1008) and reason not in (KEY_WRONG, "The operation was aborted.")
        slow = reason == QUOTA or code == 429
        if not planned:
            if unknown and not self.opened and self.dialled:
                self.refused.add(self.dialled)
            if how == "close" and not slow and (young or unknown or vague):
                self.suspect |= {self.dialled} if self.dialled else set()
                self.suspect |= {name for name, link in self.issued if link == self.link}
                self.bad_in_a_row += 1 if self.dialled and young else 0
        first_failure, before = self._link_is_gone(planned=planned), self.link
        actions = self.feed(Ended(self.link, how, code, reason))
        if self.over or self.leaving:
            return
        if slow and not planned:
            assert not kinds(actions, Dial), "a quota was not left alone"
            deadline = self.machine.deadline()
            assert deadline is not None
            assert deadline - self.now >= SLOW_S[0] - GRACE
        elif first_failure and self.machine.state is not State.RESTING:
            assert self.link == before + 1, "the first retry is at once"
        if self.machine.state is State.WAITING and not slow:
            deadline = self.machine.deadline()
            assert deadline is not None
            assert BACKOFF_S[0] / 2 - GRACE <= deadline - self.now <= BACKOFF_S[1]

    def _link_is_gone(self, *, planned: bool = True) -> bool:
        """True if nothing has failed since the last good link but, maybe, this one."""
        young = not self.opened or (self.now - self.opened_at < STABLE_S and not self.brought)
        if not young:
            self.bad_in_a_row = self.failing = 0
        first = self.failing == 0
        self.failing += 1 if young or not planned else 0
        for name, link in self.issued:
            if link == self.link:
                self.expiry.setdefault(name, self.now + TTL)
        self.owed = self.owed or (self.turn_open and not self.replied)
        self.alive, self.opened, self.ended, self.turn_open = False, False, True, False
        return first

    @precondition(lambda self: self.opened and not self.over)
    @rule(resumable=st.booleans())
    def a_handle_comes(self, resumable: bool) -> None:
        name = f"h{next(self.names)}" if resumable else ""
        if name:
            self.handle_at = self.now
            self.issued.append((name, self.link))
            self.suspect |= {old for old, _ in self.issued[:-2]}  # only two are kept
        self.feed(HandleIn(self.link, name, 0))

    @precondition(lambda self: self.opened and not self.over)
    @rule(time_left=st.sampled_from([0.0, 0.5, 3.0, 9.5, 50.0, 3_600.0]))
    def the_server_says_go_away(self, time_left: float) -> None:
        by = self.now + max(0.0, time_left - min(max(time_left / 3, 1.5), 10.0))
        end = self.now + max(0.0, time_left - LAST_MOMENT_S)
        self.end_by = end if self.move_by is None else min(self.end_by, end)
        self.move_by = by if self.move_by is None else min(self.move_by, by)
        self.settled_at = (self.now + self.move_by) / 2
        self.feed(GoAway(self.link, time_left))

    @precondition(lambda self: self.begun)
    @rule()
    def the_person_speaks_or_stops(self) -> None:
        self.speaking = not self.speaking
        self.asked_until = -1.0 if self.speaking else self.now + ANSWER_S
        if self.speaking:
            self.speaking_since = self.now
        elif self.now - self.speaking_since >= QUESTION_S:
            self.question = True
        self.feed(Person(self.speaking))

    @precondition(lambda self: self.begun)
    @rule()
    def the_person_types(self) -> None:
        self.asked_until = self.now + ANSWER_S
        self.question = True
        self.feed(Asked())

    @precondition(lambda self: self.opened and not self.over and not self.turn_open)
    @rule()
    def an_answer_begins(self) -> None:
        if self.machine.state is State.LIVE:
            self.brought, self.failing, self.bad_in_a_row = True, 0, 0
            self.turn_open, self.replied, self.asked_until = True, False, -1.0
            self.question = False
        self.feed(Replying(self.link))

    @precondition(lambda self: self.turn_open and not self.replied and not self.over)
    @rule()
    def an_answer_is_whole(self) -> None:
        self.replied = True
        if self.machine.state is not State.OVER:
            self.replied_at = self.now
        self.feed(Replied(self.link))

    @precondition(lambda self: self.opened and not self.over)
    @rule()
    def a_turn_is_over(self) -> None:
        if self.turn_open and not self.replied:
            self.an_answer_is_whole()
        self.turn_open = False
        self.feed(TurnOver(self.link))

    @precondition(lambda self: self.turn_open and not self.replied and not self.over)
    @rule()
    def an_answer_stops_coming(self) -> None:
        self.feed(Stuck(self.link))

    @precondition(lambda self: self.begun)
    @rule(unseen=st.sampled_from([0.0, 60.0, 8_000.0]))
    def the_computer_sleeps(self, unseen: float) -> None:
        if self.machine.state is State.LIVE:
            self.expiry |= {name: self.now + TTL for name, link in self.issued if link == self.link}
        self.expiry = {name: at - unseen for name, at in self.expiry.items()}
        self.feed(Slept(unseen))

    @precondition(lambda self: self.ended and not self.over)
    @rule()
    def the_runner_closes_the_turn_of_a_link_that_has_just_ended(self) -> None:
        assert self.feed(TurnOver(self.link)) == []

    @precondition(lambda self: self.link > 1)
    @rule(kind=st.integers(0, 4))
    def a_former_link_says_something(self, kind: int) -> None:
        old = self.link - 1
        stale: list[Input] = [
            Ended(old, "network"),
            HandleIn(old, "stale", 0),
            GoAway(old, 0.0),
            Replied(old),
            TurnOver(old),
        ]
        assert self.feed(stale[kind]) == []
        self.owed = self.owed and kind != 3

    @precondition(lambda self: self.begun and not self.over)
    @rule(hurry=st.booleans(), really=st.sampled_from([False] * 9 + [True]))
    def the_person_leaves(self, hurry: bool, really: bool) -> None:
        if really:
            self.leaving = True
            self.feed(Leave(hurry))

    def teardown(self) -> None:
        """Whatever happened: leaving ends it soon, though nothing outside answers any more."""
        if not self.begun:
            return
        asked = self.now
        self.leaving = True
        if not self.over:
            self.feed(Leave(hurry=True))
        for _ in range(3):
            deadline = self.machine.deadline()
            if deadline is None:
                break
            self.now = max(self.now, deadline)
            self.feed(Tick())
        assert self.machine.state is State.OVER
        assert self.now - asked <= LAST_HANDLE_S + GRACE
        assert self.finished is not None


TestWorld = World.TestCase
TestWorld.settings = settings(
    max_examples=600,
    stateful_step_count=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


# ------------------------------------------------------------------------------------- a handle from elsewhere


def stranger() -> Line:
    line = Line()
    line.feed(Begin((Resumption("h", 0, 10_000.0),), only_resume=True))
    return line


@pytest.mark.parametrize(
    "ends",
    [
        [Ended(1, "close", 1008, NOT_FOUND)],
        [Ended(1, "close", 1008, "Requested entity was not found.")],
        [Ended(1, "close", 1007, "Invalid session handle")],
        [Ended(1, "close", 1007, INVALID)],
        [Ended(1, "close", 1011, INTERNAL), Ended(2, "close", 1011, INTERNAL)],
    ],
)
def test_a_handle_from_elsewhere_that_is_refused_ends_it(ends: list[Ended]) -> None:
    """There is neither a session nor a transcript: a new conversation is not what was asked for."""
    line = stranger()
    for end in ends:
        assert line.dialled == "h"
        line.feed(end, 0.1)
    error = line.finish.error
    assert isinstance(error, LostError)
    assert error.message.startswith("there is nothing to resume: ")
    assert len(line.dials) == len(ends)
    assert kinds(line.actions, Notice) == []


@pytest.mark.parametrize(
    "ends",
    [[Ended(1, "close", 1008, NOT_FOUND)], [Ended(1, "close", 1007, "Request contains an invalid argument.")],
     [Ended(1, "close", 1011, "Internal error occurred."), Ended(2, "close", 1011, "Internal error occurred.")]],
)  # fmt: skip
def test_a_handle_from_elsewhere_that_is_refused_after_setup_ends_it_too(ends: list[Ended]) -> None:
    """As a handle of another model is (docs/wire.md 2.6): that a link was open proves nothing."""
    line = stranger()
    for end in ends:
        assert line.dialled == "h"
        line.open()
        line.feed(end, 0.1)
    assert isinstance(line.finish.error, LostError)
    assert line.finish.error.message.startswith("there is nothing to resume: ")


def test_a_handle_from_elsewhere_is_dialled_again_after_a_network_fault() -> None:
    line = stranger()
    for how in ("network", "dns", "timeout"):
        line.feed(Ended(line.link, how), 0.1)
        while line.at(State.WAITING):
            line.feed(Tick(), 1.0)
        assert line.dialled == "h"
    line.open()
    assert line.flow.how == "resumed"


def test_a_handle_from_elsewhere_that_was_good_once_goes_down_the_ladder_as_any_other() -> None:
    line = stranger()
    line.open()
    line.feed(Ended(1, "network"), STABLE_S + 1)
    assert line.dialled == "h"
    line.feed(Ended(2, "close", 1008, NOT_FOUND), 0.1)
    assert line.dials[-1].resumption is None
    line.open()
    assert line.flow.how == "fresh"


def test_a_handle_from_elsewhere_that_has_expired_is_not_dialled() -> None:
    line = Line()
    line.feed(Begin((Resumption("h", 0, line.now - 1),), only_resume=True))
    assert isinstance(line.finish.error, LostError)
    assert line.dials == []
