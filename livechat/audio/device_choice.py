"""Chooses the microphone or speaker that is meant by a name, a part of a name, or a number."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from livechat.audio.interfaces import INPUT_RATE, OUTPUT_RATE
from livechat.audio.remedies import MISSING, Platform
from livechat.errors import DeviceError, UsageError

Kind = Literal["input", "output"]  # of a device, as PortAudio names it
WORD = {"input": "microphone", "output": "speaker"}
WIRE_RATE: dict[Kind, int] = {"input": INPUT_RATE, "output": OUTPUT_RATE}  # Hz, to and from the server
FLAG = {"input": "--mic", "output": "--speaker"}
_CARD = re.compile(r" \(hw:\d+,\d+\)$")


@dataclass(frozen=True, slots=True)
class Device:
    """A sound device as PortAudio lists it. `host`: the interface it is reached by. `rate`: its own, in Hz."""

    index: int
    name: str
    host: str
    input_channels: int
    output_channels: int
    rate: int
    default_input: bool = False
    default_output: bool = False

    def channels(self, kind: Kind) -> int:
        """How many channels it has in that direction. 0 means that it cannot be used for it."""
        return self.input_channels if kind == "input" else self.output_channels

    def is_default(self, kind: Kind) -> bool:
        """Is it the system's default in that direction?"""
        return self.default_input if kind == "input" else self.default_output


def choose(devices: Sequence[Device], wanted: str | None, kind: Kind, where: Platform = "linux") -> Device:
    """The device meant by `wanted`: a number, a part of a name in upper or lower case, or None for the default.

    An ALSA name ends in the card's number, which may change when the card is plugged in again. So if nothing else
    fits, the name is compared without it.
    Raises DeviceError if there is no device at all, and UsageError if `wanted` fits none or more than one.
    """
    usable = [device for device in devices if device.channels(kind)]
    if not usable:
        instead = "--input FILE or --text" if kind == "input" else "--output FILE"
        raise DeviceError(f"there is no {WORD[kind]}", f"{MISSING[where]}; or do without: {instead}")
    default = next((device for device in usable if device.is_default(kind)), usable[0])
    if wanted is None:
        return default
    part = wanted.strip().lower()
    if part.isdecimal():
        found = [device for device in usable if str(device.index) == (part.lstrip("0") or "0")]
    else:
        found = [device for device in usable if part in device.name.lower()]
        if not found and (card := _CARD.sub("", part)):
            found = [device for device in usable if _CARD.sub("", device.name.lower()) == card]
        # A whole name means that device, even if the name is part of another one. Windows lists each device once for
        # every interface: then the one with the default device's interface is meant.
        for narrower in (
            [device for device in found if device.name.lower() == part],
            [device for device in found if device.host == default.host],
        ):
            if len(found) > 1 and narrower:
                found = narrower
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} {WORD[kind]}s fit" if found else f"no {WORD[kind]} fits"
    names = "; ".join(f"{device.index} {device.name}" for device in (found or usable))
    raise UsageError(f"{what} {FLAG[kind]} {wanted!r}", f"choose by number or name: {names}")
