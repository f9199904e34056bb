"""What a session remembers: its turns, how many tokens they have, and which are dropped when the context is full.

Both the weights and the rule that the context is cut at the start of a user's turn are those of docs/wire.md 4.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

TOKENS_PER_SECOND = 25  # of sound (docs/wire.md 4)
TOKENS_PER_FRAME = 258  # of video (docs/wire.md 4)
TOKENS_IF_LOW = 66  # with a mediaResolution that is low

Role = Literal["user", "model"]


def text_tokens(text: str) -> int:
    """About how many tokens `text` has (docs/wire.md 4); 0 only for no text."""
    ascii_ = sum(c.isascii() for c in text)
    ideograms = sum(c >= "\u2e80" for c in text)
    return math.ceil(ascii_ / 4 + (len(text) - ascii_ - ideograms) / 2 + ideograms)


@dataclass(frozen=True, slots=True)
class HistoryTurn:
    """What one side said. It was spoken if `seconds` of sound are above 0, else typed. `cut`: it was interrupted.

    `frames`: pictures that the client showed before or while it was said, each of `frame_weight` tokens.
    """

    role: Role
    text: str
    seconds: float = 0.0
    cut: bool = False
    frames: int = 0
    frame_weight: int = TOKENS_PER_FRAME

    @property
    def tokens(self) -> int:
        """Its tokens in the context: those of the sound if it was spoken, else of the text; and of what was shown."""
        return (self.sound_tokens if self.seconds > 0 else text_tokens(self.text)) + self.frame_tokens

    @property
    def frame_tokens(self) -> int:
        """Those of what was shown."""
        return self.frames * self.frame_weight

    @property
    def sound_tokens(self) -> int:
        """Those of its sound."""
        return round(self.seconds * TOKENS_PER_SECOND)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true while a question is answered: local time, seconds, twice tokens, and what was seen, in words."""

    now: datetime
    session_age: float
    context_tokens: int
    window: int  # old turns are dropped when the context is larger
    seen: Callable[[], str] | None = None


def weight(turns: Sequence[HistoryTurn]) -> int:
    return sum(turn.tokens for turn in turns)


def question(turns: Sequence[HistoryTurn]) -> Sequence[HistoryTurn]:
    """The turns at the end that are the user's, since nothing was answered between them: one question."""
    begin = len(turns)
    while begin and turns[begin - 1].role == "user":
        begin -= 1
    return turns[begin:]


def trimmed(turns: Sequence[HistoryTurn], budget: int) -> list[HistoryTurn]:
    """The newest turns that have at most `budget` tokens together and begin with a user's turn.

    The user's last turn and what follows it always stay: without them there is nothing to answer.
    """
    starts = [i for i, turn in enumerate(turns) if turn.role == "user"]
    if not starts:
        return []
    for start in starts:
        if weight(turns[start:]) <= budget:
            return list(turns[start:])
    return list(turns[starts[-1] :])


def said_by(pieces: Sequence[tuple[str, float]], seconds: float) -> str:
    """The words of `pieces` that were said after `seconds`. A piece is a text and its length in seconds."""
    said = ""
    for text, length in pieces:
        if length <= seconds:
            said += text
            seconds -= length
            continue
        ends = [0, *(word.end() for word in re.finditer(r"\S+", text))]
        said += text[: ends[int((len(ends) - 1) * seconds / length)]]
        break
    return said.strip()
