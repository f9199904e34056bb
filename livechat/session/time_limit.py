"""When a link has to be left: by the server's notice (GoAway), or by our own limit.

A link is left at a quiet moment, and for no longer than the server's notice is waited for one: less a margin where
somebody speaks, whose words are sent again; to the last moment where an answer or the handle that covers it is on
its way, since without it the next link would have to be asked, or told, again.

Numbers in parentheses are sections of docs/wire.md.
"""

from livechat.models import ROTATE_AFTER_S
from livechat.session.verdicts import STABLE_S

MARGIN_S = (1.5, 10.0)  # leave a third of the notice before its end, within these bounds (6.2)
LAST_MOMENT_S = 0.5  # before the end of the notice: what is left for an answer on its way


class TimeLimit:
    """Of the link that lives. Times are seconds on the caller's clock."""

    def __init__(self) -> None:
        self.cause = ""  # of a planned handover, once there is one
        self._opened_at = 0.0
        self._stay_until: float | None = None  # no quiet moment is looked for before
        self._leave_at: float | None = None  # the latest moment to leave
        self._end_at = 0.0  # the same with an answer on its way
        self._settle_at: float | None = None  # from then on an answer's playback is not waited for

    def opened(self, now: float, *, stay: bool) -> None:
        """A link is open. `stay`: the link before was left early, so this one is used for what it is good for."""
        self.cause = ""
        self._opened_at = now
        self._stay_until = now + STABLE_S if stay else None
        self._leave_at = self._settle_at = None

    def age_s(self, now: float) -> float:
        return now - self._opened_at

    def notice(self, time_left: float, now: float) -> None:
        """The server says that it closes the link in so many seconds. The earliest of several notices counts."""
        margin = min(max(time_left / 3, MARGIN_S[0]), MARGIN_S[1])
        leave_at = now + max(0.0, time_left - margin)
        end_at = now + max(0.0, time_left - LAST_MOMENT_S)
        self._end_at = end_at if self._leave_at is None else min(self._end_at, end_at)
        self._leave_at = leave_at if self._leave_at is None else min(self._leave_at, leave_at)
        self._settle_at = (now + self._leave_at) / 2
        self.cause = "the server's time limit for one connection"

    @property
    def noticed(self) -> bool:
        return self._leave_at is not None

    @property
    def settled(self) -> bool:
        """So much of the notice is over that an answer's playback is not waited for."""
        return self._leave_at is not None and self._settle_at is None

    @property
    def staying(self) -> bool:
        """No quiet moment is looked for yet."""
        return self._stay_until is not None

    def deadlines(self, *, answer_due: bool) -> list[float]:
        """When `tick` has something to do. `answer_due`: an answer is on its way, or the handle that covers it."""
        leave_at = self._end_at if self._leave_at is not None and answer_due else self._leave_at
        rotate_at = None if self.cause else self._opened_at + ROTATE_AFTER_S
        return [at for at in (leave_at, self._settle_at, self._stay_until, rotate_at) if at is not None]

    def tick(self, now: float) -> None:
        if self._stay_until is not None and now >= self._stay_until:
            self._stay_until = None
        if self._settle_at is not None and now >= self._settle_at:
            self._settle_at = None
        if not self.cause and now >= self._opened_at + ROTATE_AFTER_S:
            self.cause = "our own time limit for one connection"

    def over(self, now: float, *, answer_due: bool) -> bool:
        """Whether the link is to be left now, whatever goes on."""
        return self._leave_at is not None and now >= (self._end_at if answer_due else self._leave_at)
