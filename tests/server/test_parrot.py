"""The agent without models: what it takes for speech, and what it answers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livechat.server.agent import AgentQuestion, AnswerPiece
from livechat.server.history import Facts, HistoryTurn
from livechat.server.parrot import LoudnessDetector, Parrot
from livechat.server.utterances import UtteranceBegan, UtteranceEnded, UtteranceEvent, UtterancePaused
from tests.support.examples import examples
from tests.support.server_client import quiet, tone

FACTS = Facts(datetime(2026, 11, 21, 15, 4, tzinfo=UTC), 75, 100, 1000)


def answer(text: str, speech: bytes = b"") -> list[AnswerPiece]:
    async def main() -> list[AnswerPiece]:
        return [piece async for piece in Parrot().reply(AgentQuestion([HistoryTurn("user", text)], FACTS, speech))]

    return asyncio.run(main())


def test_speech_comes_back_at_the_rate_of_answers() -> None:
    (piece,) = answer("(speech, 1.0 s)", tone(1))
    assert (piece.text, len(piece.pcm)) == ("(your own words, 1.0 s)", 48_000)


def test_typed_text_is_answered_in_text_with_a_beep_for_each_word() -> None:
    (piece,) = answer("thanks")
    assert piece.text == "You are welcome."
    assert len(piece.pcm) == pytest.approx(3 * 0.3 * 48_000)


@settings(max_examples=examples(20), deadline=None)
@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=30))
def test_packets_do_not_matter(sizes: list[int]) -> None:
    pcm = quiet(0.3) + tone(0.5) + quiet(1) + tone(0.4) + quiet(1)

    async def hear(cuts: list[int]) -> list[UtteranceEvent]:
        detector, at, heard = LoudnessDetector(None), 0, []
        for size in [*cuts, len(pcm)]:
            heard += await detector.hear(pcm[at : at + 2 * size])
            at += 2 * size
        return heard

    expected = asyncio.run(hear([]))
    assert [type(event) for event in expected] == [UtteranceBegan, UtterancePaused, UtteranceEnded] * 2
    assert asyncio.run(hear(sizes)) == expected


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.01])
def test_speech_is_found_in_a_noisy_room_once_it_is_used_to_it(noise: float) -> None:
    samples = np.frombuffer(quiet(8) + tone(1) + quiet(3), "<i2") / 32768
    noisy = samples + noise * np.random.default_rng(0).standard_normal(len(samples))
    pcm = (noisy * 32767).astype("<i2").tobytes()
    heard = asyncio.run(LoudnessDetector(None).hear(pcm))
    began = [event.at for event in heard if isinstance(event, UtteranceBegan) and event.at > 4]
    ended = [event.at for event in heard if isinstance(event, UtteranceEnded) and event.at > 4]
    assert began == [pytest.approx(8.0, abs=0.05)]
    assert ended == [pytest.approx(9.6, abs=0.05)]
