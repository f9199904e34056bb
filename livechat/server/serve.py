"""The server: it listens, tells the addresses apart, and keeps a record of the links."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http
import logging
import ssl
from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from types import TracebackType
from typing import Any
from weakref import WeakKeyDictionary

from websockets.asyncio.server import Server as Listener
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from livechat.errors import UsageError
from livechat.server import live_session, tls
from livechat.server.addresses import endpoint, key_of, path_of, refused
from livechat.server.agent import Agent
from livechat.server.auth_tokens import TokenMint
from livechat.server.connection import Connection
from livechat.server.deadlines import ServerTimes
from livechat.server.fault_plan import Plan
from livechat.server.history import HistoryTurn
from livechat.server.http_requests import HttpRequests
from livechat.server.link import ServerLink
from livechat.server.link_faults import LinkFaults
from livechat.server.link_record import LinkRecord
from livechat.server.models import PROFILES
from livechat.server.session_memory import SessionMemory
from livechat.server.terms import Endpoint
from livechat.server.transport import CLOSE_S
from livechat.server.wire_recording import Recorder, Replay

HOST = "127.0.0.1"
END_S = 0.2  # how long links have to end by themselves when the server ends
FRAME_BYTES = 16 << 20  # the largest frame taken; the largest that was seen has 129 kB (docs/wire.md 7)
RECORDS = 1_000  # how many links and sessions `links` and `sessions` hold
LETTERS = 10_000_000  # of text in `sessions`

# A handshake of a stranger that fails is not for our log.
_quiet = logging.getLogger("livechat.server.websockets")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class Server:
    """A Live API server on 127.0.0.1, as an async context manager. All times are seconds of the loop's clock.

    `port` 0 takes a free port. `as_model`: accept any model's name and behave as this model. `memory`: None keeps the
    sessions in RAM for the life of this object. A link is closed at `lifetime`, and told so `notice` seconds before.
    `allowed`: hosts besides this machine's own that may be asked for, and whose pages may ask; "*" for any.
    `recorder` is given every frame. With `replay` a recording answers instead of the agent.
    A link without sound is closed after `idle`. A session is forgotten `handle_ttl` after its last link. `on_event`
    gets one dict for everything that happens, `on_audio` the number of a link and the sound as it was received.
    Raises UsageError for a model that it does not know, and for a port that is taken.

    `links` holds the records of the newest links, `sessions` the histories of the newest sessions by id.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        port: int = 0,
        tls: bool = True,
        lifetime: float = 590.0,
        notice: float = 50.0,
        idle: float = 150.0,
        handle_ttl: float = 7200.0,
        faults: Plan | None = None,
        memory: SessionMemory | None = None,
        as_model: str | None = None,
        allowed: Collection[str] = (),
        recorder: Recorder | None = None,
        replay: Replay | None = None,
        on_event: Callable[[dict[str, Any]], None] | None = None,
        on_audio: Callable[[int, bytes], None] | None = None,
    ) -> None:
        if as_model is not None and as_model not in PROFILES:
            raise UsageError(f"no such model: {as_model}", "one of: " + ", ".join(sorted(PROFILES)))
        self.agent = agent
        self.times = ServerTimes(lifetime=lifetime, notice=min(notice, lifetime), idle=idle)
        self.as_model = as_model
        self._allowed = allowed
        self.links: deque[LinkRecord] = deque(maxlen=RECORDS)
        self.sessions: dict[str, tuple[HistoryTurn, ...]] = {}
        self._letters: dict[str, int] = {}  # of the text in each of them
        self.tokens = TokenMint(lambda: asyncio.get_running_loop().time())
        self._http = HttpRequests(self.links, self.sessions, self.tokens, allowed)
        self.port = port
        self.ca_pem = b""
        self._tls = tls
        self._ttl = handle_ttl
        self._faults = faults or Plan()
        self._given = memory
        self._recorder = recorder
        self._replay = replay
        self._on_event = on_event
        self._on_audio = on_audio
        self._count = 0
        # Links whose upgrade is under way. If it fails, nobody takes the link from here: so the keys are weak.
        self._begun: WeakKeyDictionary[ServerConnection, tuple[LinkFaults, Endpoint, str]] = WeakKeyDictionary()
        self._serving: set[asyncio.Task[None]] = set()  # one for each link
        self._listener: Listener | None = None

    async def __aenter__(self) -> Server:
        self.memory = self._given or SessionMemory(None, asyncio.get_running_loop().time, self._ttl)
        context = None
        if self._tls:
            context, self.ca_pem = tls.server_context()
            context.sni_callback = self._certify
        try:
            self._listener = await serve(
                self._handle,
                HOST,
                self.port,
                ssl=context,
                process_request=self._process_request,
                create_connection=partial(Connection, self._http.other),  # type: ignore[arg-type] # it is only called
                compression=None,
                max_size=FRAME_BYTES,
                ping_interval=None,  # the real service sends no pings
                close_timeout=CLOSE_S,
                logger=_quiet,
            )
        except OSError as error:
            if self._given is None:
                self.memory.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            taken = f"port {self.port} cannot be used: {error.strerror}"
            raise UsageError(taken, "try another --port, or 0") from None
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener:
            loop = asyncio.get_running_loop()
            with contextlib.suppress(NotImplementedError):  # Windows
                for listening in self._listener.sockets:
                    loop.remove_reader(listening)
            # A client that was accepted just now must be known before the listener is closed. Else asyncio logs a
            # traceback for it and forgets its socket.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self._listener.close()
            if self._serving:
                await asyncio.wait(self._serving, timeout=END_S)
            for link in self._serving:  # its agent may take long
                link.cancel()
            await self._listener.wait_closed()
        await self.agent.close()
        if self._given is None:
            self.memory.close()

    @property
    def url(self) -> str:
        """The base URL for an SDK."""
        return f"http{'s' if self._tls else ''}://{HOST}:{self.port}"

    # ------------------------------------------------------------------------------- what links need

    def event(self, **event: Any) -> None:
        self._http.events.append(event)
        if self._on_event:
            self._on_event(event)

    def audio(self, n: int, pcm: bytes) -> None:
        if self._on_audio:
            self._on_audio(n, pcm)

    def remember(self, session: str, live: live_session.LiveSession) -> None:
        self.sessions[session] = tuple(live.history)
        self._letters[session] = sum(len(turn.text) for turn in live.history)
        while len(self.sessions) > RECORDS or (sum(self._letters.values()) > LETTERS and len(self.sessions) > 1):
            oldest = next(iter(self.sessions))
            del self.sessions[oldest], self._letters[oldest]

    # ------------------------------------------------------------------------------------ connections

    def _begin(self, *, vertex: bool = False) -> LinkFaults:
        """The faults of the next link, which begins now."""
        self._count += 1
        record = LinkRecord(self._count)
        self.links.append(record)
        self.event(type="link", n=record.n, vertex=vertex)
        return LinkFaults(self, record, self._faults.of_link(record.n))

    def _end(self, record: LinkRecord) -> None:
        record.open = False
        end = {"code": record.code, "reason": record.reason, "audio_bytes": record.audio_bytes}
        self.event(type="close", n=record.n, **end)

    def _certify(self, connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        """In each TLS handshake: show a certificate that nobody trusts, if the next link has that fault."""
        if any(fault.kind == "bad-certificate" for fault in self._faults.of_link(self._count + 1)):
            faults = self._begin()
            faults.strikes("bad-certificate")
            self._end(faults.record)
            connection.context = tls.server_context()[0]

    def _process_request(self, ws: ServerConnection, request: Request) -> Response | None:
        if why := refused(request, self._allowed):
            return ws.respond(http.HTTPStatus.FORBIDDEN, f"{why}\n")
        to = endpoint(path_of(request))
        if to is None and (page := self._http.get(ws, request)):
            return page
        if to is None:
            return ws.respond(http.HTTPStatus.NOT_FOUND, "Not Found\n")
        faults = self._begin(vertex=to.vertex)
        if status := faults.strikes("http"):
            self._end(faults.record)
            return ws.respond(http.HTTPStatus(int(status.value)), "\n")
        if faults.strikes("hang-up"):
            self._end(faults.record)
            ws.transport.abort()
            return None
        self._begun[ws] = faults, to, key_of(request)
        return None

    async def _handle(self, ws: ServerConnection) -> None:
        if ws not in self._begun:  # _process_request refused it
            return
        faults, to, key = self._begun.pop(ws)
        record = faults.record
        record.open = True
        recording = self._recorder.link(record.n) if self._recorder else None
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is one
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            if recording and isinstance(ws, Connection):
                ws.watch = recording.frame
            if self._replay:
                record.code, record.reason = await self._replay.run(ws, record.n)
            else:
                await ServerLink(ws, self, faults, endpoint=to, key=key).run()
        finally:
            self._end(record)
            if recording:
                recording.closed(record.code, record.reason)
