"""Which devices the sound server has connected our streams to, and each change of that.

PulseAudio and PipeWire move streams, for example to a new default device. PortAudio is not told: its device is
"default" all the time. A thread asks the server through libpulse. It disturbs no stream, and a server that hangs or
dies holds up this thread alone. Without libpulse no change is announced, and sound works all the same.
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from livechat.audio.device_choice import Kind

_SETTLE_S = 0.5  # when a server starts or a device appears, several changes come at once
_LOOK_S = 2.0  # how often the thread looks whether it should end: another thread cannot wake it safely
_RETRY_S = 1.0, 30.0  # the first and the longest pause between attempts to reach the server
_MOVES = ("server", "source_output", "sink_input")  # what changes when a stream is moved, in pulsectl's words


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PulseDevice:
    """A device of the sound server: its `name`, and the `description` that people read."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class PulseRoute:
    """The server's default device, and the one that a stream of this process uses. None if there is none."""

    default: PulseDevice | None
    used: PulseDevice | None


Routes = dict[Kind, PulseRoute]


async def routes() -> AsyncIterator[Routes]:
    """The routes of both directions now, and again after each change. Ends at once if there is no libpulse."""
    if sys.platform != "linux":
        return
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[Routes | None] = asyncio.Queue()
    listener = _Listener(lambda found: loop.call_soon_threadsafe(told.put_nowait, found))
    listener.start()
    try:
        while (found := await told.get()) is not None:
            yield found
    finally:
        listener.ended.set()


class _Listener(Thread):
    """Tells the routes when they have changed, until `ended` is set; None if they cannot be known."""

    def __init__(self, tell: Callable[[Routes | None], object]) -> None:
        super().__init__(name="pulse", daemon=True)
        self._tell = tell
        self._known: Routes = {}
        self._moved = False  # since the last look
        self.ended = Event()

    def run(self) -> None:
        try:
            import pulsectl
            from pulsectl._pulsectl import LibPulse  # its CallError comes where the server ends within a call
        except (ImportError, OSError):
            _log.info("without libpulse, it is not known which device the sound server uses")
            self._say(None)
            return
        pause, longest = _RETRY_S
        while not self.ended.is_set():
            try:
                with pulsectl.Pulse("livechat", connect=False) as pulse:
                    pulse.connect()
                    pause = _RETRY_S[0]
                    self._listen(pulse)
            except (pulsectl.PulseError, pulsectl.PulseDisconnected, LibPulse.CallError):
                _log.info("the sound server has ended, or cannot be reached; next attempt in %.0f s", pause)
                self.ended.wait(pause)
                pause = min(2 * pause, longest)

    def _listen(self, pulse: Any) -> None:
        pulse.event_mask_set(*_MOVES)
        pulse.event_callback_set(self._take)
        changed = True
        while not self.ended.is_set():
            self._moved = False
            pulse.event_listen(_SETTLE_S if changed else _LOOK_S)
            if changed and not self._moved and (found := routes_of(pulse, os.getpid())) != self._known:
                self._known = found
                _log.info("the sound server's routes: %s", found)
                self._say(found)
            changed = self._moved

    def _take(self, event: Any) -> None:
        self._moved = self._moved or event.t == "change"

    def _say(self, found: Routes | None) -> None:
        try:
            self._tell(found)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self.ended.set()


def routes_of(pulse: Any, process: int) -> Routes:
    """The routes of `process`, by what `pulse`, a pulsectl.Pulse, lists."""
    server = pulse.server_info()
    outputs = [(stream.proplist, stream.sink) for stream in pulse.sink_input_list()]
    inputs = [(stream.proplist, stream.source) for stream in pulse.source_output_list()]
    return {
        "input": _route(server.default_source_name, pulse.source_list(), inputs, process),
        "output": _route(server.default_sink_name, pulse.sink_list(), outputs, process),
    }


def _route(default: str, devices: list[Any], streams: list[tuple[dict[str, str], int]], process: int) -> PulseRoute:
    """`streams`: the properties of each, and the index of its device."""
    known = {device.index: PulseDevice(device.name, device.description) for device in devices}
    ours = [index for properties, index in streams if properties.get("application.process.id") == str(process)]
    named = {device.name: device for device in known.values()}
    return PulseRoute(named.get(default), known.get(ours[-1]) if ours else None)
