"""Parts that tick wake the process together, however they began."""

from __future__ import annotations

import asyncio

import pytest

from livechat.ticks import tick
from tests.support.virtual_time import run


@pytest.mark.parametrize("begin", [0.0, 0.03, 0.3, 1e-9])
def test_all_tick_at_the_same_moments(begin: float) -> None:
    moments: list[float] = []

    async def part(late: float) -> None:
        await asyncio.sleep(late)
        for _ in range(50):
            await tick(0.1)
            moments.append(round(asyncio.get_running_loop().time(), 6))

    async def main() -> None:
        await asyncio.gather(part(begin), part(begin + 0.05))

    run(main())
    assert len(set(moments)) <= 51
    assert all(round(at * 10, 4) == round(at * 10) for at in moments)
