"""`livechat devices --test`: plays a chirp and some noise, listens for them, and recommends a value of `--echo`."""

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from livechat.audio.card import Card
from livechat.audio.chirp import find, probe, removed_db
from livechat.audio.dsp import level
from livechat.audio.interfaces import FRAME_MS, INPUT_RATE, OUTPUT_RATE
from livechat.audio.microphone import Microphone
from livechat.audio.portaudio import platform
from livechat.audio.remedies import SILENT
from livechat.audio.speaker import Speaker
from livechat.errors import DeviceError

_QUIET_S = 1.0  # recorded before the chirp: the noise
_LEAD_S = 0.5  # silence played before the chirp: until a speaker has woken up and its buffer is full
_AFTER_S = 1.2  # recorded after the chirp was handed over: longer than any sound system keeps it
_PATIENCE_S = 8.0  # for a device to start, and for the chirp to be played
_LOUD_DB, _FAINT_DB = -6.0, -45.0
_LONG_MS = 400.0  # the canceller's filter is hardly longer
_LITTLE_DB = 6.0  # of the echo are removed: something else works on the sound as well, or the speaker distorts


class TimedMicrophone(Microphone):
    """Knows when its blocks arrived."""

    def __init__(self, *args: Any) -> None:
        self.times: list[float] = []  # time.monotonic() of each callback
        super().__init__(*args)

    def _callback(self, *args: Any) -> None:
        self.times.append(time.monotonic())
        super()._callback(*args)


class TimedSpeaker(Speaker):
    """Knows when the first sample after the silence was handed over."""

    began: float | None = None  # time.monotonic()

    def _callback(self, *args: Any) -> None:
        now, before = time.monotonic(), self._fifo.read
        super()._callback(*args)
        lead = _LEAD_S * self.rate
        if before <= lead < self._fifo.read:
            self.began = now + (lead - before) / self.rate


@dataclass(frozen=True, slots=True)
class LoopbackResult:
    """What the test found. `noise_dbfs`: without the chirp. None where no chirp was heard.

    `round_trip_ms` is the time from handing a sample to the speaker to getting it from the microphone. `removed_db`
    says how much of the echo the canceller's filter takes away. `recommended` is a value of `--echo`.
    """

    noise_dbfs: float
    echo_db: float | None
    round_trip_ms: float | None
    removed_db: float | None
    recommended: str
    verdict: str
    hint: str


async def measure(card: Card, mic: str, output: str) -> LoopbackResult:
    """Test the two devices for six seconds. Raises DeviceError if one does not open, or gives nothing."""
    card.notify = lambda notice: None  # noqa: ARG005 - the verdict says it
    with closing(TimedMicrophone(card, mic)) as microphone, closing(TimedSpeaker(card, output)) as speaker:
        return await _measure(microphone, speaker)


async def _measure(microphone: TimedMicrophone, speaker: TimedSpeaker) -> LoopbackResult:
    frames: list[bytes] = []

    async def listen() -> None:
        async for frame in microphone.frames():
            frames.append(frame)  # noqa: PERF401 - what arrives before it is cancelled counts

    tasks = [asyncio.create_task(listen()), asyncio.create_task(speaker.run())]
    try:
        await _until(lambda: len(microphone.times) >= _QUIET_S * 1000 / FRAME_MS, "microphone")
        speaker.play(bytes(round(_LEAD_S * OUTPUT_RATE) * 2) + probe(OUTPUT_RATE).tobytes(), OUTPUT_RATE)
        await _until(lambda: speaker.began is not None and not speaker.busy(), "speaker")
        await asyncio.sleep(_AFTER_S)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    recorded = np.frombuffer(b"".join(frames), np.int16)
    # A callback may be late, but never early.
    begin = min(at - n * FRAME_MS / 1000 for n, at in enumerate(microphone.times))
    noise = level(recorded[: round(_QUIET_S * INPUT_RATE)].tobytes())
    echo = find(recorded, _QUIET_S)
    if echo is None:
        if recorded.any():
            verdict = f"nothing was heard of the speaker over the microphone's {noise:.0f} dBFS of noise"
            hint = "with headphones that is right; else turn the speaker up, or name other devices: --mic, --speaker"
        else:
            verdict, hint = "nothing was heard: the microphone gives digital silence", SILENT[platform()]
        return LoopbackResult(noise, None, None, None, "off" if recorded.any() else "cancel", verdict, hint)
    late = (begin + echo.at - (speaker.began or 0.0)) * 1000
    removed = removed_db(recorded, echo.at)
    recommended, hint = _advice(echo.gain_db, late, removed)
    verdict = (
        f"the microphone hears the speaker at {echo.gain_db:.0f} dB, after {late:.0f} ms;"
        f" the canceller's filter removes {removed:.0f} dB of it"
    )
    return LoopbackResult(
        noise, round(echo.gain_db, 1), round(late, 1), round(removed, 1), recommended, verdict, hint
    )


def _advice(gain_db: float, late_ms: float, removed_db: float) -> tuple[str, str]:
    """The value of `--echo` to use, and what to do."""
    if gain_db < _FAINT_DB:
        return "off", "that is faint: --echo off is enough"
    if late_ms > _LONG_MS:
        return "duck", "that is late: Bluetooth, or a busy computer; use --echo duck, or wear headphones"
    if removed_db < _LITTLE_DB:
        return (
            "duck",
            "that is little: turn the speaker down, or use --echo duck",
        )
    if gain_db > _LOUD_DB:
        return "cancel", "that is loud: turn the speaker down, or move it away; keep --echo cancel"
    return "cancel", "keep --echo cancel, or wear headphones"


async def _until(true: Any, what: str) -> None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(FRAME_MS / 1000)
    except TimeoutError:
        hint = "another program may hold it, or it is suspended: name another with --mic or --speaker"
        raise DeviceError(f"the {what} opens, but gives no sound", hint) from None
