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


def test_an_echo_in_between_begins_the_count_again() -> None:
    phones = Headphones()
    for _ in range(10):
        follow(phones, NOISE, 1e-3, 90)
        assert not follow(phones, 10 * NOISE, 1e-3, 1)


def test_a_louder_frame_is_looked_at_for_half_a_second_and_an_echo_ends_it() -> None:
    phones = Headphones()
    awake = []
    for heard, frames in ((NOISE, 100), (1e-3, 1), (NOISE, 24), (NOISE, 1)):
        follow(phones, heard, 1e-3, frames)
        awake.append(phones.awake)
    assert awake == [False, True, True, False]
    phones.taken_off()
    assert not follow(phones, NOISE, 1e-3, 99)
