"""A Live server for the tests of other programs: no network, no key, and connections that break when told to.

    async with LiveServer(faults="drop@2s") as server:
        client = genai.Client(api_key="any", http_options=server.http_options())

It serves from a thread of its own, so a synchronous test can use it as well, with a plain `with`. docs/testing.md
has more. pytest finds the fixture `live_server` by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.genai import types

    from livechat.server.agent import Agent
    from livechat.server.history import HistoryTurn
    from livechat.server.link_record import LinkRecord
    from livechat.server.serve import Server

START_S = 30.0  # the server's modules are imported meanwhile


class LiveServer:
    """A server on 127.0.0.1 for as long as the `with` lasts.

    `faults`: a fault plan (docs/faults.md). A link is closed after `lifetime` seconds, and told so `notice` seconds
    before. `as_model`: accept any model's name and behave as this one. `agent`: who answers; without one, typed
    questions are answered in text with soft beeps, and speech is repeated. `speech`: understand and speak, with the
    models of the extra `offline`. `record`: a file for every frame that passes; `replay`: such a file, which answers
    instead of the agent (docs/wire-recordings.md). Raises UsageError for an option that cannot be understood.
    """

    def __init__(
        self,
        *,
        faults: str = "",
        lifetime: float = 590.0,
        notice: float = 50.0,
        as_model: str | None = None,
        agent: Agent | None = None,
        speech: bool = False,
        record: str | None = None,
        replay: str | None = None,
    ) -> None:
        self._options: dict[str, Any] = {"lifetime": lifetime, "notice": notice, "as_model": as_model}
        self._faults, self._agent, self._speech = faults, agent, speech
        self._record, self._replay = record, replay
        self.events: list[dict[str, Any]] = []  # everything that happened, as `livechat serve --json` writes it
        self._server: Server | None = None
        self._error: BaseException | None = None
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._serve, name="livechat-server", daemon=True)
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    # ------------------------------------------------------------------------------------- for the client

    @property
    def url(self) -> str:
        """The base URL for an SDK."""
        return self._running.url

    @property
    def ca_pem(self) -> str:
        """The certificate to trust."""
        return self._running.ca_pem.decode()

    @property
    def ca_file(self) -> Path:
        """A file with it, for as long as the server runs."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="livechat-")
            Path(self._folder.name, "ca.pem").write_text(self.ca_pem, encoding="ascii")
        return Path(self._folder.name, "ca.pem")

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which an unchanged google-genai program talks to it."""
        return {
            "GOOGLE_GEMINI_BASE_URL": self.url,
            "GEMINI_API_KEY": "any",
            "SSL_CERT_FILE": str(self.ca_file),
        }

    def http_options(self, api_version: str = "v1beta") -> types.HttpOptions:
        """For `genai.Client(api_key="any", http_options=…)`."""
        from google.genai import types

        context = ssl.create_default_context(cadata=self.ca_pem)
        return types.HttpOptions(
            base_url=self.url,
            api_version=api_version,
            async_client_args={"ssl": context},  # of connections
            client_args={"verify": context},  # of requests, such as for a token
        )

    # --------------------------------------------------------------------------------------- for the test

    @property
    def links(self) -> list[LinkRecord]:
        """One record for each connection so far: its model, whether it resumed, its faults, how it was closed."""
        return list(self._running.links)

    @property
    def sessions(self) -> dict[str, tuple[HistoryTurn, ...]]:
        """What each session remembers: the turns, by the session's id."""
        return dict(self._running.sessions)

    @property
    def _running(self) -> Server:
        if self._server is None:
            raise RuntimeError("the server runs only inside `with LiveServer() as server:`")
        return self._server

    def __enter__(self) -> LiveServer:
        self._thread.start()
        if not self._ready.wait(START_S):
            raise TimeoutError("the server does not start")
        if self._error is not None:
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # its loop has ended
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def __aenter__(self) -> LiveServer:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    def _serve(self) -> None:
        try:
            asyncio.run(self._until_stopped())
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            self._error = error
        finally:
            self._ready.set()

    async def _until_stopped(self) -> None:
        from livechat.server.agent_choice import make_agent
        from livechat.server.fault_plan import parse
        from livechat.server.parrot import Parrot
        from livechat.server.serve import Server
        from livechat.server.wire_recording import Recorder, Replay

        agent = self._agent or (make_agent()[0] if self._speech else Parrot())
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        recorder = Recorder(self._record) if self._record else None
        self._options.update(recorder=recorder, replay=Replay(self._replay) if self._replay else None)
        with contextlib.ExitStack() as files:
            if recorder:
                files.callback(recorder.close)
            async with Server(
                agent, faults=parse(self._faults), on_event=self.events.append, **self._options
            ) as self._server:
                self._ready.set()
                await self._stop.wait()
