"""The canceller as a whole, without a recogniser: what passes, what does not, and how well."""

from __future__ import annotations

import numpy as np
import pytest

from livechat.audio.echo_canceller import Canceller
from livechat.audio.ring import Samples
from livechat.audio.vad import SpeechDetector
from tests.support.conversation import samples
from tests.support.echo_room import FRAME, MODEL_SPEECH, PERSON, PERSON_SPEECH, Played, noise, room, through

SILENCE = np.zeros(len(MODEL_SPEECH), np.int16)
SPOKEN = slice(10 * 16_000 + 3200, 10 * 16_000 + len(samples(PERSON)) - 3200)  # the person, without their pauses


def delayed(sound: Samples, output: Samples) -> Samples:
    """What `output` would be if nothing was done to `sound`."""
    return np.concatenate([np.zeros(FRAME, np.int16), sound])[: len(output)]


def turns(sound: Samples) -> int:
    """How often our own detector hears somebody begin to speak."""
    detector = SpeechDetector()
    heard = [detector.feed(sound[at : at + FRAME].tobytes()) for at in range(0, len(sound) - FRAME + 1, FRAME)]
    return sum(now and not before for before, now in zip([False, *heard], heard, strict=False))


def answers(seconds: float) -> Samples:
    """The model's speech in answers of so many seconds; one begins every two seconds."""
    spoken = MODEL_SPEECH.copy()
    spoken[np.arange(len(spoken)) % 32_000 >= seconds * 16_000] = 0
    return spoken


def db(sound: Samples) -> float:
    return 10 * float(np.log10(np.mean(sound.astype(float) ** 2) + 1e-9))


def test_while_nothing_is_played_the_microphone_passes_bit_for_bit_a_frame_later() -> None:
    heard = noise(3)
    output = through(Canceller(Played(SILENCE)), heard)
    assert np.array_equal(output, delayed(heard, output))


def test_on_headphones_a_person_over_the_model_passes_bit_for_bit_once_it_is_known() -> None:
    hiss = np.random.default_rng(2).normal(0, 5, len(MODEL_SPEECH)).astype(np.int16)
    heard = hiss.copy()
    heard[: len(PERSON_SPEECH)] += PERSON_SPEECH
    output = through(Canceller(Played(MODEL_SPEECH)), heard)
    known = slice(5 * 16_000, None)
    assert np.array_equal(output[known], delayed(heard, output)[known])


def test_headphones_are_known_in_a_talk_of_short_answers_that_are_all_cut_short() -> None:
    """Each takes less than the two seconds that one answer would need."""
    played, heard = answers(1.3), np.random.default_rng(2).normal(0, 5, len(MODEL_SPEECH)).astype(np.int16)
    for began in range(0, len(played) - 2 * 16_000, 2 * 16_000):
        heard[began + 19_200 : began + 28_800] += PERSON_SPEECH[SPOKEN][:9600]
    output = through(Canceller(Played(played)), heard)
    known = slice(7 * 16_000, None)
    assert np.array_equal(output[known], delayed(heard, output)[known])


def test_short_answers_with_an_echo_are_not_taken_for_headphones() -> None:
    played = answers(1.3)
    output = through(Canceller(Played(played)), room(played, SILENCE[:0]))
    assert turns(output) == 0


def test_it_works_again_within_two_frames_of_the_first_sound() -> None:
    """An echo of noise that is loud from its first sample on, after half a minute of silence."""
    played = np.concatenate([np.zeros(1600 * FRAME, np.int16), noise(4)])
    heard = played // 2
    canceller = Canceller(Played(played))
    output = through(canceller, heard)
    began = 1601 * FRAME  # where the first sample comes out
    assert db(output[began + 2 * FRAME : began + 10 * FRAME]) < db(heard[-FRAME:]) - 20


def test_after_the_last_echo_the_microphone_passes_again() -> None:
    played = np.concatenate([MODEL_SPEECH[: 4 * 16_000], np.zeros(4 * 16_000, np.int16)])
    heard = room(played, SILENCE[:0])
    output = through(Canceller(Played(played)), heard)
    assert np.array_equal(output[6 * 16_000 :], delayed(heard, output)[6 * 16_000 :])


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_the_model_alone_is_no_turn_from_its_first_word_on(seed: int) -> None:
    heard = room(MODEL_SPEECH, SILENCE[:0], seed)
    assert turns(heard) > 2
    assert turns(through(Canceller(Played(MODEL_SPEECH)), heard)) == 0


def test_after_an_answer_the_next_one_in_a_new_stream_is_no_turn_either() -> None:
    played = Played(MODEL_SPEECH)
    canceller = Canceller(played)
    heard = room(MODEL_SPEECH, SILENCE[:0])
    output = []
    for i, at in enumerate(range(0, len(heard) - FRAME, FRAME)):
        if i in (300, 500):
            played.stream += 1
            played.wrong += 0.0004  # and the sound system is a little wrong about its delay
        output.append(np.frombuffer(canceller(heard[at : at + FRAME].tobytes(), i / 50), np.int16))
    assert turns(np.concatenate(output)) == 0


def test_headphones_that_are_taken_off_are_noticed() -> None:
    heard = room(MODEL_SPEECH, SILENCE[:0])
    heard[: 8 * 16_000] = np.random.default_rng(2).normal(0, 15, 8 * 16_000)
    output = through(Canceller(Played(MODEL_SPEECH)), heard)
    assert db(heard[9 * 16_000 :]) - db(output[9 * 16_000 :]) > 20


def test_a_person_over_the_model_is_louder_than_all_that_is_wrong_with_them() -> None:
    heard = room(MODEL_SPEECH, PERSON_SPEECH)
    output = through(Canceller(Played(MODEL_SPEECH)), heard)
    person = delayed(np.concatenate([PERSON_SPEECH, SILENCE[len(PERSON_SPEECH) :]]), output)
    spoken = slice(SPOKEN.start + FRAME, SPOKEN.stop + FRAME)
    wrong = output[spoken].astype(float) - person[spoken]
    echo = heard[SPOKEN].astype(float) - PERSON_SPEECH[SPOKEN]
    before = db(PERSON_SPEECH[SPOKEN]) - 10 * np.log10(np.mean(echo**2))
    after = db(person[spoken]) - 10 * np.log10(np.mean(wrong**2))
    assert after > 6
    assert after > before + 5
