"""What was played is followed: without jumps, through drift, into a new stream, at any rate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from livechat.audio.reference import Reference
from livechat.audio.ring import Samples
from tests.support.echo_room import FRAME, Played, noise
from tests.support.virtual_card import likeness


def followed(reference: Reference, frames: int, wrong: Callable[[int], float] = lambda i: 0.0) -> Samples:
    """The reference for so many frames from time 0 on, heard with a clock that is `wrong(i)` at frame i."""
    return np.concatenate([reference.during(i / 50 + wrong(i)) for i in range(frames)])


def test_the_reference_does_not_jump_when_a_callback_is_late() -> None:
    sound = noise(2)
    reference = Reference(Played(sound))
    late = {20: 0.02, 21: 0.019, 50: -0.08, 70: 0.008}
    heard = followed(reference, 100, lambda i: late.get(i, 0.0) + 1e-4 * (-1) ** i)
    # Where it begins is a matter of the first measure; from there on it is sample after sample.
    assert np.array_equal(heard[: 99 * FRAME], sound[2 : 2 + 99 * FRAME])


@pytest.mark.parametrize("moved", [0.03, -0.03])
def test_the_reference_follows_within_a_fifth_of_a_second_what_has_really_moved(moved: float) -> None:
    sound = noise(4)
    heard = followed(Reference(Played(sound)), 100, lambda i: moved if i >= 50 else 0.0)
    assert np.array_equal(heard[: 50 * FRAME], sound[: 50 * FRAME])
    first = 60 * FRAME + round(moved * 16_000)
    assert np.array_equal(heard[60 * FRAME :], sound[first : first + 40 * FRAME])


def test_the_reference_of_a_new_stream_is_looked_up_at_once() -> None:
    played = Played(noise(4))
    reference = Reference(played)
    followed(reference, 50)
    played.stream, played.wrong = 2, 0.5
    late = {50: 0.02, 51: 0.019}  # two callbacks, at the worst moment
    heard = np.concatenate([reference.during(i / 50 + late.get(i, 0.0)) for i in range(50, 60)])
    assert np.array_equal(heard, played.sound[75 * FRAME : 85 * FRAME])


@pytest.mark.parametrize("rate", [24_000, 48_000, 44_100, 11_025])
def test_the_reference_has_the_microphones_rate(rate: int) -> None:
    def tone(at: int) -> npt.NDArray[np.float64]:
        sound: npt.NDArray[np.float64] = 8000 * np.sin(2 * np.pi * 1000 / at * np.arange(2 * at))
        return sound

    heard = followed(Reference(Played(tone(rate).astype(np.int16), rate)), 90)
    assert np.abs(heard - tone(16_000)[: len(heard)])[FRAME:].max() < 40


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_the_reference_follows_clocks_that_drift_without_a_jump(rate: int) -> None:
    """A tone of 1 kHz tells by its phase where the reference is, to some microseconds."""
    drift, seconds = 50e-6, 60
    tone = (8000 * np.sin(2 * np.pi * 1000 / rate * np.arange((seconds + 1) * rate))).astype(np.int16)
    reference = Reference(Played(tone, rate))
    random = np.random.default_rng(3)
    began = [i / 50 * (1 + drift) for i in range(seconds * 50)]
    frames, restarts = [], 0
    for at in began:
        frames.append(reference.during(at + random.normal(0, 1e-4)))  # no sound system tells the time better
        restarts += reference.restarted
    at_frame = np.exp(-2j * np.pi * np.arange(FRAME) / 16)
    phases = np.unwrap(
        [np.angle(np.sum(frame * at_frame)) - 2 * np.pi * 1000 * at for frame, at in zip(frames, began, strict=True)]
    )
    late_us = phases / (2 * np.pi * 1000) * 1e6
    assert np.abs(np.diff(late_us)).max() < 10
    assert np.ptp(late_us[: 8 * 50]) > 300  # it did drift, until enough was measured
    assert np.ptp(late_us[40 * 50 :]) < 30
    assert restarts == 1  # the first stream


def test_a_reference_of_steady_clocks_stays_where_it_is_whatever_the_jitter() -> None:
    sound = noise(31)
    random = np.random.default_rng(4)
    heard = followed(Reference(Played(sound)), 1500, lambda i: random.exponential(2e-4))
    at = likeness(sound[: 2 * FRAME], heard[:FRAME])[1]
    assert np.array_equal(heard, sound[at : at + len(heard)])


def test_a_new_stream_and_a_jump_are_told() -> None:
    played = Played(noise(4))
    reference = Reference(played)

    def restarts(first: int, count: int) -> int:
        told = 0
        for i in range(first, first + count):
            reference.during(i / 50)
            told += reference.restarted
        return told

    assert restarts(0, 20) == 1
    played.stream = 2
    assert restarts(20, 20) == 1
    played.wrong = 0.03
    assert restarts(40, 20) == 1
    assert restarts(60, 20) == 0


def test_nothing_is_computed_from_silence() -> None:
    reference = Reference(Played(np.zeros(16_000, np.int16), 24_000))
    assert not followed(reference, 50).any()
