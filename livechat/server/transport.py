"""The wire under one link: frames go out in order, and things happen to it that happen to networks."""

from __future__ import annotations

import asyncio
import socket
import struct

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from livechat.server.frame_faults import Data

CLOSE_S = 2.0  # for the client to answer a close, before the line is cut


class LinkTransport:
    """Sends on `ws` without making the sender wait. `run` must run."""

    def __init__(self, ws: ServerConnection) -> None:
        self._ws = ws
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Data | tuple[int, str]] = asyncio.Queue()
        self._timers: list[asyncio.TimerHandle] = []
        self.silent = False  # nothing more is sent
        self.dark = False  # nor heard
        self.closing = False

    def send(self, frame: Data) -> None:
        """Send `frame` after all before it."""
        if not self.closing and not self.silent:
            self._queue.put_nowait(frame)

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued; whatever comes in until then is too late."""
        self.closing = True
        self._queue.put_nowait((code, reason))
        # The queue may be stuck behind a client that does not read, or on a line that leads nowhere.
        self._timers.append(self._loop.call_later(0 if self.dark else CLOSE_S, self._ws.transport.abort))

    async def run(self) -> None:
        """Send until `close` is done or the client is gone."""
        try:
            while not isinstance(item := await self._queue.get(), tuple):
                if not self.dark:
                    await self._ws.send(item)
            await self._ws.close(*item)
        except ConnectionClosed:
            pass  # the reader sees it too, and ends the link

    def stop(self) -> None:
        """Forget what was still to come."""
        for timer in self._timers:
            timer.cancel()

    # ---------------------------------------------------------------------------------------- mishaps

    def drop(self) -> None:
        """Cut the line as a crash does: a reset, not a farewell."""
        if sock := self._ws.transport.get_extra_info("socket"):  # none once the client has gone
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._ws.transport.abort()

    def go_dark(self) -> None:
        """Neither send nor read any more, not even pings, as when a network between is gone."""
        self.silent = self.dark = True
        self._ws.transport.pause_reading()

    def delay_pongs(self, seconds: float | None) -> None:
        """Answer every ping so much late, or none at all."""
        protocol = self._ws.protocol
        send = protocol.send_frame

        def late(frame: Frame) -> None:
            send(frame)
            self._ws.send_data()

        def send_frame(frame: Frame) -> None:
            if frame.opcode is not Opcode.PONG:
                send(frame)
            elif seconds is not None:
                self._timers.append(self._loop.call_later(seconds, late, frame))

        protocol.send_frame = send_frame  # type: ignore[method-assign] # websockets has no hook for pongs
