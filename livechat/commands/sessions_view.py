"""Kept conversations as a table, as aligned lines, or one in full; and what was found in them. It loads Rich."""

from collections.abc import Sequence
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from livechat.conversations.export import local
from livechat.conversations.records import Conversation, Entry, Run
from livechat.conversations.search import Found
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
    """A line of headings, then one conversation a line, in aligned fields."""
    tolerant(out)
    rows = [list(_HEADS), *(_words(entry, now) for entry in entries)]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    if all(entry.cost is None for entry in entries):
        widths[_HEADS.index("cost")] = 0
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
                _print_wrapped(f"{when}  ", Text(f"{who}: {clean(said)}"), out)
    for run in kept.runs:
        _print_wrapped("", Text(_continuity(run)), out)
    out.flush()


def as_found(out: TextIO, found: Sequence[Found]) -> None:
    """One utterance a line: its conversation, when it was said, and the words around what was looked for."""
    tolerant(out)
    for each in found:
        said = each.utterance
        line = Text(f"{said.who}: ")
        for part, looked_for in each.parts:
            line.append(clean(part), "bold" if looked_for else "")
        _print_wrapped(f"{said.conversation}  {local(said.at)}  ", line, out)
    out.flush()


def _print_wrapped(head: str, said: Text, out: TextIO) -> None:
    """At a terminal what does not fit is broken at words, and goes on below itself. A pipe gets one line."""
    console = Console(file=out, highlight=False, soft_wrap=True)
    room = max(_GIST, console.width - len(head))
    rows = said.wrap(console, room) if out.isatty() else [said]
    for n, row in enumerate(rows):
        row.rstrip()
        console.print(Text(" " * len(head) if n else head) + row)


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
    """Without the figures that are zero."""
    spans = (
        ("heard", run.captured_ms),
        ("sent", run.sent_ms),
        ("sent again", run.replayed_ms),
        ("lost", run.dropped_ms),
        ("longest gap", run.longest_gap_ms),
    )
    parts = [f"run of {local(run.began)}: {age(run.ended - run.began)}", f"links {run.links}"]
    parts += [f"{name} {duration(ms)}" for name, ms in spans if round(ms)]
    if run.cost:
        parts.append(f"cost {money(run.cost)}")
    return " · ".join(parts)
