"""A microphone and a speaker in use on the virtual sound card, and what came of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np

from livechat.audio.card import Card
from livechat.audio.interfaces import FRAME_BYTES
from livechat.audio.microphone import Microphone
from livechat.audio.speaker import Speaker
from livechat.errors import Notice
from tests.support.virtual_card import Sound, VirtualCard


def chirp(rate: int, seconds: float = 0.3) -> Sound:
    at = np.arange(int(rate * seconds)) / rate
    return (12_000 * np.sin(2 * np.pi * (300 + 2000 / seconds * 0.3 * at) * at)).astype(np.int16)


class Line:
    """A microphone and a speaker in use, and what came of it."""

    def __init__(self, mic: str | None, speaker: str | None) -> None:
        self.notices: list[str] = []
        self.silence: list[str] = []  # a null sink gives exact zeros, and may be said to
        self.frames: list[bytes] = []
        self.on_frame: Callable[[bytes], object] = len
        card = Card(self.notice)
        self.microphone = Microphone(card, mic)
        self.speaker = Speaker(card, speaker)

    def notice(self, notice: Notice) -> None:
        message = notice.message
        mute = "digital silence" in message or message == "the microphone is heard now"
        (self.silence if mute else self.notices).append(message)

    async def listen(self) -> None:
        async for frame in self.microphone.frames():
            assert len(frame) == FRAME_BYTES
            self.frames.append(frame)
            self.on_frame(frame)

    def heard(self) -> Sound:
        return np.frombuffer(b"".join(self.frames), np.int16)


@asynccontextmanager
async def line(mic: str | None = None, speaker: str | None = None) -> AsyncIterator[Line]:
    opened = Line(mic, speaker)
    tasks = [asyncio.create_task(opened.listen()), asyncio.create_task(opened.speaker.run())]
    try:
        await until(lambda: bool(opened.frames), "the first frame")
        yield opened
    finally:
        for end in (opened.microphone, opened.speaker, opened.microphone):
            end.close()
        tasks[1].cancel()
        await asyncio.wait(tasks, timeout=5)
    assert not tasks[0].exception()


async def until(true: Callable[[], bool], what: str, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        await asyncio.sleep(0.02)


async def say(card: VirtualCard) -> None:
    """A chirp into the microphone, in real time."""
    await asyncio.to_thread(card.say, np.concatenate([chirp(48_000), np.zeros(9600, np.int16)]), 48_000)


def python(program: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
