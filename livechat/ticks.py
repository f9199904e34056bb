"""Ticks that all parts of a call share: a computer that is woken three times for three of them needs more power."""

import asyncio
from math import floor


async def tick(seconds: float) -> None:
    """Sleep until the loop's clock shows the next multiple of `seconds`."""
    now = asyncio.get_running_loop().time()
    # A little more than the quotient: where that is 2.999..., the third multiple is now, and would not let time pass.
    await asyncio.sleep((floor(now / seconds + 1e-6) + 1) * seconds - now)
