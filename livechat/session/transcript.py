"""Who said what: pieces of transcript as they come, put together to exchanges of a question and its answer.

The wire promises no order between the transcript of the person and the answer to it (docs/wire.md 1.4). So time
decides: a piece belongs to the question being answered until that answer is over or cut into. A later piece belongs
to the next question. So does speech that is heard during the answer to a question that was only typed.
"""

from livechat.session.context_replay import NOTED, Exchange


class Transcript:
    """`turns`: every exchange that was answered, oldest first; `user` and `model`: the one going on."""

    def __init__(self, turns: list[Exchange] | None = None) -> None:
        self.turns: list[Exchange] = list(turns or ())
        self.model = ""
        self._heard = ""
        self._typed: list[str] = []
        self._echo: list[str] = []  # typed texts that some models send back as if heard (5)
        self._known = ""  # heard on a link that was lost before the answer came
        self._lost = ""  # heard on such a link last
        self._held = ""  # the same, where it is not said again: the session has it
        self._ahead = ""  # heard of the next question while this one is being answered
        self._last_model = ""  # of the last exchange, as it came
        self._spoken = self._written = ""  # of this answer: what came with its sound, and what came as text
        self._notes: list[str] = []  # on this answer: what functions gave, and sources
        self._last_notes: list[str] = []

    @property
    def answer(self) -> str:
        """The answer so far, with the notes on it: as it is kept, and told to a new session."""
        return "\n".join(filter(None, (self.model.strip(), *self._notes)))

    def note(self, line: str) -> None:
        """Something that belongs to the answer, and is not said."""
        if line not in self._notes:  # a function that is called again on another link gives the same
            self._notes.append(line)

    @property
    def user(self) -> str:
        """The question so far: what was typed, then what was heard."""
        return self._with_typed(self.heard_text)

    @property
    def question(self) -> str:
        """The same. Where this link told no words of it, the words that a lost link heard stand for it."""
        return self._with_typed(self._words) or self._known

    @property
    def heard_text(self) -> str:
        """What was heard of the question so far."""
        return self._heard.strip()

    @property
    def pending(self) -> str:
        """All that waits for an answer, as far as its words are known."""
        return self._with_typed(self._words or self._known)

    def _with_typed(self, heard: str) -> str:
        return "\n".join(part for part in (*self._typed, heard) if part)

    @property
    def _words(self) -> str:
        """What was heard of the question, on the links before too: a session may hear again what it holds."""
        held, heard = self._held, self.heard_text
        if held.startswith(heard) or heard.startswith(held):
            return max(held, heard, key=len)
        return f"{held} {heard}"

    def heard(self, piece: str, *, ahead: bool = False) -> bool:
        """A piece of what the person said, `ahead` of the next question. False where it echoes what was typed."""
        if piece.strip() in self._echo:
            self._echo.remove(piece.strip())
            return False
        if ahead:
            self._ahead = _joined(self._ahead, piece)
        else:
            self._heard = _joined(self._heard, piece)
        return True

    def typed(self, text: str) -> None:
        self._typed.append(text)
        self._echo.append(text.strip())

    def repeats(self, *, user: str = "", model: str = "") -> bool:
        """Whether this piece is of the last exchange, which some servers send again to a session taken up."""
        if not self.turns or self.user:
            return False
        last = self.turns[-1]
        return (user or model).strip() in (last.user if user else last.model)

    def said(self, piece: str) -> bool:
        """A piece of the answer's sound. False if it has come as text already."""
        self._spoken += piece
        return self._add(piece, new=not _holds(self._written, self._spoken))

    def written(self, piece: str) -> bool:
        """A piece of the answer that comes as text. False if it is what the sound says."""
        self._written += piece
        return self._add(piece, new=not _holds(self._spoken, self._written))

    def _add(self, piece: str, *, new: bool) -> bool:
        if new:
            self.model += piece
        return new

    def pause(self) -> None:
        """One utterance of the answer is over; the next one is another sentence."""
        if self.model.strip():
            self.model = self.model.rstrip() + " "

    def fresh(self) -> str:
        """What was heard of the question and not shown as final yet: not what a new link hears again."""
        text = self._words
        return "" if self._known.startswith(text) else text.removeprefix(self._known).strip()

    def shown(self) -> None:
        """All of the question that was heard so far has been shown as final."""
        if self.fresh():
            self._known = self._words

    def lost(self) -> None:
        """The link went before the answer was complete: speech will be heard, and answered, once more."""
        self._lost = _joined(self._words, self._ahead) or self._lost
        self._heard = self._held = self.model = self._ahead = self._spoken = self._written = ""
        self._notes = []
        self._echo = [text.strip() for text in self._typed]  # typed text is sent again too

    def held(self) -> None:
        """The session that goes on holds all speech that waits for an answer: its words will not come again."""
        self._held = self._lost

    def close(self) -> Exchange:
        """The question has its answer."""
        done = Exchange(self.question, self.answer)
        self.turns.append(done)
        if self.heard_text and self._known.startswith(self.heard_text):
            self._known = self._known.removeprefix(self.heard_text).strip()  # the rest is still to be heard again
        elif self.heard_text or not self._typed:
            self._known = ""
        self._last_model, self._last_notes, self._notes = self.model, self._notes, []
        self._spoken = self._written = ""
        self._heard, self._ahead = self._ahead, ""
        self.model = self._held = self._lost = ""
        self._typed.clear()
        self._echo.clear()
        return done

    def reopen(self) -> int | None:
        """More of the last answer comes, though it was said to be over. Returns its number; None if there is none.

        What the model was told since then comes before it now.
        """
        number = next((n for n in reversed(range(len(self.turns))) if self.turns[n].model != NOTED), -1)
        if number < 0:
            return None
        self._typed = [self.turns.pop(number).user]
        self.model, self._notes = self._last_model, self._last_notes
        return number


def _holds(text: str, part: str) -> bool:
    """Whether `part` stands in `text`, whatever the white space."""
    if not text:  # nearly always, once for each piece of an answer
        return not part or part.isspace()
    return "".join(part.split()) in "".join(text.split())


def _joined(before: str, piece: str) -> str:
    apart = before[-1:] in {".", "?", "!"} and piece[:1].isupper()  # two sentences, not one word
    return f"{before} {piece}" if apart else before + piece
