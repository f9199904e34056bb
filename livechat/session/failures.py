"""What failed, what is blamed for it, and how long to wait before the next try.

"Open" proves nothing, since quota errors come after it: only STABLE_S of life or the model's own output resets the
count of failures. What worked once in this run is not the configuration's fault: what was sent again is doubted
first, then the handle, then the network; and the same is tried a few times before it is believed.

Numbers in parentheses are sections of docs/wire.md.
"""

from collections.abc import Callable
from dataclasses import replace

from livechat.session.events import Ended
from livechat.session.verdicts import SLOW_S, STABLE_S, Kind, Verdict

BACKOFF_S = (0.5, 30.0)  # the second retry's wait, and the longest; the first retry is at once (6.2)
DEADLY = 4  # links in a row that died young after they were given old speech: once more without it
# Refusals in a row that may be of the handle, of what was sent again, or of the moment: then it is the setup.
DOUBTS = 4
FIRST_TRIES = 5  # with no link ever open, the address or the network is wrong: say so instead of waiting


class Failures:
    """Of one conversation, whatever its links."""

    def __init__(self, random: Callable[[], float]) -> None:
        """`random` gives numbers in [0, 1) for the jitter of the waits."""
        self._random = random
        self.count = 0  # in a row
        self._doubts = 0
        self.bare = False  # the next link is not given what was sent before
        self._gave_old = False  # this link was given old speech or context
        self._proved = False  # this link brought something of an answer
        self.ever_open = False
        self.ever_good = False

    def dialled(self) -> None:
        self._gave_old = self._proved = False

    def opened(self, *, old: bool) -> None:
        """The link is open, and is given what there is of `old` speech and context, unless it is to be bare."""
        self._gave_old = old and not self.bare
        self.bare = False
        self.ever_open = True

    def replying(self) -> None:
        """The link brought something of an answer: it works."""
        self.count = self._doubts = 0
        self._proved = True

    def forgiven(self, age_s: float) -> bool:
        """Whether the link that ended was a good one; then nothing that failed before counts any more."""
        if age_s < STABLE_S and not self._proved:
            return False
        self.count = self._doubts = 0
        self.ever_good = True
        return True

    def died_young(self, event: Ended) -> None:
        """A link ended that was not a good one. If every one did that was given old speech, they die of that."""
        if self._gave_old and event.how == "close" and self.count >= DEADLY:
            self.bare = True

    @property
    def hopeless(self) -> bool:
        """Whether one more failure is one too many, because no link was ever open."""
        return not self.ever_open and self.count + 1 >= FIRST_TRIES

    def doubted(self, verdict: Verdict, event: Ended, *, setting_up: bool, resumed: bool) -> Verdict:
        """A refusal of the whole setup, once more without what may have been refused in truth.

        `resumed`: the link was dialled with a handle.
        """
        if event.how == "auth" or not (verdict.vague or verdict.kind is Kind.FATAL):
            return verdict  # credentials that were taken back are not given again
        if event.how in ("tls", "bad") and self.ever_open:
            return replace(verdict, kind=Kind.AGAIN)  # a captive portal shows its own certificate, for hours maybe
        if self._doubts >= DOUBTS:
            return verdict
        if verdict.vague and self._gave_old:
            self._doubts += 1
            self.bare = True
            return Verdict(Kind.RESUME, "the server refused what it was sent again: once more without it")
        if verdict.vague and resumed:
            self._doubts += 1
            return Verdict(Kind.FRESH, "the server no longer accepts this handle")
        accepted = self.ever_open if setting_up else self.ever_good
        if accepted and verdict.kind is Kind.FATAL:
            self._doubts += 1
            return replace(verdict, kind=Kind.AGAIN, hint="it was accepted before: the same once more")
        return verdict

    def delay_s(self, *, slow: bool) -> float:
        """The wait before the next dial. The jitter on its upper half keeps callers from coming all at once."""
        first, longest = SLOW_S if slow else BACKOFF_S
        doublings = self.count - (1 if slow else 2)
        if doublings < 0:
            return 0.0
        return min(longest, first * 2.0 ** min(doublings, 16)) * (0.5 + self._random() / 2 if not slow else 1.0)
