"""What a new session is told about the conversation so far."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from livechat.session.context_replay import (
    DOCUMENT_TOKENS,
    MAX_TOKENS,
    MAX_TURNS,
    NOTED,
    ContextTurn,
    Exchange,
    seed,
    tokens,
)


def test_no_conversation_is_no_context() -> None:
    assert seed([]) == []


def test_a_few_turns_are_given_as_turns_with_their_roles_and_empty_sides_left_out() -> None:
    assert seed([Exchange("q1", "a1"), Exchange("", "greeting"), Exchange("q2", "")]) == [
        ContextTurn("user", "q1"), ContextTurn("model", "a1"), ContextTurn("model", "greeting"),
        ContextTurn("user", "q2"),
    ]  # fmt: skip


def test_forty_turns_are_still_turns_and_forty_one_are_one_message() -> None:
    turns = [Exchange(f"q{n}", f"a{n}") for n in range(MAX_TURNS + 1)]
    assert len(seed(turns[:MAX_TURNS])) == 2 * MAX_TURNS
    (content,) = seed(turns)
    assert content.role == "user"
    assert content.text.splitlines()[1:4] == ["User: q0", "You: a0", "User: q1"]
    assert content.text.endswith("You: a40")


def test_long_turns_are_one_message_of_their_newest_end() -> None:
    for letter in "xж語":
        turns = [Exchange(letter * 4 * MAX_TOKENS, "old"), Exchange("the newest question", "the newest answer")]
        (content,) = seed(turns)
        assert content.text.endswith("User: the newest question\nYou: the newest answer")
        assert MAX_TOKENS / 2 < tokens(content.text) < MAX_TOKENS + 100


def test_a_summary_leaves_out_empty_sides_and_nothing_else() -> None:
    turns = [Exchange(f"q{n}", f"a{n}") for n in range(MAX_TURNS)] + [Exchange("the shopping list: ", "")]
    (content,) = seed(turns)
    assert content.text.splitlines()[-1] == "User: the shopping list: "


@given(st.lists(st.tuples(st.text(max_size=400), st.text(max_size=400)), max_size=60))
def test_a_seed_is_bounded_and_never_holds_an_empty_turn(said: list[tuple[str, str]]) -> None:
    contents = seed([Exchange(*turn) for turn in said])
    assert all(content.text for content in contents)
    assert sum(tokens(content.text) for content in contents) <= MAX_TOKENS + 100
    assert bool(contents) == any(user or model for user, model in said) or len(said) > MAX_TURNS


def test_a_long_conversation_still_tells_what_the_person_said_of_themselves() -> None:
    talk = [Exchange("hello", "Hi."), Exchange("I am fine", "Good."), Exchange("my cat is Whiskers", "A nice name.")]
    talk += [Exchange(f"tell me about number {n} in more words", f"It is {n}. " * 20) for n in range(200)]
    (content,) = seed(talk)
    lines = content.text.splitlines()
    assert "shortened" in lines[0]
    assert "User: my cat is Whiskers" in lines
    assert lines.index("User: I am fine") < lines.index("User: my cat is Whiskers")
    assert "199" in lines[-1]
    assert tokens(content.text) < MAX_TOKENS + 100


def test_what_was_told_is_told_whole_and_before_the_rest() -> None:
    document = "word " * 4 * MAX_TOKENS
    turns = seed([Exchange("hello", "Hi."), Exchange(document, NOTED), Exchange("short", NOTED)])
    assert [turn.text for turn in turns] == [document, NOTED, "hello", "Hi.", "short", NOTED]
    assert [turn.role for turn in turns] == ["user", "model"] * 3
    (first, *_) = seed([Exchange("long " * DOCUMENT_TOKENS, NOTED)])
    assert DOCUMENT_TOKENS / 2 < tokens(first.text) < DOCUMENT_TOKENS + 10
