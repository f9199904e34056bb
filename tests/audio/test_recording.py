"""Both voices in one file: where they lie on its timeline, whatever becomes of links, devices and disks."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from livechat.audio.card import Card
from livechat.audio.dsp import Resampler
from livechat.audio.interfaces import FRAME_BYTES, INPUT_RATE, OUTPUT_RATE, Sink, Source
from livechat.audio.recording import Recording
from livechat.audio.sinks import PacedSink
from livechat.audio.speaker import Speaker
from livechat.errors import Notice, UsageError
from livechat.events import Handover, Interrupted
from livechat.server.fault_plan import parse
from livechat.server.serve import Server
from tests.support.conversation import CLIPS, SENTENCES, Knower, samples, talk, write_speech
from tests.support.disk import small_disk
from tests.support.program import Program, livechat
from tests.support.virtual_card import VirtualCard, likeness
from tests.support.virtual_time import VirtualLoop, run

Sound = npt.NDArray[np.int16]


def channels(path: Path) -> tuple[Sound, Sound]:
    """The person's and the model's voice."""
    sound, rate = soundfile.read(path, dtype="int16", always_2d=True)
    assert (rate, sound.shape[1]) == (OUTPUT_RATE, 2)
    return sound[:, 0], sound[:, 1]


def as_recorded(speech: Path) -> Sound:
    """What 16 kHz speech is at the rate of a recording, without the resampler's delay of 1 ms."""
    sound, rate = soundfile.read(speech, dtype="int16")
    assert rate == INPUT_RATE
    resampler = Resampler(INPUT_RATE, OUTPUT_RATE)
    return np.frombuffer(resampler.feed(sound.tobytes()) + resampler.flush(), np.int16)[24:]


def loud(sound: Sound) -> list[tuple[float, float]]:
    """From when to when there is sound, in seconds; pauses of up to 100 ms belong to it."""
    at = np.flatnonzero(sound)
    breaks = np.flatnonzero(np.diff(at) > OUTPUT_RATE // 10)
    return [
        (at[first] / OUTPUT_RATE, at[last] / OUTPUT_RATE)
        for first, last in zip([0, *(breaks + 1)], [*breaks, len(at) - 1], strict=True)
    ]


@pytest.mark.parametrize("plan", ["", "#1:drop@2s", "#1:drop@4.2s", "#1:goaway@2s:6s"])
@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_both_voices_lie_where_they_were_heard_across_links(tmp_path: Path, plan: str, kind: str) -> None:
    """The person as they spoke into it, to the sample; the model as --output has it, to the sample."""
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0], 6.0, SENTENCES[1], 0.5)
    record, answers = tmp_path / f"r.{kind}", tmp_path / f"a.{kind}"

    async def main() -> None:
        async with Server(Knower(), faults=parse(plan)) as server:
            code, display = await talk(server, tmp_path, speech=speech, answers=answers, record=record)
        assert code == 0
        assert len(display.of(Handover)) == bool(plan)
        assert display.questions == [SENTENCES[0], SENTENCES[1]]

    run(main())
    person, model = channels(record)
    spoken, said = as_recorded(speech), soundfile.read(answers, dtype="int16")[0]
    assert np.array_equal(person[: len(spoken)], spoken)
    assert not person[len(spoken) :].any()
    assert abs(len(model) - len(said)) <= 1
    assert np.array_equal(model[: len(said)], said[: len(model)])
    assert len(loud(said)) >= 2


def test_what_a_barge_in_cut_off_is_not_in_it(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0], 1.5, SENTENCES[2], 0.5)

    async def main() -> None:
        async with Server(Knower(answer_s=8.0)) as server:
            code, display = await talk(server, tmp_path, speech=speech, record=tmp_path / "r.wav")
        assert code == 0
        (cut,) = display.of(Interrupted)
        (cut_at,) = [at for at, event in display.events if isinstance(event, Interrupted)]
        (first, last), whole = loud(channels(tmp_path / "r.wav")[1])
        begin = display.events[0][0]
        assert last == pytest.approx(cut_at - begin, abs=0.002)
        assert whole[1] - whole[0] == pytest.approx(8.0, abs=0.002)
        assert 0 < last - first < 8.0 - cut.unplayed_ms / 1000 + 0.002

    run(main())


def test_what_is_typed_is_answered_into_it_at_the_pace_of_speech(tmp_path: Path) -> None:
    async def main() -> None:
        async with Server(Knower(answer_s=3.0)) as server:
            code, _ = await talk(server, tmp_path, typed=((1.0, "one"), (6.0, "two")), record=tmp_path / "r.wav")
        assert code == 0

    run(main())
    person, model = channels(tmp_path / "r.wav")
    assert not person.any()
    assert [last - first for first, last in loud(model)] == [pytest.approx(3.0, abs=0.002)] * 2


class Microphone:
    """A source on a clock that runs at `speed` times the loop's. Some frames come up to `late_s` too late."""

    name = "microphone"

    def __init__(self, sound: Sound, speed: float, late_s: float) -> None:
        self._sound = sound
        self._speed = speed
        self._late_s = late_s

    async def frames(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        begin, jitter = loop.time(), random.Random(0)
        for n in range(len(self._sound) * 2 // FRAME_BYTES):
            due = begin + n * 0.02 / self._speed + jitter.random() ** 99 * self._late_s
            await asyncio.sleep(max(0.0, due - loop.time()))
            yield self._sound[n * 320 : (n + 1) * 320].tobytes()

    def close(self) -> None:
        pass


def trouble(notice: Notice) -> None:
    pytest.fail(notice.message)


async def record(source: Source, path: Path) -> None:
    """Record all of a source, and a model that says nothing."""
    recording = Recording(path, trouble)
    tapped, sink = recording.source(source), recording.sink(PacedSink())
    playing = asyncio.create_task(sink.run())
    async for _ in tapped.frames():
        pass
    playing.cancel()
    tapped.close()
    sink.close()
    sink.close()


@pytest.mark.parametrize("speed", [0.999, 1.001])
def test_a_clock_of_its_own_leaves_the_person_in_place(tmp_path: Path, speed: float) -> None:
    """0.1 % off, ten times what a bad sound card is: without correction 0.6 s after ten minutes."""
    seconds = 600
    tone = (9_000 * np.sin(np.arange(5 * INPUT_RATE) * 0.2)).astype(np.int16)
    sound = np.zeros(seconds * INPUT_RATE, np.int16)
    places = range(5, seconds, 20)
    for at in places:
        sound[at * INPUT_RATE : (at + 5) * INPUT_RATE] = tone
    run(record(Microphone(sound, speed, 0.3), tmp_path / "r.wav"))
    heard = loud(channels(tmp_path / "r.wav")[0])
    assert len(heard) == len(places)
    for at, (first, last) in zip(places, heard, strict=True):
        assert first == pytest.approx(at / speed, abs=0.065)
        assert last - first == pytest.approx(5.0, abs=0.005)  # put right in the pauses, not in the words


def test_a_loop_that_is_held_up_leaves_every_word_in_place(tmp_path: Path) -> None:
    """As by the loading of a model: the microphone goes on meanwhile, and what it heard comes all at once."""

    class HeldUp(Microphone):
        async def frames(self) -> AsyncIterator[bytes]:
            n = 0
            async for frame in super().frames():
                yield frame
                n += 1
                if n in {20, 200}:
                    loop = asyncio.get_running_loop()
                    assert isinstance(loop, VirtualLoop)
                    loop.hold_up(1.5)

    sound = np.random.default_rng(0).integers(-9_000, 9_000, 8 * INPUT_RATE).astype(np.int16)
    soundfile.write(tmp_path / "q.wav", sound, INPUT_RATE)
    run(record(HeldUp(sound, 1.0, 0.0), tmp_path / "r.wav"))
    person, _ = channels(tmp_path / "r.wav")
    spoken = as_recorded(tmp_path / "q.wav")[: len(person)]
    assert len(person) > 7.9 * OUTPUT_RATE
    assert np.array_equal(person[: len(spoken)], spoken)


def test_a_voice_that_is_away_leaves_silence_as_long(tmp_path: Path) -> None:
    class Away(Microphone):
        async def frames(self) -> AsyncIterator[bytes]:
            for _ in range(2):
                async for frame in super().frames():
                    yield frame
                await asyncio.sleep(3.0)

    sound = np.full(INPUT_RATE, 9_000, np.int16)
    run(record(Away(sound, 1.0, 0.0), tmp_path / "r.wav"))
    first, second = loud(channels(tmp_path / "r.wav")[0])
    assert first == pytest.approx((0.0, 1.0), abs=0.002)
    assert second == pytest.approx((3.98, 4.98), abs=0.002)  # the last of 50 frames begins at 0.98


async def answer_into(path: Path, speaker: Callable[[], Sink], answers: list[Sound]) -> None:
    """Record what a sink plays when an answer of a second comes every 1.8 seconds."""
    sink = Recording(path, trouble).sink(speaker())
    playing = asyncio.create_task(sink.run())
    for answer in answers:
        sink.play(answer.tobytes(), OUTPUT_RATE)
        await asyncio.sleep(1.8)
    playing.cancel()
    sink.close()


def test_a_card_that_is_late_in_saying_what_was_heard_tears_no_word(tmp_path: Path) -> None:
    """As a card does while it starts on a busy machine: seen to be 5 ms later at each look, up to 70 ms."""

    class Starting(PacedSink):
        looks = 0

        def pending_ms(self) -> float:
            self.looks += 1
            pending = super().pending_ms()
            return pending + min(70.0, 5.0 * self.looks, 1_000 - pending) if pending else 0.0

    answer = np.random.default_rng(0).integers(-9_000, 9_000, OUTPUT_RATE).astype(np.int16)
    run(answer_into(tmp_path / "r.wav", Starting, [answer, answer]))
    _, model = channels(tmp_path / "r.wav")
    begins = [round(first * OUTPUT_RATE) for first, _ in loud(model)]
    for begin in begins:
        assert np.array_equal(model[begin : begin + OUTPUT_RATE], answer)
    assert np.diff(begins) / OUTPUT_RATE == pytest.approx([1.8], abs=0.075)


def test_a_speaker_is_recorded_as_it_is_heard(tmp_path: Path, card: VirtualCard) -> None:
    """Two answers on the virtual card: what is in the file, and how far apart, is what came out of the speaker."""
    at = np.arange(OUTPUT_RATE) / OUTPUT_RATE
    answers = [(9_000 * np.sin(2 * np.pi * (low + 900 * at) * at)).astype(np.int16) for low in (300, 1_500)]
    with card.listen(OUTPUT_RATE) as ear:
        asyncio.run(answer_into(tmp_path / "r.wav", lambda: Speaker(Card(trouble)), answers))
    _, model = channels(tmp_path / "r.wav")
    (first, recorded), (second, recorded_later) = (likeness(model, answer) for answer in answers)
    (_, heard), (_, heard_later) = (likeness(ear.sound, answer) for answer in answers)
    assert min(first, second) > 0.999
    assert recorded_later - recorded == pytest.approx(heard_later - heard, abs=0.05 * OUTPUT_RATE)


@pytest.mark.parametrize(("name", "room"), [("r.wav", 500_001), ("r.flac", 100_001)])
def test_a_disk_that_fills_up_costs_the_recording_and_not_the_call(tmp_path: Path, name: str, room: int) -> None:
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0], 4.0, SENTENCES[1], 0.5)

    async def main(limit: Callable[[int], None]) -> None:
        async with Server(Knower()) as server:
            limit(room)
            code, display = await talk(server, tmp_path, speech=speech, record=tmp_path / name)
        assert code == 0
        assert len(display.answers) == 2
        (warning,) = display.of(Notice)
        assert warning.message.startswith(f"recording to {name} stopped: ")
        assert warning.hint

    with small_disk() as limit:
        run(main(limit))
    person, _ = channels(tmp_path / name)
    spoken = as_recorded(speech)[: len(person)]
    assert np.array_equal(person[: len(spoken)], spoken)
    assert len(person) > 2 * OUTPUT_RATE


@pytest.mark.parametrize("name", ["there.wav", "", "no/such/place.wav", "sound.mp3", "fifo"])
def test_a_file_that_cannot_be_recorded_to_is_refused_and_never_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.wav").write_text("another recording")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UsageError) as caught:
        Recording(tmp_path / name, lambda notice: None)
    assert caught.value.message.startswith(f"--record {tmp_path / name}")
    assert caught.value.hint
    assert (tmp_path / "there.wav").read_text() == "another recording"


@pytest.mark.real_time
@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_a_killed_program_leaves_all_but_the_last_second(tmp_path: Path, env: dict[str, str], kind: str) -> None:
    speech = write_speech(tmp_path / "q.wav", SENTENCES[0], 60.0)
    path = tmp_path / f"r.{kind}"
    talking = Program("talk", "--offline", "--json", "--input", str(speech), "--record", str(path), env=env)
    assert talking.stdout is not None
    # The last word ends at most 0.2 s before the clip, and is recognised 0.6 s after that.
    assert any(json.loads(line)["type"] == "user" for line in talking.stdout)
    talking.kill()
    talking.communicate()
    person, _ = channels(path)
    assert np.array_equal(person, as_recorded(speech)[: len(person)])
    assert len(person) / OUTPUT_RATE > len(samples(SENTENCES[0])) / INPUT_RATE - 0.2 + 0.6 - 1.0


def test_resuming_does_not_record_over_what_was_recorded(tmp_path: Path, env: dict[str, str]) -> None:
    path = tmp_path / "r.wav"
    assert livechat("talk", "--record", str(path), stdin="hello\n", env=env).returncode == 0
    before = path.read_bytes()
    assert channels(path)[1].any()
    again = livechat("resume", "--record", str(path), stdin="hello\n", env=env)
    assert again.returncode == 2
    assert again.stderr.splitlines()[0] == f"error: --record {path} is there already, and is not written over"
    assert again.stderr.splitlines()[1].startswith("hint: ")
    assert path.read_bytes() == before


def test_nobody_is_recorded_who_did_not_ask_for_it(tmp_path: Path, env: dict[str, str]) -> None:
    assert livechat("talk", "--offline", "--input", str(CLIPS[SENTENCES[2]]), env=env, cwd=tmp_path).returncode == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} == {".sqlite3", ""}, written
