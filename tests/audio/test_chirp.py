"""The chirp is found where it is, as loud as it is, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from livechat.audio.chirp import CHIRP_S, chirp, find, probe, removed_db
from livechat.audio.interfaces import INPUT_RATE, OUTPUT_RATE
from livechat.audio.ring import Samples

QUIET_S = 1.0


def noise(seconds: float, dbfs: float) -> Samples:
    samples = np.random.default_rng(4).normal(0, 32768 * 10 ** (dbfs / 20), round(seconds * INPUT_RATE))
    return samples.astype(np.int16)


def heard(at: float, gain_db: float, noise_dbfs: float) -> Samples:
    recorded = noise(4, noise_dbfs)
    echo = chirp(INPUT_RATE) * 10 ** (gain_db / 20)
    recorded[round(at * INPUT_RATE) :][: len(echo)] += echo.astype(np.int16)
    return recorded


@pytest.mark.parametrize(("gain_db", "noise_dbfs"), [(0, -90), (-10, -90), (-30, -60), (-20, -40)])
def test_delay_and_gain_are_those_of_the_path(gain_db: float, noise_dbfs: float) -> None:
    echo = find(heard(1.7654375, gain_db, noise_dbfs), QUIET_S)
    assert echo is not None
    assert echo.at == 1.7654375
    assert echo.gain_db == pytest.approx(gain_db, abs=0.5)


def test_it_is_found_below_the_noise() -> None:
    echo = find(heard(1.5, -30, -40), QUIET_S)  # the chirp alone has -45 dBFS
    assert echo is not None
    assert echo.at == 1.5
    assert echo.gain_db == pytest.approx(-30, abs=3)


def test_what_a_room_adds_counts_and_comes_later() -> None:
    recorded = heard(1.5, -20, -90)
    late = heard(1.6, -23, -90)
    echo = find((recorded.astype(np.int32) + late).astype(np.int16), QUIET_S)
    assert echo is not None
    assert echo.at == 1.5
    assert echo.gain_db == pytest.approx(-18.2, abs=0.5)


@pytest.mark.parametrize("recorded", [noise(4, -40), np.zeros(64_000, np.int16), noise(0.2, -40)])
def test_nothing_is_found_where_nothing_is(recorded: Samples) -> None:
    assert find(recorded, QUIET_S) is None


def test_a_chirp_is_the_same_at_every_rate_and_leaves_room_for_the_rest() -> None:
    slow, fast = chirp(INPUT_RATE), chirp(OUTPUT_RATE)
    assert (len(slow), len(fast)) == (CHIRP_S * INPUT_RATE, CHIRP_S * OUTPUT_RATE)
    assert np.mean(slow.astype(float) ** 2) == pytest.approx(np.mean(fast.astype(float) ** 2), rel=0.01)
    assert np.abs(fast).max() < 32767 / 2


def echo_of_probe(gain_db: float, distortion: bool = False) -> Samples:
    played = probe(INPUT_RATE).astype(float) * 10 ** (gain_db / 20)
    if distortion:
        played = np.abs(played)  # as no filter can follow
    recorded = noise(6, -70)
    recorded[round(1.7 * INPUT_RATE) :][: len(played)] += played.astype(np.int16)
    return recorded


def test_the_noise_tells_how_much_of_an_echo_the_filter_removes() -> None:
    assert removed_db(echo_of_probe(-10), 1.7) > 15
    assert removed_db(echo_of_probe(-10, distortion=True), 1.7) < 3
    assert removed_db(noise(6, -70), 1.7) < 1
    assert removed_db(echo_of_probe(-10)[: 2 * INPUT_RATE], 1.7) < 30  # a recording that ended too soon


def test_the_noise_is_the_same_at_every_rate_and_does_not_hide_the_chirp() -> None:
    slow, fast = probe(INPUT_RATE), probe(OUTPUT_RATE)
    assert len(slow) / INPUT_RATE == len(fast) / OUTPUT_RATE
    assert np.abs(slow[-32_000:][::2] * 1.0 - fast[-48_000:][::3]).max() < 0.02 * np.abs(fast).max()
    found = find(echo_of_probe(-10), QUIET_S)
    assert found is not None
    assert found.at == 1.7
    assert found.gain_db == pytest.approx(-10, abs=0.5)
