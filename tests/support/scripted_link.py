"""One link, through the real SDK, against a server that says exactly what a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from livechat.models import api_version
from livechat.server.tls import server_context
from livechat.session.events import Dial, Ended, Opened, Resumption, Wire
from livechat.session.link import Dialler, Link
from livechat.settings import Settings
from tests.support.virtual_time import run

Script = Callable[[ServerConnection], Awaitable[None]]


@dataclass
class Seen:
    """What the server and the link's owner saw."""

    paths: list[str] = field(default_factory=list)
    setup: dict[str, Any] = field(default_factory=dict)
    posted: list[Wire] = field(default_factory=list)

    @property
    def end(self) -> Ended:
        (end,) = [event for event in self.posted if isinstance(event, Ended)]
        assert self.posted[-1] is end
        return end


def link_against(
    script: Script | None,
    *,
    handle: str | None = None,
    transparent: bool = True,
    act: Callable[[Link], Awaitable[None]] | None = None,
    status: HTTPStatus | None = None,
    trust: bool = True,
    **settings: Any,
) -> Seen:
    """Run one link to its end. `script` begins with setupComplete sent; None never sends it."""

    async def main() -> Seen:
        seen = Seen()
        context, ca = server_context()

        async def handler(ws: ServerConnection) -> None:
            assert ws.request is not None
            seen.paths.append(ws.request.path)
            seen.setup = json.loads(await ws.recv())["setup"]
            if script is not None:
                await ws.send(b'{\n  "setupComplete": {}\n}\n')
                await script(ws)
            await ws.wait_closed()

        def refuse(ws: ServerConnection, _: Request) -> Response | None:
            return ws.respond(status, "no\n") if status else None

        async with serve(handler, "127.0.0.1", 0, ssl=context, process_request=refuse, compression=None) as server:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            made = {"backend": "endpoint", "endpoint": url, "key": "k", **settings}
            made["api_version"] = api_version(made.get("model", "gemini-3.8-live"))
            dialler = Dialler(Settings(**made), ca_pem=ca.decode() if trust else None)
            how = Dial(7, Resumption(handle, 0) if handle else None, transparent)
            link = dialler.dial(how, seen.posted.append)
            running = asyncio.ensure_future(link.run())
            if act is not None:
                await asyncio.sleep(1)  # virtual: it has opened by then
                assert isinstance(seen.posted[0], Opened)
                await act(link)
            await running
        return seen

    return run(main())


def frames(*messages: Any, close: tuple[int, str] = (1000, "")) -> Script:
    """Send these and close; what is bytes or str goes as it is."""

    async def script(ws: ServerConnection) -> None:
        for message in messages:
            raw = isinstance(message, bytes | str)
            await ws.send(message if raw else (json.dumps(message, indent=2) + "\n").encode())
        await ws.close(*close)

    return script


def content(**fields: Any) -> dict[str, Any]:
    return {"serverContent": fields}
