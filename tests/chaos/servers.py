"""The servers of a chaos scenario, and what they tell the world of what reached them (play.py)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from livechat.server import session_memory
from livechat.server.agent import AgentQuestion, AnswerPiece
from livechat.server.fault_plan import parse
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from tests.chaos.checks import World, things
from tests.chaos.dice import Deed, Run

DEAD = {"drop", "half-open", "close"}  # nothing reaches the server afterwards
MUTE = {"stall", "goaway-silent"}  # and nothing the client


class Agent(Parrot):
    """Understands every saying, and answers with the question."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def transcribe(self, pcm: bytes) -> str:
        return self._world.sayings.words(pcm)

    async def reply(self, question: AgentQuestion) -> AsyncIterator[AnswerPiece]:
        world, asked = self._world, question.history[-1].text
        if question.history[-1].role == "model":  # its first words
            asked = question.history[-2].text
        world.note("agent", f"answers: {asked}")
        world.answers.add(f"You said: {asked}")
        pcm = bytes(int(24_000 * world.scenario.answer_s) * 2)
        half = len(pcm) // 4 * 2
        yield AnswerPiece("You said: ", pcm[:half])
        yield AnswerPiece(asked, pcm[half:])

    async def say(self, text: str) -> AsyncIterator[AnswerPiece]:
        self._world.answers.add(text)
        async for piece in super().say(text):
            yield piece


class Servers:
    """The servers of a scenario, one after the other, on a port of their own or on that of the one before."""

    def __init__(self, world: World, folder: Path, clock: Callable[[], float]) -> None:
        self._world, self._clock = world, clock
        self._memory = session_memory.SessionMemory(folder / "server.sqlite3", clock, world.scenario.handle_ttl)
        self._one: Run | None = None
        self._number = -1
        self._begins = asyncio.Event()
        self.now: Server | None = None

    async def change(self, one: Run, *, mindful: bool, port: int = 0) -> Server:
        """The next one, in the place of the last."""
        await self.stop()
        self._one = one
        self._number += 1
        self.now = self._make(one, self._number, self._memory if mindful else None, port)
        return await self.now.__aenter__()

    async def stop(self) -> None:
        """None from now on."""
        if self.now is not None:
            server, self.now = self.now, None
            await server.__aexit__(None, None, None)

    async def outage(self, deed: Deed) -> None:
        """No server for a while, then one on the same port."""
        if self.now is None or self._one is None:
            return  # it is gone already
        one, port = self._one, self.now.port
        self._world.note("server", f"is gone for {deed.seconds} s")
        await self.stop()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as place:  # kept from other programs, refuses all
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            place.bind(("127.0.0.1", port))
            await asyncio.sleep(deed.seconds)
            await self.change(one, mindful=deed.mindful, port=port)
        self._world.note("server", f"is back, {'mindful' if deed.mindful else 'forgetful'}")

    def close(self) -> None:
        """Give the file back."""
        self._memory.close()

    def _make(self, one: Run, number: int, memory: session_memory.SessionMemory | None, port: int) -> Server:
        world = self._world

        def on_event(event: dict[str, Any]) -> None:
            if event["type"] == "handle":
                return
            world.note("server", {k: v for k, v in event.items() if k not in ("id", "session", "t")})
            now, place, fault = asyncio.get_running_loop().time(), (number, event["n"]), event.get("fault")
            match event["type"]:
                case "user":
                    world.understood.update(things(event["text"]))
                case "question":
                    world.questions.append((now, place, event["text"]))
                case "model" if not event["cut"] and things(event["text"]):
                    world.given.append((now, place, event["text"]))
                case "nothing":
                    world.nothing.append((now, place, event["reason"]))
                case "setup":
                    world.newest[number] = max(event["n"], world.newest.get(number, 0))
                    world.cut = None
                case "fault":
                    world.faults.setdefault(place, set()).add(str(fault))
            if event["type"] == "close" or fault in DEAD:
                world.cut = world.cut or now
            if event["type"] == "close" or fault in DEAD | MUTE:
                world.gone.setdefault(place, now)

        def on_audio(n: int, pcm: bytes) -> None:
            if n < world.newest[number]:
                world.wrong.append(f"link {n} still sends when link {world.newest[number]} is open")
            for mark in world.sayings.marks_in(pcm):
                world.heard.setdefault(mark, []).append((number, n))

        return Server(
            Agent(world), port=port, lifetime=one.lifetime, notice=one.notice, faults=parse(one.faults),
            memory=memory, handle_ttl=world.scenario.handle_ttl, on_event=on_event, on_audio=on_audio,
        )  # fmt: skip
