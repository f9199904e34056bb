"""PortAudio: loading it, the list of its devices, and the format in which a device opens.

The only file that imports sounddevice. PortAudio is not safe to call from two threads at once, and a call hangs when
the sound server hangs. So everything here is called on the worker thread of a Card (card.py).
"""

import contextlib
import functools
import logging
import sys
from pathlib import Path
from typing import Any

from livechat.audio.device_choice import Device, Kind
from livechat.audio.quiet_stderr import quiet_stderr
from livechat.audio.remedies import Platform, platform_of
from livechat.errors import DeviceError

_log = logging.getLogger(__name__)


@functools.cache
def sounddevice() -> Any:
    """The module of that name. Loading it initialises PortAudio, which prints about each device that it tries.

    Raises DeviceError if PortAudio is missing.
    """
    try:
        with quiet_stderr():
            import sounddevice
    except OSError as error:
        raise DeviceError(
            "PortAudio, the sound library, is not installed",
            "apt install libportaudio2, dnf install portaudio, pacman -S portaudio or brew install portaudio,"
            " whichever your system has; or do without sound: --text",
        ) from error
    _log.info("loaded %s", sounddevice.get_portaudio_version()[1])
    return sounddevice


@functools.cache
def platform() -> Platform:
    """The platform of this process, as remedies.py names it."""
    try:
        kernel = Path("/proc/version").read_text(encoding="utf-8")
    except OSError:
        kernel = ""
    return platform_of(sys.platform, kernel)


def list_devices() -> list[Device]:
    """All sound devices, as PortAudio found them when it was initialised. Raises DeviceError if it is missing."""
    sd = sounddevice()
    hosts = sd.query_hostapis()
    default_input, default_output = sd.default.device
    return [
        Device(
            index=index,
            name=found["name"],
            host=hosts[found["hostapi"]]["name"],
            input_channels=found["max_input_channels"],
            output_channels=found["max_output_channels"],
            rate=int(found["default_samplerate"]),
            default_input=index == default_input,
            default_output=index == default_output,
        )
        for index, found in enumerate(sd.query_devices())
    ]


def supported_format(device: Device, kind: Kind, wire_rate: int) -> tuple[int, int] | None:
    """(rate in Hz, channels) to open the device with: the wire's rate if it can, else its own. None if neither."""
    sd = sounddevice()
    check = sd.check_input_settings if kind == "input" else sd.check_output_settings
    for rate, channels in ((wire_rate, 1), (device.rate, 1), (device.rate, 2)):
        with contextlib.suppress(sd.PortAudioError):
            check(device=device.index, channels=channels, dtype="int16", samplerate=rate)
            return rate, channels
    return None


def restart() -> None:
    """Terminate PortAudio, which ends every stream, and initialise it again, so that it lists the devices anew."""
    sd = sounddevice()
    for step in (sd._terminate, sd._initialize):
        try:
            step()
        except sd.PortAudioError as error:  # the first step fails if the last initialisation failed
            _log.info("PortAudio does not restart: %s", error)
