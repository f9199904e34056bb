"""The unbroken line, as a pure machine: told what happened and when, it answers with what to do.

    machine = Machine(random=random.random, ttl=7200.0)
    actions = machine.handle(event, now)      # the only way to change it
    machine.deadline()                        # when it wants a Tick, or None

Rules
 1. TABLE holds every transition. An input that has no row in the current state is a bug and raises, and so is a
    state that the row does not lead to. docs/design.md draws it.
 2. An input of a link that is not the current one, or that has ended, is stale and ignored, with one exception: an
    answer that is whole counts. Once OVER, everything is ignored.
 3. Only one link lives: a handover closes the old one and dials when its end is known, because a server
    refuses a handle whose link is still open.
 4. A planned handover waits for a quiet moment (`_quiet`), within the time limit (time_limit.py).
 5. A link that lived for a while, or brought an answer, was a good one: what failed before is forgiven (failures.py).
 6. The ladder (ladder.py): newest handle, previous handle, a new session told the transcript, a new session.
    A handle from elsewhere, without a transcript here, has no lower rung.
 7. A question without an answer in time has a deaf session, or a model that chose silence (awaited.py).
 8. What worked once in this run is not the configuration's fault (failures.py).

Numbers in parentheses are sections of docs/wire.md.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, NamedTuple

from livechat.errors import ConfigError, LivechatError, LostError, Notice
from livechat.events import GoAwayNotice, LinkState, Rung
from livechat.session import events as ev
from livechat.session.awaited import Awaited, Deafness
from livechat.session.failures import Failures
from livechat.session.ladder import Ladder
from livechat.session.time_limit import TimeLimit
from livechat.session.verdicts import STABLE_S, Kind, Verdict, judge

LAST_HANDLE_S = 3.0  # on leaving: how long to read on for the handle that covers the last turn
CLOSE_LIMIT_S = 3.0  # a link that is being closed ends sooner than that, or is given up on
_ONLY = "no conversation of this handle is kept here; `livechat talk` begins another"


class State(Enum):
    """Where the conversation stands."""

    NEW = auto()
    DIALING = auto()  # a link is being opened
    LIVE = auto()  # it takes input
    MOVING = auto()  # it is being closed for the next
    WAITING = auto()  # none is; the next dial comes at `_retry_at`
    RESTING = auto()  # none is, and none is needed until the person speaks or types
    LEAVING = auto()  # the last one reads on for its last handle, or is being closed
    OVER = auto()


class ImpossibleError(KeyError):
    """A bug: the table has no such row, or the row does not lead there."""


class Machine:
    """States, handovers, back-off and the ladder. Times are seconds on the caller's clock."""

    def __init__(
        self, *, random: Callable[[], float], ttl: float, answer_s: float = 10.0, silent: bool = False
    ) -> None:
        """`random` gives numbers in [0, 1) for the back-off's jitter; `ttl`: seconds a handle outlives its link.

        `answer_s`: seconds after a question in which an answer begins, unless the session is deaf. `silent`: the
        model may choose to give none.
        """
        self.state = State.NEW
        self.ttl = ttl
        self._awaited = Awaited(answer_s=answer_s, silent=silent)
        self._ladder = Ladder(ttl)
        self._failures = Failures(random)
        self._limit = TimeLimit()
        self._link = 0
        self._only_resume = False  # until a link was good: a new session is not what was asked for
        self._transparent = False  # this link was dialled to go on where the last one was
        self._left_early = False  # the link before was, for a GoAway
        self._lost_at: float | None = None  # when input stopped flowing: the gap's beginning
        self._cause = ""  # of the handover going on
        self._retry_at = 0.0
        self._close_at = 0.0  # the latest moment for a link to be hung up, or to have been closed
        self._hung_up = False

    # ------------------------------------------------------------------------------------------ outside

    def handle(self, event: ev.Input, now: float) -> list[ev.Action]:
        """Take one input. Raises ImpossibleError for one that cannot happen in this state."""
        if self.state is State.OVER:
            return []
        ended = self.state in (State.WAITING, State.RESTING)
        if isinstance(event, ev.OfLink) and (event.link != self._link or ended):
            return self._left_at(event)
        row = TABLE.get((self.state, type(event)))
        if row is None:
            raise ImpossibleError(f"{type(event).__name__} cannot happen while {self.state.name}")
        before = self.state
        actions = row.handler(self, event, now)
        if self.state not in row.leads_to:
            raise ImpossibleError(f"{type(event).__name__} cannot lead from {before.name} to {self.state.name}")
        return actions

    def deadline(self) -> float | None:
        """The absolute time of the next Tick this state needs, or None."""
        if self.state is State.WAITING:
            return self._retry_at
        if self.state in (State.MOVING, State.LEAVING):
            return self._close_at
        if self.state is not State.LIVE:
            return None
        awaited = self._awaited
        times = [t for t in (awaited.asked_until, awaited.deaf_at) if t is not None]
        return min([*times, *self._limit.deadlines(answer_due=awaited.answer_due)], default=None)

    # ------------------------------------------------------------------------------------------ dialling

    def _begin(self, event: ev.Begin, now: float) -> list[ev.Action]:
        self._ladder.begin(event.handles)
        self._awaited.turns = event.turns
        self._only_resume = event.only_resume
        return self._dial(now)

    def _dial(self, now: float) -> list[ev.Action]:
        actions: list[ev.Action] = []
        while self._ladder.expired(now):
            actions.append(ev.Show(Notice("the session's handle has expired", self._next_rung())))
        if self._nothing_to_resume():
            return [*actions, *self._finish(LostError("there is nothing to resume: the handle has expired", _ONLY))]
        self._link += 1
        dialled = self._ladder.dial()
        self._failures.dialled()
        self.state = State.DIALING
        actions.append(ev.Show(LinkState(self._link, "connecting", resumed=dialled is not None)))
        # What an older handle may hold half of has its answer, or is of an earlier run: not to be gone on with. Nor
        # is a session that was deaf to a question: it is asked as a whole.
        stale = dialled is not None and (dialled.stored or dialled.covers < self._awaited.turns)
        self._transparent = not stale and not self._awaited.deaf
        actions.append(ev.Dial(self._link, dialled, self._transparent))
        return actions

    def _opened(self, event: ev.Opened, now: float) -> list[ev.Action]:
        self.state = State.LIVE
        self._limit.opened(now, stay=self._left_early)
        self._left_early = False
        dialled = self._ladder.dialled
        covers = dialled.covers if dialled else 0
        gap_ms = 0.0 if self._lost_at is None else (now - self._lost_at) * 1000
        flow = ev.Flow(self._link, covers, self._replay(), self._cause, self._rung(), gap_ms)
        self._failures.opened(old=bool(self._cause) or covers < self._awaited.turns)
        self._lost_at = None
        self._awaited.opened(now)
        shown = LinkState(self._link, "open", resumed=dialled is not None, setup_ms=event.setup_ms)
        return [ev.Show(shown), flow]

    def _replay(self) -> ev.Replay:
        if self._failures.bare:
            return "none"
        return "missing" if self._transparent and self._rung() == "resumed" else "all"

    def _rung(self) -> Rung:
        return self._ladder.rung(told=bool(self._awaited.turns) and not self._failures.bare)

    def _next_rung(self) -> str:
        return self._ladder.next_step(told=bool(self._awaited.turns))

    def _refused(self, event: ev.Ended, now: float) -> list[ev.Action]:
        return self._after(self._judged(event, setting_up=True, age_s=0.0), event, now)

    def _dropped(self, event: ev.Ended, now: float) -> list[ev.Action]:
        self._lost_at = now
        good = self._was_good(now)
        verdict = self._judged(event, setting_up=False, age_s=max(self._limit.age_s(now), STABLE_S if good else 0.0))
        if not good:
            self._failures.died_young(event)
        self._cause = verdict.why
        return [ev.Hold(), *self._expire(now), *self._after(verdict, event, now)]

    def _was_good(self, now: float) -> bool:
        """Rule 5."""
        good = self._failures.forgiven(self._limit.age_s(now))
        if good:
            self._ladder.forgive()
        return good

    def _judged(self, event: ev.Ended, *, setting_up: bool, age_s: float) -> Verdict:
        """What the end of a link means, by rule 8."""
        verdict = judge(event, setting_up=setting_up, age_s=age_s)
        resumed = self._ladder.dialled is not None
        return self._failures.doubted(verdict, event, setting_up=setting_up, resumed=resumed)

    def _expire(self, now: float) -> list[ev.Action]:
        return [ev.Expire()] if self._ladder.end_of_link(now) else []

    def _after(self, verdict: Verdict, event: ev.Ended, now: float) -> list[ev.Action]:
        closed = LinkState(self._link, "closed", code=event.code, reason=event.reason, why=verdict.why)
        actions: list[ev.Action] = [ev.Show(closed)]
        if verdict.kind is Kind.FATAL:
            return [*actions, *self._finish(ConfigError(verdict.why, verdict.hint))]
        struck = event.how == "close" and verdict.kind is Kind.RESUME  # a used up quota says nothing of a handle
        dead = ((struck and self._ladder.strike()) or verdict.kind is Kind.FRESH) and bool(self._ladder)
        if dead:
            self._ladder.drop_dead_session()
            if self._nothing_to_resume():
                return [*actions, *self._finish(LostError(f"there is nothing to resume: {verdict.why}", _ONLY))]
            actions.append(ev.Show(Notice(verdict.why, self._next_rung())))
        if self._failures.hopeless:
            return [*actions, *self._finish(LostError(f"no connection: {verdict.why}", verdict.hint))]
        if verdict.idle and self.state is State.LIVE and not self._awaited.busy:
            self.state = State.RESTING
            return [*actions, ev.Show(LinkState(self._link, "resting", why=verdict.why))]
        self._failures.count += 1
        if dead and self.state is State.DIALING:  # as often as there are handles, and no more
            return [*actions, *self._dial(now)]
        slow = verdict.kind is Kind.SLOW
        if verdict.hint and self._failures.count == (1 if slow else 2):
            actions.append(ev.Show(Notice(verdict.why, verdict.hint)))
        return [*actions, *self._dial_after(self._failures.delay_s(slow=slow), verdict.why, now)]

    def _dial_after(self, delay: float, why: str, now: float) -> list[ev.Action]:
        if delay == 0.0:
            return self._dial(now)
        self.state = State.WAITING
        self._retry_at = now + delay
        return [ev.Show(LinkState(self._link, "waiting", why=why, retry_in_s=round(delay, 1)))]

    def _nothing_to_resume(self) -> bool:
        """Rule 6, for a handle from elsewhere: without it there is neither session nor transcript."""
        return self._only_resume and not self._ladder and not self._failures.ever_good

    def _redial(self, _: ev.Tick, now: float) -> list[ev.Action]:
        return self._dial(now)

    # ------------------------------------------------------------------------------------------ live

    def _handle_in(self, event: ev.HandleIn, now: float) -> list[ev.Action]:
        self._awaited.handle(now, resumable=bool(event.handle))
        if not event.handle:
            return []
        newest = ev.Resumption(event.handle, event.covers)
        self._ladder.keep(newest)
        return [ev.Keep(newest), *self._move_if_quiet(now)]

    def _go_away(self, event: ev.GoAway, now: float) -> list[ev.Action]:
        self._limit.notice(event.time_left, now)
        return [ev.Show(GoAwayNotice(event.time_left)), *self._move_if_quiet(now)]

    def _tick_live(self, _: ev.Tick, now: float) -> list[ev.Action]:
        awaited, limit = self._awaited, self._limit
        awaited.tick(now)
        limit.tick(now)
        if limit.settled:
            awaited.settle()
        if limit.over(now, answer_due=awaited.answer_due):
            return self._move(now)
        if deafness := awaited.deafened(now):
            return self._deafened(deafness, now)
        return self._move_if_quiet(now)

    def _quiet(self) -> bool:
        """Nothing is awaited, and a handle covers all that was said.

        A server that gave this link no handle by the time it says GoAway will give none: no use in waiting.
        """
        if not self._awaited.quiet or self._limit.staying:
            return False
        return self._awaited.covered if self._awaited.handed else self._limit.noticed

    def _move_if_quiet(self, now: float) -> list[ev.Action]:
        return self._move(now) if self.state is State.LIVE and self._limit.cause and self._quiet() else []

    def _move(self, now: float) -> list[ev.Action]:
        self.state = State.MOVING
        self._lost_at = now
        self._close_at = now + CLOSE_LIMIT_S
        self._cause = self._limit.cause
        return [ev.Hold(), ev.Show(LinkState(self._link, "closing", why=self._cause)), ev.Hang(self._link)]

    def _moved(self, event: ev.Ended, now: float) -> list[ev.Action]:
        return self._next_link(
            LinkState(self._link, "closed", code=event.code, reason=event.reason, why=self._cause), now
        )

    def _given_up(self, _: ev.Tick, now: float) -> list[ev.Action]:
        """The close of a half-open connection can hang: what it says from now on is stale."""
        return self._next_link(LinkState(self._link, "closed", why=self._cause), now)

    def _next_link(self, closed: LinkState, now: float) -> list[ev.Action]:
        self._left_early = not self._was_good(now)
        if self._left_early:
            self._failures.count += 1  # a server that sends every link away at once is not to be hammered
        return [
            *self._expire(now),
            ev.Show(closed),
            *self._dial_after(self._failures.delay_s(slow=False), self._cause, now),
        ]

    def _deafened(self, deafness: Deafness, now: float) -> list[ev.Action]:
        """Rule 7."""
        if deafness in ("silence", "no answer"):
            said = Notice("there is no answer to this", "say it again, or in other words")
            return [ev.Show(said), ev.Forgo(heard=deafness == "silence")]
        if deafness == "ask in a new session" and self._ladder:
            self._ladder.drop_dead_session()
        return self._leave_behind("the server heard a question and did not answer", now)

    def _leave_behind(self, why: str, now: float) -> list[ev.Action]:
        """This link is no good, though it is open."""
        self._limit.cause = why
        return [ev.Show(Notice(why, "asking once more on another connection")), *self._move(now)]

    def _stuck(self, _: ev.Stuck, now: float) -> list[ev.Action]:
        return self._leave_behind("the answer stopped coming", now)

    def _slept(self, event: ev.Slept, now: float) -> list[ev.Action]:
        """The link is gone, most likely since the beginning; and handles age by the wall's clock."""
        actions = self._expire(now) if self.state is State.LIVE else []
        self._ladder.slept(event.unseen)
        if self.state is State.LIVE:
            self._limit.cause = "the computer slept"
            return [*actions, *self._move(now)]
        return self._dial(now) if self.state is State.WAITING else []

    def _person(self, event: ev.Person, now: float) -> list[ev.Action]:
        self._awaited.person(now, speaking=event.speaking)
        return self._dial(now) if self.state is State.RESTING else []

    def _asked(self, _: ev.Asked, now: float) -> list[ev.Action]:
        self._awaited.asked(now)
        return self._dial(now) if self.state is State.RESTING else []

    def _heard(self, _: ev.Noticed, __: float) -> list[ev.Action]:
        self._awaited.noticed()
        return []

    def _replying(self, _: ev.Replying, __: float) -> list[ev.Action]:
        self._failures.replying()
        self._ladder.forgive()
        self._awaited.replying()
        return []

    def _replied(self, _: ev.Replied, now: float) -> list[ev.Action]:
        self._awaited.replied(now)
        if self._limit.settled:
            self._awaited.settle()
        return []

    def _reopened(self, _: ev.Reopened, __: float) -> list[ev.Action]:
        self._awaited.reopened()
        return []

    def _left_at(self, event: ev.Input) -> list[ev.Action]:
        """Rule 2."""
        if isinstance(event, ev.Replied):
            self._awaited.answered_elsewhere(live=self.state is State.LIVE)
        return []

    def _turn_over(self, _: ev.TurnOver, now: float) -> list[ev.Action]:
        self._awaited.turn_over()
        return self._move_if_quiet(now)

    # ------------------------------------------------------------------------------------------ leaving

    def _leave(self, event: ev.Leave, now: float) -> list[ev.Action]:
        self.state = State.LEAVING
        if event.hurry or self._awaited.covered:
            return self._hang_up(now)
        self._close_at = now + LAST_HANDLE_S
        return []

    def _hang_up(self, now: float) -> list[ev.Action]:
        self._close_at = now + LAST_HANDLE_S  # the close handshake's limit is shorter; this is the belt
        self._hung_up = True
        return [ev.Hold(), ev.Hang(self._link)]

    def _last_handle(self, event: ev.HandleIn, now: float) -> list[ev.Action]:
        kept = self._handle_in(event, now)
        if kept and not self._hung_up:
            kept += self._hang_up(now)
        return kept

    def _leaving_tick(self, _: ev.Tick, now: float) -> list[ev.Action]:
        return self._gone(None, now) if self._hung_up else self._hang_up(now)

    def _leave_faster(self, event: ev.Leave, now: float) -> list[ev.Action]:
        return self._hang_up(now) if event.hurry and not self._hung_up else []

    def _gone(self, _: ev.Ended | None, now: float) -> list[ev.Action]:
        return [*self._expire(now), *self._finish(None)]

    def _leave_unlinked(self, _: ev.Leave, now: float) -> list[ev.Action]:
        """No link is open: nothing to wait for. One being opened is hung up on."""
        hang: list[ev.Action] = [ev.Hang(self._link)] if self.state is State.DIALING else []
        return [*hang, *self._expire(now), *self._finish(None)]

    def _finish(self, error: LivechatError | None) -> list[ev.Action]:
        self.state = State.OVER
        return [ev.Finish(error)]

    def _ignore(self, _: ev.Input, __: float) -> list[ev.Action]:
        return []


class Row(NamedTuple):
    """What is done about an input, and the states that may follow."""

    handler: Callable[[Machine, Any, float], list[ev.Action]]
    leads_to: set[State]


def _ignored(state: State, *inputs: type) -> dict[tuple[State, type], Row]:
    return {(state, kind): Row(Machine._ignore, {state}) for kind in inputs}


_S, _M = State, Machine
TABLE: dict[tuple[State, type], Row] = {
    (_S.NEW, ev.Begin): Row(_M._begin, {_S.DIALING, _S.OVER}),
    (_S.NEW, ev.Asked): Row(_M._asked, {_S.NEW}),
    **_ignored(_S.NEW, ev.Person, ev.Slept),
    # a link is being opened
    (_S.DIALING, ev.Opened): Row(_M._opened, {_S.LIVE}),
    (_S.DIALING, ev.Ended): Row(_M._refused, {_S.DIALING, _S.WAITING, _S.OVER}),
    (_S.DIALING, ev.Person): Row(_M._person, {_S.DIALING}),
    (_S.DIALING, ev.Asked): Row(_M._asked, {_S.DIALING}),
    (_S.DIALING, ev.Slept): Row(_M._slept, {_S.DIALING}),
    (_S.DIALING, ev.Leave): Row(_M._leave_unlinked, {_S.OVER}),
    **_ignored(_S.DIALING, ev.Tick, ev.TurnOver),  # TurnOver: a key silences what still sounds of the answer before
    # it takes input
    (_S.LIVE, ev.Ended): Row(_M._dropped, {_S.DIALING, _S.WAITING, _S.RESTING, _S.OVER}),
    (_S.LIVE, ev.HandleIn): Row(_M._handle_in, {_S.LIVE, _S.MOVING}),
    (_S.LIVE, ev.GoAway): Row(_M._go_away, {_S.LIVE, _S.MOVING}),
    (_S.LIVE, ev.Person): Row(_M._person, {_S.LIVE}),
    (_S.LIVE, ev.Asked): Row(_M._asked, {_S.LIVE}),
    (_S.LIVE, ev.Replying): Row(_M._replying, {_S.LIVE}),
    (_S.LIVE, ev.Replied): Row(_M._replied, {_S.LIVE}),
    (_S.LIVE, ev.Reopened): Row(_M._reopened, {_S.LIVE}),
    (_S.LIVE, ev.Noticed): Row(_M._heard, {_S.LIVE}),
    (_S.LIVE, ev.TurnOver): Row(_M._turn_over, {_S.LIVE, _S.MOVING}),
    (_S.LIVE, ev.Stuck): Row(_M._stuck, {_S.MOVING}),
    (_S.LIVE, ev.Slept): Row(_M._slept, {_S.MOVING}),
    (_S.LIVE, ev.Leave): Row(_M._leave, {_S.LEAVING}),
    (_S.LIVE, ev.Tick): Row(_M._tick_live, {_S.LIVE, _S.MOVING}),
    # it is being closed for the next: its last words still count, its state no longer matters
    (_S.MOVING, ev.Ended): Row(_M._moved, {_S.DIALING, _S.WAITING, _S.OVER}),
    (_S.MOVING, ev.HandleIn): Row(_M._handle_in, {_S.MOVING}),
    (_S.MOVING, ev.Person): Row(_M._person, {_S.MOVING}),
    (_S.MOVING, ev.Asked): Row(_M._asked, {_S.MOVING}),
    (_S.MOVING, ev.Replied): Row(_M._replied, {_S.MOVING}),
    (_S.MOVING, ev.Reopened): Row(_M._reopened, {_S.MOVING}),
    **_ignored(_S.MOVING, ev.GoAway, ev.Replying, ev.Noticed, ev.TurnOver, ev.Stuck),
    (_S.MOVING, ev.Slept): Row(_M._slept, {_S.MOVING}),
    (_S.MOVING, ev.Leave): Row(_M._leave_unlinked, {_S.OVER}),
    (_S.MOVING, ev.Tick): Row(_M._given_up, {_S.DIALING, _S.WAITING, _S.OVER}),
    # no link; the next dial comes by itself
    (_S.WAITING, ev.Tick): Row(_M._redial, {_S.DIALING, _S.OVER}),
    (_S.WAITING, ev.Person): Row(_M._person, {_S.WAITING}),
    (_S.WAITING, ev.Asked): Row(_M._asked, {_S.WAITING}),
    (_S.WAITING, ev.Slept): Row(_M._slept, {_S.DIALING, _S.OVER}),
    (_S.WAITING, ev.Leave): Row(_M._leave_unlinked, {_S.OVER}),
    # no link, and none is needed yet
    (_S.RESTING, ev.Person): Row(_M._person, {_S.DIALING, _S.OVER}),
    (_S.RESTING, ev.Asked): Row(_M._asked, {_S.DIALING, _S.OVER}),
    (_S.RESTING, ev.Slept): Row(_M._slept, {_S.RESTING}),
    (_S.RESTING, ev.Leave): Row(_M._leave_unlinked, {_S.OVER}),
    (_S.RESTING, ev.Tick): Row(_M._ignore, {_S.RESTING}),
    # the last link reads on for its last handle, then is closed
    (_S.LEAVING, ev.Ended): Row(_M._gone, {_S.OVER}),
    (_S.LEAVING, ev.HandleIn): Row(_M._last_handle, {_S.LEAVING}),
    (_S.LEAVING, ev.Replied): Row(_M._replied, {_S.LEAVING}),
    (_S.LEAVING, ev.Leave): Row(_M._leave_faster, {_S.LEAVING}),
    (_S.LEAVING, ev.Tick): Row(_M._leaving_tick, {_S.LEAVING, _S.OVER}),
    **_ignored(_S.LEAVING, ev.GoAway, ev.Person, ev.Asked, ev.Replying, ev.Reopened, ev.Noticed),
    **_ignored(_S.LEAVING, ev.TurnOver, ev.Stuck, ev.Slept),
}
