"""Plays a chirp, listens for it, and says what that means."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from livechat.audio.chirp import chirp, find
from livechat.audio.dsp import level
from livechat.audio.interfaces import FRAME_MS, INPUT_RATE, OUTPUT_RATE
from livechat.audio.microphone import Microphone
from livechat.audio.portaudio import Card, platform
from livechat.audio.remedies import silent
from livechat.audio.speaker import Speaker
from livechat.errors import DeviceError

_QUIET_S = 1.0  # recorded before the chirp: the noise
_LEAD_S = 0.5  # of silence played before it: until a speaker has woken and its buffer is full
_AFTER_S = 1.2  # recorded after it was handed over: longer than any sound system keeps it
_PATIENCE_S = 8.0  # for a device to start, and for the chirp to be played
_LOUD_DB, _FAINT_DB = -6.0, -45.0
_LONG_MS = 400.0


class TimedMicrophone(Microphone):
    """Knows when its blocks came."""

    def __init__(self, *args: Any) -> None:
        self.times: list[float] = []  # time.monotonic() of each callback
        super().__init__(*args)

    def _callback(self, *args: Any) -> None:
        self.times.append(time.monotonic())
        super()._callback(*args)


class TimedSpeaker(Speaker):
    """Knows when the first sample after the lead was handed over."""

    began: float | None = None  # time.monotonic()

    def _callback(self, *args: Any) -> None:
        now, before = time.monotonic(), self._ring.read
        super()._callback(*args)
        lead = _LEAD_S * self.rate
        if before <= lead < self._ring.read:
            self.began = now + (lead - before) / self.rate


@dataclass(frozen=True, slots=True)
class Tested:
    """What the test found. `noise_dbfs`: without the chirp. `echo_db`, `round_trip_ms`: None where none was heard.

    `round_trip_ms` counts from the program's handing a sample over to its getting it back.
    """

    noise_dbfs: float
    echo_db: float | None
    round_trip_ms: float | None
    verdict: str
    hint: str


async def measure(card: Card, mic: str, output: str) -> Tested:
    """Three seconds with the devices named. Raises DeviceError if one does not open, or gives nothing."""
    card.notice = lambda notice: None  # noqa: ARG005 - the verdict says it
    with closing(TimedMicrophone(card, mic)) as microphone, closing(TimedSpeaker(card, output)) as speaker:
        return await _measure(microphone, speaker)


async def _measure(microphone: TimedMicrophone, speaker: TimedSpeaker) -> Tested:
    frames: list[bytes] = []

    async def listen() -> None:
        async for frame in microphone.frames():
            frames.append(frame)  # noqa: PERF401 - what came until it is cancelled counts

    tasks = [asyncio.create_task(listen()), asyncio.create_task(speaker.run())]
    try:
        await _until(lambda: len(microphone.times) >= _QUIET_S * 1000 / FRAME_MS, "microphone")
        speaker.play(bytes(round(_LEAD_S * OUTPUT_RATE) * 2) + chirp(OUTPUT_RATE).tobytes(), OUTPUT_RATE)
        await _until(lambda: speaker.began is not None and not speaker.busy(), "speaker")
        await asyncio.sleep(_AFTER_S)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    recorded = np.frombuffer(b"".join(frames), np.int16)
    # Callbacks are late at times, and never early.
    begin = min(at - n * FRAME_MS / 1000 for n, at in enumerate(microphone.times))
    noise = level(recorded[: round(_QUIET_S * INPUT_RATE)].tobytes())
    if not recorded.any():
        return Tested(
            noise, None, None, "nothing was heard: the microphone gives digital silence", silent(platform())
        )
    echo = find(recorded, _QUIET_S)
    if echo is None:
        return Tested(
            noise, None, None, f"nothing was heard of the speaker over the microphone's {noise:.0f} dBFS of noise",
            "with headphones that is as it should be; else turn the speaker up, or name others: --mic, --speaker",
        )  # fmt: skip
    late = (begin + echo.at - (speaker.began or 0.0)) * 1000
    verdict = f"the microphone hears the speaker at {echo.gain_db:.0f} dB, after {late:.0f} ms"
    return Tested(noise, round(echo.gain_db, 1), round(late, 1), verdict, _advice(echo.gain_db, late))


def _advice(gain_db: float, late_ms: float) -> str:
    if late_ms > _LONG_MS:
        return "that is late: Bluetooth, or a busy computer; keep echo cancelling on"
    if gain_db > _LOUD_DB:
        return "that is loud: turn the speaker down, or move it away; keep echo cancelling on"
    if gain_db > _FAINT_DB:
        return "keep echo cancelling on, or wear headphones"
    return "that is faint: nothing needs to be done"


async def _until(true: Any, what: str) -> None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(FRAME_MS / 1000)
    except TimeoutError:
        hint = "another program may hold it, or it is suspended: name another with --mic or --speaker"
        raise DeviceError(f"the {what} opens, but gives no sound", hint) from None
