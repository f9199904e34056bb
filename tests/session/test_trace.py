"""A trace holds no secrets, and the machine does the same again."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from livechat.session.events import Begin, Ended, HandleIn, Leave, Opened, Person, Replied, Replying, Resumption, Tick
from livechat.session.trace import Traced, replay


def recorded() -> list[str]:
    """A short and eventful conversation."""
    lines: list[str] = []
    machine = Traced(write=lines.append, random=random.Random(1).random, ttl=7200.0, answer_s=10.0)
    machine.handle(Begin((Resumption("secret-one", 1, 9_000.0),), 2), 1_000.0)
    machine.handle(Opened(1, 130.0), 1_000.2)
    machine.handle(HandleIn(1, "secret-two", 2), 1_001.0)
    machine.handle(Person(speaking=True), 1_002.0)
    machine.handle(Person(speaking=False), 1_004.0)
    machine.handle(Replying(1), 1_005.0)
    machine.handle(Replied(1), 1_006.0)
    for n in range(2, 6):
        machine.handle(Ended(n - 1, "network"), 1_007.0 + n)
        if machine.deadline() is not None:
            machine.handle(Tick(), machine.deadline() or 0.0)
    machine.handle(Leave(), 1_100.0)
    return lines


def test_the_machine_does_the_same_again() -> None:
    assert list(replay(recorded())) == []


def test_another_answer_is_told_with_its_line() -> None:
    lines = recorded()
    step = json.loads(lines[3])
    lines[3] = json.dumps(step | {"state": "WAITING"})
    (difference,) = replay(lines)
    assert difference.startswith("line 4, HandleIn")


def test_a_handle_is_in_it_by_the_name_that_json_gives_it() -> None:
    written = "".join(recorded())
    assert "secret" not in written
    assert f'"#{Resumption("secret-two", 2).name}"' in written


@pytest.mark.parametrize("line", ["", "{}", "[1]", "nonsense", '{"at": 1, "input": {"is": "Machine"}, "draws": []}'])
def test_what_is_no_trace_is_said_to_be_none(line: str) -> None:
    lines = recorded()
    with pytest.raises(ValueError, match="line 3 is not of a trace"):
        list(replay([*lines[:2], line]))


def test_the_command(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_text("".join(recorded()))
    command = [sys.executable, "-m", "livechat.session.trace"]
    done = subprocess.run([*command, str(trace)], capture_output=True, text=True, check=True)
    assert done.stdout.endswith(" steps, 0 answered otherwise\n")
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[1].startswith("hint: ")
