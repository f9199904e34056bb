"""What a model is sent of a session, and how its answer is cut into sentences."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.server.brain_messages import Sentences, functions, messages
from livechat.server.history import HistoryTurn


def cut(*pieces: str) -> list[str]:
    sentences = Sentences()
    found = [sentence for piece in pieces for sentence in sentences.add(piece)]
    return [*found, rest] if (rest := sentences.rest()) else found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ('He said "no." Then 3.5 came.', ['He said "no."', "Then 3.5 came."]),
        ("# Title\n- first\n- **second** `code`\n", ["Title", "first", "second code"]),
        ("五。六！", ["五。", "六！"]),
        ("<think>A. B. C.</think>Yes. <think>no", ["Yes."]),
        ("  \n\n ", []),
    ],
)
def test_text_is_cut_into_sentences_that_can_be_spoken(text: str, expected: list[str]) -> None:
    assert cut(text) == expected
    assert cut(*text) == expected


@given(st.text(alphabet='ab .!?\n"<think>/', max_size=80), st.integers(1, 9))
def test_it_does_not_matter_how_the_text_comes(text: str, size: int) -> None:
    joined = "".join("".join(cut(text)).split())
    assert "".join("".join(cut(*(text[at : at + size] for at in range(0, len(text), size)))).split()) == joined


def test_turns_become_messages() -> None:
    turns = [HistoryTurn("user", "Hi"), HistoryTurn("model", "Hello, I", cut=True), HistoryTurn("user", " ")]
    system, *said = messages("", turns)
    assert str(system["content"]).startswith("This is a voice conversation")
    assert said == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello, I …"}]


def test_schemas_of_the_live_api_become_json_schemas() -> None:
    nested = {"type": "ARRAY", "items": {"type": "OBJECT", "properties": {"type": {"type": "STRING"}}}}
    given_: list[dict[str, Any]] = [
        {"name": "a", "parameters": {"type": "OBJECT", "properties": {"x": nested}}},
        {"name": "b", "parametersJsonSchema": {"type": "object"}},
        {"name": "c", "description": "C"},
    ]
    made = [tool["function"] for tool in functions(given_)]
    lower = {"type": "array", "items": {"type": "object", "properties": {"type": {"type": "string"}}}}
    assert [function["parameters"] for function in made] == [
        {"type": "object", "properties": {"x": lower}}, {"type": "object"}, {"type": "object", "properties": {}},
    ]  # fmt: skip
