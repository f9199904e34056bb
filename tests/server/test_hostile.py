"""Nothing that a client says hurts the server, or another client."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from livechat.server.agent import AgentQuestion, AnswerPiece
from livechat.server.history import Facts, HistoryTurn
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.server.speech_agent import SpeechAgent
from livechat.server.spoken_text import PIECE
from tests.support.server_client import SETUP, closed, raw
from tests.support.virtual_time import run

HUGE = "9" * 40
STRANGE = [
    "\ud800", "\x00\x1b[2J", "\u202e", HUGE, f"how much is {HUGE} plus 1", "a" * 100_000, "word " * 2_000,
    "9 " * 1_000, "two thousand " * 500, "spell " + "z" * 5_000, f"count to {HUGE}", "🦜" * 500, "²³ plus ٣",
    "-" * 3_000, "repeat after me " + "no full stop " * 300,
]  # fmt: skip
FACTS = Facts(datetime(2026, 1, 1, tzinfo=UTC), 1.0, 10, 100_000)
SHAPES: list[Callable[[Any], Any]] = [
    lambda x: {"realtimeInput": {"text": x}},
    lambda x: {"clientContent": {"turns": [{"role": "user", "parts": [{"text": x}]}], "turnComplete": True}},
    lambda x: {"clientContent": {"turns": x}},
    lambda x: {"realtimeInput": {"audio": {"mimeType": x, "data": "AAAA"}}},
    lambda x: {"realtimeInput": {"audio": {"mimeType": "audio/pcm", "data": x}}},
    lambda x: {"realtimeInput": {"audio": x}},
    lambda x: {"realtimeInput": {"activityStart": x}},
    lambda x: {"toolResponse": {"functionResponses": x}},
    lambda x: {"toolResponse": {"functionResponses": [{"id": x, "response": {"a": x}}]}},
    lambda x: {"contextUpdate": {"systemInstruction": {"parts": [{"text": x}]}}},
    lambda x: {"setup": x},
    lambda x: {x if isinstance(x, str) else "y": x},
    lambda x: [x],
]


def hostile(seed: int, count: int) -> Iterator[str | bytes]:
    """Frames that no friendly client sends."""
    dice = random.Random(seed)
    for _ in range(count):
        value: Any = dice.choice([*STRANGE, None, True, -1, 1e308, [], {}, [[[[]]]], {"a": {"b": [None]}}])
        frame = json.dumps(dice.choice(SHAPES)(value))
        if dice.random() < 0.2:
            cut = dice.randrange(len(frame) + 1)
            yield (frame[:cut] + frame[cut + 1 :]).encode()[: dice.randrange(len(frame) + 1)]
        else:
            yield frame


async def attack(server: Server, seed: int, count: int) -> set[int]:
    """The codes with which the server ended the links."""
    ends: list[int] = []
    frames = hostile(seed, count)
    frame = next(frames, None)
    while frame is not None:
        async with raw(server) as ws:
            await ws.send(SETUP)
            try:
                while frame is not None:
                    await ws.send(frame)
                    await asyncio.sleep(0.01)
                    frame = next(frames, None)
            except ConnectionClosed as end:
                ends.append(end.rcvd.code if end.rcvd else 0)
                frame = next(frames, None)
    return set(ends)


def test_hostile_frames_neither_break_the_server_nor_disturb_another_client(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        written: list[str] = []
        show = lambda event: written.append(json.dumps(event, ensure_ascii=False).encode().decode())  # noqa: E731
        async with Server(Parrot(), tls=False, on_event=show) as server:
            attacks = asyncio.gather(*(attack(server, seed, 100) for seed in range(8)))
            async with raw(server) as ws:
                await ws.send(SETUP)
                for n in range(20):
                    question = f"how much is {n} plus 1"
                    await ws.send(json.dumps({"realtimeInput": {"text": question}}))
                    while True:
                        content = json.loads(await ws.recv()).get("serverContent", {})
                        if content.get("turnComplete"):
                            break
            await attacks
            (talked,) = [
                turns for turns in server.sessions.values() if turns and turns[0].text == "how much is 0 plus 1"
            ]
            assert [turn.text for turn in talked if turn.role == "model"] == [
                f"{n} plus 1 is {n + 1}." for n in range(20)
            ]
            assert written

    with caplog.at_level(logging.WARNING):
        run(main())
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("text", STRANGE, ids=[f"{n}" for n in range(len(STRANGE))])
def test_the_agent_speaks_of_whatever_is_typed_in_short_pieces(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """2,000 words without a full stop took 13 GB, and a number of 40 digits ended the link with 1011."""

    async def main() -> None:
        agent = SpeechAgent()
        answer = agent.reply(AgentQuestion([HistoryTurn("user", text)], FACTS, b""))
        pieces = [piece async for piece in aislice(answer, 2)]
        assert pieces
        assert all(len(piece.text) <= PIECE and 0 < len(piece.pcm) < 48_000 * 40 for piece in pieces)
        await agent.close()

    asyncio.run(main())
    assert "cannot be spoken" not in caplog.text


async def aislice(answer: AsyncIterator[AnswerPiece], count: int) -> AsyncIterator[AnswerPiece]:
    """The first pieces of an answer, of which no more are made."""
    async for piece in answer:
        yield piece
        count -= 1
        if not count:
            return


def test_a_history_that_grows_for_ever_ends_the_link() -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server, raw(server) as ws:
            await ws.send(SETUP)
            turns = [{"role": "user", "parts": [{"text": "word " * 100_000}]}]
            for _ in range(10):
                await ws.send(json.dumps({"clientContent": {"turns": turns}}))
            assert await closed(ws) == (1007, "Request contains an invalid argument.")

    run(main())
