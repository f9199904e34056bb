"""Which microphone or speaker is meant by a name, a part of one, or a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from livechat.audio.remedies import Platform, missing
from livechat.errors import DeviceError, UsageError

Kind = Literal["input", "output"]
WORD = {"input": "microphone", "output": "speaker"}
FLAG = {"input": "--mic", "output": "--speaker"}
_CARD = re.compile(r" \(hw:\d+,\d+\)$")


@dataclass(frozen=True, slots=True)
class Device:
    """A sound device. `index` and `host`, the interface it is reached by, are PortAudio's; `rate` in Hz."""

    index: int
    name: str
    host: str
    input_channels: int
    output_channels: int
    rate: int
    default_input: bool = False
    default_output: bool = False

    def channels(self, kind: Kind) -> int:
        """How many channels it has in that direction; 0 if it cannot do it at all."""
        return self.input_channels if kind == "input" else self.output_channels

    def is_default(self, kind: Kind) -> bool:
        """Is it what the system uses in that direction?"""
        return self.default_input if kind == "input" else self.default_output


def choose(devices: Sequence[Device], wanted: str | None, kind: Kind, where: Platform = "linux") -> Device:
    """The device meant by `wanted`: None for the default, a number, or part of a name in any case.

    An ALSA name ends in the card's number, which may be another one when the card is plugged in again.

    Raises DeviceError if there is none at all, UsageError if `wanted` fits no device or more than one.
    """
    usable = [device for device in devices if device.channels(kind)]
    if not usable:
        instead = "--input FILE or --text" if kind == "input" else "--output FILE"
        raise DeviceError(f"there is no {WORD[kind]}", f"{missing(where)}; or do without: {instead}")
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
        # A whole name is that device, though it may be part of another's; and where each device is there once
        # for every interface, as on Windows, the one is meant that is reached as the default is.
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
