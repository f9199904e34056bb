"""What may still come of an answer that is over here: its rest, more of it, and a turnComplete that says so late.

Servers do not stop at once when an answer is cut into, may say turnComplete too early, and may say it twice
(docs/wire.md 1.5, C2, F6). Without this, such pieces would be taken for the answer to the next question.
"""

import math

LATE_S = 3.0  # after a cut: a turnComplete that has not come by then never will
AT_ONCE_S = 0.5  # after a whole answer was cut into: what was on its way
MORE_S = 1.0  # after a turnComplete that no generationComplete came before: it may have come early
BURST_S = 0.05  # after a turnComplete: another one may be the same one said twice
DOUBT_S = 4.0  # then: with no piece of an answer by then, it was an empty turn


class Aftermath:
    """Of one conversation. Times are seconds on the caller's clock."""

    def __init__(self) -> None:
        self._early = False  # the turn of such an answer was said to be over, perhaps too early
        self._rest_until = 0.0  # a piece that comes before is of an answer that was cut into
        self.more_until = 0.0  # a turn was said to be over, and more of its answer may come until then
        self.turn_end_due = False  # a turn was closed here before the server said so; it may say so yet
        self._ended_at = -math.inf  # when a turnComplete came last
        self._doubt_until: float | None = None  # it came so soon after another that it may be that one

    def is_rest(self, now: float) -> bool:
        """Whether a piece that comes now is of an answer that was cut into."""
        return now < self._rest_until

    def rest_came(self, now: float) -> None:
        """A piece of such an answer came: where its turn was said to be over too early, more of it will."""
        if self._early:
            self._rest_until = now + MORE_S

    def expect_rest(self, until: float = math.inf) -> None:
        """The rest of an answer is to be dropped until then, or until its turn is over."""
        self._rest_until = until

    def limit_rest(self, until: float) -> None:
        """What comes after that time is no rest any more. Where its turn was over, nothing is."""
        self._rest_until = 0.0 if self._early else min(self._rest_until, until)
        self._early = False

    def no_rest(self) -> None:
        """All of the rest is here."""
        self._rest_until, self._early = 0.0, False

    def turn_of_rest_over(self, now: float, *, sure: bool) -> None:
        """A turnComplete came after an answer was cut into. Unless that is `sure`, it may have come too early."""
        if sure:
            self.no_rest()
        else:
            self._rest_until, self._early = now + MORE_S, True

    def expect_more(self, now: float) -> None:
        """A turn ended without a sign that its answer was whole."""
        self.more_until = now + MORE_S

    def lost(self) -> None:
        """The link is gone, and so is what it would still have said."""
        self.no_rest()
        self.more_until = 0.0

    def turn_ended(self, now: float) -> None:
        """A turnComplete came."""
        self._ended_at = now

    def just_ended(self, now: float) -> bool:
        """Whether a turn ended so recently that more of its answer may come."""
        return now - self._ended_at < MORE_S

    def same_again(self, now: float) -> bool:
        """Whether a turnComplete that comes now may be the last one, said twice."""
        return now - self._ended_at < BURST_S

    def doubt(self, now: float) -> None:
        """A turnComplete came that may be the last one said twice, or an empty turn: time will tell."""
        self._doubt_until = now + DOUBT_S

    def no_doubt(self) -> None:
        """An answer begins, or another question: what the doubtful turnComplete meant does not matter any more."""
        self._doubt_until = None

    def was_empty(self, now: float) -> bool:
        """Whether the doubtful turnComplete has turned out to be an empty turn's."""
        return self._doubt_until is not None and now > self._doubt_until
