"""What tests of the server have in common: a client, which is the unmodified SDK, and something to say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from google import genai
from google.genai import errors, types
from google.genai.live import AsyncSession
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from livechat.server.agent import AgentQuestion, AnswerPiece
from livechat.server.parrot import Parrot
from livechat.server.serve import Server

MODEL = "gemini-3.8-live"
SETUP = json.dumps({"setup": {"model": f"models/{MODEL}"}})
PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
CONFIG: dict[str, Any] = {
    "response_modalities": ["AUDIO"],
    "input_audio_transcription": {},
    "output_audio_transcription": {},
    "session_resumption": {},
}


class Scripted(Parrot):
    """Hears the next of its lines, whatever was said, and takes four seconds to say it back."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)

    async def transcribe(self, pcm: bytes) -> str:
        assert pcm
        return self.lines.pop(0)

    async def reply(self, question: AgentQuestion) -> AsyncIterator[AnswerPiece]:
        yield AnswerPiece(f"You said {question.history[-1].text}", bytes(48_000 * 4))


class Listening(Parrot):
    """Hears a word for each half second of what was said so far."""

    async def transcribe(self, pcm: bytes) -> str:
        return " ".join(["one", "two", "three", "four"][: max(1, round(len(pcm) / 16_000))])


def tone(seconds: float) -> bytes:
    """Something the loudness ear takes for speech, s16le 16 kHz."""
    samples = (int(9000 * math.sin(2 * math.pi * 300 * n / 16_000)) for n in range(int(16_000 * seconds)))
    return b"".join(struct.pack("<h", sample) for sample in samples)


def quiet(seconds: float) -> bytes:
    """Digital silence, s16le 16 kHz."""
    return bytes(int(16_000 * seconds) * 2)


@asynccontextmanager
async def dial(
    server: Server, model: str = MODEL, version: str = "v1beta", key: str = "any", **config: Any
) -> AsyncIterator[AsyncSession]:
    """A session on `server`; `config` over CONFIG."""
    context = ssl.create_default_context(cadata=server.ca_pem.decode())
    options = types.HttpOptions(
        base_url=server.url,
        api_version=version,
        async_client_args={"ssl": context, "ping_interval": None, "close_timeout": 1, "max_size": None},
    )
    client = genai.Client(api_key=key, http_options=options)
    merged: Any = {**CONFIG, **config}
    async with client.aio.live.connect(model=model, config=merged) as session:
        yield session


async def speak(session: AsyncSession, pcm: bytes, pace: float = 1.0, frame_ms: int = 20) -> None:
    """Send `pcm` in frames of `frame_ms`, `pace` seconds for a second of it."""
    size = 32 * frame_ms
    for at in range(0, len(pcm), size):
        blob = types.Blob(data=pcm[at : at + size], mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=blob)
        await asyncio.sleep(frame_ms / 1000 * pace)


async def ask(session: AsyncSession, text: str) -> list[types.LiveServerMessage]:
    """Type `text`; all messages up to the end of the turn."""
    await session.send_realtime_input(text=text)
    return await turn(session)


async def turn(session: AsyncSession) -> list[types.LiveServerMessage]:
    """All messages up to the end of the turn."""
    return [message async for message in session.receive()]


async def handle(session: AsyncSession) -> str:
    """The next resumable handle."""
    while True:
        async for message in session.receive():
            update = message.session_resumption_update
            if update and update.resumable and update.new_handle:
                return update.new_handle


def heard(messages: list[types.LiveServerMessage]) -> str:
    """The transcript of what the person said in `messages`."""
    contents = [m.server_content.input_transcription for m in messages if m.server_content]
    return "".join(content.text or "" for content in contents if content)


def said(messages: list[types.LiveServerMessage]) -> str:
    """The transcript of what the model said in `messages`."""
    contents = [m.server_content.output_transcription for m in messages if m.server_content]
    return "".join(content.text or "" for content in contents if content).strip()


def sound(messages: list[types.LiveServerMessage]) -> bytes:
    """The model's sound in `messages`, s16le 24 kHz."""
    return b"".join(message.data for message in messages if message.data)


def flags(messages: list[types.LiveServerMessage]) -> list[str]:
    """Which of generation_complete, interrupted and turn_complete came, in order."""
    names = ("generation_complete", "interrupted", "turn_complete")
    contents = [m.server_content for m in messages if m.server_content]
    return [name for content in contents for name in names if getattr(content, name)]


@asynccontextmanager
async def raw(server: Server, query: str = "?key=any", path: str = PATH) -> AsyncIterator[ClientConnection]:
    """A plain WebSocket to `server`, which serves without TLS."""
    url = f"ws://127.0.0.1:{server.port}{path}{query}"
    async with connect(url, max_size=None, ping_interval=None, close_timeout=1) as ws:
        yield ws


async def closed(ws: ClientConnection) -> tuple[int | None, str]:
    """How the server closes `ws`, whatever it sends before."""
    try:
        while True:
            await ws.recv()
    except ConnectionClosed as end:
        return (end.rcvd.code, end.rcvd.reason) if end.rcvd else (None, "")


async def frames(ws: ClientConnection, seconds: float) -> list[Any]:
    """What comes within `seconds`."""
    found: list[Any] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                found.append(json.loads(await ws.recv()))
    return found


async def ending(session: AsyncSession) -> tuple[int, str]:
    """How the server closes `session`."""
    try:
        while True:
            await turn(session)
    except errors.APIError as error:
        return error.code, str(error)
