"""What turns weigh, how they are dropped, and how much of an answer had been said."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from livechat.server.history import HistoryTurn, said_by, text_tokens, trimmed, weight
from livechat.session.context_replay import tokens

SECONDS = st.integers(0, 400).map(lambda tenths: tenths / 10)
TURNS = st.lists(st.builds(HistoryTurn, st.sampled_from(["user", "model"]), st.text(max_size=30), SECONDS))


def test_weights() -> None:
    assert HistoryTurn("user", "hello", 4.0).tokens == 100
    assert HistoryTurn("user", "hello").tokens == 2
    assert text_tokens("") == 0


@given(st.text())
def test_both_ends_estimate_the_same_tokens(text: str) -> None:
    """They share no code, so each has the rule of docs/wire.md 4 for itself."""
    assert text_tokens(text) == math.ceil(tokens(text))


@given(TURNS, st.integers(-10, 2000))
def test_trimming_keeps_the_newest_from_a_user_s_turn_on(turns: list[HistoryTurn], budget: int) -> None:
    kept = trimmed(turns, budget)
    assert turns[len(turns) - len(kept) :] == kept
    assert not kept or kept[0].role == "user"
    last = max((i for i, turn in enumerate(turns) if turn.role == "user"), default=None)
    assert weight(kept) <= budget or not kept or kept == turns[last:]
    assert last is None or kept[last - len(turns)] is turns[last]


@given(st.lists(st.tuples(st.text("ab ", max_size=12), st.floats(0.01, 5))), st.floats(0, 30))
def test_what_was_said_is_a_beginning_of_the_answer(pieces: list[tuple[str, float]], seconds: float) -> None:
    whole = "".join(text for text, _ in pieces)
    said = said_by(pieces, seconds)
    assert whole.strip().startswith(said)
    if seconds > sum(length for _, length in pieces) + 1e-6:
        assert said == whole.strip()
    assert said_by(pieces, 0) == ""


def test_what_was_said_to_the_word() -> None:
    pieces = [("one two three ", 3.0), ("four five ", 2.0)]
    assert said_by(pieces, 3.9) == "one two three"
    assert said_by(pieces, 4.1) == "one two three four"
