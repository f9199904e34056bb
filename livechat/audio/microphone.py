"""The person's voice, from a microphone."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from livechat.audio.dsp import Framer
from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS, INPUT_RATE
from livechat.audio.portaudio import Card, Stream, platform
from livechat.audio.remedies import Zeros, hands_free, is_hands_free, silent
from livechat.errors import Notice

_BACKLOG = 1500  # blocks kept for a loop that does not come for them: 30 s
_HICCUPS = 5  # overflows that are not worth a word: 100 ms
_LOOK_S = 0.1  # how soon it is noticed that the microphone went away
_AGO_MAX_S = 2.0  # some sound systems' clocks are nonsense: beyond this the stream's latency is believed


class Microphone(Stream):
    """A Source: the default microphone, or the one named by a number or part of its name.

    A microphone that is lost while in use gives silence until it is back, and never an error.
    `clean(frame, at)`, if any, is given each frame with the time.monotonic() at which it was heard, and returns
    what of it is to be handed on.
    Raises DeviceError or UsageError if it cannot be opened at first.
    """

    kind = "input"
    wire_rate = INPUT_RATE
    latency = "low"  # two blocks; the block decides, docs/audio.md A2

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
        self._blocks.append((self._framer, bytes(data), heard))  # with what knows this block's format
        if self._loop:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._arrived.set)

    async def frames(self) -> AsyncIterator[bytes]:
        """Frames as the device gives them, silence while it is away. See Source.frames."""
        self._loop = asyncio.get_running_loop()
        self._card.watch()
        self._start()
        device = self.device
        if is_hands_free(device.name, device.host, device.input_channels, device.rate):
            self._card.notice(hands_free(device.name))
        warned = False
        while self.running:
            self._arrived.clear()
            away = self.lost and not self._blocks
            while self._blocks:
                framer, block, at = self._blocks.popleft()
                for frame in framer.feed(block):
                    self._notice_mute(frame)
                    yield self.clean(frame, at) if self.clean else frame
            if self._overflows > _HICCUPS and not warned:
                warned = True
                self._card.notice(Notice("parts of what you say are lost", "this computer is too busy to listen"))
            try:
                async with asyncio.timeout(FRAME_MS / 1000 if away else _LOOK_S):
                    await self._arrived.wait()
            except TimeoutError:
                if self.lost:
                    yield bytes(FRAME_BYTES)

    def _notice_mute(self, frame: bytes) -> None:
        """Tell the person about a microphone that gives nothing but exact zeros, and when it does no more."""
        if self._zeros.feed(frame):
            if self._zeros.silent:
                self._card.notice(Notice("the microphone gives nothing but digital silence", silent(platform())))
            else:
                self._card.notice(Notice("the microphone is heard now"))

    def close(self) -> None:
        """Give the device back; frames() ends. Safe to call twice."""
        super().close()
        self._arrived.set()
