"""The model's voice in the microphone: cancelled, ducked; in arithmetic, and over a virtual sound card."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from livechat.audio.card import Card
from livechat.audio.dsp import Resampler
from livechat.audio.echo import Ducker, cleaner
from livechat.audio.echo_canceller import Canceller
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
from tests.support.echo_room import MODEL_SPEECH, PERSON, PERSON_SPEECH, Played, noise, room, through
from tests.support.loaded_agent import loaded_agent
from tests.support.sound_line import line, until
from tests.support.virtual_card import VirtualCard, likeness, virtual_card  # noqa: F401 - the fixture `card`


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
    assert [words(text) & words(PERSON) for text in understood(heard)] == [words(PERSON)]


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
    assert 10_000 < cut.unplayed_ms < 40_000
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
