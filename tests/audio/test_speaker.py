"""The speaker on a virtual sound card: barge-in, pause, and an answer that arrives slowly."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.support.sound_line import chirp, line, until
from tests.support.virtual_card import VirtualCard, likeness, virtual_card

__all__ = ["virtual_card"]  # the fixture `card`


def test_barge_in_is_silent_at_once_and_tells_what_was_not_heard(card: VirtualCard) -> None:
    async def main() -> None:
        async with line() as it:
            with card.listen(24_000) as ear:
                it.speaker.play(chirp(24_000, 5).tobytes(), 24_000)
                await until(lambda: it.speaker.pending_ms() < 4500, "half a second of it")
                heard = len(ear.sound)
                assert 4000 < it.speaker.flush() < 4500
                assert it.speaker.pending_ms() == 0
                await asyncio.sleep(0.4)
                last = int(np.flatnonzero(np.abs(ear.sound) > 100)[-1])
                assert last > 6000
                assert last - heard < 0.25 * 24_000  # a loaded machine's; 2 ms on an idle one
                it.speaker.play(chirp(24_000).tobytes(), 24_000)
                await until(lambda: likeness(ear.sound[last + 1 :], chirp(24_000))[0] > 0.94, "the next answer")

    asyncio.run(main())


def test_what_was_paused_goes_on_with_the_first_sample_that_was_not_heard(card: VirtualCard) -> None:
    async def main() -> None:
        async with line() as it:
            answer = chirp(24_000, 3)
            with card.listen(24_000) as ear:
                it.speaker.play(answer.tobytes(), 24_000)
                it.speaker.finish()
                await until(lambda: it.speaker.pending_ms() < 2000, "a second of it")
                it.speaker.pause()
                paused = it.speaker.pending_ms()
                await asyncio.sleep(0.4)
                assert it.speaker.pending_ms() == pytest.approx(paused, abs=0.1)
                before = int(np.flatnonzero(np.abs(ear.sound) > 100)[-1]) + 1
                it.speaker.resume()
                await until(lambda: it.speaker.pending_ms() == 0, "the end")
                await until(lambda: likeness(ear.sound[before:], answer[-12_000:])[0] > 0.94, "the end to be heard")
            first, second = ear.sound[:before], ear.sound[before:]
            _, place = likeness(answer, first[-4800:])
            after = int(np.flatnonzero(np.abs(second) > 100)[0])
            _, again = likeness(answer, second[after : after + 4800])
            # The card takes up to 20 ms at once, which are heard twice; none is lost.
            assert 0 <= place + 4800 - again < 0.25 * 24_000

    asyncio.run(main())


def test_an_answer_that_ran_dry_waits_for_more_until_it_is_complete(card: VirtualCard) -> None:
    async def main() -> None:
        async with line() as it:
            piece = chirp(24_000)
            for _ in range(4):
                it.speaker.play(piece.tobytes(), 24_000)
                await until(lambda: it.speaker.pending_ms() == 0, "the end of a piece")
            with card.listen(24_000) as ear:
                it.speaker.play(piece.tobytes(), 24_000)
                await asyncio.sleep(0.3)
                assert it.speaker.pending_ms() == pytest.approx(300)  # of a prebuffer of two seconds
                it.speaker.finish()
                await until(lambda: likeness(ear.sound, piece)[0] > 0.94, "the last piece")

    asyncio.run(main())
