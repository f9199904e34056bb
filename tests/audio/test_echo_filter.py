"""The filter learns a path, does not touch a person, and finds a path that has changed."""

from __future__ import annotations

import numpy as np

from livechat.audio.echo_filter import PARTITIONS, EchoFilter
from livechat.audio.spectrum import FRAME, Sound, floating
from tests.support.conversation import samples
from tests.support.echo_room import MODEL_SPEECH, PERSON, room

SILENCE = np.zeros(0, np.int16)
ECHO = floating(room(MODEL_SPEECH, SILENCE))
PLAYED = floating(MODEL_SPEECH)


def removed(path: EchoFilter, heard: Sound, played: Sound, first: int = 0) -> Sound:
    """What is left of each frame."""
    padded = np.concatenate([np.zeros((PARTITIONS + 1) * FRAME, np.float32), played])
    left = []
    for at in range(first * FRAME, len(heard) - FRAME + 1, FRAME):
        path.remove(heard[at : at + FRAME], padded[at : at + (PARTITIONS + 2) * FRAME])
        left.append(path.left[FRAME:].copy())
    return np.concatenate(left)


def db(sound: Sound) -> float:
    return 10 * float(np.log10(np.mean(sound.astype(float) ** 2) + 1e-12))


def test_it_learns_the_path_within_three_seconds() -> None:
    path = EchoFilter()
    left = removed(path, ECHO, PLAYED)
    assert path.converged
    assert db(ECHO[48_000:]) - db(left[48_000:]) > 20


def test_a_person_passes_as_they_are_and_stays_ten_decibels_above_what_is_left_of_the_echo() -> None:
    person = np.zeros(len(MODEL_SPEECH), np.int16)
    person[10 * 16_000 :][: len(samples(PERSON))] = samples(PERSON)
    both = floating(room(MODEL_SPEECH, person))
    spoken = slice(10 * 16_000 + 3200, 10 * 16_000 + len(samples(PERSON)) - 3200)
    wrong = removed(EchoFilter(), both, PLAYED)[spoken] - floating(person)[spoken]
    before = both[spoken] - floating(person)[spoken]
    assert db(floating(person)[spoken]) - db(wrong) > 10
    assert db(before) - db(wrong) > 8


def test_without_an_echo_it_changes_nothing_that_is_heard() -> None:
    rng = np.random.default_rng(5)
    hiss = rng.normal(0, 5e-4, len(PLAYED)).astype(np.float32)
    left = removed(EchoFilter(), hiss, PLAYED)
    assert db(left[32_000:] - hiss[32_000 : len(left)]) < db(hiss) - 10


def test_a_path_that_has_changed_is_noticed_and_learnt_anew() -> None:
    path = EchoFilter()
    moved = np.concatenate([ECHO[: 8 * 16_000], floating(room(MODEL_SPEECH, SILENCE, seed=7))[8 * 16_000 :]])
    moved[8 * 16_000 :] = np.roll(moved[8 * 16_000 :], 400)
    left = removed(path, moved, PLAYED)
    assert db(moved[-48_000:]) - db(left[-48_000:]) > 15


def test_what_is_forgotten_is_learnt_again() -> None:
    path = EchoFilter()
    removed(path, ECHO[: 8 * 16_000], PLAYED)
    path.restart()
    assert not path.converged
    left = removed(path, ECHO, PLAYED, first=8 * 50)
    assert db(ECHO[12 * 16_000 :]) - db(left[4 * 16_000 :]) > 15


def test_it_goes_on_after_frames_that_were_left_out() -> None:
    one, other = EchoFilter(), EchoFilter()
    removed(one, ECHO[: 200 * FRAME], PLAYED)
    other.recall(ECHO[199 * FRAME : 200 * FRAME], PLAYED[(200 - PARTITIONS - 1) * FRAME : 200 * FRAME])
    assert np.allclose(one._played, other._played, atol=1e-5)
    assert np.allclose(one._played_power, other._played_power, atol=1e-4)
