"""What a new session is told about the conversation so far.

It gets a few turns as turns with their roles, and many turns as one message that lists them. Google advises both ways
of restoring a context (Firebase AI Logic, "incremental content updates").
"""

from dataclasses import dataclass
from typing import Literal

MAX_TURNS = 40
MAX_TOKENS = 3_000  # well under the smallest trigger of compression (docs/wire.md 4), which would cut it off at once


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer, as text. Either may be "": a greeting answers no question, and an answer may be cut
    off before its first word."""

    user: str
    model: str


@dataclass(frozen=True, slots=True)
class ContextTurn:
    """One turn that a session is told of."""

    role: Literal["user", "model"]
    text: str


def seed(turns: list[Exchange]) -> list[ContextTurn]:
    """The context that stands for `turns`, oldest first. It asks for no answer."""
    if len(turns) <= MAX_TURNS and sum(tokens(t.user) + tokens(t.model) for t in turns) <= MAX_TOKENS:
        contents: list[ContextTurn] = []
        for turn in turns:
            if turn.user:
                contents.append(ContextTurn("user", turn.user))
            if turn.model:
                contents.append(ContextTurn("model", turn.model))
        return contents
    sides = [side for t in turns for side in (("User", t.user), ("You", t.model))]
    lines = [f"{who}: {text}" for who, text in sides if text]
    text = _end("\n".join(lines))
    return [ContextTurn("user", f"For your memory, our conversation so far, oldest first:\n{text}")]


def tokens(text: str) -> float:
    """An estimate: a token is four letters in ASCII, two letters in other alphabets, or one ideogram."""
    ascii_ = sum(c.isascii() for c in text)
    ideograms = sum(c >= "\u2e80" for c in text)
    return ascii_ / 4 + (len(text) - ascii_ - ideograms) / 2 + ideograms


def _end(text: str) -> str:
    """The last MAX_TOKENS of a text."""
    weight = 0.0
    for at in range(len(text) - 1, -1, -1):
        weight += tokens(text[at])
        if weight > MAX_TOKENS:
            return "…" + text[at + 1 :]
    return text
