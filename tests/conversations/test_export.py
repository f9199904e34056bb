"""What a conversation looks like as a document: nothing of it is lost, nothing of it is obeyed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.conversations.export import FORMATS, json_lines, markdown, subtitles, text, web_subtitles
from livechat.conversations.records import Conversation, Entry, KeptTurn, Run

STARTED = 1_700_000_000.0


def kept(*turns: KeptTurn, runs: tuple[Run, ...] = ()) -> Conversation:
    entry = Entry("abc234", STARTED, STARTED + 60, 60.04, "offline", "m", len(turns), None, "")
    return Conversation(entry, turns, runs)


def spoken(user: str, model: str, *, at: float = 0.0) -> KeptTurn:
    """Asked at `at` seconds, answered two later, over five later."""
    return KeptTurn(user, model, STARTED + at, STARTED + at + 2, STARTED + at + 5)


def cues(document: str) -> list[tuple[str, str]]:
    """(times, text) of each cue, whose numbers count from 1."""
    blocks = [block.splitlines() for block in document.split("\n\n")]
    assert [block[0] for block in blocks] == [str(n + 1) for n in range(len(blocks))]
    return [(times, said) for _, times, said in blocks]


def test_lines_are_those_of_a_pipe() -> None:
    conversation = kept(spoken("hello\nyou", "Hi."), spoken("", "Still there?"), spoken("yes", ""))
    assert text(conversation) == "you: hello you\nmodel: Hi.\nmodel: Still there?\nyou: yes\n"


def test_subtitles_count_from_the_beginning_and_do_not_cover_one_another() -> None:
    conversation = kept(
        spoken("one", "uno", at=1.5), spoken("x" * 150, "dos", at=3_600), spoken("", "tres", at=3_605)
    )
    assert cues(subtitles(conversation)) == [
        ("00:00:01,500 --> 00:00:03,500", "You: one"),
        ("00:00:03,500 --> 00:00:06,500", "uno"),
        ("00:59:52,000 --> 01:00:02,000", "You: " + "x" * 150),
        ("01:00:02,000 --> 01:00:05,000", "dos"),
        ("01:00:07,000 --> 01:00:10,000", "tres"),
    ]


def test_subtitles_for_the_web_have_the_same_times_and_the_speakers_as_voices() -> None:
    conversation = kept(spoken("1 < 2 & 3", "You: yes", at=1.5))
    assert web_subtitles(conversation) == (
        "WEBVTT\n\n"
        "00:00:01.500 --> 00:00:03.500\n<v You>1 &lt; 2 &amp; 3\n\n"
        "00:00:03.500 --> 00:00:06.500\n<v Model>You: yes\n"
    )


def test_a_question_that_came_all_at_once_is_read_before_its_answer_and_after_what_was_before() -> None:
    first, second = (KeptTurn("q" * 45, "a" * 45, at + 9.9, at + 10, at + 13) for at in (STARTED, STARTED + 5))
    assert [times for times, _ in cues(subtitles(kept(first, second)))] == [
        "00:00:07,000 --> 00:00:10,000",
        "00:00:10,000 --> 00:00:13,000",
        "00:00:13,000 --> 00:00:15,000",
        "00:00:15,000 --> 00:00:18,000",
    ]


def test_a_caption_stays_as_long_as_its_words_take_to_say() -> None:
    """Some servers send the words of an answer all at once."""
    at_once = KeptTurn("", "w" * 60, STARTED + 1, STARTED + 1, STARTED + 1)
    assert cues(subtitles(kept(at_once))) == [("00:00:01,000 --> 00:00:05,000", "w" * 60)]


def test_without_a_time_of_its_beginning_an_exchange_is_placed_before_its_end() -> None:
    old = KeptTurn("q" * 30, "a" * 45, None, None, STARTED + 20)
    assert cues(subtitles(kept(old))) == [
        ("00:00:15,000 --> 00:00:17,000", "You: " + "q" * 30),
        ("00:00:17,000 --> 00:00:20,000", "a" * 45),
    ]


def test_what_markdown_would_take_for_its_own_stays_text() -> None:
    conversation = kept(spoken("# 2*3 <b>\n\n1. [x](y)\n- `z` \\", "a_b"))
    first, meta, user, model = markdown(conversation).rstrip("\n").split("\n\n")
    assert first == "# Conversation abc234"
    assert meta.startswith("m, 20")
    assert user.split("): ", 1)[1].splitlines() == [r"\# 2\*3 \<b\>" + "\\", r"1\. \[x\](y)" + "\\", r"\- \`z\` \\"]
    assert model == r"**Model**: a\_b"


def test_programs_get_every_field_a_line_for_each_thing() -> None:
    run = Run(STARTED, STARTED + 60, 2, 60_000.0, 59_000.0, 900.0, 20.0, 250.0)
    old = KeptTurn("q", "", None, None, STARTED + 9)
    head, first, second, last = map(json.loads, json_lines(kept(spoken("a", "b"), old, runs=(run,))).splitlines())
    assert (head["type"], head["id"], head["duration_s"], head["resumable_until"]) == (
        "conversation",
        "abc234",
        60,
        None,
    )
    assert (first["type"], first["n"], first["user"], first["model"]) == ("turn", 1, "a", "b")
    assert (second["n"], second["began"], second["answered"]) == (2, None, None)
    assert (last["type"], last["links"], last["dropped_ms"]) == ("run", 2, 20.0)
    assert all(at.startswith("2023-11-1") for at in (head["started"], first["began"], second["ended"], last["ended"]))


@pytest.mark.parametrize("name", FORMATS)
@given(said=st.lists(st.tuples(st.text(), st.text()), max_size=3))
def test_no_format_holds_anything_a_terminal_obeys(name: str, said: list[tuple[str, str]]) -> None:
    document = FORMATS[name](kept(*(spoken(*sides) for sides in said)))
    assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in document)
    document.encode()


@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(0, 1e6),
            st.none() | st.floats(0, 1e6),
            st.floats(0, 1e6),
            st.text("ab ", max_size=99),
        ),
        max_size=5,
    )
)
def test_whatever_the_clock_did_a_cue_ends_after_it_begins_and_all_are_in_order(rows: list[tuple[Any, ...]]) -> None:
    turns = (KeptTurn(f"q{said}", f"a{said}", *times) for *times, said in rows)
    shown = [times.split(" --> ") for times, _ in cues(subtitles(kept(*turns)))] if rows else []
    assert all(begin <= end for begin, end in shown)
    assert [begin for begin, _ in shown] == sorted(begin for begin, _ in shown)
