"""The unbroken line, as a pure machine: told what happened and when, it answers with what to do.

    machine = Machine(random=random.random, ttl=7200.0)
    actions = machine.handle(event, now)      # the only way to change it
    machine.deadline()                        # when it wants a Tick, or None

Rules
 1. TABLE holds every transition. An input that has no row in the current state is a bug and raises.
 2. An input of a link that is not the current one, or that has ended, is stale and ignored, but for the
    count of an answer that is left at what came of it. So is everything once OVER.
 3. Only one link lives: a handover closes the old one and dials when its end is known, because a server
    refuses a handle whose link is still open.
 4. A planned handover waits for a quiet point (`_quiet`), and for no longer than the server's notice: less a
    margin where somebody speaks, whose words are sent again; to the last moment where an answer or the handle
    that covers it is on its way, for without it the next link would have to be asked, or told, again.
 5. "Open" proves nothing, since quota errors come after it: only STABLE_S of life or the model's own
    output resets the count of failures.
 6. The ladder: newest handle, previous handle, a new session told the transcript, a new session.
    A handle that is refused, or that fails twice, is dropped with those its links handed out since;
    nothing is retried for ever. A handle from elsewhere, without a transcript here, has no lower rung.
 7. A question without an answer in time has a deaf session, whatever the link says: the link is left for
    another, the next time the session too, and then it is left at that. Of a model that may choose silence, a
    session that is well (`_well`) is never given up: such a question is asked once more, on the same session,
    and only if nothing shows that it was heard.
 8. What worked once in this run is not the configuration's fault: the handle is doubted first, then what
    was sent again, then the network; and the same is tried a few times before it is believed.

Numbers in parentheses are sections of docs/wire.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import Any

from livechat.errors import ConfigError, LivechatError, LostError
from livechat.events import (
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
    GoAwayNotice,
    HandleIn,
    Hang,
    Hold,
    Input,
    Keep,
    Leave,
    LinkState,
    Noticed,
    Opened,
    Person,
    Reopened,
    Replay,
    Replied,
    Replying,
    Resumption,
    Rung,
    Show,
    Slept,
    Stuck,
    Tick,
    TurnOver,
    Warned,
)
from livechat.models import ROTATE_AFTER_S
from livechat.session.pulse import Pulse
from livechat.session.verdicts import SLOW_S, STABLE_S, Kind, Verdict, judge

BACKOFF_S = (0.5, 30.0)  # the second retry's wait, and the longest; the first retry is at once (6.2)
MARGIN_S = (1.5, 10.0)  # leave a third of the notice before its end, within these bounds (6.2)
LAST_MOMENT_S = 0.5  # before the end of the notice: what is left for an answer on its way
ANSWER_S = 6.0  # after the person fell silent: with no answer begun by then, none is expected
LAST_HANDLE_S = 3.0  # on leaving: how long to read on for the handle that covers the last turn
CLOSE_LIMIT_S = 3.0  # a link that is being closed ends sooner than that, or is given up on
HANDLE_STRIKES = 2  # short-lived links on one session before its handles count as poisoned (2.6)
QUESTION_S = 1.0  # of speech, voice detection's own delay included: what is shorter may be a cough
DEAF_LINKS = 2  # in a row: then the question is taken to want no answer
DEADLY = 4  # links in a row that died young after they were given old speech: once more without it
# Refusals in a row that may be of the handle, of what was sent again, or of the moment: then it is the setup.
DOUBTS = 4
_ONLY = "no conversation of this handle is kept here; `livechat talk` begins another"
FIRST_TRIES = 5  # with no link ever open, the address or the network is wrong: say so instead of waiting


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
        self._random = random
        self._ttl = ttl
        self._answer_s = answer_s
        self._silent = silent
        self._link = 0
        self._handles: list[Resumption] = []  # newest first, at most two
        self._only_resume = False  # until a link was good: a new session is not what was asked for
        self._dialled: Resumption | None = None
        self._transparent = False  # this link was dialled to go on where the last one was
        self._stepped_down = False  # the newest handle was dropped and none has come since
        self._turns = 0  # answered, by all links
        self._opened_at = 0.0
        self._left_early = False  # the link before was, for a GoAway: this one is used for what it is good for
        self._stay_until: float | None = None  # no quiet point is looked for before
        self._ever_open = False
        self._ever_good = False  # by rule 5
        self._lost_at: float | None = None  # when input stopped flowing: the gap's beginning
        self._cause = ""
        self._failures = 0
        self._strikes = 0
        self._doubts = 0
        self._retry_at = 0.0
        self._bare = False
        self._gave_old = False  # this link was given old speech or context
        self._proved = False  # this link brought something of an answer
        self._leave_at: float | None = None  # the latest moment to move, or to end, or to have been closed
        self._settle_at: float | None = None  # from then on an answer's playback is not waited for
        self._end_at = 0.0  # the latest moment to move, with an answer on its way
        self._want_move = ""  # the cause of a planned handover, once there is one
        self._speaking = False
        self._asked_until: float | None = None  # an answer may still begin until then
        self._speaking_since = 0.0
        self._question = False  # something that wants an answer has been asked, and none has begun
        self._deaf_at: float | None = None  # no answer by then: the session is deaf
        self._deaf = 0  # links in a row that were
        self._noticed = False  # the server showed that it heard what was asked last
        self._pulse = Pulse()  # of the handles, and of word that there is none
        self._resumable = True  # by the newest of them: nothing is being generated
        self._turn_open = False
        self._owed = False  # an answer has begun and is not whole
        self._turn_over_at = 0.0
        self._handle_at: float | None = None  # when the newest handle of this link came
        self._hung_up = False

    # ------------------------------------------------------------------------------------------ outside

    def handle(self, event: Input, now: float) -> list[Action]:
        """Take one input. Raises KeyError for one that cannot happen in this state."""
        if self.state is State.OVER:
            return []
        link = getattr(event, "link", None)
        if link is not None and (link != self._link or self.state in (State.WAITING, State.RESTING)):
            return self._left_at(event)
        return TABLE[self.state, type(event)](self, event, now)

    def deadline(self) -> float | None:
        """The absolute time of the next Tick this state needs, or None."""
        if self.state is State.WAITING:
            return self._retry_at
        if self.state in (State.MOVING, State.LEAVING):
            return self._leave_at
        if self.state is not State.LIVE:
            return None
        leave_at = self._end_at if self._leave_at is not None and self._answer_due() else self._leave_at
        waits = (leave_at, self._settle_at, self._asked_until, self._deaf_at, self._stay_until)
        times = [t for t in waits if t is not None]
        if not self._want_move:
            times.append(self._opened_at + ROTATE_AFTER_S)
        return min(times, default=None)

    # ------------------------------------------------------------------------------------------ dialling

    def _begin(self, event: Begin, now: float) -> list[Action]:
        self._handles = list(event.handles)[:2]
        self._turns = event.turns
        self._only_resume = event.only_resume
        return self._dial(now)

    def _dial(self, now: float) -> list[Action]:
        actions: list[Action] = []
        while self._handles and (expires := self._handles[0].expires) is not None and expires < now:
            self._drop_handles(1)
            actions.append(Show(Warned("the session's handle has expired", self._next_rung())))
        if self._nothing_to_resume():
            return [*actions, *self._finish(LostError("there is nothing to resume: the handle has expired", _ONLY))]
        self._link += 1
        self._dialled = self._handles[0] if self._handles else None
        self._gave_old = self._proved = False
        self.state = State.DIALING
        actions.append(Show(LinkState(self._link, "connecting", resumed=self._dialled is not None)))
        # What an older handle may hold half of has its answer, or is of an earlier run: not to be gone on with. Nor
        # is a session that was deaf to a question: it is asked as a whole.
        stale = self._dialled is not None and (self._dialled.stored or self._dialled.covers < self._turns)
        self._transparent = not stale and not self._deaf
        actions.append(Dial(self._link, self._dialled, self._transparent))
        return actions

    def _opened(self, event: Opened, now: float) -> list[Action]:
        self.state = State.LIVE
        self._opened_at = now
        self._stay_until = now + STABLE_S if self._left_early else None
        self._left_early = False
        self._want_move = ""
        self._leave_at = self._settle_at = None
        self._handle_at = None
        self._turn_open = self._noticed = False
        self._pulse, self._resumable = Pulse(), True
        covers = self._dialled.covers if self._dialled else 0
        gap_ms = 0.0 if self._lost_at is None else (now - self._lost_at) * 1000
        flow = Flow(self._link, covers, self._replay(), self._cause, self._rung(), gap_ms)
        self._gave_old = not self._bare and (bool(self._cause) or covers < self._turns)
        self._bare = False
        self._ever_open = True
        self._lost_at = None
        self._question = self._question or self._owed
        if not self._speaking and (self._asked_until is not None or self._question):  # it is sent again
            self._asked_until = now + ANSWER_S
        self._owed = False
        self._deaf_at = now + self._answer_s if self._question and not self._speaking else None
        shown = LinkState(self._link, "open", resumed=self._dialled is not None, setup_ms=event.setup_ms)
        return [Show(shown), flow]

    def _replay(self) -> Replay:
        if self._bare:
            return "none"
        return "missing" if self._transparent and self._rung() == "resumed" else "all"

    def _rung(self) -> Rung:
        if self._dialled is not None:
            return "previous" if self._stepped_down else "resumed"
        return "seeded" if self._turns and not self._bare else "fresh"

    def _next_rung(self) -> str:
        if self._handles:
            return "trying the one before it"
        return "opening a new session that is told the transcript" if self._turns else "opening a new session"

    def _refused(self, event: Ended, now: float) -> list[Action]:
        return self._after(self._doubted(judge(event, setting_up=True, age_s=0.0), event), event, now)

    def _dropped(self, event: Ended, now: float) -> list[Action]:
        self._lost_at = now
        stable = self._was_stable(now)
        verdict = judge(event, setting_up=False, age_s=max(now - self._opened_at, STABLE_S if stable else 0.0))
        verdict = self._doubted(verdict, event)
        if not stable and self._gave_old and event.how == "close" and self._failures >= DEADLY:
            self._bare = True  # every session has died of it
        self._cause = verdict.why
        return [Hold(), *self._expire(now), *self._after(verdict, event, now)]

    def _was_stable(self, now: float) -> bool:
        """Whether the link was a good one (rule 5); then nothing that failed before counts any more."""
        if now - self._opened_at < STABLE_S and not self._proved:
            return False
        self._failures = self._strikes = self._doubts = 0
        self._ever_good = True
        return True

    def _doubted(self, verdict: Verdict, event: Ended) -> Verdict:
        """Rule 8: a refusal of the whole setup, once more without what may have been refused in truth."""
        if event.how == "auth" or not (verdict.vague or verdict.kind is Kind.FATAL):
            return verdict  # credentials that were taken back are not given again
        if event.how in ("tls", "bad") and self._ever_open:
            return replace(verdict, kind=Kind.AGAIN)  # a captive portal shows its own certificate, for hours maybe
        if self._doubts >= DOUBTS:
            return verdict
        if verdict.vague and self._gave_old:
            self._doubts += 1
            self._bare = True
            return Verdict(Kind.RESUME, "the server refused what it was sent again: once more without it")
        if verdict.vague and self._dialled is not None:
            self._doubts += 1
            return Verdict(Kind.FRESH, "the server no longer accepts this handle")
        accepted = self._ever_open if self.state is State.DIALING else self._ever_good
        if accepted and verdict.kind is Kind.FATAL:
            self._doubts += 1
            return replace(verdict, kind=Kind.AGAIN, hint="it was accepted before: the same once more")
        return verdict

    def _expire(self, now: float) -> list[Action]:
        if not self._handles or self._handles[0].expires is not None:
            return []
        self._handles = [h if h.expires is not None else replace(h, expires=now + self._ttl) for h in self._handles]
        return [Expire()]

    def _after(self, verdict: Verdict, event: Ended, now: float) -> list[Action]:
        closed = LinkState(self._link, "closed", code=event.code, reason=event.reason, why=verdict.why)
        actions: list[Action] = [Show(closed)]
        if verdict.kind is Kind.FATAL:
            return [*actions, *self._finish(_error(verdict))]
        if event.how == "close" and verdict.kind is Kind.RESUME and self._dialled is not None:
            self._strikes += 1  # a used up quota says nothing of a handle
        dead = bool(self._handles) and (verdict.kind is Kind.FRESH or self._strikes >= HANDLE_STRIKES)
        if dead:
            self._drop_handles(self._of_dead_session())
            if self._nothing_to_resume():
                return [*actions, *self._finish(LostError(f"there is nothing to resume: {verdict.why}", _ONLY))]
            actions.append(Show(Warned(verdict.why, self._next_rung())))
        if not self._ever_open and self._failures + 1 >= FIRST_TRIES:
            return [*actions, *self._finish(LostError(f"no connection: {verdict.why}", verdict.hint))]
        busy = self._speaking or self._question or self._owed or self._asked_until is not None
        if verdict.idle and self.state is State.LIVE and not busy:
            self.state = State.RESTING
            return [*actions, Show(LinkState(self._link, "resting", why=verdict.why))]
        self._failures += 1
        if dead and self.state is State.DIALING:  # as often as there are handles, and no more
            return [*actions, *self._dial(now)]
        if verdict.hint and self._failures == (1 if verdict.kind is Kind.SLOW else 2):
            actions.append(Show(Warned(verdict.why, verdict.hint)))
        return [*actions, *self._dial_after(self._delay(slow=verdict.kind is Kind.SLOW), verdict.why, now)]

    def _dial_after(self, delay: float, why: str, now: float) -> list[Action]:
        if delay == 0.0:
            return self._dial(now)
        self.state = State.WAITING
        self._retry_at = now + delay
        return [Show(LinkState(self._link, "waiting", why=why, retry_in_s=round(delay, 1)))]

    def _nothing_to_resume(self) -> bool:
        """Rule 6, for a handle from elsewhere: without it there is neither session nor transcript."""
        return self._only_resume and not self._handles and not self._ever_good

    def _of_dead_session(self) -> int:
        """How many of the handles are no better than what was dialled: itself, and all that came since."""
        dialled = self._dialled.handle if self._dialled else None
        names = [h.handle for h in self._handles]
        return names.index(dialled) + 1 if dialled in names else len(names)

    def _drop_handles(self, count: int) -> None:
        del self._handles[:count]
        self._stepped_down = bool(self._handles)
        self._strikes = 0

    def _delay(self, *, slow: bool) -> float:
        """Full jitter on the upper half: it spreads callers and keeps the order of magnitude promised."""
        first, longest = SLOW_S if slow else BACKOFF_S
        doublings = self._failures - (1 if slow else 2)
        if doublings < 0:
            return 0.0
        return min(longest, first * 2.0 ** min(doublings, 16)) * (0.5 + self._random() / 2 if not slow else 1.0)

    def _redial(self, _: Tick, now: float) -> list[Action]:
        return self._dial(now)

    # ------------------------------------------------------------------------------------------ live

    def _handle_in(self, event: HandleIn, now: float) -> list[Action]:
        self._pulse.beat(now)
        self._resumable = bool(event.handle)
        if not event.handle:
            return []
        newest = Resumption(event.handle, event.covers)
        self._handles = [newest, *(h for h in self._handles if h.handle != event.handle)][:2]
        self._stepped_down = False
        self._handle_at = now
        return [Keep(newest), *self._move_if_quiet(now)]

    def _go_away(self, event: GoAway, now: float) -> list[Action]:
        margin = min(max(event.time_left / 3, MARGIN_S[0]), MARGIN_S[1])
        leave_at = now + max(0.0, event.time_left - margin)
        end_at = now + max(0.0, event.time_left - LAST_MOMENT_S)
        self._end_at = end_at if self._leave_at is None else min(self._end_at, end_at)
        self._leave_at = leave_at if self._leave_at is None else min(self._leave_at, leave_at)
        self._settle_at = (now + self._leave_at) / 2
        self._want_move = "the server's time limit for one connection"
        return [Show(GoAwayNotice(event.time_left)), *self._move_if_quiet(now)]

    def _tick_live(self, _: Tick, now: float) -> list[Action]:
        if self._asked_until is not None and now >= self._asked_until:
            self._asked_until = None
        if self._stay_until is not None and now >= self._stay_until:
            self._stay_until = None
        if self._settle_at is not None and now >= self._settle_at:
            self._settle_at = None
            self._turn_open = self._owed
        if self._leave_at is not None and now >= (self._end_at if self._answer_due() else self._leave_at):
            return self._move(now)
        if self._deaf_at is not None and now >= self._deaf_at:
            if self._owed:  # what is asked meanwhile is answered after it, and Stuck is for an answer that stops
                self._deaf_at = now + self._answer_s
            else:
                return self._deafened(now)
        if not self._want_move and now >= self._opened_at + ROTATE_AFTER_S:
            self._want_move = "our own time limit for one connection"
        return self._move_if_quiet(now)

    def _quiet(self) -> bool:
        """Nobody speaks, nothing is asked, no answer is on its way, and a handle covers all of it.

        A server that gave this link no handle by the time it says GoAway will give none: no use in waiting.
        """
        if self._speaking or self._asked_until is not None or self._turn_open or self._stay_until is not None:
            return False
        return self._covered() if self._handle_at is not None else self._leave_at is not None

    def _answer_due(self) -> bool:
        """Whether an answer is on its way, or the handle that will cover it."""
        uncovered = self._handle_at is not None and not self._covered()
        return self._asked_until is not None or self._owed or (uncovered and not self._speaking)

    def _covered(self) -> bool:
        return self._handle_at is not None and self._handle_at >= self._turn_over_at

    def _move_if_quiet(self, now: float) -> list[Action]:
        return self._move(now) if self.state is State.LIVE and self._want_move and self._quiet() else []

    def _move(self, now: float) -> list[Action]:
        self.state = State.MOVING
        self._lost_at = now
        self._leave_at = now + CLOSE_LIMIT_S
        self._cause = self._want_move
        return [Hold(), Show(LinkState(self._link, "closing", why=self._cause)), Hang(self._link)]

    def _moved(self, event: Ended, now: float) -> list[Action]:
        return self._next_link(
            LinkState(self._link, "closed", code=event.code, reason=event.reason, why=self._cause), now
        )

    def _given_up(self, _: Tick, now: float) -> list[Action]:
        """The close of a half-open connection can hang: what it says from now on is stale."""
        return self._next_link(LinkState(self._link, "closed", why=self._cause), now)

    def _next_link(self, closed: LinkState, now: float) -> list[Action]:
        self._left_early = not self._was_stable(now)
        if self._left_early:
            self._failures += 1  # a server that sends every link away at once is not to be hammered
        return [*self._expire(now), Show(closed), *self._dial_after(self._delay(slow=False), self._cause, now)]

    def _deafened(self, now: float) -> list[Action]:
        """Rule 7."""
        self._deaf_at = None
        self._deaf += 1
        chosen = self._noticed and self._well(now)
        twice = self._deaf == DEAF_LINKS and self._handle_at is not None and self._well(now)
        if self._deaf > DEAF_LINKS or chosen or twice:
            self._question = False
            return [
                Show(Warned("there is no answer to this", "say it again, or in other words")),
                Forgo(heard=chosen),
            ]
        if self._deaf == DEAF_LINKS and self._handles:
            self._drop_handles(self._of_dead_session())
        return self._leave_behind("the server heard a question and did not answer", now)

    def _well(self, now: float) -> bool:
        """Nothing but the missing answer speaks against this session, and the model may choose to give none.

        A poisoned session never ends the answer that it never gives: it says that there is no handle just now. A dead
        link says nothing more.
        """
        return self._silent and self._resumable and not self._pulse.stopped(now)

    def _leave_behind(self, why: str, now: float) -> list[Action]:
        """This link is no good, though it is open."""
        self._want_move = why
        return [Show(Warned(why, "asking once more on another connection")), *self._move(now)]

    def _stuck(self, _: Stuck, now: float) -> list[Action]:
        return self._leave_behind("the answer stopped coming", now)

    def _slept(self, event: Slept, now: float) -> list[Action]:
        """The link is gone, most likely since the beginning; and handles age by the wall's clock."""
        actions = self._expire(now) if self.state is State.LIVE else []
        self._handles = [
            h if h.expires is None else replace(h, expires=h.expires - event.unseen) for h in self._handles
        ]
        if self.state is State.LIVE:
            self._want_move = "the computer slept"
            return [*actions, *self._move(now)]
        return self._dial(now) if self.state is State.WAITING else []

    def _person(self, event: Person, now: float) -> list[Action]:
        self._speaking = event.speaking
        self._deaf_at = None
        if event.speaking:
            self._noticed = False
            self._speaking_since = now
            self._asked_until = None
        else:
            self._asked_until = now + ANSWER_S
            if now - self._speaking_since >= QUESTION_S:
                self._expect(now)
        return self._dial(now) if self.state is State.RESTING else []

    def _asked(self, _: Asked, now: float) -> list[Action]:
        self._asked_until = now + ANSWER_S
        self._noticed = False
        self._expect(now)
        return self._dial(now) if self.state is State.RESTING else []

    def _heard(self, _: Noticed, __: float) -> list[Action]:
        self._noticed = True
        return []

    def _expect(self, now: float) -> None:
        self._question = True
        self._deaf_at = now + self._answer_s

    def _replying(self, _: Replying, __: float) -> list[Action]:
        self._failures = self._strikes = self._doubts = 0
        self._proved = True
        self._asked_until = self._deaf_at = None
        self._question = False
        self._deaf = 0
        self._turn_open = self._owed = True
        return []

    def _replied(self, _: Replied, now: float) -> list[Action]:
        self._turns += 1
        self._owed = False
        self._turn_over_at = now  # all of it is here: from now on a handle may cover it
        if self._leave_at is not None and self._settle_at is None:
            self._turn_open = False
        return []

    def _reopened(self, _: Reopened, __: float) -> list[Action]:
        self._turns -= 1
        self._turn_open = self._owed = True
        return []

    def _left_at(self, event: Input) -> list[Action]:
        """Rule 2: a question of the link before counts as answered, and is not owed an answer by the next."""
        if isinstance(event, Replied):
            self._turns += 1
            self._owed = self._owed and self.state is State.LIVE
        return []

    def _turn_over(self, _: TurnOver, now: float) -> list[Action]:
        self._turn_open = self._owed = False
        return self._move_if_quiet(now)

    # ------------------------------------------------------------------------------------------ leaving

    def _leave(self, event: Leave, now: float) -> list[Action]:
        self.state = State.LEAVING
        if event.hurry or self._covered():
            return self._hang_up(now)
        self._leave_at = now + LAST_HANDLE_S
        return []

    def _hang_up(self, now: float) -> list[Action]:
        self._leave_at = now + LAST_HANDLE_S  # the close handshake's limit is shorter; this is the belt
        self._hung_up = True
        return [Hold(), Hang(self._link)]

    def _last_handle(self, event: HandleIn, now: float) -> list[Action]:
        kept = self._handle_in(event, now)
        if kept and not self._hung_up:
            kept += self._hang_up(now)
        return kept

    def _leaving_tick(self, _: Tick, now: float) -> list[Action]:
        return self._gone(None, now) if self._hung_up else self._hang_up(now)

    def _leave_faster(self, event: Leave, now: float) -> list[Action]:
        return self._hang_up(now) if event.hurry and not self._hung_up else []

    def _gone(self, _: Ended | None, now: float) -> list[Action]:
        return [*self._expire(now), *self._finish(None)]

    def _leave_unlinked(self, _: Leave, now: float) -> list[Action]:
        """No link is open: nothing to wait for. One being opened is hung up on."""
        hang: list[Action] = [Hang(self._link)] if self.state is State.DIALING else []
        return [*hang, *self._expire(now), *self._finish(None)]

    def _finish(self, error: LivechatError | None) -> list[Action]:
        self.state = State.OVER
        return [Finish(error)]

    def _ignore(self, _: Input, __: float) -> list[Action]:
        return []


def _error(verdict: Verdict) -> LivechatError:
    kind = ConfigError if verdict.exit_code == ConfigError.exit_code else LostError
    return kind(verdict.why, verdict.hint)


_S, _M = State, Machine
TABLE: dict[tuple[State, type], Callable[[Machine, Any, float], list[Action]]] = {
    (_S.NEW, Begin): _M._begin,
    (_S.NEW, Person): _M._ignore,
    (_S.NEW, Asked): _M._asked,
    (_S.NEW, Slept): _M._ignore,
    # a link is being opened
    (_S.DIALING, Opened): _M._opened,
    (_S.DIALING, Ended): _M._refused,
    (_S.DIALING, Person): _M._person,
    (_S.DIALING, Asked): _M._asked,
    (_S.DIALING, Slept): _M._slept,
    (_S.DIALING, Leave): _M._leave_unlinked,
    (_S.DIALING, Tick): _M._ignore,
    (_S.DIALING, TurnOver): _M._ignore,  # a key silences what still sounds of the answer before
    # it takes input
    (_S.LIVE, Ended): _M._dropped,
    (_S.LIVE, HandleIn): _M._handle_in,
    (_S.LIVE, GoAway): _M._go_away,
    (_S.LIVE, Person): _M._person,
    (_S.LIVE, Asked): _M._asked,
    (_S.LIVE, Replying): _M._replying,
    (_S.LIVE, Replied): _M._replied,
    (_S.LIVE, Reopened): _M._reopened,
    (_S.LIVE, Noticed): _M._heard,
    (_S.LIVE, TurnOver): _M._turn_over,
    (_S.LIVE, Stuck): _M._stuck,
    (_S.LIVE, Slept): _M._slept,
    (_S.LIVE, Leave): _M._leave,
    (_S.LIVE, Tick): _M._tick_live,
    # it is being closed for the next: its last words still count, its state no longer matters
    (_S.MOVING, Ended): _M._moved,
    (_S.MOVING, HandleIn): _M._handle_in,
    (_S.MOVING, GoAway): _M._ignore,
    (_S.MOVING, Person): _M._person,
    (_S.MOVING, Asked): _M._asked,
    (_S.MOVING, Replying): _M._ignore,
    (_S.MOVING, Replied): _M._replied,
    (_S.MOVING, Reopened): _M._reopened,
    (_S.MOVING, Noticed): _M._ignore,
    (_S.MOVING, TurnOver): _M._ignore,
    (_S.MOVING, Stuck): _M._ignore,
    (_S.MOVING, Slept): _M._slept,
    (_S.MOVING, Leave): _M._leave_unlinked,
    (_S.MOVING, Tick): _M._given_up,
    # no link; the next dial comes by itself
    (_S.WAITING, Tick): _M._redial,
    (_S.WAITING, Person): _M._person,
    (_S.WAITING, Asked): _M._asked,
    (_S.WAITING, Slept): _M._slept,
    (_S.WAITING, Leave): _M._leave_unlinked,
    # no link, and none is needed yet
    (_S.RESTING, Person): _M._person,
    (_S.RESTING, Asked): _M._asked,
    (_S.RESTING, Slept): _M._slept,
    (_S.RESTING, Leave): _M._leave_unlinked,
    (_S.RESTING, Tick): _M._ignore,
    # the last link reads on for its last handle, then is closed
    (_S.LEAVING, Ended): _M._gone,
    (_S.LEAVING, HandleIn): _M._last_handle,
    (_S.LEAVING, GoAway): _M._ignore,
    (_S.LEAVING, Person): _M._ignore,
    (_S.LEAVING, Asked): _M._ignore,
    (_S.LEAVING, Replying): _M._ignore,
    (_S.LEAVING, Replied): _M._replied,
    (_S.LEAVING, Reopened): _M._ignore,
    (_S.LEAVING, Noticed): _M._ignore,
    (_S.LEAVING, TurnOver): _M._ignore,
    (_S.LEAVING, Stuck): _M._ignore,
    (_S.LEAVING, Slept): _M._ignore,
    (_S.LEAVING, Leave): _M._leave_faster,
    (_S.LEAVING, Tick): _M._leaving_tick,
}
