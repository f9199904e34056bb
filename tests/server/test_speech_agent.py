"""The agent that understands speech, with its real models on human voices. Real time where paced."""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
import wave
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from livechat.errors import Notice
from livechat.server import speech_agent, speech_models
from livechat.server.agent import AgentQuestion
from livechat.server.history import Facts, HistoryTurn
from livechat.server.serve import Server
from livechat.server.speech_agent import SpeechAgent
from livechat.server.utterances import UtteranceEnded, resampled
from tests import DATA
from tests.support.loaded_agent import loaded_agent
from tests.support.server_client import dial, flags, heard, quiet, said, sound, speak, turn

FACTS = Facts(datetime(2026, 11, 21, 15, 4, tzinfo=UTC), 75, 100, 1000)
T = TypeVar("T")


def clip(name: str) -> bytes:
    with wave.open(str(DATA / name)) as file:
        return bytes(file.readframes(file.getnframes()))


def ill_disposed() -> bytes:
    return clip("ill_disposed.wav")


def go_forward() -> bytes:
    return clip("go_forward.wav")


def with_agent(job: Callable[[SpeechAgent], Awaitable[T]], make: Callable[[], SpeechAgent] = loaded_agent) -> T:
    async def main() -> T:
        agent = make()
        try:
            return await job(agent)
        finally:
            await agent.close()

    return asyncio.run(main())


async def transcripts(agent: SpeechAgent, pcm: bytes, chunk: int = 640) -> list[str]:
    detector, found = agent.detector(None), []
    for at in range(0, len(pcm), chunk):
        events = await detector.hear(pcm[at : at + chunk])
        found += [await agent.transcribe(event.pcm) for event in events if isinstance(event, UtteranceEnded)]
    return found


async def answer(agent: SpeechAgent, question: str, speech: bytes = b"") -> tuple[str, bytes]:
    pieces = [piece async for piece in agent.reply(AgentQuestion([HistoryTurn("user", question)], FACTS, speech))]
    return " ".join(piece.text for piece in pieces), b"".join(piece.pcm for piece in pieces)


def test_human_speech_is_understood() -> None:
    pcm = quiet(0.5) + ill_disposed() + quiet(1.5) + go_forward() + quiet(1.5)
    slow, burst = (
        with_agent(lambda agent: transcripts(agent, pcm)),
        with_agent(lambda agent: transcripts(agent, pcm, len(pcm))),
    )
    assert len(slow) == 2
    assert "young man" in slow[0].lower()
    assert slow[1].lower().rstrip(".") == "go forward ten meters"
    assert burst == slow


def test_silence_and_noise_are_not_speech() -> None:
    import numpy as np

    hiss = (np.random.default_rng(0).standard_normal(80_000) * 300).astype("<i2").tobytes()

    async def job(agent: SpeechAgent) -> list[str]:
        return [*await transcripts(agent, quiet(2) + hiss + quiet(2)), await agent.transcribe(quiet(1))]

    assert with_agent(job) == [""]


@pytest.mark.parametrize(
    ("question", "expected", "word"),
    [
        ("What time is it right now?", "It is 3:04 PM.", "it is"),
        ("How much is seventeen plus twenty five?", "17 plus 25 is 42.", "42"),
        ("How old is this session?", "This session is 1 minute and 15 seconds old.", "minute"),
        ("What is my context usage?", "The context holds 100 of 1000 tokens, which is 10 percent.", "context"),
    ],
)
def test_a_spoken_question_is_answered_so_that_it_is_understood(question: str, expected: str, word: str) -> None:
    async def job(agent: SpeechAgent) -> None:
        asked = resampled(b"".join([piece.pcm async for piece in agent.say(question)]), 24_000, 16_000)
        (text,) = await transcripts(agent, quiet(0.5) + asked + quiet(1))
        words, pcm = await answer(agent, text)
        assert words == expected
        again = await agent.transcribe(resampled(pcm, 24_000, 16_000))
        assert word in again.lower()
        assert (await answer(agent, text))[1] == pcm  # the same each time

    with_agent(job)


def test_the_story_is_long_enough_to_cut_in() -> None:
    _, pcm = with_agent(lambda agent: answer(agent, "Tell me a story."))
    assert 30 < len(pcm) / 48_000 < 45


def test_a_whole_turn_in_real_time_and_no_model_runs_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: dict[str, set[int]] = {}

    def noted(owner: type, name: str) -> None:
        original = getattr(owner, name)

        def wrapper(*arguments: Any) -> Any:
            threads.setdefault(owner.__name__, set()).add(threading.get_ident())
            return original(*arguments)

        monkeypatch.setattr(owner, name, wrapper)

    noted(speech_models.SileroVad, "__call__")
    noted(speech_models.Recogniser, "transcribe")
    noted(speech_models.Synthesiser, "speak")

    async def main() -> None:
        async with Server(SpeechAgent()) as server, dial(server) as session:
            talk = asyncio.create_task(speak(session, quiet(0.3) + go_forward() + quiet(30)))
            messages = await turn(session)
            talk.cancel()
            assert heard(messages).lower().rstrip(".") == "go forward ten meters"
            assert said(messages).startswith(f"I heard: {heard(messages)} I only repeat")
            assert len(sound(messages)) > 2 * 48_000
            assert flags(messages) == ["generation_complete", "turn_complete"]

    asyncio.run(main())
    assert set(threads) == {"SileroVad", "Recogniser", "Synthesiser"}
    assert threading.get_ident() not in set.union(*threads.values())


def broken(*_: Any) -> Any:
    raise ImportError("libfoo.so.1: cannot open")


def test_without_its_models_the_agent_does_as_a_parrot(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("SileroVad", "Recogniser", "Synthesiser"):
        monkeypatch.setattr(speech_agent, name, broken)

    async def job(agent: SpeechAgent) -> tuple[list[str], tuple[str, bytes]]:
        return await transcripts(agent, ill_disposed() + quiet(1)), await answer(agent, "thanks")

    texts, (words, pcm) = with_agent(job, SpeechAgent)
    assert texts == ["(speech, 3.0 s)"]
    assert words == "You are welcome."
    assert len(pcm) == pytest.approx(3 * 0.3 * 48_000)
    assert "libfoo.so.1" in caplog.text


def test_without_its_recogniser_the_agent_repeats_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech_agent, "Recogniser", broken)

    async def job(agent: SpeechAgent) -> tuple[list[str], tuple[str, bytes]]:
        heard = await transcripts(agent, quiet(0.5) + ill_disposed() + quiet(1))
        return heard, await answer(agent, heard[0], ill_disposed())

    (text,), (words, pcm) = with_agent(job, SpeechAgent)
    assert text.startswith("(speech, ")
    assert words.startswith("(your own words, ")
    assert len(pcm) == len(ill_disposed()) * 3 // 2


def test_a_model_is_loaded_when_it_is_first_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: queue.Queue[str] = queue.Queue()

    def noting(name: str) -> Callable[[], Any]:
        original = getattr(speech_models, name)

        def load() -> Any:
            loaded.put(name)
            return original()

        return load

    for name in ("SileroVad", "Recogniser", "Synthesiser"):
        monkeypatch.setattr(speech_agent, name, noting(name))

    async def typed(agent: SpeechAgent) -> None:
        await answer(agent, "thanks")

    async def silent(agent: SpeechAgent) -> None:
        await transcripts(agent, quiet(3))

    async def speaking(agent: SpeechAgent) -> list[str]:
        await agent.detector(None).hear(quiet(0.5) + go_forward()[:32_000])  # the utterance goes on
        return sorted([await asyncio.to_thread(loaded.get) for _ in range(3)])

    with_agent(typed, SpeechAgent)
    assert (loaded.get(), loaded.qsize()) == ("Synthesiser", 0)
    with_agent(silent, SpeechAgent)
    assert (loaded.get(), loaded.qsize()) == ("SileroVad", 0)
    assert with_agent(speaking, SpeechAgent) == ["Recogniser", "SileroVad", "Synthesiser"]


def test_telemetry_is_off_and_moonshine_is_not_imported() -> None:
    speech_models.SileroVad()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    assert "moonshine_voice" not in sys.modules


def test_it_says_once_that_this_computer_recognises_too_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast the computer is: here each utterance counts as late, and then none."""
    told: list[Notice] = []

    async def late(agent: SpeechAgent) -> None:
        for waits in (-1.0, -1.0, 3600.0, -1.0):
            monkeypatch.setattr(speech_agent, "BEHIND_S", waits)
            await agent.transcribe(go_forward()[:16_000] + bytes(2 * len(told)))

    with_agent(late, lambda: SpeechAgent(told.append))
    assert [notice.message.partition(":")[0] for notice in told] == ["speech is recognised late"] * 2
