"""A few hundred random conversations; `python -m tests.chaos` plays more, and any one of them again."""

from __future__ import annotations

import os

import pytest

from tests.chaos.play import play, search

SEEDS = 120  # about a minute on two processors


@pytest.mark.timeout(300)
def test_whatever_happens_nothing_is_lost_or_repeated_and_every_end_has_a_name() -> None:
    for seed, wrong, trace, _ in search(range(SEEDS), os.cpu_count() or 1):
        found = "\n".join([*wrong, *trace])
        assert not wrong, f"seed {seed} (again: python -m tests.chaos --one {seed} -v):\n{found}"


@pytest.mark.parametrize("seed", [0, 75, 330])
def test_the_same_seed_is_the_same_conversation_to_the_millisecond(seed: int) -> None:
    first, second = play(seed), play(seed)
    assert first.trace == second.trace
    assert first.trace
