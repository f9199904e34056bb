"""What is said about a device that does not work fits the platform and the error."""

from __future__ import annotations

from typing import Any

import pytest

from livechat.audio.interfaces import FRAME_BYTES
from livechat.audio.remedies import (
    MISSING,
    SILENT,
    Platform,
    Zeros,
    hands_free,
    is_hands_free,
    monitor,
    platform_of,
    refused,
)

WSL = "Linux version 6.6.87.2-microsoft-standard-WSL2 (root@439a258ad544) (gcc 11.2.0) #1 SMP PREEMPT_DYNAMIC"
DEBIAN = "Linux version 6.12.9-amd64 (debian-kernel@lists.debian.org) (gcc 14.2.0) #1 SMP PREEMPT_DYNAMIC"


@pytest.mark.parametrize(
    ("system", "kernel", "found"),
    [("linux", DEBIAN, "linux"), ("linux", WSL, "wsl"), ("darwin", "", "macos"), ("win32", "", "windows")],
)
def test_the_platform_is_known_and_wsl_is_not_taken_for_linux(system: str, kernel: str, found: str) -> None:
    assert platform_of(system, kernel) == found


@pytest.mark.parametrize(
    ("where", "remedies"),
    [
        ("linux", ["pactl set-source-mute @DEFAULT_SOURCE@ 0", "wpctl set-mute @DEFAULT_SOURCE@ 0", "alsamixer"]),
        ("macos", ["System Settings, Privacy & Security, Microphone", "terminal", "start it again"]),
        ("windows", ["Settings, Privacy & security, Microphone", "mute key"]),
        ("wsl", ["Windows' Settings", "wsl --shutdown"]),
    ],
)
def test_digital_silence_is_explained_for_this_platform(where: Platform, remedies: list[str]) -> None:
    assert [remedy for remedy in remedies if remedy not in SILENT[where]] == []


def test_a_computer_without_sound_is_told_how_to_get_some() -> None:
    assert "libasound2-plugins" in MISSING["linux"]
    assert "wsl --update" in MISSING["wsl"]
    assert "connect one" in MISSING["macos"]
    assert "Settings, System, Sound" in MISSING["windows"]


@pytest.mark.parametrize(
    ("where", "error", "remedy"),
    [
        ("linux", ("Error querying device -1",), "livechat devices"),
        ("linux", ("Device unavailable", -9985), "which can be shared"),
        ("linux", ("Unanticipated host error", -9999, (8, -16, "busy")), "livechat devices"),
        ("windows", ("Invalid device", -9996), "exclusive control"),
        ("windows", ("Unanticipated host error", -9999, (13, 0x8889000A - 2**32, "")), "exclusive control"),
        ("windows", ("Unanticipated host error", -9999, (13, 0x80070005 - 2**32, "")), "Privacy & security"),
        ("windows", ("Unanticipated host error", -9999, (13, 0x88890010 - 2**32, "")), "Windows Audio"),
        ("macos", ("Internal PortAudio error", -9986, (5, -50, "")), "livechat devices"),
    ],
)
def test_a_device_that_does_not_open_has_a_remedy_by_its_error(
    where: Platform, error: tuple[Any, ...], remedy: str
) -> None:
    assert remedy in refused(where, error)


@pytest.mark.parametrize(
    ("name", "host", "channels", "rate", "found"),
    [
        ("Headset (WH-1000XM4 Hands-Free AG Audio)", "Windows WASAPI", 1, 16_000, True),
        ("AirPods Pro", "Core Audio", 1, 24_000, True),
        ("bluez_input.AC_80_0A_00_00_00.0", "ALSA", 1, 16_000, True),
        ("MacBook Pro Microphone", "Core Audio", 1, 48_000, False),
        ("Microphone Array (Realtek(R) Audio)", "Windows WASAPI", 2, 48_000, False),
        ("default", "ALSA", 32, 44_100, False),
        ("USB PnP Sound Device", "ALSA", 1, 16_000, False),
    ],
)
def test_a_bluetooth_headset_is_known(name: str, host: str, channels: int, rate: int, found: bool) -> None:
    assert is_hands_free(name, host, channels, rate) is found
    assert name in hands_free(name).message


def test_the_sound_of_the_speaker_is_no_microphone() -> None:
    assert "connect a microphone" in monitor("alsa_output.pci-0000_00_1f.3.analog-stereo.monitor")
    assert monitor("alsa_input.pci-0000_00_1f.3.analog-stereo") == ""


def test_zeros_are_told_from_quiet_within_three_seconds() -> None:
    quiet, zero = bytes(FRAME_BYTES - 2) + b"\x01\x00", bytes(FRAME_BYTES)
    zeros = Zeros()
    assert not any(zeros.feed(frame) for frame in [zero] * 100 + [quiet] * 500)
    changes = [zeros.feed(zero) for _ in range(500)]
    assert changes.index(True) < 150
    assert sum(changes) == 1
    assert zeros.silent
    assert [zeros.feed(quiet), zeros.feed(quiet)] == [True, False]
    assert not zeros.silent


def test_a_noise_gate_is_mentioned_less_and_less() -> None:
    zeros = Zeros()
    mentioned = 0
    for _ in range(100):  # a pause of 4 s, and a word
        mentioned += sum([zeros.feed(bytes(FRAME_BYTES)) and zeros.silent for _ in range(200)])
        zeros.feed(b"\x01" * FRAME_BYTES)
    assert mentioned == 1
