"""Shows microphones and speakers as tables, as lines or as JSON, and a level meter.

Only `livechat devices` imports this: it loads Rich, and for the meter prompt_toolkit.
"""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from livechat.ui.display import tolerant
from livechat.ui.safe_text import clean, gauge

_METER_CELLS = 30
_FLOOR_DB = -60.0


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One device in one direction. `rate`: its own, in Hz. `takes`: the rate it opens at, None if it does not."""

    kind: str  # "microphone" or "speaker"
    number: int
    name: str
    host: str
    channels: int
    rate: int
    takes: int | None
    default: bool
    chosen: bool  # `livechat talk` would use it

    def cells(self) -> list[str]:
        """Everything but the kind as text that is safe to show."""
        takes = "no" if self.takes is None else f"{self.takes} Hz"
        marks = [word for word, true in (("default", self.default), ("used", self.chosen)) if true]
        return [
            *(str(self.number), clean(self.name), clean(self.host)),
            *(str(self.channels), f"{self.rate} Hz", takes, ", ".join(marks)),
        ]


_HEADS = ("name", "by", "channels", "its rate", "opens at", "")


def as_json(out: TextIO, kind: str, what: Any) -> None:
    """Print one dataclass as one line: its `type`, and its fields."""
    print(json.dumps({"type": kind} | dataclasses.asdict(what)), file=out, flush=True)


def as_lines(out: TextIO, rows: Sequence[DeviceRow]) -> None:
    tolerant(out)
    for row in rows:
        number, name, host, channels, rate, takes, marks = row.cells()
        opens = "does not open" if row.takes is None else f"opens at {takes}"
        line = f"{row.kind} {number}: {name} · {host} · channels {channels} · {rate} · {opens}"
        print(f"{line} · {marks}" if marks else line, file=out, flush=True)


def as_tables(out: TextIO, rows: Sequence[DeviceRow]) -> None:
    """Print a table of microphones and one of speakers."""
    tolerant(out)
    console = Console(file=out, highlight=False)
    for kind in ("microphone", "speaker"):
        table = Table(title=f"{kind}s", title_justify="left", box=None, pad_edge=False)
        table.add_column("#", justify="right")
        for head in _HEADS:
            numeric = head in ("channels", "its rate", "opens at")
            table.add_column(head, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            if row.kind == kind:
                table.add_row(*map(Text, row.cells()), style="bold" if row.chosen else None)
        if not table.row_count:
            table.add_row("", "there is none")
        console.print(table)
        console.print()


def say_test(out: TextIO, verdict: str, hint: str) -> None:
    tolerant(out)
    print(f"{clean(verdict)}\n{clean(hint)}", file=out, flush=True)


async def meter(out: TextIO, name: str, levels: AsyncIterator[float], seconds: float) -> None:
    """Show the levels of a microphone, in dBFS, until a key is pressed or `seconds` are over."""
    from prompt_toolkit.input import create_input

    pressed = asyncio.Event()
    keyboard = create_input()

    def read() -> None:
        if keyboard.read_keys() or keyboard.closed:
            pressed.set()

    async def draw(live: Live) -> None:
        async for level in levels:
            filled, empty = gauge((level - _FLOOR_DB) / -_FLOOR_DB, _METER_CELLS)
            text = Text.assemble(
                *(
                    f"{clean(name)} ",
                    (filled, "cyan"),
                    (empty, "dim"),
                    f" {level:3.0f} dBFS",
                    ("  any key ends", "dim"),
                )
            )
            text.truncate(live.console.width - 1)
            live.update(text, refresh=True)

    with keyboard.raw_mode(), keyboard.attach(read), Live(console=Console(file=out), auto_refresh=False) as live:
        drawing = asyncio.ensure_future(draw(live))
        waiting = asyncio.ensure_future(pressed.wait())
        done, late = await asyncio.wait([drawing, waiting], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    for task in done:
        task.result()
