"""Whether the server has more to say to a question, by its own word (docs/wire.md 12).

Some models answer one question in several utterances, each with a turnComplete of its own. They say
IN_PROGRESS until the last one, and IDLE then. A server may leave IDLE out, so what is said last has a limit.
"""

from livechat.session.events import Interaction as Word

IDLE_S = 60.0  # without a piece of the answer or a sign of work after IN_PROGRESS: IDLE was left out
GRACE_S = 1.0  # after a turnComplete without a status: the status may come in a message of its own


class Interaction:
    """Of one question, from the first piece of its answer. Times are seconds on the caller's clock."""

    def __init__(self, *, announced: bool) -> None:
        """`announced`: the model is known to say IDLE, so generationComplete is not the end of an answer."""
        self.announced = announced
        self._word: Word = ""
        self._ends_at: float | None = None

    @property
    def working(self) -> bool:
        """The server said that it is at work, and has not said that it is done."""
        return self._word == "working"

    @property
    def paused(self) -> bool:
        """An utterance is over, and perhaps not the answer."""
        return self._ends_at is not None

    def told(self, word: Word, now: float) -> None:
        """The server's word; "" is none, and changes nothing."""
        if not word:
            return
        self._word = word
        if word == "working":
            self.announced = True
            self._ends_at = now + IDLE_S

    def utterance_over(self, now: float) -> bool:
        """A turnComplete came. Whether the answer is over with it."""
        if self._word == "idle" or not self.announced:
            return True
        self._ends_at = now + (IDLE_S if self.working else GRACE_S)
        return False

    def still(self, now: float) -> None:
        """A sign that the server is at work, though it says nothing of the answer."""
        if self.working and self._ends_at is not None:
            self._ends_at = now + IDLE_S

    def more(self) -> None:
        """Something of the answer came."""
        self._ends_at = None

    def expired(self, now: float) -> bool:
        """The server has had its time to go on, or to say that it has finished."""
        return self._ends_at is not None and now > self._ends_at

    def reset(self) -> None:
        """The question is over, or its link is."""
        self._word, self._ends_at = "", None
