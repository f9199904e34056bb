"""Addresses, keys, closes, faults and garbage."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.genai import errors, types
from google.genai.live import AsyncSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from livechat.errors import UsageError
from livechat.server.agent import Parrot, Question, Said
from livechat.server.fault_plan import parse as faults
from livechat.server.serve import Server, route
from tests.support.server_client import ask, dial, flags, handle, heard, quiet, said, speak, tone, turn
from tests.support.virtual_time import run

PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
SETUP = json.dumps({"setup": {"model": "models/gemini-3.8-live"}})


@asynccontextmanager
async def raw(server: Server, query: str = "?key=any") -> AsyncIterator[ClientConnection]:
    """A plain WebSocket to `server`, which serves without TLS."""
    url = f"ws://127.0.0.1:{server.port}{PATH}{query}"
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


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
@pytest.mark.parametrize("slashes", ["/", "//"])
@pytest.mark.parametrize("end", ["BidiGenerateContent", "BidiGenerateContentConstrained"])
def test_every_address_of_the_real_service(version: str, slashes: str, end: str) -> None:
    found = route(f"{slashes}ws/google.ai.generativelanguage.{version}.GenerativeService.{end}")
    assert found is not None
    assert (found.version, found.vertex) == (version, False)


def test_other_addresses_are_not_found() -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server:
            with pytest.raises(InvalidStatus) as caught:
                await connect(f"ws://127.0.0.1:{server.port}/nothing")
            assert caught.value.response.status_code == 404

    run(main())


@pytest.mark.parametrize(
    ("query", "code", "reason"),
    [
        ("", 1008, "Method doesn't allow unregistered callers"),
        ("?key=", 1008, "Method doesn't allow unregistered callers"),
        ("?key=invalid", 1007, "API key not valid. Please pass a valid API key."),
    ],
)
def test_keys_are_refused_with_a_close_frame(query: str, code: int, reason: str) -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server, raw(server, query) as ws:
            got = await closed(ws)
            assert got[0] == code
            assert got[1].startswith(reason)
            assert len(got[1].encode()) <= 123

    run(main())


@pytest.mark.parametrize(
    "frame",
    ["", "nonsense", "[]", "5", '{"a": 1, "b": 2}', '{"setup": 5}', '{"setup": {}}', b"\xff\xfe", "[" * 100_000,
     '{"realtimeInput": {"text": "before setup"}}', '{"setup": {"model": "models/gemini-3.8-live", "x": 1}}'],
)  # fmt: skip
def test_a_bad_first_message_is_1007(frame: str | bytes) -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server, raw(server) as ws:
            await ws.send(frame)
            assert (await closed(ws))[0] == 1007

    run(main())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELD = st.sampled_from(
    ["audio", "text", "media_chunks", "mediaChunks", "activityStart", "activity_end", "audioStreamEnd", "turns",
     "turnComplete", "data", "mimeType", "parts", "role", "systemInstruction", "video", "odd"]
)  # fmt: skip
FRAMES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40),
    JSON.map(json.dumps),
    st.builds(
        lambda top, inner: json.dumps({top: inner}),
        st.sampled_from(
            ["realtimeInput", "realtime_input", "clientContent", "toolResponse", "contextUpdate", "setup"]
        ),
        st.dictionaries(FIELD, JSON | st.dictionaries(FIELD, JSON, max_size=3), max_size=3),
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FRAMES, min_size=1, max_size=6))
def test_whatever_a_client_sends_the_server_stays_up(frames: list[str | bytes]) -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server:
            async with raw(server) as ws:
                await ws.send(SETUP)
                try:
                    for frame in frames:
                        await ws.send(frame)
                    await asyncio.sleep(1)
                except ConnectionClosed:
                    pass
            await asyncio.sleep(5)
            record = server.links[0]
            assert record.code in (None, 1007)
            async with raw(server) as ws:  # another client is served as ever
                await ws.send(SETUP)
                assert b"setupComplete" in await ws.recv(decode=False)

    run(main())


def test_an_agent_that_fails_ends_its_link_only() -> None:
    class Broken(Parrot):
        async def reply(self, question: Question) -> AsyncIterator[Said]:
            yield Said("I shall ", bytes(4800))
            raise RuntimeError("out of words")

    async def main() -> None:
        async with Server(Broken()) as server:
            async with dial(server) as session:
                await session.send_realtime_input(text="hello")
                assert (await ending(session))[0] == 1011
            async with dial(server):
                pass

    run(main())


def test_goaway_comes_on_time_and_who_stays_is_closed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        events: list[dict[str, Any]] = []
        async with Server(Parrot(), on_event=events.append) as server, dial(server) as session:
            opened = loop.time()
            talk = asyncio.create_task(speak(session, quiet(700)))
            code, reason = await ending(session)
            talk.cancel()
            assert code == 1008
            assert "GoAway signal once the session durat" in reason
            assert loop.time() - opened == pytest.approx(590, abs=0.5)
            assert server.links[0].audio_bytes == pytest.approx(590 * 32_000, rel=0.01)
        told = [(event["t"], event["time_left"]) for event in events if event["type"] == "goaway"]
        assert told == [(540.0, "50s")]

    run(main())


def test_a_silent_client_is_closed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Server(Parrot()) as server, dial(server) as session:
            opened = loop.time()
            code, reason = await ending(session)
            assert code == 1008
            assert "The operation was aborted." in reason
            assert loop.time() - opened == pytest.approx(150, abs=0.5)

    run(main())


def test_a_handle_is_refused_in_the_real_ways() -> None:
    async def refused(server: Server, given: str, model: str = "gemini-3.8-live") -> tuple[int, str]:
        try:
            async with dial(server, model, session_resumption={"handle": given}) as session:
                return await ending(session)
        except errors.APIError as error:
            return error.code, str(error)

    async def main() -> None:
        async with Server(Parrot(), handle_ttl=60) as server:
            async with dial(server) as session:
                given = await handle(session)
                assert "Internal error encountered." in (await refused(server, given))[1]  # still open
            assert (await refused(server, "bogus"))[1].endswith("BidiGenerateContent session not found")
            code, reason = await refused(server, given, "gemini-3.1-flash-live-preview")
            assert (code, reason.endswith("Internal error occurred.")) == (1011, True)
            async with dial(server, session_resumption={"handle": given}):
                await asyncio.sleep(100)  # a handle does not age while its link is open
            await asyncio.sleep(59)
            async with dial(server, session_resumption={"handle": given}):
                pass
            await asyncio.sleep(61)
            assert (await refused(server, given))[0] == 1008

    run(main())


def test_many_clients_at_once() -> None:
    async def one(server: Server, name: str) -> str:
        async with dial(server) as session:
            await ask(session, f"My name is {name}.")
            return said(await ask(session, "What is my name?"))

    async def main() -> None:
        names = [f"Guest{chr(97 + n)}" for n in range(12)]
        async with Server(Parrot()) as server:
            answers = await asyncio.gather(*(one(server, name) for name in names))
        assert answers == [f"Your name is {name}." for name in names]

    run(main())


# -------------------------------------------------------------------------------------------------- faults


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


def test_a_stalled_link_hears_but_says_nothing_and_pings_go_on() -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False, faults=faults("stall@2s")) as server, raw(server) as ws:
            await ws.send(SETUP)
            await frames(ws, 3)
            await (await ws.ping())
            assert not await frames(ws, 100)

    run(main())


def test_a_half_open_link_answers_nothing_at_all_and_its_session_can_be_resumed() -> None:
    async def main() -> None:
        plan = faults("#1: half-open@2s")
        async with Server(Parrot(), tls=False, faults=plan) as server, raw(server) as ws:
            await ws.send(SETUP)
            got = await frames(ws, 10)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(await ws.ping(), 10)
            given = [f["sessionResumptionUpdate"]["newHandle"] for f in got if "sessionResumptionUpdate" in f]
            async with raw(server) as other:
                setup = {"model": "models/gemini-3.8-live", "sessionResumption": {"handle": given[-1]}}
                await other.send(json.dumps({"setup": setup}))
                assert b"setupComplete" in await other.recv(decode=False)

    run(main())


def test_late_pongs() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Server(Parrot(), tls=False, faults=faults("pong-delay:20s")) as server, raw(server) as ws:
            await ws.send(SETUP)
            await asyncio.sleep(1)
            reading = asyncio.create_task(closed(ws))  # a client that does not read sees no pong
            sent = loop.time()
            await (await ws.ping())
            assert loop.time() - sent == pytest.approx(20, abs=0.1)
            reading.cancel()

    run(main())


def test_no_pongs() -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False, faults=faults("no-pong")) as server, raw(server) as ws:
            await ws.send(SETUP)
            await asyncio.sleep(1)
            reading = asyncio.create_task(closed(ws))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(await ws.ping(), 60)
            reading.cancel()

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
def test_how_a_link_is_told_to_go(plan: str, told: list[dict[str, str]], closed_at: float) -> None:
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


def test_troubles_before_there_is_a_link_count_as_links() -> None:
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


# -------------------------------------------------------------------------------------------- the command


def test_a_port_in_use_and_an_unknown_model_are_usage_errors() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server:
            with pytest.raises(UsageError, match=str(server.port)):
                async with Server(Parrot(), port=server.port):
                    pass
        with pytest.raises(UsageError, match="no such model"):
            Server(Parrot(), as_model="gemini-1.0")

    run(main())


def test_the_certificate_is_for_this_machine_only() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server:
            context = ssl.create_default_context(cadata=server.ca_pem.decode())
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
            names = writer.get_extra_info("peercert")["subjectAltName"]
            assert set(names) == {
                ("DNS", "localhost"),
                ("IP Address", "127.0.0.1"),
                ("IP Address", "0:0:0:0:0:0:0:1"),
            }
            writer.close()
            await writer.wait_closed()
            assert reader

    run(main())


def test_a_client_that_dials_as_the_server_ends_leaves_no_traceback() -> None:
    async def main() -> None:
        unhandled: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: unhandled.append(context))
        for steps in range(8):
            server = Server(Parrot())
            await server.__aenter__()
            with socket.socket() as client:
                client.setblocking(False)
                dialling = loop.create_task(loop.sock_connect(client, ("127.0.0.1", server.port)))
                for _ in range(steps):
                    await asyncio.sleep(0)
                await server.__aexit__(None, None, None)
                await asyncio.gather(dialling, return_exceptions=True)
        assert unhandled == []

    run(main())
