"""The connection under a link, when it fails as networks do."""

from __future__ import annotations

import asyncio
import json
from typing import cast

import pytest
from websockets.asyncio.server import ServerConnection

from livechat.server.fault_plan import parse as faults
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.server.transport import LinkTransport
from tests.support.server_client import (
    SETUP,
    closed,
    frames,
    raw,
)
from tests.support.virtual_time import run


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


def test_a_connection_whose_client_has_gone_can_still_be_dropped() -> None:
    class Gone:
        aborted = 0

        @property
        def transport(self) -> Gone:
            return self

        def get_extra_info(self, name: str) -> None:
            """Its socket is closed."""

        def abort(self) -> None:
            self.aborted += 1

    async def main() -> None:
        gone = Gone()
        LinkTransport(cast(ServerConnection, gone)).drop()
        assert gone.aborted == 1

    run(main())
