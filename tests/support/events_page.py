"""Writes docs/events.md out of livechat/events.py: `python -m tests.support.events_page docs/events.md`."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from livechat import events

HEAD = """\
# The lines of `--json`

`livechat talk --json` and `livechat resume --json` write one JSON object a line to standard output, in ASCII. Each
has `type`, one of those below, and `t`, the seconds since the start, a number. Lines and fields may be added
by a later version; those here stay what they are. Talk about errors is on standard error as always.

This page is made from livechat/events.py by `python -m tests.support.events_page docs/events.md`.
"""
_NAMES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    types.NoneType: "null",
    dict: "object",
    list: "array",
}
_UNITS = {"_ms": "milliseconds", "_s": "seconds", "_tokens": "tokens"}


def lines() -> list[type[Any]]:
    """The outputs that are lines of `--json`, in the order of events.py."""
    return [output for output in get_args(events.Output) if "type" in get_type_hints(output)]


def prose(line: type[Any]) -> str:
    """Its docstring, as Markdown."""
    text = inspect.getdoc(line) or ""
    return re.sub(r"\bNone\b", "`null`", re.sub(r'"(\w*)"', r'`"\1"`', text))


def kind(hint: Any) -> str:
    """A type hint as JSON calls it."""
    if get_origin(hint) is Literal:
        return ", ".join(f'`"{value}"`' for value in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(kind(part) for part in get_args(hint))
    return _NAMES[get_origin(hint) or hint]


def unit(name: str) -> str:
    """The unit that a field's name says it has, if any."""
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for line in lines():
        hints = get_type_hints(line)
        rows = [
            f"| `{field.name}` | {kind(hints[field.name])} | {unit(field.name)} |"
            for field in dataclasses.fields(line)
            if field.name != "type"
        ]
        (name,) = get_args(hints["type"])
        parts.append(
            f"## {name}\n\n{prose(line)}\n\n" + "\n".join(["| field | type | unit |", "|---|---|---|", *rows, ""])
        )
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
