"""Whether the server has more to say to a question, by its own word (docs/wire.md 12).

Some models answer one question in several utterances, each with a turnComplete of its own. They say
IN_PROGRESS until the last one, and IDLE then. A server may leave IDLE out, so what is said last has a limit.
"""

from livechat.session.events import Interaction as Word

IDLE_S = 60.0  # without a piece of the answer or a sign of work after IN_PROGRESS: IDLE was left out
RESULT_S = 20.0  # after a function's result: an answer that has not gone on by then will not
GRACE_S = 1.0  # after a turnComplete without a status: the status may come in a message of its own


class Interaction:
    """Of one question, from the first piece of its answer. Times are seconds on the caller's clock."""

    def __init__(self, *, announced: bool, goes_on: bool = False) -> None:
        """`announced`: the model is known to say IDLE, so generationComplete is not the end of an answer.

        `goes_on`: it ends its turn while a function runs, and speaks the result in a turn of its own.
        """
        self.announced = announced
        self._goes_on = goes_on
        self._word: Word = ""
        self._ends_at: float | None = None
        self._calls: set[str] = set()  # of functions, whose results the server has not been given
        self._due = False  # it was given one, and has said nothing since
        self._in_turn = False  # the utterance in which it called is not whole, and its turn has not ended
        self._later = False  # what it says until that turn ends is not of the result

    @property
    def working(self) -> bool:
        """The server said that it is at work, and has not said that it is done; or a function is."""
        return self._word == "working" or self.calling

    @property
    def calling(self) -> bool:
        """A function runs that the server has called."""
        return bool(self._calls)

    @property
    def due(self) -> bool:
        """A function's result was given, and what comes next is of it."""
        return self._due and not self.calling and not self._later

    @property
    def owing(self) -> bool:
        """A function's result is still to be spoken."""
        return self.calling or self._due

    def called(self, name: str) -> None:
        """The server calls a function. Until it has the result, its turns say nothing of the answer."""
        self._calls.add(name)
        self._ends_at = None
        self._in_turn = True

    def returned(self, name: str, now: float, *, cancelled: bool) -> None:
        """It has the result, or does not wait for it any more."""
        if name in self._calls:
            self._calls.remove(name)
            self._due = not cancelled
            self._later = self._due and self._goes_on and self._in_turn
            if self._due and not self._calls:
                self._ends_at = now + RESULT_S

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

    def utterance_whole(self) -> None:
        """A generationComplete came: what the server says from now on is not of the utterance in which it called."""
        self._in_turn = False

    def utterance_over(self, now: float) -> bool:
        """A turnComplete came. Whether the answer is over with it."""
        self._in_turn = False
        if self.calling:
            return False
        if self._due:
            self._later = False
            # Vertex AI, too, ends a turn with a result, and speaks it in the next.
            self._ends_at = now + RESULT_S
            return False
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
        self._due = self._due and (self.calling or self._later)

    def expired(self, now: float) -> bool:
        """The server has had its time to go on, or to say that it has finished."""
        return self._ends_at is not None and now > self._ends_at

    def reset(self) -> None:
        """The question is over, or its link is."""
        self._word, self._ends_at, self._due, self._later = "", None, False, False
        self._calls.clear()
