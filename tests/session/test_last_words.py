"""When a conversation is over whose input has ended: answered, unanswered or undelivered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.session.last_words import BEGIN_S, LAST_ANSWER_S, LAST_LINK_S, LAST_LINKS, LAST_NOISE_S, End, LastWords


class Ended:
    """A conversation on a link since 0 whose only input ended at 10, and what goes on in it."""

    def __init__(self, *, voice: bool = True) -> None:
        self.words = LastWords(1, voice=voice)
        self.words.flowing(1.0)
        self.words.input_ended(10.0)
        self.answering = self.waiting = self.asks = False
        self.linked = True

    def over(self, now: float) -> End | None:
        return self.words.over(
            now, answering=self.answering, waiting=self.waiting, asks=self.asks, linked=self.linked
        )


def question() -> Ended:
    ended = Ended()
    ended.waiting = ended.asks = True
    return ended


def test_it_is_not_over_while_one_of_two_inputs_goes_on() -> None:
    words = LastWords(2, voice=True)
    words.input_ended(1.0)
    assert words.over(100.0, answering=False, waiting=False, asks=False, linked=True) is None
    words.input_ended(200.0)
    assert words.over(300.0, answering=False, waiting=False, asks=False, linked=True) == "answered"


def test_with_nothing_asked_an_answer_to_a_voice_is_given_a_moment_to_begin() -> None:
    ended = Ended()
    assert ended.over(10.0 + BEGIN_S) is None
    assert ended.over(10.1 + BEGIN_S) == "answered"


def test_a_pipe_whose_lines_all_have_their_answer_is_over_at_once() -> None:
    assert Ended(voice=False).over(10.0) == "answered"


def test_what_is_answered_is_over_without_a_link_as_well() -> None:
    ended = Ended()
    ended.linked = False
    assert ended.over(12.0) == "answered"


def test_it_is_never_over_while_an_answer_comes_or_is_heard() -> None:
    ended = Ended()
    ended.answering = True
    assert ended.over(1e6) is None
    ended.answering = False
    assert ended.over(1e6) == "answered"


def test_a_question_is_waited_for_longer_than_what_may_be_a_noise() -> None:
    for asks, patience in ((True, LAST_ANSWER_S), (False, LAST_NOISE_S)):
        ended = Ended()
        ended.waiting, ended.asks = True, asks
        assert ended.over(9.9 + patience) is None
        assert ended.over(10.0 + patience) == "unanswered"


def test_a_question_that_the_next_link_was_given_has_all_its_time_again() -> None:
    ended = question()
    ended.words.flowing(30.0)
    assert ended.over(10.0 + LAST_ANSWER_S) is None
    assert ended.over(30.0 + LAST_ANSWER_S) == "unanswered"


def test_a_question_is_not_handed_from_link_to_link_for_ever() -> None:
    """A server that drops every link after seconds: the time on all of them together is bounded."""
    ended = question()
    now = 10.0
    for _ in range(int(LAST_LINKS * LAST_ANSWER_S / 2)):
        assert ended.over(now) is None
        ended.words.listened(2.0)
        now += 2.0
        ended.words.flowing(now)
    ended.words.listened(2.0)
    assert ended.over(now) == "unanswered"


def test_time_before_the_input_ended_is_no_time_that_its_last_question_was_waited_for() -> None:
    words = LastWords(1, voice=True)
    words.flowing(1.0)
    words.listened(1e6)
    words.input_ended(10.0)
    assert words.over(11.0, answering=False, waiting=True, asks=True, linked=True) is None


def test_without_a_link_what_was_said_last_is_given_up_after_minutes() -> None:
    ended = question()
    ended.linked = False
    assert ended.over(10.0 + LAST_LINK_S) is None
    assert ended.over(10.1 + LAST_LINK_S) == "undelivered"


def test_before_any_link_was_open_the_machine_alone_decides_when_to_give_up() -> None:
    words = LastWords(1, voice=True)
    words.input_ended(10.0)
    words.stopped(20.0, 1_000.0)
    assert words.over(1e6, answering=False, waiting=True, asks=True, linked=False) is None


@pytest.mark.parametrize(
    ("flowing_at", "counted_from"),
    [
        (1.0, 1_010.0),  # the input ended after it, at 10
        (20.05, 1_020.0),  # in the moment before the stop: it has all of its time
        (1_020.25, 1_020.25),  # after the stop
    ],
)
def test_time_in_which_the_process_was_stopped_is_no_time_that_was_waited(
    flowing_at: float, counted_from: float
) -> None:
    ended = question()
    ended.words.flowing(flowing_at)
    ended.words.stopped(20.0, 1_000.0)
    assert ended.over(counted_from + LAST_ANSWER_S - 0.01) is None
    assert ended.over(counted_from + LAST_ANSWER_S) == "unanswered"


def test_it_is_over_once() -> None:
    ended = Ended(voice=False)
    assert [ended.over(10.0), ended.over(11.0)] == ["answered", None]


looks = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=200)


@given(looks, st.booleans())
def test_it_is_over_in_bounded_time_though_links_come_and_go(
    looks: list[tuple[bool, bool, bool]], asks: bool
) -> None:
    """Each look is ten seconds after the last: whether a link takes input, is a new one, and something waits."""
    words, now, end = LastWords(1, voice=True), 1.0, None
    words.flowing(now)
    words.input_ended(now)
    linked_s = away_s = 0.0
    for linked, another, waiting in [*looks, *[(True, False, True)] * 4]:
        now += 10.0
        if linked:
            linked_s, away_s = linked_s + 10.0, 0.0
            words.listened(10.0)
            if another:
                words.flowing(now)
        else:
            away_s += 10.0
        end = words.over(now, answering=False, waiting=waiting, asks=asks, linked=linked)
        if end is not None:
            break
        assert linked_s <= LAST_LINKS * LAST_ANSWER_S
        assert away_s <= LAST_LINK_S
    assert end is not None
