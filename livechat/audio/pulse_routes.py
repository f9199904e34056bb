"""Which devices the sound server has connected our streams to, and each change of that.

PulseAudio and PipeWire move streams, for example to a new default device. PortAudio is not told: its device is
"default" all the time. `pactl subscribe` is a process of its own that waits until the server reports a change. It
costs nothing, disturbs no stream, and may hang or die with the server. Without pactl no change is announced, and
sound works all the same.
"""

import asyncio
import logging
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE, Popen

from livechat.audio.device_choice import Kind

_SETTLE_S = 0.5  # when a server starts or a device appears, several changes come at once
_ANSWER_S = 2.0  # a server that takes longer hangs
_RETRY_S = 1.0, 30.0  # the first and the longest pause between attempts to reach the server
_MOVED = re.compile(rb"'change' on (server|source-output|sink-input)")
_WORDS: dict[Kind, tuple[str, str]] = {"input": ("Source", "Source Output"), "output": ("Sink", "Sink Input")}


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PulseDevice:
    """A device of the sound server: its `name`, and the `description` that people read."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class PulseRoute:
    """The server's default device, and the one that a stream of this process uses. None if there is none."""

    default: PulseDevice | None
    used: PulseDevice | None


async def routes() -> AsyncIterator[dict[Kind, PulseRoute]]:
    """The routes of both directions now, and again after each change. Ends at once if there is no pactl."""
    program = shutil.which("pactl")
    if sys.platform != "linux" or program is None:
        _log.info("without pactl, it is not known which device the sound server uses")
        return
    pause, longest = _RETRY_S
    known: dict[Kind, PulseRoute] = {}
    while True:
        with _pactl(program, "subscribe") as events:
            changed, info = True, ""
            while (line := await _line(events, changed)) != b"":
                if line:
                    if moved := _MOVED.search(line):
                        changed, info = True, "" if moved[1] == b"server" else info
                    continue
                changed = False
                info = info or await _ask(program, "info")  # it changes with the server, not with every stream
                listed = info and await _ask(program, "list")
                if listed and (found := parse(info, listed, os.getpid())) != known:
                    known, pause = found, _RETRY_S[0]
                    _log.info("the sound server's routes: %s", known)
                    yield known
        _log.info("the sound server has ended, or cannot be reached; next attempt in %.0f s", pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, longest)


async def _line(events: asyncio.StreamReader, changed: bool) -> bytes | None:
    """The next line of the server, b"" at its end. None when nothing more follows a change."""
    try:
        async with asyncio.timeout(_SETTLE_S if changed else None):
            return await events.readline()
    except TimeoutError:
        return None


def parse(info: str, listed: str, process: int) -> dict[Kind, PulseRoute]:
    """The routes of `process`, from what `pactl info` and `pactl list` print in English."""
    blocks = re.split(r"\n\n", listed)
    found: dict[Kind, PulseRoute] = {}
    for kind, (device, stream) in _WORDS.items():
        devices: dict[str, PulseDevice] = {}  # by number and by name
        for block in blocks:
            if match := re.match(rf"{device} #(\d+)\n(?:.*\n)*?\tName: (.+)\n\tDescription: (.+)", block):
                devices[match[1]] = devices[match[2]] = PulseDevice(match[2], match[3])
        default = re.search(rf"^Default {device}: (.+)$", info, re.MULTILINE)
        used = None
        for block in blocks:
            ours = f'\tapplication.process.id = "{process}"\n' in f"{block}\n"
            if ours and (match := re.match(rf"{stream} #\d+\n(?:.*\n)*?\t{device}: (\d+)\n", block)):
                used = devices.get(match[1])
        found[kind] = PulseRoute(devices.get(default[1]) if default else None, used)
    return found


async def _ask(program: str, question: str) -> str:
    """pactl's answer, or "" if there is none in time."""
    with _pactl(program, question) as answer:
        try:
            async with asyncio.timeout(_ANSWER_S):
                return (await answer.read()).decode("utf-8", "replace")
        except TimeoutError:
            return ""


@contextmanager
def _pactl(program: str, argument: str) -> Iterator[asyncio.StreamReader]:
    """Run pactl for as long as the block lasts, and give what it prints.

    Not with asyncio's own subprocesses: to end one they wait for it, and a second cancellation interrupts that wait.
    """
    env = {**os.environ, "LC_ALL": "C.UTF-8"}  # else it prints in the person's language
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
