"""A link without a network: it opens or does not, says what a test lets it say, and remembers what it was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from livechat.session.context_replay import ContextTurn
from livechat.session.events import Called, Dial, Ended, Opened, Signal, Wire


class FakeLink:
    """`sent`: everything that it was given, in order: a typed text, a signal, a frame or a context."""

    def __init__(self, dial: Dial, hear: Callable[[Wire], None], *, opens: bool = True) -> None:
        """`hear` takes what the link says. Where it does not open, the server cannot be reached."""
        self.n, self.dial, self._hear, self._opens = dial.n, dial, hear, opens
        self.sent: list[str | bytes | list[ContextTurn]] = []
        self.pictures: list[bytes] = []
        self.sent_at: list[float] = []  # on the loop's clock
        self.close_s = 0.0  # how long the server takes to answer a close
        self.before_sending: Callable[[], None] = lambda: None
        self._ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()

    @property
    def texts(self) -> list[str]:
        return [item for item in self.sent if isinstance(item, str)]

    @property
    def speech(self) -> list[bytes]:
        """Frames that are no silence."""
        return [item for item in self.sent if isinstance(item, bytes) and any(item)]

    def say(self, *events: Wire) -> None:
        """What the server says on this link."""
        for event in events:
            self._hear(event)

    def end(self, ended: Ended) -> None:
        """The link is gone."""
        if not self._ended.done():
            self._ended.set_result(ended)

    async def run(self) -> None:
        if self._opens:
            self._hear(Opened(self.n, 1.0))
            self._hear(await self._ended)
        else:
            self._hear(Ended(self.n, "network", reason="no route"))

    async def close(self) -> None:
        await asyncio.sleep(self.close_s)
        self.end(Ended(self.n, "close", 1000))

    async def send_audio(self, frame: bytes) -> None:
        await self._send(frame)

    async def send_picture(self, jpeg: bytes) -> None:
        self.pictures.append(jpeg)

    async def send_text(self, text: str) -> None:
        await self._send(text)

    async def send_signal(self, signal: Signal) -> None:
        await self._send(signal)

    async def send_context(self, contents: list[ContextTurn]) -> None:
        await self._send(contents)

    async def send_instruction(self, text: str) -> None:
        await self._send([ContextTurn("system", text)])

    async def send_result(self, called: Called, result: dict[str, Any]) -> None:
        await self._send(f"{called.id}: {result}")

    async def _send(self, item: str | bytes | list[ContextTurn]) -> None:
        self.before_sending()
        await asyncio.sleep(0)  # as a socket may
        self.sent.append(item)
        self.sent_at.append(asyncio.get_running_loop().time())
