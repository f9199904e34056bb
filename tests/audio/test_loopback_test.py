"""What the loopback test says about a path from the speaker to the microphone; as a command: test_devices.py."""

from __future__ import annotations

import asyncio

import pytest

from livechat.audio.card import Card
from livechat.audio.loopback_test import _advice, measure
from livechat.errors import DeviceError
from tests.support.virtual_card import VirtualCard, virtual_card

__all__ = ["virtual_card"]  # the fixture `card`


@pytest.mark.parametrize(
    ("gain_db", "late_ms", "removed_db", "mode", "word"),
    [
        (-20, 500, 20, "duck", "Bluetooth"),
        (0, 500, 20, "duck", "Bluetooth"),
        (0, 60, 20, "cancel", "loud"),
        (-20, 60, 20, "cancel", "headphones"),
        (-20, 60, 3, "duck", "little"),
        (-50, 60, 0, "off", "faint"),
    ],
)
def test_advice_follows_from_delay_loudness_and_what_is_removed(
    gain_db: float, late_ms: float, removed_db: float, mode: str, word: str
) -> None:
    recommended, hint = _advice(gain_db, late_ms, removed_db)
    assert recommended == mode
    assert word in hint


def test_a_device_that_gives_no_sound_is_named(card: VirtualCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livechat.audio.loopback_test._PATIENCE_S", 0.5)
    card.control("suspend-sink", "virtual_mic", "1").check_returncode()
    with pytest.raises(DeviceError, match="the microphone opens, but gives no sound"):
        asyncio.run(measure(Card(lambda notice: None), "virtual_mic", "virtual_speaker"))
