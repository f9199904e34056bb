"""The machine against an adversary: a random outside world.

`World` plays network, server, person and clock in every legal order and checks after each step what must
hold for any of them: one link at a time, no good handle given up, no dead one kept, no deadline missed, no
endless loop, and an end that comes soon after it was asked for.
"""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from livechat.errors import ConfigError, LostError, Notice
from livechat.events import LinkState
from livechat.session.awaited import ANSWER_S, QUESTION_S
from livechat.session.events import (
    Action,
    Asked,
    Begin,
    Dial,
    Ended,
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
    Opened,
    Person,
    Replied,
    Replying,
    Resumption,
    Show,
    Slept,
    Stuck,
    Tick,
    TurnOver,
)
from livechat.session.failures import BACKOFF_S
from livechat.session.ladder import HANDLE_STRIKES
from livechat.session.machine import CLOSE_LIMIT_S, LAST_HANDLE_S, Machine, State
from livechat.session.time_limit import LAST_MOMENT_S
from livechat.session.verdicts import SLOW_S, STABLE_S
from tests.support.examples import examples
from tests.support.line import INTERNAL, INVALID, KEY_WRONG, NOT_FOUND, QUOTA, TTL, kinds

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
    max_examples=examples(200),
    stateful_step_count=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
