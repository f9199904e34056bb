"""What outlives links, and processes."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.database import Database
from livechat.server.close_reasons import Rejected
from livechat.server.history import HistoryTurn
from livechat.server.session_memory import (
    MEMORIES_PER_SESSION,
    SOUNDS_PER_SESSION,
    OtherModelError,
    SessionMemory,
    StoredSession,
    fingerprint,
)
from tests import ROOT

ONE = HistoryTurn("user", "one", 1.5)
TWO = HistoryTurn("model", "two", 2.0, cut=True)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> Iterator[SessionMemory]:
    with contextlib.closing(SessionMemory(None, clock, ttl=100)) as memory:
        yield memory


def refusal(memory: SessionMemory, handle: str, model: str = "m") -> tuple[int, str]:
    with pytest.raises(Rejected) as caught:
        memory.resume(handle, model)
    return caught.value.code, caught.value.reason


def test_the_newest_handles_lead_into_the_utterance_that_was_going_on(memory: SessionMemory) -> None:
    session = memory.begin("m")
    handles = [memory.issue(session.id, [ONE], bytes([n])) for n in range(SOUNDS_PER_SESSION + 1)]
    memory.end(session.id)
    assert memory.resume(handles[-1], "m").sound == bytes([SOUNDS_PER_SESSION])
    over = memory.issue(session.id, [ONE])
    memory.end(session.id)
    assert memory.resume(over, "m").sound == b""
    found = []
    for handle in handles:
        memory.end(session.id)
        found.append(memory.resume(handle, "m").sound)
    assert found == [b"", *(bytes([n + 1]) for n in range(SOUNDS_PER_SESSION))]


def test_a_handle_leads_to_what_was_remembered_when_it_was_given(memory: SessionMemory) -> None:
    session = memory.begin("m")
    first = memory.issue(session.id, [])
    second = memory.issue(session.id, [ONE])
    third = memory.issue(session.id, [ONE, TWO])
    assert len({first, second, third}) == 3
    assert all(str(uuid.UUID(handle)) == handle for handle in (first, second, third))
    memory.end(session.id)
    for handle, turns in ((first, ()), (third, (ONE, TWO)), (second, (ONE,))):
        resumed = memory.resume(handle, "m")
        assert (resumed.id, resumed.turns, resumed.born) == (session.id, turns, 0.0)
        memory.end(session.id)


def test_refusals(memory: SessionMemory, clock: Clock) -> None:
    session = memory.begin("m")
    handle = memory.issue(session.id, [])
    assert refusal(memory, handle) == (1011, "Internal error encountered.")
    with pytest.raises(OtherModelError):
        memory.resume(handle, "n")
    clock.now = 1_000  # however long: it ages from the end of its link
    memory.end(session.id)
    clock.now = 1_099
    memory.resume(handle, "m")
    memory.end(session.id)
    clock.now = 1_200
    assert refusal(memory, handle) == (1008, "BidiGenerateContent session not found")


def test_expired_by_force(memory: SessionMemory) -> None:
    session = memory.begin("m")
    old = memory.issue(session.id, [ONE])
    memory.expire(session.id)
    new = memory.issue(session.id, [ONE])
    memory.end(session.id)
    assert refusal(memory, old)[0] == 1008
    assert memory.resume(new, "m").turns == (ONE,)


@given(st.text(max_size=40) | st.uuids().map(str))
def test_what_was_never_given_leads_nowhere(handle: str) -> None:
    memory = SessionMemory(None, Clock())
    memory.issue(memory.begin("m").id, [ONE])
    assert refusal(memory, handle)[0] == 1008
    memory.close()


def test_memory_stays_flat_over_hours(memory: SessionMemory, clock: Clock) -> None:
    session = memory.begin("m")
    history: list[HistoryTurn] = []
    first = memory.issue(session.id, history)
    for second in range(3_600):
        clock.now = float(second)
        if second % 20 == 0:
            history.append(HistoryTurn("user", f"number {second}", 1.0))
        last = memory.issue(session.id, history)
    assert memory._db.execute("SELECT count(*) FROM memories").fetchone() == (MEMORIES_PER_SESSION,)
    memory.end(session.id)
    assert memory.resume(last, "m").turns == tuple(history)
    memory.end(session.id)
    assert refusal(memory, first)[0] == 1008
    for _ in range(50):
        clock.now += 101
        memory.end(memory.begin("m").id)
    assert memory._db.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
    assert memory._db.execute("SELECT count(*) FROM memories").fetchone() == (0,)


CHILD = """
import sys, time
from pathlib import Path
from livechat.server.history import HistoryTurn as Turn
from livechat.server.session_memory import SessionMemory
memory = SessionMemory(Path(sys.argv[1]), time.time)
session = memory.begin("m")
print(memory.issue(session.id, [Turn("user", "one", 1.5), Turn("model", "two", 2.0, cut=True)]), flush=True)
time.sleep(60)
"""


def test_another_process_resumes_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "new" / "memory.db"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CHILD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        handle = child.stdout.readline().strip()
        second = SessionMemory(path, Clock())  # while the first still has it open
        assert second.warning == ""
        child.send_signal(signal.SIGKILL)
    assert second.resume(handle, "m").turns == (ONE, TWO)
    again = second.issue(second.begin("m").id, [TWO])
    second.close()
    third = SessionMemory(path, Clock())
    assert third.resume(again, "m").turns == (TWO,)
    third.close()
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert all(handle.encode() not in file.read_bytes() for file in path.parent.iterdir())


@pytest.mark.parametrize("what", ["a folder", "not a database", "under a file"])
def test_a_file_that_cannot_be_used_costs_persistence_only(tmp_path: Path, what: str) -> None:
    path = tmp_path / "memory.db"
    if what == "a folder":
        path.mkdir()
    else:
        path.write_bytes(b"something else altogether" * 100)
    memory = SessionMemory(path / "x" if what == "under a file" else path, Clock())
    assert "cannot be kept on disk" in memory.warning
    handle = memory.issue((session := memory.begin("m")).id, [ONE])
    memory.end(session.id)
    assert memory.resume(handle, "m").turns == (ONE,)
    memory.close()


def test_a_file_that_fails_later_keeps_what_it_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, patience_s: float) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    memory = SessionMemory(tmp_path / "memory.db", Clock())
    session = memory.begin("m")
    handle = memory.issue(session.id, [ONE])
    monkeypatch.setattr(Database, "write", full)
    later = memory.issue(session.id, [ONE, TWO])
    assert "cannot be kept on disk" in memory.warning
    memory.end(session.id)
    assert memory.resume(handle, "m").turns == (ONE,)
    memory.end(session.id)
    assert memory.resume(later, "m").turns == (ONE, TWO)
    memory.close()


def test_a_fingerprint_tells_nothing(memory: SessionMemory) -> None:
    handle = memory.issue(memory.begin("m").id, [])
    assert len(fingerprint(handle)) == 8
    assert fingerprint(handle) not in handle


def test_what_is_forgotten_by_a_handle_is_overwritten_and_other_sessions_stay(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "memory"
    with contextlib.closing(SessionMemory(path, clock)) as memory:
        goes, stays = memory.begin("m").id, memory.begin("m").id
        lost = memory.issue(goes, [HistoryTurn("user", "xylophone")], b"zeppelin" * 100)
        kept = memory.issue(stays, [HistoryTurn("user", "rose")])
        memory.end(goes)
        memory.end(stays)
        memory.forget("not a handle")
        memory.forget(lost)
        assert refusal(memory, lost)[0] == 1008
        assert memory.resume(kept, "m").turns == (HistoryTurn("user", "rose"),)
    left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"rose" in left
    assert b"xylophone" not in left
    assert b"zeppelin" not in left


@pytest.mark.parametrize("kind", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_lock_of_another_program_delays_nothing_and_loses_nothing(tmp_path: Path, clock: Clock, kind: str) -> None:
    path = tmp_path / "memory"
    with contextlib.closing(SessionMemory(path, clock)) as memory, contextlib.closing(sqlite3.connect(path)) as other:
        first = memory.begin("m").id
        other.isolation_level = None
        other.execute(f"BEGIN {kind}")
        handle = memory.issue(first, [ONE], b"sound")
        memory.end(first)
        assert memory.resume(handle, "m").turns == (ONE,)
        second = memory.begin("m").id
        later = memory.issue(second, [TWO])
        other.execute("ROLLBACK")
        memory.end(second)
        assert memory.warning == ""
        with contextlib.closing(SessionMemory(path, clock)) as another:
            assert another.resume(handle, "m") == StoredSession(first, (ONE,), 0.0, b"sound")
            assert another.resume(later, "m").turns == (TWO,)


def test_two_processes_name_their_memories_apart(tmp_path: Path, clock: Clock) -> None:
    with (
        contextlib.closing(SessionMemory(tmp_path / "memory", clock)) as one,
        contextlib.closing(SessionMemory(tmp_path / "memory", clock)) as two,
    ):
        sessions = [(memory, memory.begin("m").id) for memory in (one, two)]
        handles = [
            memory.issue(session, [HistoryTurn("user", f"{n}")]) for n in range(5) for memory, session in sessions
        ]
    with contextlib.closing(SessionMemory(tmp_path / "memory", clock)) as after:
        said = []
        for handle in handles:
            session = after.resume(handle, "m")
            after.end(session.id)
            said.append(session.turns[0].text)
    assert said == ["0", "0", "1", "1", "2", "2", "3", "3", "4", "4"]


def test_what_is_to_be_forgotten_while_the_file_is_locked_is_said_not_to_be(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livechat.server.session_memory.FORGETTING_S", 0.0)
    path = tmp_path / "memory"
    with contextlib.closing(SessionMemory(path, clock)) as memory, contextlib.closing(sqlite3.connect(path)) as other:
        handle = memory.issue(memory.begin("m").id, [ONE])
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        memory.forget(handle)
        assert "another program has it locked" in memory.warning


@pytest.mark.parametrize(
    "value", ["text", b"\xff", None, 5, 1e300, "[1]", "{", '[["user", 5, "x", 1]]', '[["user"]]']
)
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("memories", "turns"),
        ("memories", "session"),
        ("sessions", "model"),
        ("sessions", "born"),
        ("sessions", "seen"),
        ("sessions", "id"),
        ("sounds", "pcm"),
        ("secret", "key"),
    ],
)
def test_a_row_of_any_type_loses_its_own_session_at_most(
    tmp_path: Path, clock: Clock, table: str, column: str, value: Any
) -> None:
    path = tmp_path / "memory"
    with contextlib.closing(SessionMemory(path, clock)) as memory:
        hit, good = memory.begin("m").id, memory.begin("m").id
        handles = [memory.issue(session, [ONE], b"sound") for session in (hit, good)]
    with contextlib.closing(sqlite3.connect(path)) as db:
        row = f"SELECT min(rowid) FROM {table}"  # noqa: S608
        db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ({row})", (value,))  # noqa: S608
        db.commit()
    with contextlib.closing(SessionMemory(path, clock)) as memory:
        memory.begin("m")
        try:
            session = memory.resume(handles[0], "m")
        except Rejected:
            pass
        else:
            assert isinstance(session.born, float)
            assert isinstance(session.sound, bytes)
            assert session.turns == (ONE,)
        if table != "secret":
            assert memory.resume(handles[1], "m").turns == (ONE,)
