"""What is awaited: an answer to what was asked, the rest of one, and the handle that covers it.

The machine tells it what happens, and asks it when a link may be left. Times are seconds on the caller's
clock. Numbers in parentheses are sections of docs/wire.md.

docs/design.md says when a session is deaf and when its silence is chosen, and what follows from each.
"""

from typing import Literal

from livechat.session.pulse import Pulse

ANSWER_S = 6.0  # after the person fell silent: an answer that has not begun by then is not expected any more
QUESTION_S = 1.0  # of speech, voice detection's own delay included: what is shorter may be a cough
DEAF_LINKS = 2  # in a row: then the question is taken for one that needs no answer

Deafness = Literal["ask on another link", "ask in a new session", "silence", "no answer"]


class Awaited:
    """One for a conversation, across its links."""

    def __init__(self, *, answer_s: float, silent: bool) -> None:
        """`answer_s`: seconds in which an answer begins; `silent`: the model may choose to give none."""
        self._answer_s = answer_s
        self._silent = silent
        self.turns = 0  # answered, by all links
        self.speaking = False  # the person
        self.asked_until: float | None = None  # an answer may still begin until then
        self.deaf_at: float | None = None  # no answer by then: the session is deaf
        self.deaf = 0  # links in a row that were deaf
        self.owed = False  # an answer has begun and is not whole
        self._speaking_since = 0.0
        self._question = False  # a question was asked, and no answer has begun
        self._noticed = False  # the server showed that it heard the last question
        self._turn_open = False
        self._turn_over_at = 0.0
        self._handle_at: float | None = None  # when the newest handle of this link came
        self._pulse = Pulse()  # of the resumption updates
        self._resumable = True  # by the newest update: nothing is being generated

    # ------------------------------------------------------------------------------------------ what is asked

    @property
    def busy(self) -> bool:
        """Whether anybody speaks, or anything is asked or being answered."""
        return self.speaking or self._question or self.owed or self.asked_until is not None

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks, nothing is asked, and the server says that no answer is on its way."""
        return not (self.speaking or self.asked_until is not None or self._turn_open)

    @property
    def handed(self) -> bool:
        """Whether this link has given a handle."""
        return self._handle_at is not None

    @property
    def covered(self) -> bool:
        """Whether the newest handle of this link holds all that was answered."""
        return self._handle_at is not None and self._handle_at >= self._turn_over_at

    @property
    def answer_due(self) -> bool:
        """Whether an answer is on its way, or the handle that will cover it."""
        uncovered = self.handed and not self.covered
        return self.asked_until is not None or self.owed or (uncovered and not self.speaking)

    def opened(self, now: float) -> None:
        """A link takes input, and is sent again what has no answer."""
        self._handle_at = None
        self._turn_open = self._noticed = False
        self._pulse, self._resumable = Pulse(), True
        self._question = self._question or self.owed
        if not self.speaking and (self.asked_until is not None or self._question):
            self.asked_until = now + ANSWER_S
        self.owed = False
        self.deaf_at = now + self._answer_s if self._question and not self.speaking else None

    def person(self, now: float, *, speaking: bool) -> None:
        """The person began or ended to speak."""
        self.speaking = speaking
        self.deaf_at = None
        if speaking:
            self._noticed = False
            self._speaking_since = now
            self.asked_until = None
        else:
            self.asked_until = now + ANSWER_S
            if now - self._speaking_since >= QUESTION_S:
                self._expect(now)

    def asked(self, now: float) -> None:
        """A question was typed, or is sent again."""
        self.asked_until = now + ANSWER_S
        self._noticed = False
        self._expect(now)

    def _expect(self, now: float) -> None:
        self._question = True
        self.deaf_at = now + self._answer_s

    def noticed(self) -> None:
        """The server showed that it heard the person."""
        self._noticed = True

    def handle(self, now: float, *, resumable: bool) -> None:
        """A handle came, or word that there is none just now."""
        self._pulse.beat(now)
        self._resumable = resumable
        if resumable:
            self._handle_at = now

    def tick(self, now: float) -> None:
        """An answer that should have begun by now is not expected any more."""
        if self.asked_until is not None and now >= self.asked_until:
            self.asked_until = None

    # --------------------------------------------------------------------------------------- what is answered

    def replying(self) -> None:
        """An answer begins."""
        self.asked_until = self.deaf_at = None
        self._question = False
        self.deaf = 0
        self._turn_open = self.owed = True

    def replied(self, now: float) -> None:
        """All of it is here: from now on a handle may cover it."""
        self.turns += 1
        self.owed = False
        self._turn_over_at = now

    def reopened(self) -> None:
        """It was not all: more is to come."""
        self.turns -= 1
        self._turn_open = self.owed = True

    def turn_over(self) -> None:
        """Its turn is over, with its playback."""
        self._turn_open = self.owed = False

    def settle(self) -> None:
        """From now on the playback of a whole answer is not waited for."""
        self._turn_open = self.owed

    def answered_elsewhere(self, *, live: bool) -> None:
        """An earlier link answered its question: the next link does not owe that answer."""
        self.turns += 1
        self.owed = self.owed and live

    # --------------------------------------------------------------------------------------------- deafness

    def deafened(self, now: float) -> Deafness | None:
        """What the missing answer means, once it is overdue; None while it is not."""
        if self.deaf_at is None or now < self.deaf_at:
            return None
        if self.owed:  # a question asked during an answer is answered after it; Stuck is for an answer that stops
            self.deaf_at = now + self._answer_s
            return None
        self.deaf_at = None
        self.deaf += 1
        if self._noticed and self._well(now):
            self._question = False
            return "silence"
        if self.deaf > DEAF_LINKS or (self.deaf == DEAF_LINKS and self.handed and self._well(now)):
            self._question = False
            return "no answer"
        return "ask in a new session" if self.deaf == DEAF_LINKS else "ask on another link"

    def _well(self, now: float) -> bool:
        """The model may choose silence, and nothing else speaks against this session.

        A poisoned session says that it cannot be resumed, as during an answer. A dead link says nothing more.
        """
        return self._silent and self._resumable and not self._pulse.stopped(now)
