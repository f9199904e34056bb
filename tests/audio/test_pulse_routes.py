"""Which device of the sound server a stream of ours is on, by what pactl says; with a server: test_card.py."""

from __future__ import annotations

import asyncio

import pytest

from livechat.audio.pulse_routes import PulseDevice, PulseRoute, parse, routes

INFO = """Server String: /run/user/1000/pulse/native
Server Name: PulseAudio (on PipeWire 1.2.7)
Default Sample Specification: float32le 2ch 48000Hz
Default Sink: alsa_output.pci-0000_00_1f.3.analog-stereo
Default Source: alsa_input.usb-Jabra_Evolve-00.mono-fallback
"""

LISTED = """Module #1
	Name: libpipewire-module-rt
	Argument: {
            nice.level    = -11
        }

Sink #48
	State: RUNNING
	Name: alsa_output.pci-0000_00_1f.3.analog-stereo
	Description: Built-in Audio Analog Stereo
	Monitor Source: alsa_output.pci-0000_00_1f.3.analog-stereo.monitor

Source #48
	State: IDLE
	Name: alsa_output.pci-0000_00_1f.3.analog-stereo.monitor
	Description: Monitor of Built-in Audio Analog Stereo

Source #51
	State: SUSPENDED
	Name: alsa_input.usb-Jabra_Evolve-00.mono-fallback
	Description: Jabra Evolve Mono

Source #60
	State: RUNNING
	Name: bluez_input.AC_80.0
	Description: WH-1000XM4

Source Output #77
	Driver: PipeWire
	Client: 70
	Source: 48
	Properties:
		application.name = "a recorder"
		application.process.id = "123"

Source Output #78
	Driver: PipeWire
	Client: 71
	Source: 60
	Properties:
		application.process.id = "1234"
		application.process.binary = "python3.12"

Client #70
	Driver: PipeWire
	Properties:
		application.process.id = "1234"
"""

HEADSET = PulseDevice("alsa_input.usb-Jabra_Evolve-00.mono-fallback", "Jabra Evolve Mono")
BUILT_IN = PulseDevice("alsa_output.pci-0000_00_1f.3.analog-stereo", "Built-in Audio Analog Stereo")


def test_our_own_stream_is_told_from_others_and_from_the_default() -> None:
    assert parse(INFO, LISTED, 1234) == {
        "input": PulseRoute(HEADSET, PulseDevice("bluez_input.AC_80.0", "WH-1000XM4")),
        "output": PulseRoute(BUILT_IN, None),
    }
    assert parse(INFO, LISTED, 12)["input"] == PulseRoute(HEADSET, None)


@pytest.mark.parametrize(
    ("info", "listed"), [("", ""), (INFO, ""), ("", LISTED), (INFO, "Source #1\n\tState: IDLE\n")]
)
def test_what_pactl_does_not_say_is_not_known(info: str, listed: str) -> None:
    assert parse(info, listed, 1)["output"].used is None
    assert parse(info, "", 1)["input"] == PulseRoute(None, None)


def test_without_pactl_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    async def main() -> None:
        assert [found async for found in routes()] == []

    asyncio.run(main())
