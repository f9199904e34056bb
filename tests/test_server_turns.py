"""Whole turns through the unmodified SDK over TLS, in virtual time."""

from __future__ import annotations

import asyncio
import math
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from google.genai.live import AsyncSession

from livechat.server.agent import Parrot, Question, Said
from livechat.server.faults import parse as faults
from livechat.server.serve import Server
from tests.virtual_time import run

MODEL = "gemini-3.8-live"
CONFIG: dict[str, Any] = {
    "response_modalities": ["AUDIO"],
    "input_audio_transcription": {},
    "output_audio_transcription": {},
    "session_resumption": {},
}


def tone(seconds: float) -> bytes:
    """Something the loudness ear takes for speech, s16le 16 kHz."""
    return b"".join(
        struct.pack("<h", int(9000 * math.sin(2 * math.pi * 300 * n / 16000))) for n in range(int(16000 * seconds))
    )


def quiet(seconds: float) -> bytes:
    return bytes(int(32000 * seconds))


@asynccontextmanager
async def dial(server: Server, model: str = MODEL, **config: Any) -> AsyncIterator[AsyncSession]:
    context = ssl.create_default_context(cadata=server.ca_pem.decode())
    options = types.HttpOptions(
        base_url=server.url,
        api_version="v1beta",
        async_client_args={"ssl": context, "ping_interval": None, "close_timeout": 1, "max_size": None},
    )
    client = genai.Client(api_key="any", http_options=options)
    merged: Any = {**CONFIG, **config}
    async with client.aio.live.connect(model=model, config=merged) as session:
        yield session


async def speak(session: AsyncSession, pcm: bytes) -> None:
    """Send `pcm` in real-time frames of 20 ms."""
    for at in range(0, len(pcm), 640):
        blob = types.Blob(data=pcm[at : at + 640], mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=blob)
        await asyncio.sleep(0.02)


async def turn(session: AsyncSession) -> list[types.LiveServerMessage]:
    """All messages up to the end of the turn."""
    return [message async for message in session.receive()]


def heard(messages: list[types.LiveServerMessage]) -> str:
    contents = [m.server_content for m in messages if m.server_content and m.server_content.input_transcription]
    return "".join(c.input_transcription.text or "" for c in contents if c.input_transcription)


def said(messages: list[types.LiveServerMessage]) -> str:
    contents = [m.server_content for m in messages if m.server_content and m.server_content.output_transcription]
    return "".join(c.output_transcription.text or "" for c in contents if c.output_transcription)


def sound(messages: list[types.LiveServerMessage]) -> bytes:
    return b"".join(m.data for m in messages if m.data)


def test_a_spoken_turn_is_heard_answered_and_ends_when_it_has_been_played() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Server(Parrot()) as server, dial(server) as session:
            talk = asyncio.create_task(speak(session, quiet(0.5) + tone(2.0) + quiet(60)))
            messages = await turn(session)
            talk.cancel()
            assert heard(messages) == "(speech, 2.5 s)"
            assert said(messages).strip() == "(your own words, 2.5 s)"
            assert len(sound(messages)) == pytest.approx(2.5 * 48000, rel=0.03)
            kinds = [k for m in messages if m.server_content for k, v in m.server_content if v]
            assert kinds.index("generation_complete") < kinds.index("turn_complete")
            usage = messages[-1].usage_metadata
            assert usage and usage.prompt_token_count == 62 and usage.response_token_count == 62
            # Half a second, two of speech, 0.6 to be sure, then the answer's own length.
            assert loop.time() - 1000 == pytest.approx(0.13 + 0.5 + 2.0 + 0.6 + 2.5, abs=0.15)

    run(main())


class Scripted(Parrot):
    """Hears the next of its lines; answers each with its number, a second a word."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)

    async def transcribe(self, pcm: bytes) -> str:
        return self.lines.pop(0)

    async def reply(self, question: Question) -> AsyncIterator[Said]:
        yield Said(f"You said {question.history[-1].text}", bytes(48000 * 4))


def test_speech_interrupts_and_the_history_keeps_what_was_said() -> None:
    async def main() -> None:
        async with Server(Scripted("one", "two")) as server, dial(server) as session:
            talk = asyncio.create_task(speak(session, tone(1) + quiet(2.6) + tone(1) + quiet(60)))
            first = await turn(session)
            assert any(m.server_content and m.server_content.interrupted for m in first)
            second = await turn(session)
            talk.cancel()
            assert said(second).strip() == "You said two"
            (history,) = server.sessions.values()
            assert [t.text for t in history] == ["one", "You said", "two", "You said two"]
            assert [t.cut for t in history] == [False, True, False, False]

    run(main())


def test_goaway_comes_on_time_and_who_stays_is_closed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Server(Parrot()) as server, dial(server) as session:
            opened = loop.time()
            talk = asyncio.create_task(speak(session, quiet(700)))
            with pytest.raises(errors.APIError) as caught:
                while True:
                    async for message in session.receive():
                        if message.go_away:
                            assert message.go_away.time_left == "50s"
                            assert loop.time() - opened == pytest.approx(540, abs=0.5)
            assert caught.value.code == 1008
            assert "GoAway signal once the session durat" in str(caught.value)
            assert loop.time() - opened == pytest.approx(590, abs=0.5)
            talk.cancel()
            assert server.links[0].audio_bytes == pytest.approx(590 * 32000, rel=0.01)

    run(main())


def test_a_drop_is_a_drop() -> None:
    async def main() -> None:
        async with Server(Parrot(), faults=faults("drop@3s")) as server, dial(server) as session:
            with pytest.raises(errors.APIError) as caught:
                while True:
                    await turn(session)
            assert caught.value.code == 1006

    run(main())
