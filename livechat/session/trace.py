"""A record of what the machine was told and what it answered, one JSON object a line, and its replay.

    livechat talk --trace FILE
    python -m livechat.session.trace FILE

The machine is pure, so a trace is a bug report that can be run. The second command gives the recorded inputs, with
their times and random draws, to the machine as it is now, and says where its answers differ. A trace holds no speech,
and only the hash of each handle.
"""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from livechat.errors import LivechatError
from livechat.session import events
from livechat.session.machine import Machine

INPUTS = {kind.__name__: kind for kind in (*get_args(events.Input), events.Resumption)}


class Traced(Machine):
    """A machine that records each of its steps."""

    def __init__(
        self,
        *,
        write: Callable[[str], object],
        random: Callable[[], float],
        ttl: float,
        answer_s: float,
        silent: bool = False,
    ) -> None:
        """`write` takes whole lines. The other arguments are Machine's."""
        self._write = write
        self._draw = random
        self._drawn: list[float] = []
        super().__init__(random=self._remembered, ttl=ttl, answer_s=answer_s, silent=silent)
        self._line({"ttl": ttl, "answer_s": answer_s, "silent": silent})

    def _remembered(self) -> float:
        self._drawn.append(self._draw())
        return self._drawn[-1]

    def handle(self, event: events.Input, now: float) -> list[events.Action]:
        """Machine.handle, recorded; an input that it raises an error for, too."""
        self._drawn.clear()
        step = {"at": now, "input": encode(event), "draws": self._drawn}
        try:
            actions = super().handle(event, now)
        except KeyError:
            self._line(step | {"state": self.state.name, "actions": None})
            raise
        self._line(step | _answer(self, actions))
        return actions

    def _line(self, step: dict[str, Any]) -> None:
        self._write(json.dumps(step) + "\n")


def encode(value: Any) -> Any:
    """An input or an action as JSON. A field named `handle` becomes the hash of the handle."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if fields.get("handle", "#")[:1] not in ("", "#"):  # a replayed handle is a hash already
            fields["handle"] = "#" + events.Resumption(fields["handle"], 0).name
        return {"is": type(value).__name__} | {name: encode(field) for name, field in fields.items()}
    if isinstance(value, LivechatError):
        return {"is": type(value).__name__, "message": value.message, "hint": value.hint}
    if isinstance(value, list | tuple):
        return [encode(part) for part in value]
    return value


def decode(value: Any) -> Any:
    """The input that was encoded, with hashes for handles. Raises KeyError for anything else."""
    if isinstance(value, dict):
        fields = {name: decode(field) for name, field in value.items() if name != "is"}
        return INPUTS[value["is"]](**fields)
    return tuple(map(decode, value)) if isinstance(value, list) else value


def replay(lines: Iterable[str]) -> Iterator[str]:
    """A line of text for each step at which the machine's answer differs from the recorded one.

    Raises ValueError for lines that are not of a trace.
    """
    draws: list[float] = []
    machine: Machine | None = None
    for number, line in enumerate(lines, 1):
        try:
            step = json.loads(line)
            if machine is None:
                machine = Machine(
                    random=lambda: draws.pop(0), ttl=step["ttl"], answer_s=step["answer_s"], silent=step["silent"]
                )
                continue
            event, draws[:], at = decode(step["input"]), step["draws"], float(step["at"])
        except (ValueError, KeyError, TypeError) as e:
            raise ValueError(f"line {number} is not of a trace") from e
        try:
            answer = _answer(machine, machine.handle(event, at))
        except (KeyError, IndexError):
            answer = {"state": machine.state.name, "actions": None}
        recorded = {name: step.get(name) for name in answer}
        if json.loads(json.dumps(answer)) != recorded:
            yield f"line {number}, {step['input']['is']}: it did {recorded}, and now does {answer}"


def _answer(machine: Machine, actions: list[events.Action]) -> dict[str, Any]:
    return {"state": machine.state.name, "deadline": machine.deadline(), "actions": encode(actions)}


def main(path: str) -> int:
    """Replay a file. Returns the exit code: 0 if every answer is the same, 1 if not, 2 for what is no trace."""
    steps = 0

    def lines() -> Iterator[str]:
        nonlocal steps
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a path from the command line, read once
            for line in file:
                steps += 1
                yield line

    try:
        different = list(replay(lines()))
    except (OSError, ValueError) as e:
        sys.stderr.write(f"error: {path}: {e}\nhint: give the FILE of `livechat talk --trace FILE`\n")
        return 2
    sys.stdout.write(
        "\n".join([*different, f"{max(0, steps - 1)} steps, {len(different)} answered otherwise"]) + "\n"
    )
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or [""]))
