"""The person's voice, from a microphone."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from livechat.audio.card import Card
from livechat.audio.device_stream import DeviceStream
from livechat.audio.dsp import Framer
from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS, INPUT_RATE
from livechat.audio.portaudio import platform
from livechat.audio.remedies import SILENT, Zeros, hands_free, is_hands_free
from livechat.errors import Notice

_BACKLOG = 750  # blocks kept while the loop is busy elsewhere: 30 s
_HICCUPS = 3  # overflows that are not mentioned: 120 ms
_LOOK_S = 0.1  # how long a lost microphone that gives something again may pause
_AGO_MAX_S = 2.0  # some sound systems give nonsense: where they say more, the stream's latency is believed

_log = logging.getLogger(__name__)


class Microphone(DeviceStream):
    """A Source: the default microphone, or the one named by a number or part of its name.

    A microphone that is lost while in use gives silence until it is back, and never an error.
    `clean(frame, at)`, if any, gets each frame with the time.monotonic() at which it was heard, and returns the frame
    that is handed on in its place.
    Raises DeviceError or UsageError if it cannot be opened at first.
    """

    kind = "input"
    wire_rate = INPUT_RATE
    block_ms = 2 * FRAME_MS  # a third less CPU than one frame, for some 20 ms more (docs/audio.md A2)
    latency = "low"  # two blocks: their size decides, docs/audio.md A2

    def __init__(self, card: Card, wanted: str | None = None) -> None:
        self.clean: Callable[[bytes, float], bytes] | None = None
        self._blocks: deque[tuple[Framer, bytes, float]] = deque(maxlen=_BACKLOG)
        self._arrived = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._overflows = 0
        self._zeros = Zeros()
        super().__init__(card, wanted)

    def _prepare(self, rate: int, channels: int) -> None:
        self._framer = Framer(rate, channels)
        self._zeros = Zeros()

    def _callback(self, data: Any, frames: int, clock: Any, status: Any) -> None:  # noqa: ARG002
        self._calls += 1
        if status.input_overflow or len(self._blocks) == _BACKLOG:
            self._overflows += 1
        ago = clock.currentTime - clock.inputBufferAdcTime
        heard = self._moment(clock, -ago if 0 < ago < _AGO_MAX_S else -self._stream.latency)
        self._blocks.append((self._framer, bytes(data), heard))  # with the framer of this block's format
        if self._loop:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._arrived.set)

    async def frames(self) -> AsyncIterator[bytes]:
        """Frames as the device gives them, and silence while it is lost. See Source.frames."""
        self._loop = asyncio.get_running_loop()
        self._card.watch()
        self._start()
        through = type(self.clean).__name__ if self.clean else "nothing: no echo is cancelled"
        _log.info("frames of the microphone pass through %s", through)
        device = self.device
        if is_hands_free(device.name, device.host, device.input_channels, device.rate):
            self._card.notify(hands_free(device.name))
        warned = False
        while self.running:
            self._arrived.clear()
            away = self.lost and not self._blocks
            while self._blocks:
                framer, block, at = self._blocks.popleft()
                for n, frame in enumerate(framer.feed(block)):
                    self._check_mute(frame)
                    yield self.clean(frame, at + n * FRAME_MS / 1000) if self.clean else frame
            if self._overflows > _HICCUPS and not warned:
                warned = True
                self._card.notify(Notice("parts of what you say are lost", "this computer is too busy to listen"))
            if not self.lost:
                await self._arrived.wait()  # without a timer, which would be started 25 times a second
                continue
            timer = self._loop.call_later(FRAME_MS / 1000 if away else _LOOK_S, self._arrived.set)
            await self._arrived.wait()
            timer.cancel()
            if self.lost and self._loop.time() >= timer.when():
                yield bytes(FRAME_BYTES)

    def stalled(self) -> bool:
        """As of any stream; and frames() learns of a loss."""
        was_lost = self.lost
        if super().stalled() and not was_lost:
            self._arrived.set()
        return self.lost

    def _check_mute(self, frame: bytes) -> None:
        """Notify the person when the microphone gives nothing but exact zeros, and when that ends."""
        if self._zeros.feed(frame):
            if self._zeros.silent:
                self._card.notify(Notice("the microphone gives nothing but digital silence", SILENT[platform()]))
            else:
                self._card.notify(Notice("the microphone is heard now"))

    def close(self) -> None:
        """Release the device, and end frames(). Safe to call twice."""
        if self._overflows and not self._closed:
            _log.info("%d blocks of the microphone were lost: this computer was too busy", self._overflows)
        super().close()
        self._arrived.set()
