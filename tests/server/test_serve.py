"""The server: addresses, keys, ports, many clients, and its end."""

from __future__ import annotations

import asyncio
import socket

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from livechat.errors import UsageError
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from tests.support.server_client import (
    ask,
    closed,
    dial,
    raw,
    said,
)
from tests.support.virtual_time import run


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


def test_a_port_in_use_and_an_unknown_model_are_usage_errors() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server:
            with pytest.raises(UsageError, match=str(server.port)):
                async with Server(Parrot(), port=server.port):
                    pass
        with pytest.raises(UsageError, match="no such model"):
            Server(Parrot(), as_model="gemini-1.0")

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
