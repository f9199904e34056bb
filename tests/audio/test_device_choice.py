"""Which device is meant by a name, a part of one, or a number."""

from __future__ import annotations

import pytest

from livechat.audio.device_choice import Device, choose
from livechat.errors import DeviceError, UsageError


def device(index: int, name: str, host: str = "ALSA", inputs: int = 1, outputs: int = 0) -> Device:
    return Device(index, name, host, inputs, outputs, 48_000, default_input=index == 1)


DEVICES = [
    device(0, "USB Headset"),
    device(1, "Built-in Microphone"),
    device(2, "USB Headset Pro"),
    device(3, "Speakers", inputs=0, outputs=2),
    device(4, "Built-in Microphone", host="WDM"),
]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [(None, 1), ("2", 2), ("built", 1), ("USB HEADSET", 0), (" pro ", 2), ("Built-in Microphone", 1), ("4", 4)],
)
def test_a_number_a_part_of_a_name_or_a_whole_name_is_enough(wanted: str | None, index: int) -> None:
    assert choose(DEVICES, wanted, "input").index == index


def test_a_card_that_has_another_number_today_is_still_that_card() -> None:
    cards = [device(0, "HDA Intel: ALC257 (hw:0,0)"), device(1, "USB Headset: Audio (hw:3,0)")]
    assert choose(cards, "USB Headset: Audio (hw:2,0)", "input").index == 1


@pytest.mark.parametrize(
    ("wanted", "message"),
    [("usb", "2 microphones fit"), ("9", "no microphone fits"), ("3", "no microphone fits"), ("Speak", "no mic")],
)
def test_what_fits_none_or_several_chooses_nothing_and_lists_them(wanted: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        choose(DEVICES, wanted, "input")
    assert "0 USB Headset; " in caught.value.hint


def test_no_device_at_all_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DeviceError, match="there is no speaker") as caught:
        choose([device(0, "Built-in Microphone")], None, "output")
    assert "--output" in caught.value.hint
