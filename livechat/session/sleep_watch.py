"""Who notices that the computer slept, or that this process was stopped: clocks that are looked at all the time.

While a computer sleeps, the loop's clock may stand still, and the time of day goes on. While a process is stopped
(SIGSTOP), both go on, and nobody looks at them.
"""

import math
from typing import NamedTuple

LOOK_S = 0.1  # between two looks
STOPPED_S = 1.0  # later than that: this process was stopped, or the computer slept
AWAY_S = 5.0  # later than that, or the time of day so far ahead of ours: the computer slept


class Passed(NamedTuple):
    """What lies between two looks. Seconds; `unseen`: those that the loop's clock did not count, None if no sleep."""

    since: float  # when the look before was
    seconds: float
    stopped: bool
    unseen: float | None


class SleepWatch:
    """The clocks of one conversation: the loop's, and the time of day. Both in seconds."""

    def __init__(self) -> None:
        self._at = self._day = 0.0
        self._ready_at = math.inf

    def begin(self, now: float, day: float) -> None:
        self._at, self._day, self._ready_at = now, day, now

    def look(self, now: float, day: float) -> Passed:
        """What passed since the look before."""
        passed, passed_outside, since = now - self._at, day - self._day, self._at
        self._at, self._day = now, day
        slept = max(passed, passed_outside) > LOOK_S + AWAY_S
        unseen = max(0.0, passed_outside - passed) if slept else None
        return Passed(since, passed, passed > LOOK_S + STOPPED_S, unseen)

    def ready(self, now: float) -> None:
        """What came during a stop has been read by now."""
        self._ready_at = now

    def was_stopped(self, now: float) -> bool:
        """Whether this process is just waking: what came meanwhile still lies in the socket."""
        return now - self._ready_at > LOOK_S + STOPPED_S
