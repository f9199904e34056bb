"""Whose words are left without an answer."""

import pytest

from livechat.server.proactive import for_somebody_else


@pytest.mark.parametrize("text", ["Hey Bob, dinner is ready.", "hi Anna! Can you come?", "Listen, Tom, I am late."])
def test_words_for_somebody_else(text: str) -> None:
    assert for_somebody_else(text, "")


@pytest.mark.parametrize(
    "text",
    ["", "Hey!", "Hello there, how are you?", "Hey Gemini, what time is it?", "Hello, world", "Okay, how much is it?",
     "Bob is my brother.", "Hey, what time is it?", "My name is Bob.", "Hi Bob."],
)  # fmt: skip
def test_words_for_the_agent_or_for_nobody(text: str) -> None:
    assert not for_somebody_else(text, "")


def test_an_agent_that_has_a_name_listens_to_it() -> None:
    assert not for_somebody_else("Hey Bob, what time is it?", "You are Bob, a butler.")
