"""A few dozen random conversations; `python -m tests.chaos` plays more, and any one of them again."""

from __future__ import annotations

import pytest

from tests.chaos.play import play, report

SEEDS = 40  # `.ci/run` plays more


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens_nothing_is_lost_or_repeated_and_every_end_has_a_name(seed: int) -> None:
    _, wrong, trace, _ = report(seed)
    found = "\n".join([*wrong, *trace])
    assert not wrong, f"again: python -m tests.chaos --one {seed} -v:\n{found}"


@pytest.mark.parametrize("seed", [0, 75, 112])
def test_the_same_seed_is_the_same_conversation_to_the_millisecond(seed: int) -> None:
    first, second = play(seed), play(seed)
    assert first.trace == second.trace
    assert first.trace
