"""Recordings of the wire: every frame of every link, as JSON lines. docs/wire-recordings.md has the format.

A recording is replayed to a client as a server: link for link, each frame of the server as soon after the client's
last message as it came then.
"""

import asyncio
import base64
import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from livechat.errors import UsageError, reason
from livechat.server.close_reasons import CLOSES
from livechat.server.wire import cut_reason

Side = Literal["client", "server"]
# Messages that carry what a microphone or a camera gives: they come by themselves, so no answer waits for one.
_STREAMED = {"audio", "video", "mediaChunks", "media_chunks"}


class Recorder:
    """Writes what passes on a server's links to a file that only its owner may read.

    Raises UsageError for a file that cannot be written.
    """

    def __init__(self, path: str) -> None:
        try:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot write {path}: {reason(error)}", "choose another --record") from None
        self._file: TextIO | None = os.fdopen(opened, "w", encoding="utf-8", buffering=1)
        self.warning = ""

    def link(self, n: int) -> "LinkRecorder":
        """What writes down link number `n`, which opens now."""
        return LinkRecorder(self._write, n)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        except (OSError, UnicodeError) as error:  # a full disk ends the recording, not the call
            self.warning = f"the recording ends here: {reason(error)}"
            self.close()


class LinkRecorder:
    """Writes down one link."""

    def __init__(self, write: Callable[[dict[str, Any]], None], n: int) -> None:
        self._write, self._n = write, n
        self._clock = asyncio.get_running_loop().time
        self._opened = self._clock()

    def frame(self, side: Side, data: str | bytes) -> None:
        """A frame of `side` passed."""
        self._write({**self._now(side), **_held(data)})

    def closed(self, code: int | None, why: str) -> None:
        """The link has ended. `code`: that of the server's close frame; None if it sent none."""
        self._write({**self._now("server"), "close": code, "reason": why})

    def _now(self, side: Side) -> dict[str, Any]:
        return {"link": self._n, "t": round(self._clock() - self._opened, 3), "from": side}


def _held(data: str | bytes) -> dict[str, Any]:
    """A frame as a line holds it: as JSON if it is an object, else as text, else in base64."""
    kind = {"kind": "text"} if isinstance(data, str) else {}
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(message := json.loads(data), dict):
            return {**kind, "message": message}
    if isinstance(data, str):
        return {**kind, "text": data}
    return {"base64": base64.b64encode(data).decode()}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a recording. `cues`: how many messages of the client came before it that are not streamed.

    `since`: seconds since the last of these, or since the server's frame before it, whichever is later.
    """

    data: str | bytes | None  # None: the link ends
    cues: int
    since: float
    code: int | None = None
    reason: str = ""


def load(path: str) -> list[list[Entry]]:
    """What the server says on each link, in order. Raises UsageError for a file that is no recording."""
    try:
        lines = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
        links = sorted({line["link"] for line in lines})
        return [_entries([line for line in lines if line["link"] == link]) for link in links]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"cannot read {path}: {reason(error)}", "choose another --replay") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UsageError(f"{path} is no recording of the wire", "make one with `livechat serve --record`") from None


def _entries(lines: Sequence[dict[str, Any]]) -> list[Entry]:
    entries: list[Entry] = []
    cues, before = 0, 0.0
    for line in lines:
        at = float(line["t"])
        if line["from"] == "client":
            if is_cue(line.get("message")):
                cues, before = cues + 1, at
            continue
        since, before = max(0.0, at - before), at
        if "close" in line:
            code = None if line["close"] is None else int(line["close"])
            entries.append(Entry(None, cues, since, code, str(line.get("reason", ""))))
        else:
            entries.append(Entry(_frame(line), cues, since))
    return entries


def _frame(line: dict[str, Any]) -> str | bytes:
    if "base64" in line:
        return base64.b64decode(line["base64"], validate=True)
    text = str(line["text"]) if "text" in line else json.dumps(line["message"], indent=2, ensure_ascii=False) + "\n"
    return text if line.get("kind") == "text" else text.encode()


def is_cue(message: Any) -> bool:
    """Whether a client's message is one that a server answers, and no sound or picture that streams by."""
    if not isinstance(message, dict):
        return False
    realtime = message.get("realtimeInput", message.get("realtime_input"))
    return not (isinstance(realtime, dict) and set(realtime) <= _STREAMED)


class Replay:
    """A recording that is played to clients, each connection being given the next link. `path`: of the recording."""

    def __init__(self, path: str) -> None:
        self._links = load(path)

    async def run(self, ws: ServerConnection, n: int) -> tuple[int | None, str]:
        """Serve connection number `n`, the first being 1, and return how the server closed it.

        Where the recording has no link for it, the connection is closed.
        """
        if n > len(self._links):
            code, why = CLOSES["unavailable"]
            await ws.close(code, why)
            return code, why
        client = _Client(ws)
        reading = asyncio.create_task(client.read())
        try:
            for entry in self._links[n - 1]:
                await client.said(entry.cues)
                await asyncio.sleep(entry.since)
                if entry.data is not None:
                    await ws.send(entry.data)
                elif entry.code is None:
                    ws.transport.abort()
                    return None, ""
                else:
                    await ws.close(entry.code, cut_reason(entry.reason))
                    return entry.code, cut_reason(entry.reason)
            await reading  # the recording ends with the link still open
        except ConnectionClosed:
            pass
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return None, ""


class _Client:
    """Counts what the client of a replay says."""

    def __init__(self, ws: ServerConnection) -> None:
        self._ws = ws
        self._cues = 0
        self._more = asyncio.Condition()
        self._gone = False

    async def read(self) -> None:
        try:
            async for data in self._ws:
                with contextlib.suppress(ValueError, RecursionError):
                    if is_cue(json.loads(data)):
                        async with self._more:
                            self._cues += 1
                            self._more.notify_all()
        finally:
            async with self._more:
                self._gone = True
                self._more.notify_all()

    async def said(self, cues: int) -> None:
        """Wait until it has said so much. Raises ConnectionClosed if it is gone."""
        async with self._more:
            await self._more.wait_for(lambda: self._cues >= cues or self._gone)
        if self._gone:
            await self._ws.recv()
