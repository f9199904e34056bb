"""Kept conversations as a table, as aligned lines, or one in full. It loads Rich."""

from collections.abc import Sequence
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from livechat.conversations.export import local
from livechat.conversations.records import Conversation, Entry, Run
from livechat.ui.display import tolerant
from livechat.ui.safe_text import age, clean, duration, money

_HEADS = ("id", "last used", "long", "turns", "resumable until", "model", "cost", "first words")
_LEAST_FIRST = ("model", "long", "turns", "cost")  # a narrow terminal leaves these out, in this order
_GIST = 16  # cells of first words; fewer would say nothing
_GIST_IN_A_PIPE = 60


def as_table(out: TextIO, entries: Sequence[Entry], now: float) -> None:
    """As many whole columns as there is room for; the first words take what is left."""
    tolerant(out)
    console = Console(file=out, highlight=False)
    rows = [dict(zip(_HEADS, _words(entry, now), strict=True)) for entry in entries]
    widths = {head: max(cell_len(row[head]) for row in (*rows, {head: head})) + 2 for head in _HEADS[:-1]}
    if not any(row["cost"] for row in rows):
        del widths["cost"]
    for head in _LEAST_FIRST:
        if sum(widths.values()) + _GIST > console.width:
            widths.pop(head, None)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in widths:
        table.add_column(head, no_wrap=True, justify="right" if head in ("long", "turns", "cost") else "left")
    room = max(_GIST, console.width - sum(widths.values()))
    table.add_column(_HEADS[-1], no_wrap=True, overflow="ellipsis", max_width=room)
    for row in rows:
        table.add_row(*(Text(row[head]) for head in (*widths, _HEADS[-1])))
    console.print(table)


def as_lines(out: TextIO, entries: Sequence[Entry], now: float) -> None:
    """One conversation a line, in aligned fields."""
    tolerant(out)
    rows = [_words(entry, now) for entry in entries]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        *fields, gist = row
        aligned = [set_cell_size(field, width) for field, width in zip(fields, widths, strict=False) if width]
        short = gist if cell_len(gist) <= _GIST_IN_A_PIPE else set_cell_size(gist, _GIST_IN_A_PIPE - 1).rstrip() + "…"
        print("  ".join([*aligned, short]).rstrip(), file=out, flush=True)


def in_full(out: TextIO, kept: Conversation, now: float) -> None:
    """One conversation: what it was, what was said and when, and how continuous each run was."""
    tolerant(out)
    entry = kept.entry
    *_, until, model, _, _ = _words(entry, now)
    if until[:1].isdigit():
        until = f"resumable until {until}"
    print(f"{entry.id} · {model} · {local(entry.started)} · turns {entry.turns} · {until}", file=out)
    for turn in kept.turns:
        sides = (("you", turn.user, turn.began), ("model", turn.model, turn.answered))
        for who, said, at in sides:
            if said:
                when = local(turn.ended if at is None else at, of_day=True)
                print(f"{when}  {who}: {clean(said)}", file=out)
    for run in kept.runs:
        print(_continuity(run), file=out)
    out.flush()


def _words(entry: Entry, now: float) -> list[str]:
    """The fields of _HEADS, clean."""
    until = entry.resumable_until
    return [
        entry.id,
        local(entry.seen),
        age(entry.duration_s),
        str(entry.turns),
        local(until) if until is not None and until > now else "transcript only",
        f"{clean(entry.model)} ({clean(entry.backend)})",
        "" if entry.cost is None else money(entry.cost),
        clean(entry.gist),
    ]


def _continuity(run: Run) -> str:
    return (
        f"run of {local(run.began)}: {age(run.ended - run.began)} · links {run.links}"
        f" · heard {duration(run.captured_ms)} · sent {duration(run.sent_ms)}"
        f" · sent again {duration(run.replayed_ms)} · lost {duration(run.dropped_ms)}"
        f" · longest gap {duration(run.longest_gap_ms)}" + ("" if run.cost is None else f" · cost {money(run.cost)}")
    )
