"""Microphone, speaker and echo on the virtual card. test_run.py has the card on which all is well."""

from __future__ import annotations

import os

import pytest

from livechat.audio import loopback_test
from livechat.audio.device_choice import Device
from livechat.commands.doctor import sound
from livechat.commands.doctor.finding import Subject
from livechat.errors import DeviceError
from tests.support.virtual_card import VirtualCard


def subject() -> Subject:
    return Subject(os.environ, terminal=False)


@pytest.fixture(autouse=True)
def _own_state(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVECHAT_STATE", env["LIVECHAT_STATE"])
    monkeypatch.setenv("LIVECHAT_CONFIG", os.devnull)


def test_a_microphone_that_gives_zeros_fails_with_the_ways_to_unmute_it(card: VirtualCard) -> None:
    card.control("set-source-mute", "virtual_mic", "1")
    found = sound.echo(subject())
    assert (found.status, found.summary) == ("fail", "the microphone gives digital silence")
    assert "pactl set-source-mute" in found.remedy


@pytest.mark.parametrize(
    ("name", "host", "status", "word"),
    [
        ("WH-1000XM4 Hands-Free", "MME", "warn", "telephone quality"),
        ("alsa_output.pci.monitor", "ALSA", "warn", "is no microphone"),
        ("Scarlett Solo", "ALSA", "ok", "Scarlett Solo (ALSA)"),
    ],
)
def test_a_microphone_of_telephone_quality_or_none_at_all_is_said(
    name: str, host: str, status: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Device(0, name, host, 1, 0, 16_000, default_input=True, default_output=False)

    class Card:
        def call(self, _: object) -> tuple[int, int]:
            return 16_000, 1

    monkeypatch.setattr(sound, "_chosen", lambda *given: (Card(), {"input": device}))
    found = sound.microphone(subject())
    assert found.status == status
    assert word in found.summary


@pytest.mark.parametrize(
    ("noise", "echo_db", "recommended", "status", "word"),
    [
        (-60.0, -20.0, "cancel", "ok", ""),
        (-60.0, -3.0, "duck", "warn", "use duck"),
        (-30.0, -20.0, "cancel", "warn", "nearer"),
        (-85.0, None, "off", "warn", "turn the microphone up"),
        (-60.0, None, "off", "ok", "headphones"),
    ],
)
def test_what_the_loopback_test_found_becomes_advice(
    noise: float, echo_db: float | None, recommended: str, status: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hint = "with headphones that is right" if echo_db is None else "use duck" if recommended == "duck" else "keep it"
    result = loopback_test.LoopbackResult(noise, echo_db, 50.0, 20.0, recommended, "a verdict", hint)

    async def measure(*_: object) -> loopback_test.LoopbackResult:
        return result

    monkeypatch.setattr(loopback_test, "measure", measure)
    device = Device(0, "x", "ALSA", 1, 1, 16_000, default_input=True, default_output=True)
    monkeypatch.setattr(sound, "_chosen", lambda *given: (None, {"input": device, "output": device}))
    found = sound.echo(subject())
    assert found.status == status
    assert word in found.remedy


def test_without_portaudio_the_rest_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise DeviceError("PortAudio, the sound library, is not installed", "apt install libportaudio2")

    monkeypatch.setattr(sound, "sounddevice", missing)
    asked = subject()
    assert sound.portaudio(asked).remedy == "apt install libportaudio2"
    asked.failed.add("portaudio")
    assert {check(asked).status for check in (sound.microphone, sound.speaker, sound.echo)} == {"skip"}
