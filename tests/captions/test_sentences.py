"""Where a growing text is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.captions.sentences import whole_sentences


@pytest.mark.parametrize(
    ("text", "lines", "rest"),
    [
        ("", [], ""),
        ("One. Two", ["One."], "Two"),
        ("One.", [], "One."),  # more may follow at once
        ("It costs 3.5 euros. Yes", ["It costs 3.5 euros."], "Yes"),
        ('He said "no." She left! And', ['He said "no."', "She left!"], "And"),
        ("今日は。明日", ["今日は。"], "明日"),
    ],
)
def test_sentences_are_cut_where_the_next_one_begins(text: str, lines: list[str], rest: str) -> None:
    assert whole_sentences(text) == (lines, rest)


@given(st.text(alphabet="ab. !?。\n", max_size=60))
def test_nothing_but_space_is_lost(text: str) -> None:
    lines, rest = whole_sentences(text)
    assert "".join("".join([*lines, rest]).split()) == "".join(text.split())
