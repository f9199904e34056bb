"""The interface of every display, and the choice between them."""

import asyncio
import contextlib
import io
import os
from collections.abc import AsyncIterator, Mapping
from typing import IO, Literal, Protocol

from livechat.events import Command, Output, Typed


class Display(Protocol):
    """Shows one conversation: `run()` in a task, `show()` as things happen, then `close()`."""

    quit: asyncio.Event
    """Set when the person wants to leave, or when nobody reads what is written any more."""

    def show(self, event: Output) -> None:
        """Show `event`, now or with the next refresh. A reader that has gone raises nothing."""

    async def run(self) -> None:
        """Keep the display alive until cancelled; then close it, in every case."""

    def lines(self) -> AsyncIterator[Typed]:
        """What the person types, a line at a time without its end; ends when they have no more to say."""

    def commands(self) -> AsyncIterator[Command]:
        """What the person asks for by keys or slash words, for as long as the display is there."""

    def close(self) -> None:
        """Stop showing; the terminal is given back with the last words (ui/typed_ahead.py). Safe to call twice."""


def choose(
    *, json: bool, plain: bool, stdin_tty: bool, stdout_tty: bool, env: Mapping[str, str]
) -> Literal["screen", "plain", "json"]:
    """The display that fits: the screen needs a terminal that can move its cursor at both ends."""
    if json:
        return "json"
    able = env.get("TERM", "") not in ("dumb", "unknown")
    return "screen" if stdin_tty and stdout_tty and able and not plain else "plain"


def colored(env: Mapping[str, str], *, tty: bool) -> bool:
    """Whether to colour: NO_COLOR before FORCE_COLOR (no-color.org, force-color.org), then the terminal."""
    if env.get("NO_COLOR"):
        return False
    return bool(env.get("FORCE_COLOR")) or (tty and env.get("TERM") != "dumb")


def write_no_more(stream: IO[str]) -> None:
    """Send what the interpreter flushes at its end to nowhere: nobody reads it, and it would fail once more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def tolerant(stream: IO[str]) -> None:
    """Make `stream` write "?" where its encoding lacks a character, instead of raising."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
