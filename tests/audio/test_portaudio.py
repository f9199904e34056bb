"""The list of devices, as PortAudio has it."""

from __future__ import annotations

import os

import pytest

from livechat.audio.card import Card
from livechat.audio.microphone import Microphone
from livechat.audio.portaudio import list_devices
from livechat.errors import UsageError
from tests.support.virtual_card import VirtualCard, virtual_card

__all__ = ["virtual_card"]  # the fixture `card`


def test_an_unknown_name_is_an_error_that_lists_what_there_is(card: VirtualCard) -> None:
    opened = Card(lambda notice: None)
    with pytest.raises(UsageError, match="no microphone fits") as caught:
        Microphone(opened, "Mars")
    assert "virtual_mic" in caught.value.hint
    assert "virtual_speaker" in {device.name for device in list_devices()}
    assert set(card.environment) <= set(os.environ)
