"""Opens, watches and reopens the microphone and the speaker of a conversation.

PortAudio finds a device that was unplugged, or whose server died, only after it was terminated and initialised again.
That ends every stream. So a Card reopens all its streams together. docs/audio.md A2 says what a loss looks like.
"""

import asyncio
import atexit
import contextlib
import itertools
import logging
from collections.abc import Callable
from typing import Any

from livechat.audio.device_choice import WORD, Device
from livechat.audio.device_stream import POLL_S, DeviceStream
from livechat.audio.portaudio import list_devices, platform, restart, sounddevice
from livechat.audio.pulse_routes import PulseDevice, routes
from livechat.audio.remedies import hands_free, is_hands_free, monitor, refused
from livechat.errors import DeviceError, Notice, Notify
from livechat.ticks import tick
from livechat.worker import Worker

_RETRY_S = 0.25, 5.0  # the first and the longest pause between attempts to reopen
_PATIENCE_S = 3.0  # a named device may take so long to come back before the default replaces it
_OPEN_LIMIT_S = 10.0
_CLOSE_LIMIT_S = 0.5
_FOLLOWERS = ("default", "pulse", "pipewire")  # ALSA's names for the sound server's default device

_log = logging.getLogger(__name__)


class Card:
    """PortAudio and the streams that are open on it. A microphone and a speaker that are used together share one.

    `notify` is called on the event loop when a device goes or is back, and the like.
    Raises DeviceError if PortAudio is missing or does not answer.
    """

    def __init__(self, notify: Notify) -> None:
        self.notify = notify
        self.worker = Worker("portaudio")
        self._streams: list[DeviceStream] = []
        self._devices: list[Device] = []  # that were listed last
        self._watchers: list[asyncio.Task[None]] = []
        self._missing: set[str] = set()  # whose loss was announced
        self._stuck = False
        self._loaded = False
        self._sd = self.call(sounddevice)
        self._loaded = True
        self.call(self._log_devices)

    def _log_devices(self) -> None:
        """Log what devices there are, if that has changed. On the worker's thread."""
        with contextlib.suppress(self._sd.PortAudioError):  # PortAudio did not restart
            if (devices := list_devices()) != self._devices:
                self._devices = devices
                _log.info("%d devices are listed", len(devices))
                for device in devices:
                    _log.info("%s", device)

    def add(self, stream: DeviceStream) -> None:
        """Check that a stream's device opens, and watch it from now on. Raises DeviceError or UsageError."""
        try:
            self.call(stream.open)
            self.call(stream.end)
        except self._sd.PortAudioError as error:
            raise DeviceError(
                f"the {WORD[stream.kind]} cannot be opened: {error}", refused(platform(), error.args)
            ) from error
        self._streams.append(stream)

    def call(self, call: Callable[[], Any]) -> Any:
        """Do this on the worker's thread, and wait for it. Raises DeviceError if it takes too long."""
        try:
            return self.worker.submit(call).result(_OPEN_LIMIT_S)
        except TimeoutError:
            self._abandon()
            message, hint = "the sound system does not answer", "restart it, or do without sound: --text"
            raise DeviceError(message, hint) from None

    def watch(self) -> None:
        """Watch the streams from now on, as tasks of the running loop. Safe to call twice."""
        if not self._watchers:
            self._watchers = [asyncio.create_task(self._watch()), asyncio.create_task(self._follow())]

    async def _follow(self) -> None:
        """Announce it when the sound server moves a stream to another device."""
        known: dict[DeviceStream, PulseDevice] = {}
        async for found in routes():
            for stream in self._streams:
                route = found[stream.kind]
                device = route.used or (route.default if stream.device.name in _FOLLOWERS else None)
                if device is None or device == known.get(stream):
                    continue
                if stream in known:
                    self.notify(Notice(f"the {WORD[stream.kind]} is now {device.description}", monitor(device.name)))
                if stream.kind == "input" and is_hands_free(device.name):
                    self.notify(hands_free(device.description))
                known[stream] = device

    async def _watch(self) -> None:
        while True:
            # The second look finds what is lost together with it, but shows that a moment later.
            if await self._lost() and await self._still_lost():
                before = {stream: stream.name for stream in self._streams}
                await self._recover()
                others = [stream.name for stream in self._streams if stream.name != before.get(stream)]
                self.notify(Notice(f"sound is back{', by ' if others else ''}{' and '.join(others)}"))
                self._missing.clear()

    async def _lost(self) -> bool:
        """Is any stream without its device? Waits for a poll, then asks each."""
        await tick(POLL_S)
        lost = [stream.stalled() for stream in self._streams]
        return any(lost)

    async def _still_lost(self) -> bool:
        """The same, and announces what was lost since the last call."""
        lost = await self._lost()
        missing = [WORD[stream.kind] for stream in self._streams if stream.lost]
        if new := [word for word in missing if word not in self._missing]:
            self._missing.update(new)
            self.notify(
                Notice(
                    f"the {' and the '.join(new)} went away",
                    "the conversation goes on, and sound as soon as the device is back; type meanwhile",
                )
            )
        return lost

    async def _recover(self) -> None:
        pause, longest = _RETRY_S
        clock = asyncio.get_running_loop().time
        began = clock()
        for attempt in itertools.count(1):
            if clock() - began > _PATIENCE_S:
                for stream in self._streams:
                    stream.any_device = True
            _log.info("attempt %d to reopen sound, %.1f s after the loss", attempt, clock() - began)
            reopening = asyncio.wrap_future(self.worker.submit(self._reopen))
            await self._still_lost()
            while not reopening.done():  # as long as the sound server hangs
                await self._still_lost()
            # A suspended device opens, and gives no sound.
            while reopening.result() and not any(stream.dead() for stream in self._streams):
                if not await self._still_lost():
                    return
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)
            # Another attempt would interrupt what is playing.
            while any(stream.busy() and not stream.lost for stream in self._streams):
                if not await self._still_lost():
                    return

    def _reopen(self) -> bool:
        """Restart PortAudio and every stream that should run. True if all do. On the worker's thread."""
        streams = [*self._streams]
        for stream in streams:
            stream.end()
        restart()
        self._log_devices()
        begun = [stream.begin() for stream in streams]  # each one, even if another fails
        return all(begun)

    def close(self, stream: DeviceStream) -> None:
        """Close a stream for good, within half a second, even if PortAudio does not answer."""
        if stream in self._streams:
            self._streams.remove(stream)
            closing = self.worker.submit(stream.end)
            if not self._stuck:
                try:
                    closing.result(_CLOSE_LIMIT_S)
                except TimeoutError:
                    self._abandon()
        if not self._streams:
            for watcher in self._watchers:
                watcher.cancel()

    def _abandon(self) -> None:
        """Wait for PortAudio no more. At exit it would be terminated, and that would hang as well."""
        _log.info("PortAudio does not answer; it is left as it is")
        self._stuck = True
        if self._loaded:
            atexit.unregister(self._sd._exit_handler)
