"""When a conversation whose input has ended is over: a file, or a pipe, that was read to its end.

Its last question is waited for, also while the line is down, but not for ever.
"""

from typing import Literal

LAST_ANSWER_S = 35.0  # how long a question may stay without an answer: the machine asks it again meanwhile (rule 7)
LAST_NOISE_S = 6.0  # the same for what may be no question at all
LAST_LINK_S = 300.0  # how long there may be no link for what was said last
LAST_LINKS = 5  # on how many links in a row it may stay so for so long
BEGIN_S = 1.0  # how long an answer may take to begin where nothing seems asked

End = Literal["answered", "unanswered", "undelivered"]


def patience(*, asks: bool) -> float:
    """Seconds that an answer is waited for. `asks`: what waits for it is long enough to be a question."""
    return LAST_ANSWER_S if asks else LAST_NOISE_S


class LastWords:
    """Of one conversation. Times are seconds on the caller's clock."""

    def __init__(self, inputs: int, *, voice: bool) -> None:
        """`inputs`: how many have not ended. `voice`: one of them is sound."""
        self._inputs = inputs
        self._voice = voice
        self._ended_at: float | None = None  # when the last of them ended
        self._flowing_at: float | None = None  # when a link was last given what waits for an answer
        self._listened_s = 0.0  # for how long any link could have answered since

    def input_ended(self, now: float) -> None:
        self._inputs -= 1
        if self._inputs == 0:
            self._ended_at = now

    @property
    def ended(self) -> bool:
        """The input has ended, and the conversation is not over."""
        return self._ended_at is not None

    def flowing(self, now: float) -> None:
        """A link is given what waits for an answer."""
        self._flowing_at = now

    def stopped(self, since: float, seconds: float) -> None:
        """The process was stopped for so long: nobody waited for an answer meanwhile.

        `since` is when it was last seen at work, a moment before the stop: what happened in that moment had no time.
        """
        self._ended_at, self._flowing_at = (
            at if at is None else max(at, min(at, since) + seconds) for at in (self._ended_at, self._flowing_at)
        )

    def listened(self, seconds: float) -> None:
        """A link could have answered for so long."""
        if self._ended_at is not None:
            self._listened_s += seconds

    def over(self, now: float, *, answering: bool, waiting: bool, asks: bool, linked: bool) -> End | None:
        """Whether the conversation is over, and how; once. None while it is not.

        `answering`: an answer is on its way or heard. `waiting`: something has no answer, `asks`: a question at that.
        `linked`: a link takes input.
        """
        if self._ended_at is None or answering:
            return None
        end = self._end(now - max(self._ended_at, self._flowing_at or 0.0), waiting=waiting, asks=asks, linked=linked)
        if end is not None:
            self._ended_at = None
        return end

    def _end(self, since_s: float, *, waiting: bool, asks: bool, linked: bool) -> End | None:
        if not waiting:  # with a link or without one
            return "answered" if since_s > BEGIN_S or not self._voice else None
        if not linked:
            return "undelivered" if self._flowing_at is not None and since_s > LAST_LINK_S else None
        waited = patience(asks=asks)
        return None if since_s < waited and self._listened_s < LAST_LINKS * waited else "unanswered"
