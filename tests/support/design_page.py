"""Draws the machine's states into docs/design.md: `python -m tests.support.design_page docs/design.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from livechat.session.machine import TABLE, State

BEGIN, END = "<!-- states -->", "<!-- /states -->"


def diagram() -> str:
    """The table as a Mermaid state diagram: an arrow for each pair of states, with the inputs that lead along it."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.NEW.name}"]
    for state in State:
        for after in State:
            if after is not state:
                inputs = [kind.__name__ for (at, kind), row in TABLE.items() if at is state and after in row.leads_to]
                if inputs:
                    lines.append(f"    {state.name} --> {after.name}: {', '.join(inputs)}")
    return "\n".join([*lines, f"    {State.OVER.name} --> [*]", "```"])


def page(text: str) -> str:
    """The document with the diagram between its marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{diagram()}\n\n{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")
