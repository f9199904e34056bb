"""What to do about a microphone or speaker that does not work, by platform. Words only: nothing here looks.

PortAudio's error numbers: portaudio.h. WASAPI's: audioclient.h. Bluetooth names: what Windows and BlueZ call the
profile (HFP, HSP) that carries a microphone, and with it a speaker of telephone quality.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from livechat.audio.interfaces import FRAME_MS
from livechat.errors import Notice

Platform = Literal["linux", "wsl", "macos", "windows"]

_DEVICE_UNAVAILABLE = -9985  # paDeviceUnavailable: somebody has it
_INVALID_DEVICE = -9996
_IN_USE = {0x8889_000A, 0x8889_000E}  # AUDCLNT_E_DEVICE_IN_USE, AUDCLNT_E_EXCLUSIVE_MODE_NOT_ALLOWED
_ACCESS_DENIED = 0x8007_0005  # E_ACCESSDENIED
_NO_SERVICE = 0x8889_0010  # AUDCLNT_E_SERVICE_NOT_RUNNING
_HANDS_FREE = re.compile(r"hands-?free|\bh[fs]p\b|headset-head-unit|bluez", re.IGNORECASE)
_TELEPHONE_RATE = 24_000  # Hz, at most: what macOS gives a Bluetooth microphone; any other has 44,100 or more

_PRIVACY = {
    "macos": "allow this terminal to use it: System Settings, Privacy & Security, Microphone; then start it again",
    "windows": "in Settings, Privacy & security, Microphone, let desktop apps use it",
    "wsl": "in Windows' Settings, Privacy & security, Microphone, let desktop apps use it; then `wsl --shutdown`",
}
_SILENT = {
    "linux": "unmute it: `pactl set-source-mute @DEFAULT_SOURCE@ 0`, `wpctl set-mute @DEFAULT_SOURCE@ 0`, or F4 and M"
    " in alsamixer; or use another: `livechat devices`",
    "macos": f"{_PRIVACY['macos']}; or use another: `livechat devices`",
    "windows": f"{_PRIVACY['windows']}; it may have a mute key; or use another: `livechat devices`",
    "wsl": _PRIVACY["wsl"],
}
_MISSING = {
    "linux": "connect one; beside PulseAudio or PipeWire, apt install libasound2-plugins",
    "macos": "connect one",
    "windows": "connect one, or enable it in Settings, System, Sound",
    "wsl": "`wsl --update` in Windows brings WSLg and its sound; in Linux, apt install libasound2-plugins",
}


def platform_of(system: str, kernel: str) -> Platform:
    """Which it is, by `sys.platform` and what /proc/version says ("" where there is none)."""
    if system == "win32":
        return "windows"
    if system == "darwin":
        return "macos"
    return "wsl" if "microsoft" in kernel.lower() else "linux"


def silent(where: Platform) -> str:
    """For a microphone that gives exact zeros: it is muted, or this program may not hear it."""
    return _SILENT[where]


def missing(where: Platform) -> str:
    """For a computer without any microphone or speaker."""
    return _MISSING[where]


def refused(where: Platform, error: Sequence[Any]) -> str:
    """For a device that does not open: `error` is the args of sounddevice's PortAudioError.

    They are a message, PortAudio's number, and for an error of the host (interface, its number, its message);
    the latter two may be missing.
    """
    number = error[1] if len(error) > 1 else 0
    host = error[2][1] & 0xFFFF_FFFF if len(error) > 2 else 0  # a C long: negative on Windows
    if host == _ACCESS_DENIED and where in _PRIVACY:
        return _PRIVACY[where]
    if host == _NO_SERVICE:
        return "start the service Windows Audio: `net start audiosrv`, as administrator"
    if where == "windows" and (host in _IN_USE or number in {_DEVICE_UNAVAILABLE, _INVALID_DEVICE}):
        return (
            "another program may have it to itself: end that, or turn off exclusive control in the device's"
            " properties, Advanced; or name another with --mic or --speaker"
        )
    if number == _DEVICE_UNAVAILABLE:
        return "another program has it: end that, or use the default device, which can be shared"
    return "another program may hold it; name another with --mic or --speaker: `livechat devices`"


def is_hands_free(name: str, host: str = "", channels: int = 0, rate: int = 0) -> bool:
    """Is this microphone a Bluetooth headset's? `rate` in Hz; `host` is PortAudio's name of the interface."""
    narrow = host == "Core Audio" and channels == 1 and rate <= _TELEPHONE_RATE
    return narrow or bool(_HANDS_FREE.search(name))


def hands_free(name: str) -> Notice:
    """What it means, and what to do."""
    return Notice(
        f"{name} is a Bluetooth headset: while its microphone is on, its speaker has telephone quality",
        "for better sound use another microphone: `livechat devices`",
    )


def monitor(name: str) -> str:
    """For a sound server's source that is no microphone: what is left when the last one is unplugged."""
    return "it hears what the speaker plays: connect a microphone" if name.endswith(".monitor") else ""


class Zeros:
    """Tells a microphone that is muted, or must not be heard, from a quiet one: it gives exact zeros.

    So does a noise gate while nobody speaks. Each time the sound comes back, it takes longer to be mentioned again.
    """

    def __init__(self, patience_s: float = 2.5) -> None:
        self._patience = patience_s * 1000 / FRAME_MS  # in frames
        self._zeros = 0
        self.silent = False

    def feed(self, frame: bytes) -> bool:
        """Take one frame in; True if `silent` is another now."""
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
