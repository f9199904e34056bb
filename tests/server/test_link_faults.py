"""Faults of a link that docs/faults.md lists: closes, GoAway, setup, handles, limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from typing import Any

import pytest
from google.genai import errors, types
from google.genai.live import AsyncSession
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from livechat.server.fault_plan import parse as faults
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from tests.support.server_client import (
    SETUP,
    ask,
    closed,
    dial,
    ending,
    flags,
    frames,
    handle,
    heard,
    quiet,
    raw,
    said,
    speak,
    tone,
)
from tests.support.virtual_time import run


async def after(session: AsyncSession, opened: float) -> tuple[int, float]:
    """The code `session` ends with, and how long after `opened`."""
    code, _ = await ending(session)
    return code, asyncio.get_running_loop().time() - opened


@pytest.mark.parametrize(
    ("plan", "code", "at"),
    [
        ("drop@3s", 1006, 3),
        ("close:1011:Internal error encountered.@2s", 1011, 2),
        ("goaway@3s:5s", 1008, 8),
        ("#1: drop@3s; #2: drop@1s", 1006, 3),
    ],
)
def test_a_closing_fault_comes_on_time(plan: str, code: int, at: float) -> None:
    async def main() -> None:
        async with Server(Parrot(), faults=faults(plan)) as server:
            began = asyncio.get_running_loop().time()
            async with dial(server) as session:
                got, when = await after(session, began)
                assert got == code
                assert when == pytest.approx(at, abs=0.3)

    run(main())


@pytest.mark.parametrize(
    ("plan", "told", "closed_at"),
    [
        ("goaway@3s:none", [{}], 8),
        ('goaway@3s:""', [{"timeLeft": ""}], 8),
        ("goaway@3s:0s", [{"timeLeft": "0s"}], 3),
        ("goaway@3s:3.000000001s", [{"timeLeft": "3.000000001s"}], 6),
        ("goaway@3s:20s; goaway@5s:4s", [{"timeLeft": "20s"}, {"timeLeft": "4s"}], 9),
        ("no-goaway", [], 30),
        ("", [{"timeLeft": "10s"}], 30),
    ],
)
def test_what_goaway_tells_and_when_the_link_is_closed(
    plan: str, told: list[dict[str, str]], closed_at: float
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = Server(Parrot(), tls=False, lifetime=30, notice=10, faults=faults(plan))
        async with server, raw(server) as ws:
            began = loop.time()
            await ws.send(SETUP)
            got: list[dict[str, str]] = []
            try:
                while True:
                    frame = json.loads(await ws.recv())
                    got += [frame["goAway"]] if "goAway" in frame else []
            except ConnectionClosed as closing:
                end = closing.rcvd
            assert got == told
            assert end is not None
            assert end.code == 1008
            assert "GoAway" in end.reason
            assert loop.time() - began == pytest.approx(closed_at, abs=0.2)

    run(main())


def test_silence_between_goaway_and_the_close() -> None:
    async def main() -> None:
        server = Server(Parrot(), tls=False, faults=faults("goaway-silent@3s:5s"))
        async with server, raw(server) as ws:
            await ws.send(SETUP)
            got = await frames(ws, 7)
            assert "goAway" in got[-1]
            assert (await closed(ws))[0] == 1008

    run(main())


async def opened(server: Server, **config: Any) -> str:
    """Open a link and leave it: "" or why that failed."""
    try:
        async with dial(server, **config) as session:
            await handle(session)
    except errors.APIError as error:
        return str(error)
    return ""


def test_limits_of_a_server() -> None:
    async def main() -> None:
        async with Server(Parrot(), faults=faults("spent-token")) as server:
            assert await opened(server) == ""
            assert [await opened(server) for _ in range(2)] == [
                "1011 None. The service is currently unavailable."
            ] * 2
        async with Server(Parrot(), faults=faults("concurrent-limit:2")) as server, dial(server):
            assert await opened(server) == ""
            async with dial(server):
                assert "RESOURCE_EXHAUSTED" in await opened(server)
            await asyncio.sleep(0.1)
            assert await opened(server) == ""
        async with Server(Parrot(), faults=faults("refuse-handle:2")) as server:
            async with dial(server) as session:
                given = await handle(session)
            await asyncio.sleep(0.1)
            tries = [await opened(server, session_resumption={"handle": given}) for _ in range(3)]
            assert tries == ["1011 None. Internal error encountered."] * 2 + [""]
            assert [record.faults for record in server.links] == [[], ["refuse-handle"], ["refuse-handle"], []]

    run(main())


def test_faults_before_there_is_a_link_count_as_links() -> None:
    async def main() -> None:
        plan = faults("#1: http:503; #2: hang-up; #3: bad-certificate")
        async with Server(Parrot(), faults=plan) as server:
            with pytest.raises(InvalidStatus, match="503"):
                await opened(server)
            with pytest.raises((InvalidHandshake, ConnectionError, EOFError)):
                await opened(server)
            with pytest.raises(ssl.SSLCertVerificationError):
                await opened(server)
            assert await opened(server) == ""
            assert [record.faults for record in server.links] == [["http"], ["hang-up"], ["bad-certificate"], []]

    run(main())


def test_setup_late_or_never() -> None:
    async def main(plan: str) -> float:
        async with Server(Parrot(), faults=faults(plan), lifetime=100) as server:
            began = asyncio.get_running_loop().time()
            try:
                async with dial(server):
                    pass
            except errors.APIError as error:
                assert error.code == 1008  # noqa: PT017 - only one of the plans ends so
            return asyncio.get_running_loop().time() - began

    assert run(main("slow-setup:8s")) == pytest.approx(8, abs=0.2)
    assert run(main("no-setup")) == pytest.approx(100, abs=0.2)


def test_a_poisoned_session_transcribes_and_never_answers() -> None:
    async def main() -> None:
        async with Server(Parrot(), faults=faults("poison")) as server, dial(server) as session:
            talk = asyncio.create_task(speak(session, tone(1) + quiet(30)))
            messages: list[types.LiveServerMessage] = []
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(20):
                    async for message in session.receive():
                        messages.append(message)  # noqa: PERF401 - what came before the time is up is wanted
            talk.cancel()
            assert heard(messages) == "(speech, 1.2 s)"
            assert flags(messages) == []
            assert said(messages) == ""

    run(main())


def test_a_poisoned_session_may_die_of_the_next_utterance() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Server(Parrot(), faults=faults("poison-dies")) as server, dial(server) as session:
            await asyncio.sleep(5)
            asked = loop.time()
            await session.send_realtime_input(text="hello")
            assert await ending(session) == (1011, "1011 None. Internal error encountered.")
            assert loop.time() - asked == pytest.approx(0.4, abs=0.1)

    run(main())


def test_a_deaf_session_hears_nothing_and_still_gives_handles() -> None:
    async def main() -> None:
        async with Server(Parrot(), faults=faults("deaf@2s")) as server, dial(server) as session:
            assert said(await ask(session, "My name is Ada.")) != ""
            await asyncio.sleep(2)
            await session.send_realtime_input(text="What is my name?")
            await speak(session, tone(1) + quiet(5))
            assert await handle(session)
            (history,) = server.sessions.values()
            assert [turn.text for turn in history if turn.role == "user"] == ["My name is Ada."]
            assert server.links[0].audio_bytes == 6 * 32_000

    run(main())


def test_handles_refused_or_expired_by_plan() -> None:
    async def main(plan: str) -> None:
        async with Server(Parrot(), faults=faults(plan)) as server:
            async with dial(server) as session:
                given = await handle(session)
                await asyncio.sleep(4)
            with pytest.raises(errors.APIError, match="session not found"):
                async with dial(server, session_resumption={"handle": given}):
                    pass
            assert {"refuse-handle", "expire-handles"} & {f for record in server.links for f in record.faults}

    run(main("refuse-handle"))
    run(main("expire-handles@3s"))
