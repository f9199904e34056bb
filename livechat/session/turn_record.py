"""What of a turn is shown and kept: the question as it is heard, the answer as it comes, and both as they end."""

from collections.abc import Callable, Sequence
from typing import Protocol

from livechat.events import ContextText, ModelText, Output, Sources, Turn, UserText
from livechat.session.context_replay import NOTED, Exchange
from livechat.session.events import Resumption
from livechat.session.transcript import Transcript

NOTED_SOURCES = 5  # of a search, that are kept with the answer


class Ledger(Protocol):
    """Where the conversation is kept as it happens (conversations/store.py has the real one)."""

    def turn(self, number: int, user: str, model: str) -> None:
        """Exchange `number`, counted from 0 in the whole conversation, as far as it has come."""

    def keep(self, resumption: Resumption) -> None:
        """The newest handle."""

    def expire(self) -> None:
        """The link of the newest handle ended."""


class TurnRecord:
    """The words of the turn going on, on their way to the screen and to the ledger."""

    def __init__(self, transcript: Transcript, ledger: Ledger, show: Callable[[Output], None]) -> None:
        self._transcript, self._ledger, self._show = transcript, ledger, show
        self._final_to = 0  # so many characters of the answer were shown as final
        self.count = 0  # turns answered in this run

    def typed(self, line: str) -> None:
        """The person typed a line, which belongs to the next question."""
        self._transcript.typed(line)
        self._show(UserText(line, final=True, source="text"))
        self.keep(answering=False)

    def told(self, text: str, *, answering: bool) -> int:
        """The person told the model something: an exchange without an answer, before the one going on.

        Returns its number.
        """
        number = len(self._transcript.turns)
        self._transcript.turns.append(Exchange(text, NOTED))
        self._ledger.turn(number, text, NOTED)
        self._show(ContextText(text))
        if self._transcript.pending or self._transcript.model:
            self.keep(answering=answering)
        return number

    def heard(self, *, answering: bool) -> None:
        """The transcript has more of the question. `answering`: its answer has begun, so it is shown as final."""
        if answering:
            self.question()
        elif fresh := self._transcript.fresh():
            self._show(UserText(fresh, final=False, source="speech"))
        self.keep(answering=answering)

    def sources(self, queries: Sequence[str], found: Sequence[tuple[str, str]]) -> None:
        """What the answer rests on: (title, URI) of each source."""
        self._show(Sources(list(queries), [{"title": title, "uri": uri} for title, uri in found]))
        for number, (title, uri) in enumerate(found[:NOTED_SOURCES], 1):
            self._transcript.note(f"[{number}] {title} {uri}")
        self.keep(answering=True)

    def question(self) -> None:
        """Show what was heard of the question, as final."""
        if fresh := self._transcript.fresh():
            self._show(UserText(fresh, final=True, source="speech"))
            self._transcript.shown()

    def piece(self) -> None:
        self._show(ModelText(self._not_final(), final=False))
        self.keep(answering=True)

    def answer(self, *, cut: bool) -> None:
        """Show what came of the answer, as final. `cut`: there would have been more."""
        if text := self._not_final():
            self._show(ModelText(text, final=True, cut=cut))
            self._final_to = len(self._transcript.model)

    def answered(self, reply_ms: float | None) -> None:
        self.count += 1
        self._show(Turn(self.count, reply_ms))

    def close(self) -> None:
        """The turn is over: the next words are of the next."""
        self._transcript.close()
        self._final_to = 0

    def reopen(self) -> bool:
        """Go on with the last exchange, whose answer was shown as whole. False if there is none."""
        number = self._transcript.reopen()
        if number is None:
            return False
        for later in range(number, len(self._transcript.turns)):
            told = self._transcript.turns[later]
            self._ledger.turn(later, told.user, told.model)
        self._final_to = len(self._transcript.model)
        return True

    def lost(self) -> None:
        """The link is gone: the question is asked, and heard, again."""
        self._final_to = 0
        self._transcript.lost()

    def keep(self, *, answering: bool) -> None:
        """Write down the exchange as far as it has come. `answering`: its answer has begun."""
        question = self._transcript.question if answering else self._transcript.pending
        self._ledger.turn(len(self._transcript.turns), question, self._transcript.answer)

    def _not_final(self) -> str:
        return self._transcript.model[self._final_to :].strip()
