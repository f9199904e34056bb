"""The connection under one link: it sends frames in order, and fails as networks do if a fault asks for it."""

import asyncio
import socket
import struct

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from livechat.server.frame_faults import Data

UNREAD = 10_000  # frames that wait for a client; an answer of minutes has some hundreds
CLOSE_S = 2.0  # how long a client has to answer a close before the connection is cut


class LinkTransport:
    """Sends on `ws` while `run` runs. The sender does not wait."""

    def __init__(self, ws: ServerConnection) -> None:
        self._ws = ws
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Data | tuple[int, str]] = asyncio.Queue()
        self._timers: list[asyncio.TimerHandle] = []
        self.silent = False  # nothing more is sent
        self.dark = False  # nothing more is sent or read
        self.closing = False

    def send(self, frame: Data) -> None:
        if not self.closing and not self.silent:
            self._queue.put_nowait(frame)
            if self._queue.qsize() > UNREAD:  # the client does not read, and this would grow with the hours
                self._ws.transport.abort()

    def close(self, code: int, reason: str) -> None:
        """Close when all frames are sent. What the client sends meanwhile is ignored."""
        self.closing = True
        self._queue.put_nowait((code, reason))
        # A client that does not read, or a dark connection, would hold up the close frame for ever.
        self._timers.append(self._loop.call_later(0 if self.dark else CLOSE_S, self._ws.transport.abort))

    async def run(self) -> None:
        """Send until `close` is done or the client is gone."""
        try:
            while not isinstance(item := await self._queue.get(), tuple):
                if not self.dark:
                    await self._ws.send(item)
            await self._ws.close(*item)
        except ConnectionClosed:
            pass  # the reader notices it too and ends the link

    def stop(self) -> None:
        for timer in self._timers:
            timer.cancel()

    # ----------------------------------------------------------------------------------------- faults

    def drop(self) -> None:
        """Cut the connection as a crash does: with a reset and no close frame."""
        if sock := self._ws.transport.get_extra_info("socket"):  # None if the client has gone
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._ws.transport.abort()

    def go_dark(self) -> None:
        """Stop to send and to read, pings included, as if the network between were gone."""
        self.silent = self.dark = True
        self._ws.transport.pause_reading()

    def delay_pongs(self, seconds: float | None) -> None:
        """Answer each ping so many seconds late; None: not at all."""
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
