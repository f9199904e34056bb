"""Words are found in what was said, in any writing, however they are given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.conversations.records import Utterance
from livechat.conversations.search import search
from livechat.errors import UsageError


def said(*texts: str) -> list[Utterance]:
    return [Utterance("abc234", n, "you", 0.0, text) for n, text in enumerate(texts)]


def found(words: str, *texts: str) -> list[str]:
    return [each.utterance.text for each in search(said(*texts), words)]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("tomato", "Tomatoes, of course"),
        ("TOMATO red", "a red tomato"),
        ("cafe mas", "más café"),
        ("don't", "I don't know"),
        ('"to be"', "to be or not"),
        ("天気", "日本の天気はどうですか"),
        ("น้ำ", "ขอน้ำหน่อย"),
        ("NEAR OR", "near or far"),
        ("text:red", "the text red"),
    ],
)
def test_an_utterance_with_all_the_words_is_found(words: str, text: str) -> None:
    assert found(words, "something else", text) == [text]


def test_what_lacks_one_of_the_words_is_not_found() -> None:
    assert found("red tomato", "a red car", "a green tomato") == []


def test_the_words_looked_for_are_marked_and_the_text_is_as_it_was_said() -> None:
    (one,) = search(said("日本の天気 is fine, Zoë"), "天気 zoe")
    assert one.parts == (("日本の", False), ("天気", True), (" is fine, ", False), ("Zoë", True))


@pytest.mark.parametrize("words", ["", "  ", '"', "? !"])
def test_no_word_is_an_error_with_a_hint(words: str) -> None:
    with pytest.raises(UsageError, match="no word to find") as caught:
        search(said("a"), words)
    assert caught.value.hint


@given(st.text(), st.text(min_size=1))
def test_whatever_is_said_or_asked_for_is_no_fault_of_the_search(text: str, words: str) -> None:
    try:
        results = search(said(text), words)
    except UsageError:
        return
    assert all(each.utterance.text == text for each in results)
