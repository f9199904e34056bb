"""What a session that does not remember is told about the conversation so far.

A few turns are given as turns with their roles, many as one message that sums up: both ways are Google's
own advice for restoring a context (Firebase AI Logic, "incremental content updates").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MAX_TURNS = 40
MAX_TOKENS = 3_000  # well under the smallest trigger a person can ask for, so that it is not cut off at once


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its answer, as text. Either may be empty: a greeting, or an answer cut before a word."""

    user: str
    model: str


@dataclass(frozen=True, slots=True)
class Content:
    """One turn of context for the server."""

    role: Literal["user", "model"]
    text: str


def seed(turns: list[Exchange]) -> list[Content]:
    """The context that stands for `turns`, oldest first; empty for none. It asks for no answer."""
    if len(turns) <= MAX_TURNS and sum(tokens(t.user) + tokens(t.model) for t in turns) <= MAX_TOKENS:
        contents: list[Content] = []
        for turn in turns:
            if turn.user:
                contents.append(Content("user", turn.user))
            if turn.model:
                contents.append(Content("model", turn.model))
        return contents
    sides = [side for t in turns for side in (("User", t.user), ("You", t.model))]
    lines = [f"{who}: {text}" for who, text in sides if text]
    text = _end("\n".join(lines))
    return [Content("user", f"For your memory, our conversation so far, oldest first:\n{text}")]


def tokens(text: str) -> float:
    """About how many tokens a text weighs: four letters each in ASCII, two in other alphabets, one ideogram."""
    ascii_ = sum(c.isascii() for c in text)
    ideograms = sum(c >= "\u2e80" for c in text)
    return ascii_ / 4 + (len(text) - ascii_ - ideograms) / 2 + ideograms


def _end(text: str) -> str:
    """The newest MAX_TOKENS of a text."""
    weight = 0.0
    for at in range(len(text) - 1, -1, -1):
        weight += tokens(text[at])
        if weight > MAX_TOKENS:
            return "…" + text[at + 1 :]
    return text
