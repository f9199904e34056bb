"""Hours of conversation in virtual time; `python -m tests.chaos --soak 24` is the whole day."""

from __future__ import annotations

import sys

import pytest

from tests.chaos.soak import Result, soak

pytestmark = pytest.mark.xdist_group("soak")  # both look at the same hours


@pytest.fixture(scope="module")
def result() -> Result:
    return soak(1.5, outage_h=0.2)


@pytest.mark.timeout(240)
def test_hours_of_handovers_lose_no_word(result: Result) -> None:
    assert result.code == 0
    assert result.lost_ms == 0
    assert result.dropped_ms == 0
    assert len(result.handovers) >= 6 * (result.hours - result.outage_h)
    assert result.unplanned >= 2 * (result.hours - result.outage_h)


def test_hours_cost_no_memory_and_little_disk(result: Result) -> None:
    if sys.platform == "linux":
        assert result.growth(result.memory) < 5_000_000
    assert result.growth(result.store) < 100_000 * result.hours
