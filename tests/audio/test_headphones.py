"""Headphones are recognised by what the microphone does not hear."""

from __future__ import annotations

from livechat.audio.headphones import Headphones

NOISE = 1e-7


def follow(phones: Headphones, heard: float, played: float, frames: int) -> bool:
    for _ in range(frames):
        phones.follow(heard, NOISE, played)
    return phones.known


def test_two_seconds_of_sound_without_an_echo_are_headphones() -> None:
    phones = Headphones()
    assert not follow(phones, NOISE, 1e-3, 99)
    assert follow(phones, NOISE, 1e-3, 1)


def test_silence_and_faint_sound_prove_nothing() -> None:
    assert not follow(Headphones(), NOISE, 0.0, 1000)
    assert not follow(Headphones(), NOISE, 1e-6, 1000)


def test_an_echo_in_the_first_second_of_an_answer_begins_the_count_again() -> None:
    phones = Headphones()
    for _ in range(10):
        follow(phones, NOISE, 1e-3, 49)
        assert not follow(phones, 10 * NOISE, 1e-3, 1)


def test_a_person_who_cuts_in_later_does_not_begin_it_again() -> None:
    """Short answers, each of them cut short: what one of them told counts with the next."""
    phones = Headphones()
    follow(phones, NOISE, 1e-3, 60)
    follow(phones, 10 * NOISE, 1e-3, 5)
    follow(phones, 10 * NOISE, 0.0, 50)
    assert not follow(phones, NOISE, 1e-3, 39)
    assert follow(phones, NOISE, 1e-3, 1)


def test_after_a_person_has_cut_in_the_rest_of_the_answer_tells_nothing() -> None:
    phones = Headphones()
    follow(phones, NOISE, 1e-3, 99)
    follow(phones, 10 * NOISE, 1e-3, 1)
    assert not follow(phones, NOISE, 1e-3, 200)
    assert not follow(phones, NOISE, 0.0, 25)
    assert follow(phones, NOISE, 1e-3, 1)


def test_once_there_was_an_echo_whoever_cuts_in_may_be_one() -> None:
    phones = Headphones()
    phones.taken_off()
    for _ in range(10):
        follow(phones, NOISE, 1e-3, 90)
        assert not follow(phones, 10 * NOISE, 1e-3, 1)
    follow(phones, NOISE, 1e-3, 99)
    assert follow(phones, NOISE, 1e-3, 1)


def test_a_louder_frame_is_looked_at_for_half_a_second_and_an_echo_ends_it() -> None:
    phones = Headphones()
    awake = []
    for heard, frames in ((NOISE, 100), (1e-3, 1), (NOISE, 24), (NOISE, 1)):
        follow(phones, heard, 1e-3, frames)
        awake.append(phones.awake)
    assert awake == [False, True, True, False]
    phones.taken_off()
    assert not follow(phones, NOISE, 1e-3, 99)
