"""How a file is slowed down that is faster than speech: for an answer, and for the link."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livechat.audio.interfaces import FRAME_MS
from livechat.session.fast_pacing import AHEAD, FastPacing
from livechat.session.last_words import LAST_ANSWER_S, LAST_LINK_S, LAST_NOISE_S
from tests.support.examples import examples

FRAME_S = FRAME_MS / 1000


def frames_at_its_own_time(pacing: FastPacing, *, asks: bool) -> float:
    """For how many seconds the source keeps the time of an answer that never comes."""
    frames = 0
    while pacing.keeps_time(speaking=False, answering=False, waiting=True, asks=asks):
        frames += 1
    return frames * FRAME_S


def frames_without_a_link(pacing: FastPacing) -> float:
    """For how many seconds the source waits for a link that never comes."""
    frames = 0
    while pacing.waits_for_link(linked=False, unsent=0):
        pacing.waited_for_link()
        frames += 1
    return frames * FRAME_S


def test_speech_is_never_slowed_down_for_an_answer() -> None:
    assert not FastPacing().keeps_time(speaking=True, answering=True, waiting=True, asks=True)


def test_a_pause_with_nothing_asked_takes_no_time() -> None:
    assert not FastPacing().keeps_time(speaking=False, answering=False, waiting=False, asks=False)


def test_a_pause_in_an_answer_is_as_long_as_it_sounds_however_long_the_answer_is() -> None:
    """What is said next cuts into it, or does not, as in real time."""
    pacing = FastPacing()
    for _ in range(round(LAST_ANSWER_S / FRAME_S) + 10):
        assert pacing.keeps_time(speaking=False, answering=True, waiting=False, asks=False)


def test_an_answer_that_never_comes_is_waited_for_as_at_the_end_of_the_input_and_no_longer() -> None:
    for asks, patience in ((True, LAST_ANSWER_S), (False, LAST_NOISE_S)):
        waited = frames_at_its_own_time(FastPacing(), asks=asks)
        assert waited == pytest.approx(patience, abs=1.5 * FRAME_S)


def test_the_next_question_is_waited_for_as_long_as_the_first() -> None:
    pacing = FastPacing()
    first = frames_at_its_own_time(pacing, asks=True)
    pacing.keeps_time(speaking=True, answering=False, waiting=True, asks=True)
    assert frames_at_its_own_time(pacing, asks=True) == first


def test_the_source_is_a_second_ahead_of_its_link_and_no_further() -> None:
    """Further ahead the outbox would overflow."""
    pacing = FastPacing()
    assert not pacing.waits_for_link(linked=True, unsent=AHEAD)
    assert pacing.waits_for_link(linked=True, unsent=AHEAD + 1)


def test_a_link_that_never_comes_is_waited_for_some_minutes_and_no_longer() -> None:
    pacing = FastPacing()
    assert frames_without_a_link(pacing) == pytest.approx(LAST_LINK_S, abs=1.5 * FRAME_S)
    assert not pacing.waits_for_link(linked=False, unsent=10 * AHEAD)


def test_each_link_that_came_gives_the_next_all_its_time() -> None:
    pacing = FastPacing()
    first = frames_without_a_link(pacing)
    pacing.waits_for_link(linked=True, unsent=0)
    assert frames_without_a_link(pacing) == first


@settings(max_examples=examples(20))
@given(st.lists(st.sampled_from(["speech", "pause", "answer", "linked", "away"]), max_size=60))
def test_whatever_went_before_it_never_waits_for_ever(steps: list[str]) -> None:
    pacing = FastPacing()
    for step in steps:
        match step:
            case "linked" | "away":
                if pacing.waits_for_link(linked=step == "linked", unsent=AHEAD + 1):
                    pacing.waited_for_link()
            case _:
                pacing.keeps_time(speaking=step == "speech", answering=step == "answer", waiting=True, asks=True)
    assert frames_at_its_own_time(pacing, asks=True) <= LAST_ANSWER_S + 1.5 * FRAME_S
    assert frames_without_a_link(pacing) <= LAST_LINK_S + 1.5 * FRAME_S
