"""Loudness, mixing, resampling and framing, each against what is known of the signal."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livechat.audio.dsp import (
    SILENCE_DBFS,
    Framer,
    Mixer,
    RateConverter,
    Resampler,
    from_float,
    level,
)
from livechat.audio.interfaces import FRAME_BYTES
from tests.support.examples import examples

RATES = [(48_000, 16_000), (44_100, 16_000), (8_000, 16_000), (24_000, 48_000), (24_000, 44_100)]


def tone(rate: int, hertz: float, seconds: float = 1.0, amplitude: float = 0.5) -> bytes:
    angle = 2 * np.pi * hertz * np.arange(rate * seconds) / rate
    return from_float((amplitude * np.sin(angle)).astype(np.float32))


def samples(pcm: bytes) -> npt.NDArray[np.int16]:
    return np.frombuffer(pcm, np.int16)


def resampled(pcm: bytes, from_rate: int, to_rate: int) -> npt.NDArray[np.float64]:
    """The middle of the result, where neither end is heard, with full scale at 1."""
    resampler = Resampler(from_rate, to_rate)
    out = samples(resampler.feed(pcm) + resampler.flush()) / 32768
    return out[len(out) // 10 : -len(out) // 10]


def fit(out: npt.NDArray[np.float64], rate: int, hertz: float) -> tuple[float, float]:
    """Amplitude of the sine of that frequency, and what is left beside it in dB below it."""
    angle = 2 * np.pi * hertz * np.arange(len(out)) / rate
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    weights = np.linalg.lstsq(basis, out, rcond=None)[0]
    rest = out - basis @ weights
    amplitude = float(np.hypot(*weights))
    return amplitude, 20 * np.log10(amplitude / np.sqrt(2) / np.sqrt(np.mean(rest**2)))


def test_level_of_silence_of_a_full_sine_and_of_half_of_it() -> None:
    assert level(b"") == level(bytes(640)) == SILENCE_DBFS
    assert level(tone(16_000, 1000, amplitude=0.9999)) == pytest.approx(-3.01, abs=0.01)
    assert level(tone(16_000, 1000, amplitude=0.5)) == pytest.approx(-9.03, abs=0.01)
    assert level(np.full(320, -32768, np.int16).tobytes()) == 0.0


def test_mono_is_the_mean_of_the_channels() -> None:
    stereo = np.array([100, 300, -32768, -32768, 32767, 32767], np.int16).tobytes()
    assert samples(Mixer(16_000, 2).mix(stereo)).tolist() == [200, -32768, 32767]
    assert Mixer(16_000, 1).mix(stereo) is stereo


def mixed(sound: npt.NDArray[np.float64], channels: int) -> npt.NDArray[np.float64]:
    """Float sound, a column for each channel, as it comes out of a Framer at 16 kHz."""
    framer = Framer(channels=channels)
    pcm = from_float(sound.astype(np.float32).reshape(-1))
    heard = b"".join(b"".join(framer.feed(pcm[at : at + 1000])) for at in range(0, len(pcm), 1000))
    return samples(heard + b"".join(framer.end()))[: len(sound)] / 32768


def noise(seconds: float, channels: int = 1) -> npt.NDArray[np.float64]:
    return np.random.default_rng(1).normal(0, 0.1, (round(seconds * 16_000), channels))


@pytest.mark.parametrize(
    "gains", [(1, -1), (-1, 1), (1, -0.8), (0.5, -1), (1, -1, 0), (1, -1, 1, -1), (0, 0, 1, 0, 0, 0, 0, 0)]
)
def test_channels_that_cancel_each_other_leave_the_loudest(gains: tuple[float, ...]) -> None:
    voice = noise(2)
    heard = mixed(voice * np.array(gains), len(gains))
    loudest = np.argmax(np.abs(gains))
    assert heard == pytest.approx(voice[:, 0] * gains[loudest], abs=2 / 32768)


@pytest.mark.parametrize("gains", [(1, 1), (1, 0), (0, 1), (1, 0.3), (1, -0.2), (1, 1, 1, 0.5, 0)])
def test_channels_that_do_not_cancel_are_their_mean(gains: tuple[float, ...]) -> None:
    voice = noise(2)
    heard = mixed(voice * np.array(gains), len(gains))
    assert heard == pytest.approx(voice[:, 0] * np.mean(gains), abs=2 / 32768)


def test_channels_of_their_own_are_their_mean() -> None:
    sound = noise(2, 2)
    assert mixed(sound, 2) == pytest.approx(sound.mean(axis=1), abs=2 / 32768)


def test_channels_that_begin_to_cancel_and_cease_to_are_heard_throughout_without_a_click() -> None:
    at = np.arange(3 * 16_000) / 16_000
    voice = 0.5 * np.sin(2 * np.pi * 200 * at)
    second = np.where((at > 1) & (at < 2), -1, 1) * voice
    heard = mixed(np.stack([voice, second], axis=1), 2)
    loudness = [level(from_float(heard[a : a + 1600].astype(np.float32))) for a in range(0, len(heard), 1600)]
    assert loudness[:10] == pytest.approx([level(from_float(voice[:1600].astype(np.float32)))] * 10, abs=0.1)
    assert min(loudness[12:]) > loudness[0] - 7
    assert np.abs(np.diff(heard)).max() < 2.5 * np.abs(np.diff(voice)).max()


def test_float_samples_are_clipped_and_never_nonsense() -> None:
    odd = np.array([0.5, 2.0, -2.0, np.nan, np.inf, -np.inf], np.float32)
    assert samples(from_float(odd)).tolist() == [16384, 32767, -32768, 0, 32767, -32768]


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_a_tone_passes_clean_and_as_loud_as_it_was(from_rate: int, to_rate: int) -> None:
    out = resampled(tone(from_rate, 1000), from_rate, to_rate)
    amplitude, sinad = fit(out, to_rate, 1000)
    assert amplitude == pytest.approx(0.5, rel=0.002)
    assert sinad > 85  # 16 bit alone allow 92 at this level
    edge = 0.8 * min(from_rate, to_rate) / 2
    amplitude, _ = fit(resampled(tone(from_rate, edge), from_rate, to_rate), to_rate, edge)
    assert 20 * np.log10(amplitude / 0.5) > -1


@pytest.mark.parametrize(("from_rate", "to_rate"), [(48_000, 16_000), (44_100, 16_000), (24_000, 16_000)])
def test_what_the_new_rate_cannot_hold_is_removed(from_rate: int, to_rate: int) -> None:
    beyond = resampled(tone(from_rate, 1.25 * to_rate / 2), from_rate, to_rate)
    assert level(from_float(beyond.astype(np.float32))) < -80


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_equal_blocks_give_equal_blocks(from_rate: int, to_rate: int) -> None:
    resampler = Resampler(from_rate, to_rate)
    block = tone(from_rate, 440, 0.02)
    assert {len(resampler.feed(block)) for _ in range(50)} == {to_rate // 50 * 2}


@given(
    st.tuples(st.integers(4000, 50_000), st.integers(4000, 50_000)),
    st.lists(st.integers(0, 500), min_size=1, max_size=20),
    st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=examples(20))
def test_block_sizes_change_nothing(rates: tuple[int, int], sizes: list[int], seed: int) -> None:
    sound = np.random.default_rng(seed).integers(-20_000, 20_000, sum(sizes)).astype(np.int16).tobytes()
    once, piecewise = Resampler(*rates), Resampler(*rates)
    whole = once.feed(sound)
    assert len(whole) // 2 == sum(sizes) * rates[1] // rates[0]
    bounds = np.cumsum([0, *sizes]) * 2
    parts = b"".join(piecewise.feed(sound[start:end]) for start, end in pairwise(bounds))
    # Sums of float32 in another order differ in their last bit.
    assert len(parts) == len(whole)
    assert np.abs(samples(parts).astype(int) - samples(whole)).max(initial=0) <= 1
    assert len(piecewise.flush()) == len(once.flush())
    assert np.abs(samples(piecewise.feed(sound)).astype(int) - samples(whole)).max(initial=0) <= 1


def test_a_stream_whose_rate_changes_comes_out_at_one() -> None:
    converter = RateConverter(24_000)
    for rate in (24_000, 16_000, 48_000, 24_000):
        sound = tone(rate, 1000)
        out = converter.feed(sound, rate)
        assert out == sound if rate == 24_000 else len(out) == len(tone(24_000, 1000))
        amplitude, sinad = fit(samples(out)[100:] / 32768, 24_000, 1000)
        assert amplitude == pytest.approx(0.5, rel=0.002)
        assert sinad > 80


@given(st.lists(st.binary(max_size=3000), max_size=12), st.integers(1, 3))
def test_frames_are_the_sound_cut_up_and_filled_with_silence(chunks: list[bytes], channels: int) -> None:
    framer, mean = Framer(channels=channels), Mixer(16_000, channels)
    frames = [frame for chunk in chunks for frame in framer.feed(chunk)]
    assert len(b"".join(chunks)) // 2 // channels * 2 - len(b"".join(frames)) < FRAME_BYTES
    frames += framer.end()
    sound, block = b"".join(chunks), FRAME_BYTES * channels
    sound = sound[: len(sound) // (2 * channels) * 2 * channels]
    sound = b"".join(mean.mix(sound[at : at + block]) for at in range(0, len(sound), block))
    assert all(len(frame) == FRAME_BYTES for frame in frames)
    assert b"".join(frames) == sound + bytes(-len(sound) % FRAME_BYTES)


def test_frames_of_another_rate_come_one_for_one() -> None:
    framer = Framer(48_000, 2)
    block = np.repeat(samples(tone(48_000, 440, 0.02)), 2).tobytes()
    assert [len(list(framer.feed(block))) for _ in range(20)] == [1] * 20
