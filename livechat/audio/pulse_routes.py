"""Where the sound server takes our sound from and plays it, as that changes.

PulseAudio and PipeWire move streams, at the least to a new default device; PortAudio is not told, and calls it
"default" all the while. `pactl subscribe` waits in a process of its own until the server says so: it costs nothing,
disturbs no stream, and may hang or die with the server. Without pactl nobody is told, and sound works all the same.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE, Popen

from livechat.audio.device_choice import Kind

_SETTLE_S = 0.5  # a server that starts, or a device that comes, changes things several times at once
_ANSWER_S = 2.0  # a server that takes longer hangs
_RETRY_S = 1.0, 30.0  # the first and the longest pause between attempts to reach the server
_MOVED = re.compile(rb"'change' on (server|source-output|sink-input)")
_WORDS: dict[Kind, tuple[str, str]] = {"input": ("Source", "Source Output"), "output": ("Sink", "Sink Input")}


@dataclass(frozen=True, slots=True)
class Place:
    """A device of the server: its `name`, and what people call it."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Route:
    """The server's default device, and the one with a stream of this process; None for either if there is none."""

    default: Place | None
    used: Place | None


async def routes() -> AsyncIterator[dict[Kind, Route]]:
    """What they are now, and again after each change; ends only where it cannot be known."""
    program = shutil.which("pactl")
    if sys.platform != "linux" or program is None:
        return
    pause, longest = _RETRY_S
    known: dict[Kind, Route] = {}
    while True:
        with _pactl(program, "subscribe") as events:
            changed = True
            while (line := await _line(events, changed)) != b"":
                if line:
                    changed = changed or bool(_MOVED.search(line))
                    continue
                changed = False
                if (found := await _look(program)) and found != known:
                    known, pause = found, _RETRY_S[0]
                    yield known
        await asyncio.sleep(pause)
        pause = min(2 * pause, longest)


async def _line(events: asyncio.StreamReader, changed: bool) -> bytes | None:
    """What the server says next, b"" at its end; None once it has fallen silent after a change."""
    try:
        async with asyncio.timeout(_SETTLE_S if changed else None):
            return await events.readline()
    except TimeoutError:
        return None


async def _look(program: str) -> dict[Kind, Route]:
    """The routes of both directions; none while the server does not answer."""
    info, listed = await _ask(program, "info"), await _ask(program, "list")
    return parse(info, listed, os.getpid()) if info and listed else {}


def parse(info: str, listed: str, process: int) -> dict[Kind, Route]:
    """What `pactl info` and `pactl list` say, in English, of the streams of `process`."""
    blocks = re.split(r"\n\n", listed)
    found: dict[Kind, Route] = {}
    for kind, (device, stream) in _WORDS.items():
        places: dict[str, Place] = {}  # by number and by name
        for block in blocks:
            if match := re.match(rf"{device} #(\d+)\n(?:.*\n)*?\tName: (.+)\n\tDescription: (.+)", block):
                places[match[1]] = places[match[2]] = Place(match[2], match[3])
        default = re.search(rf"^Default {device}: (.+)$", info, re.MULTILINE)
        used = None
        for block in blocks:
            ours = f'\tapplication.process.id = "{process}"\n' in f"{block}\n"
            if ours and (match := re.match(rf"{stream} #\d+\n(?:.*\n)*?\t{device}: (\d+)\n", block)):
                used = places.get(match[1])
        found[kind] = Route(places.get(default[1]) if default else None, used)
    return found


async def _ask(program: str, question: str) -> str:
    """The answer, "" if it does not come."""
    with _pactl(program, question) as answer:
        try:
            async with asyncio.timeout(_ANSWER_S):
                return (await answer.read()).decode("utf-8", "replace")
        except TimeoutError:
            return ""


@contextmanager
def _pactl(program: str, argument: str) -> Iterator[asyncio.StreamReader]:
    """What it prints while it runs, which it does no longer than the block.

    Not asyncio's own processes: those are ended by waiting for them, which a second cancellation cuts short.
    """
    env = {**os.environ, "LC_ALL": "C.UTF-8"}  # it speaks other languages elsewhere
    process = Popen([program, argument], stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, env=env, bufsize=0)  # noqa: S603
    loop, output, reader = asyncio.get_running_loop(), process.stdout, asyncio.StreamReader()
    assert output is not None  # noqa: S101 - a pipe was asked for

    def take() -> None:
        if data := output.read(2**16):
            reader.feed_data(data)
        else:
            reader.feed_eof()
            loop.remove_reader(output)

    loop.add_reader(output, take)
    try:
        yield reader
    finally:
        loop.remove_reader(output)
        output.close()
        process.kill()
        process.wait()
