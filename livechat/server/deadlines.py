"""When a session on a link must act although nothing comes: GoAway, the end of the link, the next handle."""

import math
from dataclasses import dataclass

from livechat.server.models import Cadence


@dataclass(frozen=True, slots=True)
class ServerTimes:
    """Limits and intervals in seconds. The defaults are those of the real service (docs/wire.md 3 and 2.2)."""

    lifetime: float = 590.0  # a link that is open so long is closed
    notice: float = 50.0  # how long before that GoAway is sent
    idle: float = 150.0  # a link without sound for so long is closed
    session: float = 900.0  # all links of a session without compression
    with_video: float = 120.0  # and from its first picture on
    handle_every: float = 1.0
    handle_after_turn: float = 0.05


@dataclass(slots=True)
class SessionAge:
    """How many seconds the links of a session have been open. `seen_at`: how many when its first picture came."""

    used: float = 0.0
    seen_at: float | None = None


class Deadlines:
    """Those of one link, which was opened at `opened`. `endless`: the session has compression, and so no limit.

    All moments are in seconds on one steady clock.
    """

    def __init__(
        self, times: ServerTimes, age: SessionAge, *, opened: float, now: float, endless: bool, handles: Cadence
    ) -> None:
        self.times = times
        self._age = age
        self._opened = opened
        self._endless = endless
        self._handles = handles
        self.close_at = opened + times.lifetime
        self.goaway_at: float | None = self.close_at - times.notice
        self.idle_at = now + times.idle
        self.offer_at = now if handles == "every second" else None
        self._session_end = math.inf
        self._limit(times.session)
        if age.seen_at is not None:
            self._limit(age.seen_at + times.with_video)

    def spent(self, now: float) -> bool:
        """Whether the session may not last longer, whatever else ends the link."""
        return now >= self._session_end - 1.0  # what GoAway tells is rounded to seconds

    def next(self) -> float:
        """The first of them."""
        times = [self.close_at, self.idle_at]
        return min(times + [at for at in (self.goaway_at, self.offer_at) if at is not None])

    def sounded(self, now: float) -> None:
        """Sound arrived. Only sound keeps a link open: neither text nor pictures do."""
        self.idle_at = now + self.times.idle

    def saw(self, now: float) -> None:
        """A picture arrived."""
        if self._age.seen_at is None:
            self._age.seen_at = self._age.used + now - self._opened
            self._limit(self._age.seen_at + self.times.with_video)

    def go_away(self, left: float, now: float) -> None:
        """The client is told now that the link ends in `left` seconds."""
        self.goaway_at = None
        self.close_at = min(self.close_at, now + left)

    def turn_over(self, now: float) -> None:
        """A turn is complete."""
        if self._handles == "after turns":
            self.offer_at = now + self.times.handle_after_turn

    def offered(self, now: float) -> None:
        """A handle goes out now."""
        self.offer_at = now + self.times.handle_every if self._handles == "every second" else None

    def closed(self, now: float) -> None:
        """The link has ended."""
        self._age.used += now - self._opened

    def _limit(self, session_s: float) -> None:
        end = self._opened + session_s - self._age.used
        if self._endless:
            return
        self._session_end = min(self._session_end, end)
        if end < self.close_at:
            self.close_at = end
            if self.goaway_at is not None:
                self.goaway_at = end - self.times.notice
