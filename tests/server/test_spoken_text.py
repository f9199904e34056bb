"""What of an answer is spoken, and in which pieces."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.server.spoken_text import ANSWER, DIGITS, PIECE, WORD, limited, parts, pronounceable


@given(st.text() | st.text("ab ,;:.", max_size=2_000) | st.text("a9", min_size=300, max_size=600))
def test_pieces_are_short_and_have_all_of_the_words(text: str) -> None:
    found = list(parts(text))
    assert all(0 < len(part) <= PIECE for part in found)
    assert "".join("".join(found).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("short.", "short."),
        ("a" * 100_000, "a" * WORD),
        (f"{'word ' * 15}one, {'word ' * 30}", f"{'word ' * 15}one,"),
        (f"{'word ' * 100}", ("word " * 20).strip()),
    ],
)
def test_a_long_sentence_is_divided_where_one_would_pause(text: str, first: str) -> None:
    assert next(parts(text)).startswith(first)


def test_a_long_answer_is_cut_and_says_so() -> None:
    assert limited("word " * 2_000).endswith("word …")
    assert len(limited("x" * 100_000)) <= ANSWER + 2
    assert limited("Hello.") == "Hello."


@given(st.text("0123456789 a.,"))
def test_no_number_is_too_long_to_be_read(text: str) -> None:
    read = pronounceable(text)
    assert not re.search(rf"\d{{{DIGITS + 1}}}", read)
    assert read.replace(" ", "") == text.replace(" ", "")
