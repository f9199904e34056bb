"""Utterances found in the time of the sound, whatever the pace and the packets."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livechat.server.agent import LoudnessDetector
from livechat.server.utterances import (
    Segmenter,
    UtteranceBegan,
    UtteranceEnded,
    UtteranceEvent,
    UtterancePaused,
    beep,
    resampled,
)
from tests.support.server_client import quiet, tone


def segmented(voiced: list[bool], frame_ms: float = 20, silence_ms: int | None = None) -> list[UtteranceEvent]:
    segmenter = Segmenter(frame_ms, onset=3, silence_ms=silence_ms)
    heard: list[UtteranceEvent] = []
    for n, voice in enumerate(voiced):
        heard += segmenter.push(n.to_bytes(4), voice)
    return heard + segmenter.flush()


def test_one_utterance() -> None:
    heard = segmented([False] * 50 + [True] * 50 + [False] * 60)
    assert [type(event) for event in heard] == [UtteranceBegan, UtterancePaused, UtteranceEnded]
    began, paused, ended = heard
    assert isinstance(began, UtteranceBegan)
    assert isinstance(paused, UtterancePaused)
    assert isinstance(ended, UtteranceEnded)
    assert (began.at, ended.at) == (1.0, 2.6)
    assert paused.pcm == ended.pcm
    frames = [int.from_bytes(ended.pcm[i : i + 4]) for i in range(0, len(ended.pcm), 4)]
    assert frames == list(range(34, 110))  # from 380 ms before it was certain to 200 ms after


def test_a_pause_that_was_not_the_end_is_taken_back() -> None:
    heard = segmented([True] * 20 + [False] * 15 + [True] * 20 + [False] * 40)
    assert [type(event) for event in heard] == [UtteranceBegan, UtterancePaused, UtterancePaused, UtteranceEnded]
    assert isinstance(heard[1], UtterancePaused)
    assert isinstance(heard[2], UtterancePaused)
    assert isinstance(heard[3], UtteranceEnded)
    assert heard[2].pcm == heard[3].pcm != heard[1].pcm


def test_a_long_utterance_is_cut_and_goes_on() -> None:
    heard = [event for event in segmented([True] * 2_100) if not isinstance(event, UtterancePaused)]
    assert [type(event) for event in heard] == [
        UtteranceBegan,
        UtteranceEnded,
        UtteranceBegan,
        UtteranceEnded,
        UtteranceBegan,
        UtteranceEnded,
    ]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 80)), max_size=12), st.sampled_from([None, 0, 300, 900]))
def test_utterances_follow_each_other_and_none_is_lost(runs: list[tuple[bool, int]], silence_ms: int | None) -> None:
    voiced = [voice for voice, count in runs for _ in range(count)]
    heard = segmented(voiced, silence_ms=silence_ms)
    kinds = [type(event) for event in heard if not isinstance(event, UtterancePaused)]
    assert kinds == [UtteranceBegan, UtteranceEnded] * (len(kinds) // 2)
    times = [event.at for event in heard if not isinstance(event, UtterancePaused)]
    assert times == sorted(times)
    kept = {
        int.from_bytes(e.pcm[i : i + 4])
        for e in heard
        if isinstance(e, UtteranceEnded)
        for i in range(0, len(e.pcm), 4)
    }
    run = 0
    for n, voice in enumerate(voiced):
        run = run + 1 if voice else 0
        assert run < 3 or n in kept  # whatever was certain to be voice is in an utterance


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=30))
def test_packets_do_not_matter(sizes: list[int]) -> None:
    pcm = quiet(0.3) + tone(0.5) + quiet(1) + tone(0.4) + quiet(1)

    async def hear(cuts: list[int]) -> list[UtteranceEvent]:
        ear, at, heard = LoudnessDetector(None), 0, []
        for size in [*cuts, len(pcm)]:
            heard += await ear.hear(pcm[at : at + 2 * size])
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


def test_resampling_keeps_time_and_loudness() -> None:
    pcm = tone(1)
    up = resampled(pcm, 16_000, 24_000)
    assert len(up) == 48_000
    loud = [float(np.sqrt(np.mean(np.frombuffer(x, "<i2").astype(float) ** 2))) for x in (pcm, up)]
    assert loud[1] == pytest.approx(loud[0], rel=0.01)
    assert resampled(pcm, 16_000, 16_000) == pcm
    assert resampled(b"", 48_000, 16_000) == b""


def test_a_beep_is_soft_and_begins_and_ends_in_silence() -> None:
    samples = np.frombuffer(beep(0.15), "<i2")
    assert len(samples) == 3_600
    assert abs(int(samples[0])) + abs(int(samples[-1])) < 100
    assert 2_000 < np.max(np.abs(samples)) < 4_000
