"""A file faster than it sounds: the same questions, the same answers, nothing lost, in a fraction of the time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import soundfile

from livechat.events import Handover, Interrupted, ModelText
from livechat.server.fault_plan import parse
from livechat.server.serve import Server
from tests.support.conversation import SENTENCES, Knower, Recorder, talk, write_speech
from tests.support.virtual_time import run

ANSWER_S = 1.0


def answered(
    tmp_path: Path, *script: str | float, fast: bool, plan: str = "", answer_s: float = ANSWER_S
) -> Recorder:
    """What came of this speech."""
    folder = tmp_path / ("fast" if fast else "slow")
    folder.mkdir()
    speech = write_speech(folder / "q.wav", *script)

    async def main() -> Recorder:
        async with Server(Knower(answer_s), faults=parse(plan)) as server:
            code, display = await talk(server, folder, speech=speech, answers=folder / "a.wav", fast=fast)
        assert code == 0
        return display

    return run(main())


def finals(display: Recorder) -> list[tuple[str, bool]]:
    return [(e.text, e.cut) for e in display.of(ModelText) if e.final]


def test_questions_and_answers_are_those_of_real_time(tmp_path: Path) -> None:
    script: list[str | float] = [2.0]
    for n in range(8):
        script += [SENTENCES[n % 4], (3.0, 8.0, 15.0)[n % 3]]
    slow, fast = (answered(tmp_path, *script, fast=fast) for fast in (False, True))
    assert fast.questions == slow.questions == [SENTENCES[n % 4] for n in range(8)]
    assert finals(fast) == finals(slow)
    assert len(fast.of(Interrupted)) == len(slow.of(Interrupted)) == 0
    assert fast.summary.dropped_ms == 0
    speech_s = soundfile.info(tmp_path / "slow" / "q.wav").duration
    assert fast.summary.duration_s < speech_s / 10 + 8 * (ANSWER_S + 1.0)
    answers = soundfile.info(tmp_path / "fast" / "a.wav").duration  # it keeps the time of this conversation
    assert answers == pytest.approx(fast.summary.duration_s, abs=0.5)


@pytest.mark.parametrize(
    "plan", ["#1:drop@1s", "#1:drop@3.1s; #2:drop@2s", "#1:goaway@2s:2s", "#1:http:429", "#1:poison"]
)
def test_a_link_that_goes_costs_nothing(tmp_path: Path, plan: str) -> None:
    script: list[str | float] = [1.0]
    for sentence in SENTENCES:
        script += [sentence, 4.0]
    display = answered(tmp_path, *script, fast=True, plan=plan)
    assert " ".join(display.questions) == " ".join(SENTENCES)  # what waits for a link is asked in one
    assert not finals(display)[-1][1]
    assert display.summary.dropped_ms == 0
    assert len(display.of(Handover)) >= ("http" not in plan)


@pytest.mark.parametrize("pause", [0.05, 0.3, 0.5, 0.7, 0.9, 1.1])
def test_pauses_part_questions_as_they_do_in_real_time(tmp_path: Path, pause: float) -> None:
    script: list[str | float] = [0.5, SENTENCES[0], pause, SENTENCES[1], pause, SENTENCES[2], 3.0]
    slow, fast = (answered(tmp_path, *script, fast=fast) for fast in (False, True))
    assert fast.questions == slow.questions
    assert finals(fast) == finals(slow)  # those cut into among them
    assert fast.summary.dropped_ms == 0
    assert fast.summary.duration_s < slow.summary.duration_s / 2


@pytest.mark.parametrize("end_s", [0.0, 3.0])
def test_a_server_gone_for_good_ends_it_as_in_real_time(tmp_path: Path, end_s: float) -> None:
    speech = write_speech(tmp_path / "q.wav", 1.0, SENTENCES[0], 3.0, SENTENCES[1], end_s)

    async def main() -> tuple[int, Recorder]:
        async with Server(Knower(ANSWER_S)) as server:
            talking = asyncio.create_task(talk(server, tmp_path, speech=speech, fast=True))
            await asyncio.sleep(1.0)
        return await talking

    code, display = run(main())
    assert code == 5
    assert display.summary.duration_s < 2 * 300 + 60


def test_the_last_words_are_asked_again_where_the_file_ends_with_them(tmp_path: Path) -> None:
    display = answered(tmp_path, 1.0, SENTENCES[0], fast=True, plan="#1:poison")
    assert finals(display)[-1] == (f"You said: {SENTENCES[0]}", False)


def test_what_gets_no_answer_does_not_hold_the_file_up_for_long(tmp_path: Path) -> None:
    """A server that hears nothing: each sentence is asked again twice, then the next one has its turn."""
    display = answered(tmp_path, 0.5, SENTENCES[0], 3.0, SENTENCES[1], 3.0, fast=True, plan="poison")
    assert display.questions == []
    assert display.summary.duration_s < 120
