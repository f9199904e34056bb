"""What a new session is told about the conversation so far.

It gets a few turns as turns with their roles, and many turns as one message, a digest of them. Google advises both
ways of restoring a context (Firebase AI Logic, "incremental content updates"). Documents are told whole.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MAX_TURNS = 40
MAX_TOKENS = 3_000  # well under the smallest trigger of compression (docs/wire.md 4), which would cut it off at once
NOTED = "(noted)"  # stands for the answer to what was told and not asked: else it would be part of the next question
DOCUMENT = 400  # tokens: what is longer, and was told, is told again whole
DOCUMENT_TOKENS = 26_000  # of one of them, a quarter of the usual trigger; the rest of it is not told
ALIKE = 3  # lines that differ only in their numbers; more of them say little
SHORT = 24  # tokens of an old side that are kept, at least

_OF_ONESELF = re.compile(r"\b(?:I|my|mine|we|our|remember)\b", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_NAMED = re.compile(r"\d|(?<=[a-z,] )[A-Z]\w")  # a number, or a capital within a sentence


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer, as text. Either may be "": a greeting answers no question, and an answer may be cut
    off before its first word."""

    user: str
    model: str


@dataclass(frozen=True, slots=True)
class ContextTurn:
    """One turn that a session is told of."""

    role: Literal["user", "model", "system"]
    text: str


def seed(turns: Sequence[Exchange]) -> list[ContextTurn]:
    """The context that stands for `turns`, oldest first. It asks for no answer."""
    told: list[ContextTurn] = []
    said: list[Exchange] = []
    for turn in turns:
        if turn.model == NOTED and tokens(turn.user) > DOCUMENT:
            told += [ContextTurn("user", _shortened(turn.user, DOCUMENT_TOKENS)), ContextTurn("model", NOTED)]
        else:
            said.append(turn)
    return told + _conversation(said)


def _conversation(turns: list[Exchange]) -> list[ContextTurn]:
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
    if sum(map(tokens, lines)) > MAX_TOKENS:
        digest = "\n".join(_digest(lines))
        return [ContextTurn("user", f"For your memory, our conversation so far, shortened, oldest first:\n{digest}")]
    text = "\n".join(lines)
    return [ContextTurn("user", f"For your memory, our conversation so far, oldest first:\n{text}")]


def _digest(lines: list[str]) -> list[str]:
    """The lines that say most, in their order: a third of MAX_TOKENS for the newest, the rest for those before."""
    newest, left = len(lines), MAX_TOKENS / 3
    while newest and (left := left - tokens(lines[newest - 1])) > 0:
        newest -= 1
    left = MAX_TOKENS * 2 / 3
    share = max(SHORT, int(left / max(1, newest)) - 2)
    kept: dict[int, str] = {}
    alike = Counter(_DIGITS.sub("0", line) for line in lines)
    weights = [_weight(line) if alike[_DIGITS.sub("0", line)] <= ALIKE else 0 for line in lines]
    # Of two that say as much, the older one: the newer is more likely to be told again by what followed.
    for at in sorted(range(newest), key=lambda at: (-weights[at], at)):
        line = _shortened(lines[at], share)
        left -= tokens(line)
        if left < 0:
            break
        kept[at] = line
    last = lines[newest:] or [_shortened(lines[-1], int(MAX_TOKENS / 3))]
    return [*(kept[at] for at in sorted(kept)), *last]


def _weight(line: str) -> int:
    """How much a line says that could be asked for later: the person's own words, names, numbers."""
    of_person = line.startswith("User: ")
    return 3 * of_person + 2 * bool(of_person and _OF_ONESELF.search(line)) + 2 * bool(_NAMED.search(line))


def _shortened(text: str, most: int) -> str:
    """The first words of `text`, at most so many tokens."""
    if tokens(text) <= most:
        return text
    weight = 0.0
    for at, character in enumerate(text):
        weight += tokens(character)
        if weight > most:
            words = text[:at].rsplit(" ", 1)[0]
            return f"{words if len(words) > at / 2 else text[:at]} …"
    return text


def tokens(text: str) -> float:
    """An estimate: a token is four letters in ASCII, two letters in other alphabets, or one ideogram."""
    ascii_ = sum(c.isascii() for c in text)
    ideograms = sum(c >= "\u2e80" for c in text)
    return ascii_ / 4 + (len(text) - ascii_ - ideograms) / 2 + ideograms
