"""What microphone and speaker share: the format they open in, and when a device counts as lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from livechat.audio.microphone import Microphone
from tests.support.sound_line import chirp, line, say, until
from tests.support.virtual_card import VirtualCard, likeness, virtual_card

__all__ = ["virtual_card"]  # the fixture `card`


def test_a_device_that_wants_another_format_gets_it(card: VirtualCard, monkeypatch: pytest.MonkeyPatch) -> None:
    import sounddevice

    def refuse(**wanted: Any) -> None:
        if (wanted["samplerate"], wanted["channels"]) != (44_100, 2):
            raise sounddevice.PortAudioError("Invalid sample rate")

    monkeypatch.setattr(sounddevice, "check_input_settings", refuse)
    monkeypatch.setattr(sounddevice, "check_output_settings", refuse)

    async def main() -> None:
        async with line() as it:
            await say(card)
            await until(lambda: likeness(it.heard(), chirp(16_000))[0] > 0.94, "the chirp")
            with card.listen(24_000) as ear:
                it.speaker.play(chirp(24_000).tobytes(), 24_000)
                await until(lambda: likeness(ear.sound, chirp(24_000))[0] > 0.94, "the chirp")
                it.speaker.play(chirp(24_000).tobytes(), 24_000)
                assert it.speaker.flush() == pytest.approx(300, abs=1)

    asyncio.run(main())


def test_a_stream_whose_turn_with_portaudio_comes_late_has_not_gone() -> None:
    class Later:
        worker: Any = None

        def add(self, stream: Any) -> None:
            """Nothing is tried out."""

        def submit(self, call: Any) -> None:
            """Not yet."""

    card: Any = Later()
    card.worker = card
    microphone = Microphone(card)
    for _ in range(2):  # the second time, callbacks of the first have been seen
        microphone._start()
        assert not any(microphone.stalled() for _ in range(30))
        microphone._calls += 1
        assert not microphone.stalled()
        microphone._stop()
        assert not microphone.stalled()
