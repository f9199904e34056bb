"""Who said what: pieces put together to exchanges, and repeats told from news."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.session.context_replay import Exchange
from livechat.session.transcript import Transcript


def hear(transcript: Transcript, *pieces: str) -> list[bool]:
    return [transcript.heard(piece) for piece in pieces]


# ------------------------------------------------------------------------------------------- transcript


def test_pieces_of_question_and_answer_become_one_exchange() -> None:
    transcript = Transcript()
    assert hear(transcript, " What", " time", " is it?") == [True] * 3
    transcript.said("It is ")
    transcript.said("noon. ")
    assert (transcript.user, transcript.model) == ("What time is it?", "It is noon. ")
    assert transcript.close() == Exchange("What time is it?", "It is noon.")
    assert transcript.turns == [Exchange("What time is it?", "It is noon.")]
    assert (transcript.user, transcript.model, transcript.fresh()) == ("", "", "")


@pytest.mark.parametrize(
    ("pieces", "question"),
    [
        ([], "What time is it?"),  # the session holds it, and says no word of it again
        (["What", " time is it?"], "What time is it?"),  # it hears again what it holds
        (["What", " time is it? Say it."], "What time is it? Say it."),
        (["Say", " it."], "What time is it? Say it."),  # the next sentence
    ],
)
def test_words_that_a_lost_link_heard_stay_where_the_session_holds_their_sound(
    pieces: list[str], question: str
) -> None:
    transcript = Transcript()
    hear(transcript, "What", " time is it?")
    for _ in range(2):  # a link that says nothing is lost as well
        transcript.lost()
        transcript.held()
    hear(transcript, *pieces)
    assert (transcript.question, transcript.pending) == (question, question)
    assert transcript.fresh() == question
    assert transcript.close().user == question
    hear(transcript, "Thanks.")
    assert transcript.question == "Thanks."


def test_sentences_heard_one_after_the_other_do_not_run_together() -> None:
    transcript = Transcript()
    hear(transcript, "Go forward.", "Go", " back 3.", "5 meters.")
    assert transcript.user == "Go forward. Go back 3.5 meters."


def test_speech_that_a_new_link_hears_after_something_typed_is_not_shown_again() -> None:
    transcript = Transcript()
    hear(transcript, "What time is it?")
    transcript.shown()
    transcript.lost()
    transcript.typed("hello")
    transcript.close()  # the answer to what was typed came first
    hear(transcript, "What time is it? And what day?")
    assert transcript.fresh() == "And what day?"
    transcript.close()
    hear(transcript, "What time is it?")
    assert transcript.fresh() == "What time is it?"


def test_what_was_said_before_this_run_stays_in_front_and_is_not_changed_for_its_owner() -> None:
    earlier = [Exchange("a", "b")]
    transcript = Transcript(earlier)
    hear(transcript, "c")
    transcript.close()
    assert transcript.turns == [Exchange("a", "b"), Exchange("c", "")]
    assert earlier == [Exchange("a", "b")]


def test_typed_messages_come_before_what_was_heard_each_on_its_line() -> None:
    transcript = Transcript()
    hear(transcript, "and this too")
    transcript.typed("one")
    transcript.typed("two")
    assert transcript.user == "one\ntwo\nand this too"


def test_a_typed_message_sent_back_as_if_heard_is_not_heard() -> None:
    transcript = Transcript()
    transcript.typed("hello there")
    assert hear(transcript, " hello there\n") == [False]
    assert transcript.user == "hello there"
    assert hear(transcript, "hello there") == [True]  # said aloud, after the echo


def test_each_of_two_equal_messages_has_its_own_echo() -> None:
    transcript = Transcript()
    transcript.typed("again")
    transcript.typed("again")
    assert hear(transcript, "again", "again", "again") == [False, False, True]


def test_a_typed_message_that_a_new_link_is_given_again_may_echo_again() -> None:
    transcript = Transcript()
    transcript.typed("hello")
    assert hear(transcript, "hello") == [False]
    transcript.lost()
    assert hear(transcript, "hello") == [False]
    assert transcript.user == "hello"


def test_an_answered_message_has_no_echo_any_more() -> None:
    transcript = Transcript()
    transcript.typed("yes")
    transcript.close()
    assert hear(transcript, "yes") == [True]
    assert transcript.user == "yes"


def test_what_was_shown_is_not_fresh_and_what_follows_it_is() -> None:
    transcript = Transcript()
    hear(transcript, "He was", " not")
    assert transcript.fresh() == "He was not"
    transcript.shown()
    assert transcript.fresh() == ""
    hear(transcript, " an ill disposed")
    assert transcript.fresh() == "an ill disposed"


def test_a_new_link_that_hears_the_question_again_shows_and_stores_it_once() -> None:
    transcript = Transcript()
    hear(transcript, "He was not")
    transcript.shown()
    transcript.said("You s")
    transcript.lost()
    assert (transcript.user, transcript.model) == ("", "")
    for piece in ("He", " was", " not"):
        hear(transcript, piece)
        assert transcript.fresh() == ""
    hear(transcript, " ill")
    assert transcript.fresh() == "ill"
    transcript.said("You said it.")
    assert transcript.close() == Exchange("He was not ill", "You said it.")


def test_a_question_that_the_new_link_does_not_transcribe_keeps_its_words() -> None:
    transcript = Transcript()
    hear(transcript, "He was not")
    transcript.shown()
    transcript.lost()
    transcript.said("You said it.")
    assert transcript.close() == Exchange("He was not", "You said it.")
    transcript.said("And more.")
    assert transcript.close() == Exchange("", "And more.")


def test_questions_that_are_heard_again_one_by_one_are_shown_once() -> None:
    transcript = Transcript()
    hear(transcript, "He was.", "She too.")
    transcript.shown()
    transcript.lost()
    hear(transcript, "He was.")
    transcript.said("So he was.")
    transcript.close()
    hear(transcript, "She too.")
    assert transcript.fresh() == ""
    assert transcript.close() == Exchange("She too.", "")
    hear(transcript, "She too.")
    assert transcript.fresh() == "She too."


def test_a_question_that_was_not_shown_before_the_loss_is_shown_after_it() -> None:
    transcript = Transcript()
    hear(transcript, "He was")
    transcript.lost()
    hear(transcript, "He was")
    assert transcript.fresh() == "He was"


def test_an_answered_question_asked_again_in_the_same_words_is_shown_again() -> None:
    transcript = Transcript()
    hear(transcript, "Why?")
    transcript.shown()
    transcript.close()
    hear(transcript, "Why?")
    assert transcript.fresh() == "Why?"


def test_what_is_heard_ahead_is_of_the_next_question() -> None:
    transcript = Transcript()
    transcript.typed("typed")
    hear(transcript, "not this")
    transcript.lost()
    assert transcript.heard("And", ahead=True)
    assert transcript.heard(" this?", ahead=True)
    assert (transcript.user, transcript.fresh()) == ("typed", "")
    assert transcript.close() == Exchange("typed", "")
    assert (transcript.user, transcript.fresh()) == ("And this?", "And this?")


def test_what_a_new_link_will_hear_again_is_not_kept_ahead() -> None:
    transcript = Transcript()
    transcript.typed("typed")
    transcript.heard("And this?", ahead=True)
    transcript.lost()
    transcript.close()
    assert transcript.user == ""


def test_an_answer_that_goes_on_is_one_exchange() -> None:
    transcript = Transcript()
    hear(transcript, "What time is it?")
    transcript.said("It is ")
    transcript.close()
    transcript.reopen()
    assert (transcript.turns, transcript.model) == ([], "It is ")
    transcript.said("noon.")
    assert transcript.close() == Exchange("What time is it?", "It is noon.")


@given(st.lists(st.text(min_size=1, max_size=8), max_size=8))
def test_however_it_is_cut_to_pieces_a_question_is_the_same(pieces: list[str]) -> None:
    whole, cut = Transcript(), Transcript()
    whole.heard("".join(pieces))
    hear(cut, *pieces)
    assert whole.user == "".join(pieces).strip()
    assert "".join(cut.user.split()) == "".join(whole.user.split())  # but for the space between two sentences


def answer(*pieces: tuple[str, str]) -> str:
    transcript = Transcript()
    for how, piece in pieces:
        (transcript.said if how == "said" else transcript.written)(piece)
    return transcript.close().model


def test_an_answer_may_be_written_and_what_is_both_said_and_written_stands_once() -> None:
    assert answer(("written", "It is "), ("written", "ten.")) == "It is ten."
    assert answer(("written", "It is ten."), ("said", "It is"), ("said", " ten.")) == "It is ten."
    assert answer(("said", "It is"), ("said", " ten."), ("written", "It is ten.")) == "It is ten."
    assert answer(("said", "Look: "), ("written", "1 + 1 = 2")) == "Look: 1 + 1 = 2"


def test_each_utterance_of_an_answer_is_a_sentence_of_its_own() -> None:
    transcript = Transcript()
    transcript.pause()
    transcript.said("Let me check.")
    transcript.pause()
    transcript.said("It is ten.")
    assert transcript.close().model == "Let me check. It is ten."
