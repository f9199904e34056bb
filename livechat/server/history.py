"""What a session remembers: its turns, how many tokens they weigh, and how old ones are dropped. Pure.

Weights: 25 tokens a second of sound (Live API token counting), about four characters of text a token.
Dropping: the sliding window cuts always at the start of a user's turn (docs/wire.md 4).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

TOKENS_PER_SECOND = 25
CHARACTERS_PER_TOKEN = 4

Role = Literal["user", "model"]


def text_tokens(text: str) -> int:
    """How many tokens `text` weighs; 0 only for no text."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def sound_tokens(seconds: float) -> int:
    """How many tokens `seconds` of sound weigh."""
    return round(seconds * TOKENS_PER_SECOND)


@dataclass(frozen=True, slots=True)
class HistoryTurn:
    """One side's say. Spoken when `seconds` of sound is above 0, else typed. `cut`: it was interrupted."""

    role: Role
    text: str
    seconds: float = 0.0
    cut: bool = False

    @property
    def tokens(self) -> int:
        """Its weight in the context: of the sound if spoken, else of the text."""
        return sound_tokens(self.seconds) if self.seconds > 0 else text_tokens(self.text)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true while a question is answered: local time, seconds, tokens, tokens."""

    now: datetime
    session_age: float
    context_tokens: int
    window: int  # where old turns begin to be dropped


def weight(turns: Sequence[HistoryTurn]) -> int:
    """Tokens of all `turns` together."""
    return sum(turn.tokens for turn in turns)


def trimmed(turns: Sequence[HistoryTurn], budget: int) -> list[HistoryTurn]:
    """The newest turns that weigh at most `budget` tokens and begin with a user's turn.

    The last user's turn stays whatever it weighs, with what follows it: there is nothing to answer without it.
    """
    starts = [i for i, turn in enumerate(turns) if turn.role == "user"]
    if not starts:
        return []
    for start in starts:
        if weight(turns[start:]) <= budget:
            return list(turns[start:])
    return list(turns[starts[-1] :])


def said_by(pieces: Sequence[tuple[str, float]], seconds: float) -> str:
    """What of `pieces`, each a text and its seconds of sound, had been said after `seconds`, to the word."""
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
