"""PortAudio: the list of devices, and streams that come back when their device does.

The only file that imports sounddevice. PortAudio is not safe to call from two threads, and it hangs when the
sound server does: so all calls go through one worker thread that nobody waits for without a limit. The
callbacks, on threads of PortAudio's own, copy, count and return.

A device that was unplugged, or whose server died, is seen again only by a PortAudio that was ended and begun
anew, which ends every stream: so the Card reopens all together. What losing a device looks like: docs/audio.md A2.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from livechat.audio.device_choice import WORD, Device, Kind, choose
from livechat.audio.interfaces import FRAME_MS
from livechat.audio.pulse_routes import Place, routes
from livechat.audio.quiet_stderr import quiet_stderr
from livechat.audio.remedies import Platform, hands_free, is_hands_free, monitor, platform_of, refused
from livechat.audio.worker import Worker
from livechat.errors import DeviceError, LivechatError, Notice, Tell, UsageError

_POLL_S = 0.1  # how often the watchdog looks
_STALLED_POLLS = 10  # over 0.9 s without a callback is a loss. In polls: a busy loop must not look like one
_STARTING_POLLS = 40  # the first callback may take longer: Bluetooth changes its mode first
_ALIVE_POLLS = 3  # with callbacks in each: a suspended device fills its buffer at once, and then calls no more
_RETRY_S = 0.25, 5.0  # the first and the longest pause between attempts to reopen
_PATIENCE_S = 3.0  # for a named device to be plugged in again, until the default takes its place
_OPEN_LIMIT_S = 10.0
_CLOSE_LIMIT_S = 0.5
_FOLLOWERS = ("default", "pulse", "pipewire")  # what ALSA calls a sound server's default device
_LATE_S = 0.1  # a callback later than this, against the clock it is told, is a clock that was set
_DRIFT_S = 2e-6  # from one block to the next: 100 ppm


@functools.cache
def _portaudio() -> Any:
    """The module sounddevice. Loading it begins PortAudio, which tries every device there might be, aloud."""
    try:
        with quiet_stderr():
            import sounddevice
    except OSError as error:
        raise DeviceError(
            "PortAudio, the sound library, is not installed",
            "apt install libportaudio2, dnf install portaudio, pacman -S portaudio or brew install portaudio,"
            " whichever your system has; or do without sound: --text",
        ) from error
    return sounddevice


@functools.cache
def platform() -> Platform:
    """Where this runs, as the remedies know it."""
    try:
        kernel = Path("/proc/version").read_text(encoding="utf-8")
    except OSError:
        kernel = ""
    return platform_of(sys.platform, kernel)


def list_devices() -> list[Device]:
    """All sound devices, as they were when PortAudio last began. Raises DeviceError if it is missing."""
    sd = _portaudio()
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


def taken(device: Device, kind: Kind, wire_rate: int) -> tuple[int, int] | None:
    """Rate in Hz and channels to open it with: the wire's if the device takes them, else its own; None if neither."""
    sd = _portaudio()
    check = sd.check_input_settings if kind == "input" else sd.check_output_settings
    for rate, channels in ((wire_rate, 1), (device.rate, 1), (device.rate, 2)):
        with contextlib.suppress(sd.PortAudioError):
            check(device=device.index, channels=channels, dtype="int16", samplerate=rate)
            return rate, channels
    return None


class Card:
    """PortAudio and the streams opened on it. A microphone and a speaker used together share one.

    `on_notice` is told on the event loop when a device goes, when it is back, and the like.
    Raises DeviceError if PortAudio is missing or does not answer.
    """

    def __init__(self, on_notice: Tell) -> None:
        self.notice = on_notice
        self.worker = Worker("portaudio")
        self._streams: list[Stream] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._missing: set[str] = set()  # what was said to have gone
        self._stuck = False
        self._loaded = False
        self._sd = self.call(_portaudio)
        self._loaded = True

    def add(self, stream: Stream) -> None:
        """Try a stream's device out, and look after it from now on. Raises DeviceError or UsageError."""
        try:
            self.call(stream.open)
            self.call(stream.end)
        except self._sd.PortAudioError as error:
            raise DeviceError(
                f"the {WORD[stream.kind]} cannot be opened: {error}",
                refused(platform(), error.args),
            ) from error
        self._streams.append(stream)

    def call(self, call: Callable[[], Any]) -> Any:
        """Do this on PortAudio's thread. Raises DeviceError if it takes too long."""
        try:
            return self.worker.submit(call).result(_OPEN_LIMIT_S)
        except TimeoutError:
            self._abandon()
            message, hint = "the sound system does not answer", "restart it, or do without sound: --text"
            raise DeviceError(message, hint) from None

    def watch(self) -> None:
        """Look after the streams from now on, as tasks of the running loop. Safe to call twice."""
        if not self._watchers:
            self._watchers = [asyncio.create_task(self._watch()), asyncio.create_task(self._follow())]

    async def _follow(self) -> None:
        """Say where the sound server takes the streams."""
        places: dict[Stream, Place] = {}
        async for found in routes():
            for stream in self._streams:
                route = found[stream.kind]
                place = route.used or (route.default if stream.device.name in _FOLLOWERS else None)
                if place is None or place == places.get(stream):
                    continue
                if stream in places:
                    self.notice(Notice(f"the {WORD[stream.kind]} is now {place.description}", monitor(place.name)))
                if stream.kind == "input" and is_hands_free(place.name):
                    self.notice(hands_free(place.description))
                places[stream] = place

    async def _watch(self) -> None:
        while True:
            # The second look is for what goes with it, and is seen to be gone a moment later.
            if await self._lost() and await self._still_lost():
                before = {stream: stream.name for stream in self._streams}
                await self._recover()
                others = [stream.name for stream in self._streams if stream.name != before.get(stream)]
                self.notice(Notice(f"sound is back{', by ' if others else ''}{' and '.join(others)}"))
                self._missing.clear()

    async def _lost(self) -> bool:
        """Is any stream without its device? Looks at each, after a moment."""
        await asyncio.sleep(_POLL_S)
        lost = [stream.stalled() for stream in self._streams]
        return any(lost)

    async def _still_lost(self) -> bool:
        """The same, and what went away since this was last asked is announced."""
        lost = await self._lost()
        missing = [WORD[stream.kind] for stream in self._streams if stream.lost]
        if new := [word for word in missing if word not in self._missing]:
            self._missing.update(new)
            self.notice(
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
        while True:
            if clock() - began > _PATIENCE_S:
                for stream in self._streams:
                    stream.any_device = True
            reopening = asyncio.wrap_future(self.worker.submit(self._reopen))
            await self._still_lost()
            while not reopening.done():  # for as long as the sound server hangs
                await self._still_lost()
            # A suspended device opens, and gives no sound.
            while reopening.result() and not any(stream.dead() for stream in self._streams):
                if not await self._still_lost():
                    return
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)
            # Another attempt would cut off what is playing.
            while any(stream.busy() and not stream.lost for stream in self._streams):
                if not await self._still_lost():
                    return

    def _reopen(self) -> bool:
        """Begin PortAudio anew, and with it each stream that runs; True if all do. On the worker's thread."""
        streams = [*self._streams]
        for stream in streams:
            stream.end()
        with contextlib.suppress(self._sd.PortAudioError):  # it did not begin the last time
            self._sd._terminate()
        with contextlib.suppress(self._sd.PortAudioError):
            self._sd._initialize()
        begun = [stream.begin() for stream in streams]  # each, whatever became of the one before
        return all(begun)

    def close(self, stream: Stream) -> None:
        """Close a stream for good, within half a second, whether PortAudio answers or not."""
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
        """Leave PortAudio behind: at exit it would be ended, and hang as the call before it."""
        self._stuck = True
        if self._loaded:
            atexit.unregister(self._sd._exit_handler)


class Stream(ABC):
    """What microphone and speaker share: a device that is opened to begin, and closed at the end.

    It is never kept open without running: a stream whose sound server died meanwhile hangs when it is started
    (measured), where opening one fails at once. Opening takes a few ms.

    `running` is what the event loop wants, `lost` what it has to do without; `_on` says whether the callback
    may act, and so whether an end of the stream was asked for.
    """

    kind: ClassVar[Kind]
    wire_rate: ClassVar[int]  # Hz
    latency: ClassVar[float | str]  # PortAudio's, in seconds or in words

    def __init__(self, card: Card, wanted: str | None = None) -> None:
        self._card = card
        self._wanted = wanted
        self.any_device = False  # in place of a named one that is not there, the default is good enough
        self._stream: Any = None
        self._on = False
        self._closed = False
        self._ended = False  # by PortAudio, and not because we asked for it
        self._apart = 0.0  # time.monotonic() before the sound system's clock, in seconds
        self._calls = 0  # of the callback so far
        self._calls_seen = 0  # when the watchdog last looked
        self._quiet_polls = 0
        self._lively_polls = 0  # since it was opened
        self._polls_allowed = _STARTING_POLLS
        self.running = False
        self.lost = False
        card.add(self)

    @abstractmethod
    def _prepare(self, rate: int, channels: int) -> None:
        """The stream is about to open in this format."""

    @abstractmethod
    def _callback(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        """PortAudio's callback, see sounddevice.RawInputStream. On PortAudio's thread."""

    # ------------------------------------------------------------------------------- on the worker's thread

    def open(self) -> None:
        """Choose the device and open it. Raises UsageError, DeviceError or PortAudioError."""
        sd = _portaudio()
        devices = list_devices()
        try:
            device = choose(devices, self._wanted, self.kind, platform())
            if self._wanted is not None:
                self._wanted = device.name  # its number may be another one when it comes back
        except UsageError:
            if not self.any_device:
                raise
            device = choose(devices, None, self.kind, platform())
        rate, channels = taken(device, self.kind, self.wire_rate) or (device.rate, device.channels(self.kind))
        self._prepare(rate, channels)
        stream_type = sd.RawInputStream if self.kind == "input" else sd.RawOutputStream
        self._stream = stream_type(
            samplerate=rate,
            blocksize=rate * FRAME_MS // 1000,
            device=device.index,
            channels=channels,
            dtype="int16",
            latency=self.latency,
            callback=self._callback,
            finished_callback=self._finished_callback,
        )
        self.device, self.name = device, device.name

    def begin(self) -> bool:
        """Open and start the stream if it is to run and does not; False if that failed."""
        if not self.running or self._stream:
            return True
        self._forget()
        try:
            self.open()
            self._ended = False
            self._on = True
            self._stream.start()
        except (_portaudio().PortAudioError, LivechatError):
            self._ended = True
            return False
        return True

    def end(self) -> None:
        """Stop at once and close the stream, whatever state it is in."""
        self._on = False
        if self._stream:
            self._stream.abort()
            self._stream.close()
            self._stream = None

    def _finished_callback(self) -> None:
        self._ended = self._on  # on PortAudio's thread

    def _moment(self, clock: Any, ahead: float) -> float:
        """When it will be `ahead` seconds after the callback's `clock`, in time.monotonic(). On PortAudio's thread.

        A callback may wait for its turn, so it sees the two clocks too far apart, never too close.
        """
        apart = time.monotonic() - clock.currentTime
        late = apart - self._apart
        self._apart = self._apart + _DRIFT_S if _DRIFT_S < late < _LATE_S else apart
        return float(clock.currentTime) + self._apart + ahead

    # ------------------------------------------------------------------------------------ on the event loop

    def _start(self) -> None:
        if not self._closed:
            self.running = True
            self._ended = False
            self._card.worker.submit(self.begin)

    def _stop(self) -> None:
        self.running = self.lost = False
        self._on = False  # at once: the worker may be late
        self._card.worker.submit(self.end)

    def stalled(self) -> bool:
        """Has the device gone, and not come back to life? To be asked every _POLL_S."""
        if not self.running:
            self._forget()
        elif self._calls != self._calls_seen:
            self._calls_seen, self._quiet_polls, self._polls_allowed = self._calls, 0, _STALLED_POLLS
            self._lively_polls += 1
            if self._lively_polls >= _ALIVE_POLLS:
                self.lost = False
        else:
            self._quiet_polls += 1
        if self.dead():
            self.lost = True
        return self.lost

    def _forget(self) -> None:
        """What was seen of the callbacks: they begin anew."""
        self._calls_seen = self._calls
        self._quiet_polls, self._lively_polls, self._polls_allowed = 0, 0, _STARTING_POLLS

    def dead(self) -> bool:
        """Is nothing more to be expected of this stream?"""
        return self.running and (self._ended or self._quiet_polls > self._polls_allowed)

    def busy(self) -> bool:
        """Would reopening cut something off?"""
        return False

    def close(self) -> None:
        """Give the device back for good, within half a second. Safe to call twice."""
        self.running = False
        self._closed = True
        self._card.close(self)
