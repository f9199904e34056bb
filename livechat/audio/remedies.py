"""Hints for a microphone or speaker that does not work, by platform.

PortAudio's error numbers are in portaudio.h, and WASAPI's in audioclient.h. The names of Bluetooth headsets are those
of Windows and BlueZ for the profile (HFP, HSP) that has a microphone, and a speaker of telephone quality.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

from livechat.audio.interfaces import FRAME_MS
from livechat.errors import Notice

Platform = Literal["linux", "wsl", "macos", "windows"]

_DEVICE_UNAVAILABLE = -9985  # paDeviceUnavailable: another program has it
_INVALID_DEVICE = -9996
_IN_USE = {0x8889_000A, 0x8889_000E}  # AUDCLNT_E_DEVICE_IN_USE, AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED
_ACCESS_DENIED = 0x8007_0005  # E_ACCESSDENIED
_NO_SERVICE = 0x8889_0010  # AUDCLNT_E_SERVICE_NOT_RUNNING
_HANDS_FREE = re.compile(r"hands-?free|\bh[fs]p\b|headset-head-unit|bluez", re.IGNORECASE)
_TELEPHONE_RATE = 24_000  # Hz: on macOS a Bluetooth microphone has at most this; any other has 44,100 or more

_PRIVACY = {
    "macos": "allow this terminal to use it: System Settings, Privacy & Security, Microphone; then start it again",
    "windows": "in Settings, Privacy & security, Microphone, let desktop apps use it",
    "wsl": "in Windows' Settings, Privacy & security, Microphone, let desktop apps use it; then `wsl --shutdown`",
}
# For a microphone that gives exact zeros: it is muted, or this program is not allowed to use it.
SILENT: dict[Platform, str] = {
    "linux": "unmute it: `pactl set-source-mute @DEFAULT_SOURCE@ 0`, `wpctl set-mute @DEFAULT_SOURCE@ 0`, or F4 and M"
    " in alsamixer; or use another: `livechat devices`",
    "macos": f"{_PRIVACY['macos']}; or use another: `livechat devices`",
    "windows": f"{_PRIVACY['windows']}; it may have a mute key; or use another: `livechat devices`",
    "wsl": _PRIVACY["wsl"],
}
# For a computer without any microphone or speaker.
MISSING: dict[Platform, str] = {
    "linux": "connect one; beside PulseAudio or PipeWire, apt install libasound2-plugins",
    "macos": "connect one",
    "windows": "connect one, or enable it in Settings, System, Sound",
    "wsl": "`wsl --update` in Windows brings WSLg and its sound; in Linux, apt install libasound2-plugins",
}


def platform_of(system: str, kernel: str) -> Platform:
    """The platform. `system`: sys.platform. `kernel`: the text of /proc/version, or "" if there is none."""
    if system == "win32":
        return "windows"
    if system == "darwin":
        return "macos"
    return "wsl" if "microsoft" in kernel.lower() else "linux"


def refused(where: Platform, error: Sequence[Any]) -> str:
    """For a device that does not open. `error`: the args of sounddevice's PortAudioError.

    The first is a message. PortAudio's number may follow, and then (interface, number, message) of the interface.
    """
    number = error[1] if len(error) > 1 else 0
    host = error[2][1] & 0xFFFF_FFFF if len(error) > 2 else 0  # a C long: negative on Windows
    if host == _ACCESS_DENIED and where in _PRIVACY:
        return _PRIVACY[where]
    if host == _NO_SERVICE:
        return "start the service Windows Audio: `net start audiosrv`, as administrator"
    if where == "windows" and (host in _IN_USE or number in {_DEVICE_UNAVAILABLE, _INVALID_DEVICE}):
        return (
            "another program may use it exclusively: end that one, or turn off exclusive control in the device's"
            " properties, Advanced; or name another with --mic or --speaker"
        )
    if number == _DEVICE_UNAVAILABLE:
        return "another program uses it: end that one, or use the default device, which can be shared"
    return "another program may hold it; name another with --mic or --speaker: `livechat devices`"


def is_hands_free(name: str, host: str = "", channels: int = 0, rate: int = 0) -> bool:
    """Is this the microphone of a Bluetooth headset? `rate` in Hz; `host`: PortAudio's name of the interface."""
    narrow = host == "Core Audio" and channels == 1 and rate <= _TELEPHONE_RATE
    return narrow or bool(_HANDS_FREE.search(name))


def hands_free(name: str) -> Notice:
    """The notice for a Bluetooth headset's microphone."""
    return Notice(
        f"{name} is a Bluetooth headset: while its microphone is on, its speaker has telephone quality",
        "for better sound use another microphone: `livechat devices`",
    )


def monitor(name: str) -> str:
    """For a source of a sound server that is no microphone. It is used when the last microphone is unplugged."""
    return "it hears what the speaker plays: connect a microphone" if name.endswith(".monitor") else ""


class Zeros:
    """Recognises a microphone that is muted or not allowed: it gives exact zeros, and a quiet one does not.

    A noise gate gives zeros as well while nobody speaks. So each time sound comes back, the patience grows fourfold.
    """

    def __init__(self, patience_s: float = 2.5) -> None:
        self._patience = patience_s * 1000 / FRAME_MS  # in frames
        self._zeros = 0
        self.silent = False

    def feed(self, frame: bytes) -> bool:
        """Take one frame. Returns True if `silent` has changed."""
        before = self.silent
        if any(frame):
            self._zeros = 0
            self.silent = False
        else:
            self._zeros += 1
            self.silent = self._zeros >= self._patience
        if before and not self.silent:
            self._patience *= 4
        return self.silent != before
