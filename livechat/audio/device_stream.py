"""What microphone and speaker share: a stream of PortAudio's, and the signs that its device is gone.

PortAudio's callbacks run on threads of its own. They copy, count and return: whatever takes longer there is heard.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from livechat.audio.device_choice import WORD, Kind, choose
from livechat.audio.interfaces import FRAME_MS
from livechat.audio.portaudio import list_devices, platform, sounddevice, supported_format
from livechat.errors import LivechatError, UsageError

if TYPE_CHECKING:
    from livechat.audio.card import Card  # it opens, watches and closes streams

POLL_S = 0.1  # how often the watchdog looks
_STALLED_POLLS = 10  # over 0.9 s without a callback is a loss. In polls: a busy loop must not look like one
_STARTING_POLLS = 40  # the first callback may take longer: a Bluetooth headset changes its profile first
_ALIVE_POLLS = 3  # with callbacks in each: a suspended device fills its buffer at once, and then calls no more
_LATE_S = 0.1  # a callback that is later than this by the sound system's clock means that the clock was set
_DRIFT_S = 2e-6  # from one block to the next: 100 ppm

_log = logging.getLogger(__name__)


class DeviceStream(ABC):
    """A microphone or speaker: a device that is opened to start, and closed to stop.

    A stream is never kept open while it does not run. If the sound server dies, starting such a stream hangs
    (measured), but opening one fails at once. Opening takes a few ms.

    `running` is what the event loop wants, and `lost` says that there is no device at present. `_on` says whether the
    callback may act, and so whether an end of the stream was asked for.
    """

    kind: ClassVar[Kind]
    wire_rate: ClassVar[int]  # Hz
    block_ms: ClassVar[int] = FRAME_MS  # of sound for one callback
    latency: ClassVar[float | str]  # as PortAudio takes it: seconds, or "low" or "high"

    def __init__(self, card: Card, wanted: str | None = None) -> None:
        self._card = card
        self._wanted = wanted
        self.any_device = False  # the default device may replace a named one that is gone
        self._stream: Any = None
        self._format: tuple[Any, ...] = ()  # device, rate and channels of the last opening
        self._on = False
        self._closed = False
        self._ended = False  # by PortAudio, and not because it was asked for
        self._clock_offset = 0.0  # time.monotonic() minus the sound system's clock, in seconds
        self._calls = 0  # of the callback so far
        self._calls_seen = 0  # at the watchdog's last look
        self._quiet_polls = 0
        self._lively_polls = 0  # since it was opened
        self._polls_allowed = _STARTING_POLLS
        self.running = False
        self.lost = False
        card.add(self)

    @abstractmethod
    def _prepare(self, rate: int, channels: int) -> None:
        """The stream is about to open in this format; `rate` in Hz."""

    @abstractmethod
    def _callback(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        """PortAudio's callback, see sounddevice.RawInputStream. On PortAudio's thread."""

    # ------------------------------------------------------------------------------- on the worker's thread

    def open(self) -> None:
        """Choose the device and open it. Raises UsageError, DeviceError or PortAudioError."""
        sd = sounddevice()
        devices = list_devices()
        try:
            device = choose(devices, self._wanted, self.kind, platform())
            if self._wanted is not None:
                self._wanted = device.name  # when it comes back its number may be another one
        except UsageError as error:
            if not self.any_device:
                raise
            _log.info("the default %s replaces %s: %s", WORD[self.kind], self._wanted, error.message)
            device = choose(devices, None, self.kind, platform())
        usual = device.rate, device.channels(self.kind)
        rate, channels = supported_format(device, self.kind, self.wire_rate) or usual
        self._prepare(rate, channels)
        stream_type = sd.RawInputStream if self.kind == "input" else sd.RawOutputStream
        self._stream = stream_type(
            samplerate=rate,
            blocksize=rate * self.block_ms // 1000,
            device=device.index,
            channels=channels,
            dtype="int16",
            latency=self.latency,
            callback=self._callback,
            finished_callback=self._finished_callback,
        )
        self.device, self.name = device, device.name
        # A speaker is opened for each answer: only a change is news.
        changed, self._format = self._format != (device, rate, channels), (device, rate, channels)
        _log.log(
            logging.INFO if changed else logging.DEBUG,
            "the %s opens: %s gives device %d, %s (%s), at %d Hz, %d channels, blocks of %d samples, latency %.3f s",
            *(WORD[self.kind], self._wanted or "the default", device.index, device.name, device.host),
            *(rate, channels, rate * self.block_ms // 1000, self._stream.latency),
        )

    def begin(self) -> bool:
        """Open and start the stream if it should run and does not. Returns False if that failed."""
        if not self.running or self._stream:
            return True
        self._forget_callbacks()
        try:
            self.open()
            self._ended = False
            self._on = True
            self._stream.start()
        except (sounddevice().PortAudioError, LivechatError) as error:
            _log.info("the %s does not start: %s", WORD[self.kind], error)
            self._ended = True
            return False
        return True

    def end(self) -> None:
        """Stop at once and close the stream, whatever its state."""
        self._on = False
        if self._stream:
            self._stream.abort()
            self._stream.close()
            self._stream = None

    def _finished_callback(self) -> None:
        self._ended = self._on  # on PortAudio's thread

    def _moment(self, clock: Any, ahead: float) -> float:
        """The time.monotonic() that is `ahead` seconds after the callback's `clock`. On PortAudio's thread.

        A callback may have to wait for its turn. So the measured offset of the two clocks may be too large, but never
        too small.
        """
        offset = time.monotonic() - clock.currentTime
        late = offset - self._clock_offset
        self._clock_offset = self._clock_offset + _DRIFT_S if _DRIFT_S < late < _LATE_S else offset
        return float(clock.currentTime) + self._clock_offset + ahead

    # ------------------------------------------------------------------------------------ on the event loop

    def _start(self) -> None:
        if not self._closed:
            self.running = True
            self._ended = False
            self._card.worker.submit(self.begin)

    def _stop(self) -> None:
        self.running = self.lost = False
        self._on = False  # here as well: the worker may come to it late
        self._card.worker.submit(self.end)

    def stalled(self) -> bool:
        """Is the device gone, and not alive again yet? To be asked every POLL_S."""
        was_lost = self.lost
        if not self.running:
            self._forget_callbacks()
        elif self._calls != self._calls_seen:
            self._calls_seen, self._quiet_polls, self._polls_allowed = self._calls, 0, _STALLED_POLLS
            self._lively_polls += 1
            if self._lively_polls >= _ALIVE_POLLS:
                self.lost = False
        else:
            self._quiet_polls += 1
        if self.dead():
            self.lost = True
        if self.lost and not was_lost:
            quiet = f"no callback for {self._quiet_polls * POLL_S:.1f} s"
            why = "PortAudio ended the stream" if self._ended else quiet
            _log.info("the %s %s is lost: %s", WORD[self.kind], self.name, why)
        elif was_lost and not self.lost:
            _log.info("the %s %s is alive: its callbacks come again", WORD[self.kind], self.name)
        return self.lost

    def _forget_callbacks(self) -> None:
        """Those that come from now on are of a new stream."""
        self._calls_seen = self._calls
        self._quiet_polls, self._lively_polls, self._polls_allowed = 0, 0, _STARTING_POLLS

    def dead(self) -> bool:
        """Is nothing more to be expected of this stream?"""
        return self.running and (self._ended or self._quiet_polls > self._polls_allowed)

    def busy(self) -> bool:
        """Would reopening interrupt something?"""
        return False

    def close(self) -> None:
        """Release the device for good, within half a second. Safe to call twice."""
        self.running = False
        self._closed = True
        self._card.close(self)
