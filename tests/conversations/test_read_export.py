"""An exported conversation is read back as it was; any other text is told whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.conversations.export import FORMATS
from livechat.conversations.read_export import exchanges
from livechat.conversations.records import Conversation, Entry, KeptTurn
from livechat.session.context_replay import NOTED, Exchange

ENTRY = Entry("abc234", 0.0, 60.0, 60.0, "offline", "gemini-3.8-live", 1, None, "hello")
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)


def exported(form: str, *sides: tuple[str, str]) -> str:
    turns = tuple(KeptTurn(user, model, 1.0, 2.0, 3.0) for user, model in sides)
    return FORMATS[form](Conversation(ENTRY, turns, ()))


@pytest.mark.parametrize("form", ["md", "txt", "json"])
def test_roles_and_words_are_read_back(form: str) -> None:
    sides = [("*Who* are you? 1. #", "A [model]_\\."), ("No answer", ""), ("", "A greeting")]
    expected = [Exchange(*side) for side in sides]
    if form != "json":  # what nobody answered, and what answered nobody, are next to each other
        expected = [expected[0], Exchange("No answer", "A greeting")]
    assert exchanges(exported(form, *sides), "x") == expected


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4))
def test_any_words_are(sides: list[tuple[str, str]]) -> None:
    for form in ("md", "txt", "json"):
        assert exchanges(exported(form, *sides), "x") == [Exchange(*side) for side in sides]


def test_several_rows_of_one_utterance_stay_together() -> None:
    assert exchanges(exported("md", ("one\ntwo", "three\nfour")), "x") == [Exchange("one\ntwo", "three\nfour")]


@pytest.mark.parametrize(
    "text", ["Just words.", "you: this\nand that", "{", "[]", '{"type": "turn"', "# Title\n\nText"]
)
def test_another_text_is_a_document(text: str) -> None:
    assert exchanges(f"{text}\n", "notes.txt") == [
        Exchange(f"For your memory, the document notes.txt:\n{text}", NOTED)
    ]
