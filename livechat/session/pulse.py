"""Whether a link that used to say something all the time has gone quiet.

Newer models send a resumption update every second (docs/wire.md 2.2): where they stop, the link or its
session is dead. Of a server that speaks only when it has something to say, silence proves nothing.
"""

STEADY_S = 3.0  # between two messages, at most, of a link that says something all the time
QUIET_S = 5.0  # without one: such a link has gone quiet


class Pulse:
    """Of one link. Times are seconds on the caller's clock."""

    def __init__(self) -> None:
        self.last = float("-inf")  # when it last said anything
        self._before = float("-inf")

    def beat(self, now: float) -> None:
        """The link said something."""
        self._before, self.last = self.last, now

    def stopped(self, now: float) -> bool:
        """Whether it was steady and is silent now."""
        return self.last - self._before <= STEADY_S and now - self.last > QUIET_S
