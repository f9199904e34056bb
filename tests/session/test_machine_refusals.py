"""The machine is refused, by example: the configuration, a quota, a handle, what is sent again, or any of these.

Numbers in parentheses are sections of docs/wire.md.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from livechat.errors import ConfigError, LostError, Notice
from livechat.session.events import Begin, Ended, Flow, Resumption, Show, Tick
from livechat.session.failures import DOUBTS
from livechat.session.ladder import HANDLE_STRIKES
from livechat.session.machine import State
from livechat.session.verdicts import SLOW_S, STABLE_S
from tests.support.line import INTERNAL, INVALID, KEY_WRONG, NOT_FOUND, QUOTA, Line, kinds, live

# ----------------------------------------------------------------------------------------- the configuration


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
    Ended(2, "http", 403),
    Ended(2, "close", 1007, KEY_WRONG),
    Ended(2, "close", 1008, NO_MODEL),
    Ended(2, "close", 1008, "Words nobody has seen before."),
]  # test_failures.py has more of them


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


def test_a_key_that_a_good_link_is_closed_for_is_shown_once_more() -> None:
    line = live()
    line.answer()
    line.close(KEY_WRONG, 1007, after=60.0)
    assert line.at(State.DIALING)
    line.open()
    assert line.at(State.LIVE)


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


# ------------------------------------------------------------------------------------------------ the ladder


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


# ----------------------------------------------------------------------------------- a handle from elsewhere


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
