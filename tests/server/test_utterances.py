"""Utterances found in the time of the sound, whatever the pace and the packets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.server.utterances import (
    Segmenter,
    UtteranceBegan,
    UtteranceEnded,
    UtteranceEvent,
    UtterancePaused,
    beep,
    resampled,
)
from tests.support.server_client import tone


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
