"""What the small agent answers, and that it is true."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.server.history import Facts, HistoryTurn
from livechat.server.replies import ABOUT, STORY, reply

FACTS = Facts(datetime(2026, 11, 21, 15, 4, tzinfo=UTC), 192, 500, 2000)


def answer(text: str, *earlier: HistoryTurn) -> str:
    return reply([*earlier, HistoryTurn("user", text)], FACTS)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What time is it right now?", "It is 3:04 PM."),
        ("What day is it today?", "Today is Saturday, November 21, 2026."),
        ("What's the date?", "Today is Saturday, November 21, 2026."),
        ("How old is this session?", "This session is 3 minutes and 12 seconds old."),
        ("How long have we been talking?", "This session is 3 minutes and 12 seconds old."),
        ("How much context have I used?", "The context holds 500 of 2000 tokens, which is 25 percent."),
        ("How much is seventeen plus twenty five?", "17 plus 25 is 42."),
        ("How much a 17 plus 25.", "17 plus 25 is 42."),
        ("What is 7 times eight?", "7 times 8 is 56."),
        ("two plus three times four", "2 plus 3 times 4 is 14."),
        ("What is one hundred and six minus two hundred?", "106 minus 200 is minus 94."),
        ("ten divided by four", "10 divided by 4 is 2.5."),
        ("What's 1/3?", "1 divided by 3 is about 0.333333."),
        ("five over zero", "Nothing can be divided by zero."),
        ("two thousand twenty-six minus twenty-five", "2026 minus 25 is 2001."),
        ("two thousand three hundred and five minus a hundred", "2305 minus 100 is 2205."),
        ("eleven five plus twenty ten", "5 plus 20 is 25."),
        ("999999999999 times 999999999999", "999999999999 times 999999999999 is 999999999998000000000001."),
        ("0.1 plus 0.2", "0.1 plus 0.2 is 0.3."),
        ("twenty five thousand and six times one", "25006 times 1 is 25006."),
        ("Spell elephant.", "Elephant is spelled E, L, E, P, H, A, N, T."),
        ("How do you spell cat?", "Cat is spelled C, A, T."),
        ("Please spell.", "Which word shall I spell?"),
        ("Count to five.", "1, 2, 3, 4, 5."),
        ("Can you count from twelve to ten", "12, 11, 10."),
        ("Tell me a story, please!", STORY),
        ("Repeat after me: The Cat sat.", "The Cat sat."),
        ("Stop!", "Okay."),
        ("Hello there", "Hello! I am the offline agent."),
        ("Thank you very much.", "You are welcome."),
        ("Goodbye", "Goodbye!"),
        ("My name is Ada Lovelace.", "Pleased to meet you, Ada Lovelace."),
        ("my name is ada and I work", "Pleased to meet you, Ada."),
        ("What is my name?", "I do not remember you telling me your name."),
        ("What did I say?", "This is the first thing I remember you saying."),
        ("What did you say?", "I do not remember saying anything yet."),
        ("...", "I did not hear any words."),
        ("He was not an ill disposed young man", f"I heard: He was not an ill disposed young man. {ABOUT}"),
        ("Why?", f"I heard: Why? {ABOUT}"),
    ],
)
def test_answers(question: str, expected: str) -> None:
    assert answer(question) == expected


def test_counting_has_a_limit_and_says_so() -> None:
    assert answer("count to one thousand").endswith("99, 100. I stop there: 100 numbers are my limit.")
    assert answer("count to 100").endswith("99, 100.")


def test_it_remembers_what_the_history_holds() -> None:
    earlier = [
        HistoryTurn("user", "My name is Bo."),
        HistoryTurn("model", "Hi."),
        HistoryTurn("user", "Go forward ten meters."),
    ]
    assert answer("What did I say?", *earlier) == "You said: My name is Bo. ... Go forward ten meters."
    first = answer("What was the first thing I said?", *earlier)
    assert first == "The first thing I remember you saying is: My name is Bo."
    assert answer("What did I say last?", *earlier) == "The last thing you said is: Go forward ten meters."
    assert answer("Do you remember my name?", *earlier) == "Your name is Bo."
    assert answer("Say that again.", *earlier) == "Hi."


def test_it_says_what_it_is_once() -> None:
    first = answer("Why is the sky blue?")
    assert ABOUT in first
    assert answer("But why?", HistoryTurn("user", "x"), HistoryTurn("model", first)) == "I heard: But why?"


def test_help_tells_the_truth_about_the_network() -> None:
    assert "without a network" in answer("What can you do?")


@given(st.text(max_size=60))
def test_anything_gets_an_answer(text: str) -> None:
    assert answer(text)


@given(st.integers(0, 999), st.integers(0, 999), st.sampled_from(["plus", "minus", "times", "+", "-", "*", "x"]))
def test_sums_are_right(a: int, b: int, operator: str) -> None:
    total = {"plus": a + b, "+": a + b, "minus": a - b, "-": a - b}.get(operator, a * b)
    spoken = f"minus {-total}" if total < 0 else f"{total}"
    assert answer(f"What is {a} {operator} {b}?").endswith(f" is {spoken}.")
