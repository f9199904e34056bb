"""The estimate of what is left of the echo, and of the noise."""

from __future__ import annotations

import numpy as np

from livechat.audio.residual_echo import ResidualEcho
from livechat.audio.spectrum import BINS, Sound

RANDOM = np.random.default_rng(1)


def noisy(power: float) -> Sound:
    """The power of each bin of noise, exponentially distributed."""
    return RANDOM.exponential(power, BINS).astype(np.float32)


def level(power: Sound) -> float:
    return float(np.median(power))


ZERO = np.zeros(BINS, np.float32)


def test_it_learns_which_part_of_the_echo_is_left() -> None:
    residual = ResidualEcho()
    for _ in range(500):
        echo = noisy(1.0)
        residual.follow(0.01 * echo + noisy(1e-5), echo, ZERO, converged=True)
    assert 0.3 < level(residual.power) / 0.01 < 10


def test_a_person_of_a_second_hardly_moves_it() -> None:
    residual = ResidualEcho()
    for frame in range(550):
        echo = noisy(1.0)
        person = noisy(1.0) if frame >= 500 else ZERO
        if frame == 500:
            before = level(residual._leak)
        residual.follow(0.01 * echo + person, echo, ZERO, converged=True)
    assert level(residual._leak) < 12 * before


def test_the_filters_own_error_counts_more_before_it_has_converged() -> None:
    powers = []
    for converged in (False, True):
        residual = ResidualEcho()
        for _ in range(10):
            residual.follow(noisy(1e-3), ZERO, np.full(BINS, 1.0, np.float32), converged=converged)
        powers.append(level(residual.power))
    assert powers[0] > 10 * powers[1] > 0


def test_an_echo_fades_as_slowly_as_a_room_does() -> None:
    residual = ResidualEcho()
    residual.follow(noisy(1.0), np.full(BINS, 1.0, np.float32), ZERO, converged=True)
    residual.follow(ZERO, ZERO, ZERO, converged=True)
    assert 0.6 < level(residual.power) < 0.8


def test_the_noise_is_followed_and_speech_is_not_noise() -> None:
    residual = ResidualEcho()
    for _ in range(800):
        residual.listen(noisy(1e-3))
    quiet = level(residual.noise)
    assert 1e-4 < quiet < 1e-3
    for _ in range(25):
        residual.listen(noisy(1.0))
    assert level(residual.noise) < 1.5 * quiet


def test_after_a_restart_all_of_the_echo_may_be_left() -> None:
    residual = ResidualEcho()
    for _ in range(500):
        residual.follow(noisy(1e-4), noisy(1.0), ZERO, converged=True)
    residual.restart()
    residual.follow(noisy(1e-4), np.full(BINS, 1.0, np.float32), ZERO, converged=False)
    assert level(residual.power) > 0.9
