"""Which device of the sound server a stream of ours is on, by what libpulse says; with a server: test_card.py."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace

import pytest

from livechat.audio.pulse_routes import PulseDevice, PulseRoute, routes, routes_of


def device(index: int, name: str, description: str) -> SimpleNamespace:
    return SimpleNamespace(index=index, name=name, description=description)


def stream(process: int | None, **to: int) -> SimpleNamespace:
    return SimpleNamespace(proplist={} if process is None else {"application.process.id": str(process)}, **to)


class Server:
    """What pulsectl lists of one with a headset of which only the microphone is the default."""

    def __init__(self) -> None:
        self.default = ("alsa_input.usb-Jabra", "alsa_output.pci")
        self.sinks = [device(48, "alsa_output.pci", "Built-in Audio")]
        self.sources = [
            device(48, "alsa_output.pci.monitor", "Monitor of Built-in Audio"),
            device(51, "alsa_input.usb-Jabra", "Jabra Evolve Mono"),
            device(60, "bluez_input.AC_80.0", "WH-1000XM4"),
        ]

    def server_info(self) -> SimpleNamespace:
        source, sink = self.default
        return SimpleNamespace(default_source_name=source, default_sink_name=sink)

    def sink_list(self) -> list[SimpleNamespace]:
        return self.sinks

    def source_list(self) -> list[SimpleNamespace]:
        return self.sources

    def sink_input_list(self) -> list[SimpleNamespace]:
        return [stream(None, sink=48)]

    def source_output_list(self) -> list[SimpleNamespace]:
        return [stream(123, source=48), stream(1234, source=60)]


HEADSET = PulseDevice("alsa_input.usb-Jabra", "Jabra Evolve Mono")
BUILT_IN = PulseDevice("alsa_output.pci", "Built-in Audio")


def test_our_own_stream_is_told_from_others_and_from_the_default() -> None:
    assert routes_of(Server(), 1234) == {
        "input": PulseRoute(HEADSET, PulseDevice("bluez_input.AC_80.0", "WH-1000XM4")),
        "output": PulseRoute(BUILT_IN, None),
    }
    assert routes_of(Server(), 12)["input"] == PulseRoute(HEADSET, None)


def test_a_device_that_is_not_listed_is_not_known() -> None:
    """It went away between two questions, or the server has none."""
    server = Server()
    server.default, server.sources = (server.default[0], "@DEFAULT_SINK@"), []
    assert routes_of(server, 1234) == {"input": PulseRoute(None, None), "output": PulseRoute(None, None)}


def test_without_libpulse_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pulsectl", None)

    async def main() -> None:
        assert [found async for found in routes()] == []

    asyncio.run(main())
