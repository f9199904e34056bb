"""The audio benchmarks that are whole conversations: with the embedded server, by microphone and speaker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cleaners import DELAY_MS, cleaner_of
from benchmarks.rig import result, spread, until, virtual_card
from livechat.audio.card import Card
from livechat.audio.dsp import level
from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS, INPUT_RATE
from livechat.audio.microphone import Microphone
from livechat.audio.speaker import Speaker
from livechat.commands.hold_conversation import Parts, converse
from livechat.conversations.store import Store
from livechat.events import Interrupted, UserText
from livechat.session import link
from livechat.settings import Settings
from tests.support.conversation import SENTENCES, Recorder, samples
from tests.support.terminal import Terminal
from tests.support.virtual_card import VirtualCard

STORY = "tell me a story"  # 38 s
SPEECH_DBFS = -45.0  # the sentences of the tests have -31 to -23


@dataclass
class Person(Recorder):
    """Types when told to, and remembers what was shown."""

    typing: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def lines(self) -> AsyncIterator[str]:
        while True:
            yield await self.typing.get()

    @property
    def speech(self) -> list[str]:
        """What they were heard to say."""
        return [event.text for event in self.of(UserText) if event.final and event.source == "speech"]


class Timed(Microphone):
    """Knows when each block came, in time.monotonic(), by when it was heard."""

    def __init__(self, card: Card) -> None:
        self.came: dict[float, float] = {}
        super().__init__(card)

    def _moment(self, clock: Any, ahead: float) -> float:
        heard = super()._moment(clock, ahead)
        self.came[heard] = time.monotonic()
        return heard


@asynccontextmanager
async def call(mode: str) -> AsyncIterator[tuple[Person, Timed, Speaker]]:
    """A conversation with the embedded server, with that kind of echo cancelling."""
    link.load_sdk()
    person, opened = Person(), Card(lambda notice: result("notice", f"{notice.message} ({notice.hint})"))
    microphone, speaker = Timed(opened), Speaker(opened)
    microphone.clean = cleaner_of(mode, speaker)
    with contextlib.closing(Store(None, on_trouble=lambda *trouble: None)) as store:
        parts = Parts(Settings(key="offline"), person, microphone, person.lines(), False, speaker, store)
        talking = asyncio.create_task(converse(parts))
        await asyncio.sleep(3)
        yield person, microphone, speaker
        person.quit.set()
        await talking


async def minute_alone(mode: str) -> None:
    """How often the server takes the model's own voice for a person's."""
    async with call(mode) as (person, _, speaker):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if not speaker.busy():
                person.typing.put_nowait(STORY)
                await until(speaker.busy)
            await asyncio.sleep(0.1)
        turns = f"{len(person.speech)} heard, {len(person.of(Interrupted))} interruptions in a minute"
        result(f"the model alone, --echo {mode}: turns", turns)


async def microphone_to_wire(card: VirtualCard, mode: str = "cancel") -> None:
    """How late a person's speech is on the wire. Silence is not counted: it waits for a longer message."""
    sent: dict[bytes, float] = {}
    late: list[float] = []
    send = link.Link.send_audio

    async def timed(self: link.Link, frame: bytes) -> None:
        await send(self, frame)
        now, parts = time.monotonic(), (frame[at : at + FRAME_BYTES] for at in range(0, len(frame), FRAME_BYTES))
        late.extend((now - sent[part]) * 1000 for part in parts if part in sent)

    link.Link.send_audio = timed  # type: ignore[method-assign]
    async with call(mode) as (_, microphone, __):
        clean = microphone.clean

        def noted(frame: bytes, at: float) -> bytes:
            cleaned = clean(frame, at) if clean else frame
            if level(cleaned) > SPEECH_DBFS:
                block = max(heard for heard in microphone.came if heard < at + FRAME_MS / 2000)
                sent[cleaned] = microphone.came[block]
            return cleaned

        microphone.clean = noted
        for sentence in SENTENCES[:8]:
            await asyncio.to_thread(card.say, samples(sentence), INPUT_RATE)
        await asyncio.sleep(1)
    link.Link.send_audio = send  # type: ignore[method-assign]
    result("microphone to wire, from PortAudio's callback", spread(late))
    result("  and in the canceller; baseline: a frame", f"{DELAY_MS[mode]:.0f} ms; {FRAME_MS} ms")


def cpu() -> None:
    """A minute of a story told to an open microphone, with the screen, the server being another process."""
    with virtual_card() as card:
        off = _minute_of_cpu("off")
        card.couple()
        cancel = _minute_of_cpu("cancel")
    result("CPU of a full-duplex minute, screen and all", f"{cancel:.1f} % of a core")
    result("  baseline: --echo off, no echo", f"{off:.1f} %, ratio {cancel / off:.2f}")


def _minute_of_cpu(mode: str) -> float:
    """Per cent of a core."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        ca = f"{folder}/ca.pem"
        program = [sys.executable, "-m", "livechat"]
        env = {**os.environ, "LIVECHAT_STATE": folder, "LIVECHAT_CONFIG": os.devnull, "TERM": "xterm-256color"}
        env["LANG"] = "C.UTF-8"
        serving = [*program, "serve", "--port", str(port), "--ca-out", ca]
        server = subprocess.Popen(serving, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        endpoint = ["--endpoint", f"https://127.0.0.1:{port}", "--ca-file", ca, "--echo", mode]
        try:
            while not Path(ca).exists():
                time.sleep(0.1)
            terminal = Terminal(100, 30, [*program, "talk", *endpoint], env)
            try:
                terminal.until_shown("listening")
                begun, used = time.monotonic(), _cpu_s(terminal.child.pid)
                for _ in range(2):
                    terminal.press(f"{STORY}\r")
                    end = time.monotonic() + 30
                    while time.monotonic() < end:
                        terminal.pump(0.5)
                used = _cpu_s(terminal.child.pid) - used
                return used / (time.monotonic() - begun) * 100
            finally:
                terminal.close()
        finally:
            server.kill()
            server.wait()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
