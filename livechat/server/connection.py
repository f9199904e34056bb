"""The connection under a link, before it is one: websockets reads GET requests only, and clients send others."""

import http
import json
from collections.abc import Callable
from typing import Any, Literal

import h11
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.typing import Data

BODY_BYTES = 1 << 20  # of a request
_GET = b"GET "

Answer = tuple[http.HTTPStatus, dict[str, Any]]  # what is sent back, the second as JSON


class Connection(ServerConnection):
    """GET requests, links among them, go to websockets. `on_other` answers the others; it gets method and body."""

    def __init__(self, on_other: Callable[[str, Request, bytes], Answer], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._on_other = on_other
        self.watch: Callable[[Literal["client", "server"], str | bytes], None] | None = None  # is told each frame
        self._begun = b""  # of the first request, until its method is known
        self._other: h11.Connection | None = None
        self._head: h11.Request | None = None
        self._body = b""
        self._too_large = False

    async def recv(self, decode: bool | None = None) -> Data:  # type: ignore[override] # it has overloads
        """The next message of the client."""
        data = await super().recv(decode)
        if self.watch:
            self.watch("client", data if isinstance(data, str) else bytes(data))
        return data

    async def send(self, message: Any, **options: Any) -> None:
        """Send a message, or a list of its fragments."""
        if self.watch:
            self.watch("server", b"".join(message) if isinstance(message, list) else message)
        await super().send(message, **options)

    def data_received(self, data: bytes) -> None:
        """Bytes came from the client."""
        if self._other is None and self.request is None:
            self._begun += data
            if _GET.startswith(self._begun):
                return
            data, self._begun = self._begun, b""
            if not data.startswith(_GET):
                self._other = h11.Connection(h11.SERVER)
        if self._other is None:
            super().data_received(data)
        else:
            self._take(self._other, data)

    def _take(self, other: h11.Connection, data: bytes) -> None:
        try:
            other.receive_data(data)
            while (event := other.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.Request):
                    self._head = event
                elif isinstance(event, h11.Data):
                    # One that is too large is read to its end: who still sends would not see the answer.
                    self._too_large = self._too_large or len(self._body) + len(event.data) > BODY_BYTES
                    self._body = b"" if self._too_large else self._body + event.data
                elif isinstance(event, h11.EndOfMessage) and self._head is not None:
                    return self._respond(other, self._answer(self._head))
                else:
                    return self.transport.abort()
        except h11.RemoteProtocolError:
            self.transport.abort()
        return None

    def _answer(self, head: h11.Request) -> Answer:
        if self._too_large:
            return http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {}
        headers = Headers((name.decode(), value.decode("latin-1")) for name, value in head.headers)
        request = Request(head.target.decode("latin-1"), headers)
        return self._on_other(head.method.decode("latin-1"), request, self._body)

    def _respond(self, other: h11.Connection, answer: Answer) -> None:
        status, said = answer
        body = json.dumps(said, indent=2).encode() + b"\n"
        head = [("Content-Type", "application/json; charset=UTF-8"), ("Content-Length", str(len(body)))]
        response = h11.Response(status_code=status, headers=[*head, ("Connection", "close")], reason=status.phrase)
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(other.send(event) or b"")
        self.transport.close()
