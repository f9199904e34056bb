"""The model's voice in the microphone: followed, cancelled, ducked; in arithmetic, and over a virtual sound card."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from livechat.audio.card import Card
from livechat.audio.dsp import Resampler
from livechat.audio.echo import Canceller, Ducker, Reference, cleaner
from livechat.audio.microphone import Microphone
from livechat.audio.ring import Samples
from livechat.audio.speaker import Speaker
from livechat.audio.vad import SpeechDetector
from livechat.commands.hold_conversation import Parts, converse
from livechat.conversations.store import Store
from livechat.errors import Notice
from livechat.events import Interrupted, UserText
from livechat.server.utterances import UtteranceEnded
from livechat.session.barge_in import BargeIn
from livechat.session.link import load_sdk
from livechat.settings import Settings
from tests.support.conversation import Recorder, samples, words
from tests.support.loaded_agent import loaded_agent
from tests.support.sound_line import line, until
from tests.support.virtual_card import VirtualCard, likeness, virtual_card  # noqa: F401 - the fixture `card`

MODEL = "He might even have been made amiable himself."  # what the model says here, again and again
PERSON = "Go forward ten meters."
FRAME = 320


class Played:
    """A speaker that has played `sound` from time 0 on; its clock goes wrong by `wrong` seconds."""

    def __init__(self, sound: Samples, rate: int = 16_000) -> None:
        self.rate = rate
        self.clock = (1, 0, 0.0)
        self.sound = sound
        self.wrong = 0.0

    def place(self, at: float) -> float:
        return (at + self.wrong) * self.rate

    def played(self, place: int, count: int) -> Samples:
        places = np.arange(place, place + count)
        known = (places >= 0) & (places < len(self.sound))
        return np.where(known, self.sound[places % len(self.sound)], np.int16(0))


def noise(seconds: float, rate: int = 16_000) -> Samples:
    return np.random.default_rng(1).normal(0, 3000, round(seconds * rate)).astype(np.int16)


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
    played.clock, played.wrong = (2, 0, 0.0), 0.5
    late = {50: 0.02, 51: 0.019}  # two callbacks, at the worst moment
    heard = np.concatenate([reference.during(i / 50 + late.get(i, 0.0)) for i in range(50, 60)])
    assert np.array_equal(heard, played.sound[75 * FRAME : 85 * FRAME])


@pytest.mark.parametrize("rate", [24_000, 48_000, 44_100, 11_025])
def test_the_reference_has_the_microphones_rate(rate: int) -> None:
    sound = noise(2, rate)
    wanted = np.frombuffer(Resampler(rate, 16_000).feed(sound.tobytes()), np.int16)
    heard = followed(Reference(Played(sound, rate)), 90)
    assert likeness(heard, wanted[: 80 * FRAME])[0] > 0.99


def room(model: Samples, person: Samples) -> Samples:
    """What a microphone hears: the model 10 dB quieter, 60 ms later and from the walls, the person, some hiss."""
    random = np.random.default_rng(2)
    walls = random.normal(0, 1, 3000) * np.exp(-np.arange(3000) / 400)
    walls[0] = 3
    walls /= np.sqrt(np.sum(walls**2))
    size = 1 << (len(model) + len(walls)).bit_length()
    echo = np.fft.irfft(np.fft.rfft(model.astype(float), size) * np.fft.rfft(walls, size), size)
    heard: npt.NDArray[np.float64] = np.zeros(len(model))
    heard[960:] = echo[: len(model) - 960] * 10 ** (-10 / 20)
    heard[: len(person)] += person
    return np.clip(heard + random.normal(0, 15, len(model)), -32768, 32767).astype(np.int16)


def through(clean: Callable[[bytes, float], bytes], heard: Samples) -> Samples:
    frames = [heard[at : at + FRAME].tobytes() for at in range(0, len(heard) - FRAME + 1, FRAME)]
    return np.frombuffer(b"".join(clean(frame, i / 50) for i, frame in enumerate(frames)), np.int16)


def understood(sound: Samples) -> list[str]:
    """Every turn that the embedded server hears in `sound`."""

    async def listen() -> list[str]:
        agent = loaded_agent()
        try:
            detector = agent.detector(None)
            heard = await detector.hear(sound.tobytes()) + await detector.flush()
            return [await agent.transcribe(one.pcm) for one in heard if isinstance(one, UtteranceEnded)]
        finally:
            await agent.close()

    return asyncio.run(listen())


MODEL_SPEECH = np.tile(samples(MODEL), 5)  # 16 s
PERSON_SPEECH = np.concatenate([np.zeros(10 * 16_000, np.int16), samples(PERSON)])


@pytest.mark.parametrize("clean", [Canceller, Ducker])
def test_the_model_does_not_hear_itself(clean: type[Canceller | Ducker]) -> None:
    heard = room(MODEL_SPEECH, PERSON_SPEECH[:0])
    assert len(understood(heard)) > 2
    assert understood(through(clean(Played(MODEL_SPEECH)), heard)) == []


@pytest.mark.parametrize("clean", [Canceller, Ducker])
def test_a_person_who_speaks_while_nothing_is_played_is_understood(clean: type[Canceller | Ducker]) -> None:
    silence = np.zeros(5 * 16_000, np.int16)
    assert understood(through(clean(Played(silence)), room(silence, samples(PERSON)))) == [PERSON]


def test_a_person_who_speaks_over_the_model_is_understood() -> None:
    heard = through(Canceller(Played(MODEL_SPEECH)), room(MODEL_SPEECH, PERSON_SPEECH))
    assert [words(text) & words(PERSON) for text in understood(heard)] == [words("go forward ten")]


def test_while_the_model_speaks_only_a_person_who_is_clearly_louder_passes_the_ducker() -> None:
    def ducked(person: Samples) -> list[str]:
        return understood(through(Ducker(Played(MODEL_SPEECH)), room(MODEL_SPEECH, person)))

    assert ducked(PERSON_SPEECH // 4) == []
    (heard,) = ducked(np.clip(PERSON_SPEECH * 4.0, -32768, 32767).astype(np.int16))
    assert words("go forward") <= words(heard)


def test_off_is_nothing_at_all() -> None:
    assert cleaner("off", Played(noise(1)), lambda *notice: pytest.fail(str(notice))) is None


def test_where_webrtc_does_not_run_the_model_is_not_heard_either_and_the_person_is_told() -> None:
    program = (
        "import sys\n"
        "sys.modules['pywebrtc_audio'] = None\n"
        "from livechat.audio.vad import SpeechDetector\n"
        "from tests.audio.test_echo import *\n"
        "clean = cleaner('cancel', Played(MODEL_SPEECH), print)\n"
        "heard = room(MODEL_SPEECH, PERSON_SPEECH[:0])\n"
        "detector = SpeechDetector()\n"
        "frames = [frame.tobytes() for frame in heard[:112000].reshape(-1, 320)]\n"
        "print(type(clean).__name__, sum(map(detector.feed, frames)) > 100)\n"
        "print(set(through(clean, heard).tolist()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    notice, detected, rest = done.stdout.splitlines()
    assert "echo cancelling does not run" in notice
    assert (detected, rest) == ("Ducker True", "{0}")


def test_on_open_speakers_the_model_never_hears_itself_and_a_person_cuts_in(
    card: VirtualCard, tmp_path: Path
) -> None:
    card.couple()
    load_sdk()

    def notify(notice: Notice) -> None:  # a null sink gives exact zeros until the model speaks
        assert "digital silence" in notice.message or notice.message == "the microphone is heard now", notice

    async def main() -> Recorder:
        display = Recorder(typed=((1.0, "tell me a story"),))
        opened = Card(notify)
        microphone, speaker = Microphone(opened), Speaker(opened)
        microphone.clean = cleaner("cancel", speaker, lambda *notice: pytest.fail(str(notice)))
        with contextlib.closing(Store(tmp_path / "store.sqlite3", on_trouble=lambda *trouble: None)) as store:
            parts = Parts(Settings(key="offline"), display, microphone, display.lines(), False, speaker, store)
            call = asyncio.create_task(converse(parts))
            await until(lambda: speaker.pending_ms() > 24_000, "a story, which comes faster than it is played", 20)
            await until(lambda: speaker.pending_ms() < 20_000, "nearly half of it to be heard", 20)
            assert (display.of(UserText)[1:], display.of(Interrupted)) == ([], [])
            await asyncio.to_thread(card.say, np.concatenate([samples(PERSON), np.zeros(8000, np.int16)]), 16_000)
            await until(lambda: len(display.questions) > 1, "the words")
            await until(lambda: speaker.pending_ms() > 0, "the answer")
            await until(lambda: speaker.pending_ms() == 0, "its end")
            display.quit.set()
            await call
        return display

    display = asyncio.run(main())
    (cut,) = display.of(Interrupted)
    assert 10_000 < cut.unplayed_ms < 20_000
    (question,) = display.questions[1:]
    assert words("forward ten") <= words(question)


def test_a_person_pauses_the_model_without_any_server_and_the_model_does_not(card: VirtualCard) -> None:
    card.couple()
    answer = np.frombuffer(Resampler(16_000, 24_000).feed(MODEL_SPEECH[: 12 * 16_000].tobytes()), np.int16)
    speech = np.concatenate([samples(PERSON), np.zeros(8000, np.int16)])

    async def main() -> None:
        async with line() as it:
            it.microphone.clean = cleaner("cancel", it.speaker, lambda *notice: pytest.fail(str(notice)))
            detector, barge_in = SpeechDetector(), BargeIn(it.speaker)
            it.on_frame = lambda frame: barge_in.heard(detector.feed(frame) and detector.voiced, time.monotonic())
            with card.listen(24_000) as ear:
                it.speaker.play(answer.tobytes(), 24_000)
                it.speaker.finish()
                await until(lambda: it.speaker.pending_ms() < 7000, "five seconds without a word of the person")
                assert it.speaker.running
                saying = asyncio.create_task(asyncio.to_thread(card.say, speech, 16_000))
                await until(lambda: not it.speaker.running, "the pause")
                assert it.speaker.pending_ms() > 4000
                await saying
                await until(lambda: it.speaker.pending_ms() == 0, "the rest of the answer", 20)
                await until(lambda: likeness(ear.sound, answer[-48_000:])[0] > 0.94, "the end to be heard")

    asyncio.run(main())


def test_answers_that_follow_each_other_at_once_are_cancelled_as_well(card: VirtualCard) -> None:
    card.couple()
    voice = np.frombuffer(Resampler(16_000, 24_000).feed(MODEL_SPEECH.tobytes()), np.int16)

    async def main() -> Samples:
        async with line() as it:
            it.microphone.clean = cleaner("cancel", it.speaker, lambda *notice: pytest.fail(str(notice)))
            for answer in range(4):
                it.speaker.flush()
                it.speaker.play(voice[answer * 24_000 :][: 10 * 24_000].tobytes(), 24_000)
                await until(lambda: it.speaker.pending_ms() < 8000, "two seconds of it")
            return it.heard()

    assert understood(asyncio.run(main())) == []
