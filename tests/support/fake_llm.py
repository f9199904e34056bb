"""A tiny OpenAI-compatible endpoint on 127.0.0.1, which streams what a test has written for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

Chunk = str | dict[str, Any] | float | Exception  # text, a delta, a pause in seconds, or the connection breaks
Completion = list[Chunk] | int | tuple[int, str]  # what is streamed, or an HTTP status, and its message


@dataclass
class FakeLlm:
    """Gives `completions` in turn, the last one again and again. `asked`: the requests that came."""

    completions: list[Completion]
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    left: int = 0  # streams that their client has closed
    whole: int = 0  # streams that came to their end
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> FakeLlm:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        while self._serving:
            await asyncio.gather(*self._serving)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            lines = dict(line.split(": ", 1) for line in head.split("\r\n") if ": " in line)
            self.keys.append(lines["authorization"])
            self.asked.append(json.loads(await reader.readexactly(int(lines["content-length"]))))
            completion = self.completions[min(len(self.asked), len(self.completions)) - 1]
            await self._answer(completion, reader, writer)
        writer.close()

    async def _answer(
        self, completion: Completion, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if not isinstance(completion, list):
            status, message = completion if isinstance(completion, tuple) else (completion, "no")
            body = json.dumps({"error": {"message": message}})
            writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        gone = asyncio.ensure_future(reader.read())
        for chunk in completion:
            if isinstance(chunk, Exception):
                writer.transport.abort()
                return
            if isinstance(chunk, float):
                await asyncio.wait([gone], timeout=chunk)
            elif not gone.done():
                delta = {"content": chunk} if isinstance(chunk, str) else chunk
                _event(writer, json.dumps({"choices": [{"index": 0, "delta": delta}]}))
        self.left += gone.done()
        self.whole += not gone.done()
        gone.cancel()
        _event(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")


def _event(writer: asyncio.StreamWriter, data: str) -> None:
    line = f"data: {data}\n\n".encode()
    writer.write(b"%x\r\n%s\r\n" % (len(line), line))


def call(name: str, arguments: str, *, at: int = 0, id_: str = "c1") -> dict[str, Any]:
    """The delta of a function call."""
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": at, "id": id_, "type": "function", "function": function}]}
