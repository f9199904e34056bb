"""The answer that is going on: which question it answers, and how far it has come.

An answer begins with its first piece, or with the server's word that it is at work. Then it is incomplete, until all
of it is here; then whole, until its turn is over. A server counts the playback as part of the turn.
"""

from dataclasses import dataclass

from livechat.session.outbox import Mark

TURN_END_S = 5.0  # after an answer's playback: a turnComplete that has not come by then never will
STUCK_S = 10.0  # of an incomplete answer, nothing for so long; gaps of 4.4 s were measured on slow lines


@dataclass(slots=True)
class Answer:
    """One answer. Times are seconds on the caller's clock."""

    mark: Mark  # the question it answers
    piece_at: float  # when its last piece came
    content: bool = False  # a piece of it came, and not only the word that the server is at work
    generated: bool = False  # generationComplete came, and no piece since
    whole: bool = False
    counted: bool = False  # among the answered turns: an answer that is reopened counts once
    reply_ms: float | None = None  # from the end of the question to the first piece
    play_until: float = 0.0  # when a listener has heard all of it, and TURN_END_S more

    def sounds(self, seconds: float, now: float) -> None:
        """A piece of it sounds for so long."""
        self.play_until = max(self.play_until, now + TURN_END_S) + seconds

    def turn_overdue(self, now: float) -> bool:
        """It is whole, and its turnComplete was left out."""
        return self.whole and now > self.play_until

    def stopped(self, now: float) -> bool:
        """It is incomplete, and its pieces stopped coming."""
        return not self.whole and now > self.piece_at + STUCK_S
