"""The microphone on a virtual sound card, sample for sample."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.sound_line import chirp, line, say, until
from tests.support.virtual_card import VirtualCard, likeness, virtual_card

__all__ = ["virtual_card"]  # the fixture `card`


def test_what_is_said_arrives_sample_for_sample_and_what_is_played_is_heard(card: VirtualCard) -> None:
    async def main() -> None:
        async with line("virtual_mic", "VIRTUAL_SPEAKER") as it:
            assert (it.microphone.name, it.speaker.name) == ("virtual_mic", "virtual_speaker")
            await say(card)
            await until(lambda: likeness(it.heard(), chirp(16_000))[0] > 0.94, "the chirp")
            with card.listen(24_000) as ear:
                it.speaker.play(chirp(24_000).tobytes(), 24_000)
                assert it.speaker.pending_ms() == pytest.approx(300)
                await until(lambda: it.speaker.level() > -20, "the level")
                await until(lambda: it.speaker.pending_ms() == 0, "the end")
                await until(lambda: likeness(ear.sound, chirp(24_000))[0] > 0.94, "the chirp")
            await until(lambda: not it.speaker.running, "the stream to stop")
            assert it.notices == []
        it.speaker.play(chirp(24_000).tobytes(), 24_000)  # too late, and no reason to fail
        assert not it.speaker.running

    asyncio.run(main())


def test_a_microphone_that_gives_exact_zeros_is_mentioned_and_so_is_its_return(card: VirtualCard) -> None:
    async def main() -> None:
        async with line() as it:
            await until(lambda: len(it.silence) == 1, "the announcement")
            assert "digital silence" in it.silence[0]
            assert len(it.frames) < 150  # 3 s
            await say(card)
            await until(lambda: len(it.silence) == 2, "the second announcement")
            assert it.silence[1] == "the microphone is heard now"

    asyncio.run(main())
