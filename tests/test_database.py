"""One SQLite file: transactions whole and in order, whatever another program, the disk or the file system does.

What becomes of conversations then is in tests/conversations/test_store.py, of the embedded server's sessions in
tests/server/test_session_memory.py.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from livechat.database import Database, locked, remedy

SCHEMA = "CREATE TABLE IF NOT EXISTS words (said TEXT UNIQUE);"
ALL = "SELECT said FROM words ORDER BY rowid"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(path, SCHEMA, patience_s=0.0)
    yield opened
    opened.close()


def say(*words: str) -> list[tuple[str, str]]:
    return [("INSERT INTO words VALUES (?)", word) for word in words]


def words(database: Database) -> list[str]:
    return [word for (word,) in database.read(ALL, patience_s=0.0)]


@contextlib.contextmanager
def locking(path: Path, kind: str = "EXCLUSIVE") -> Iterator[None]:
    """Another program has the database, as a backup or a browser of databases has it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"BEGIN {kind}")
        yield
        other.execute("ROLLBACK")


def test_a_second_connection_in_one_process_leaves_the_locks_of_the_first(database: Database, path: Path) -> None:
    """It dropped them: the next program to end took itself for the last one, and removed the WAL file under both."""
    assert database.write(*say("a"), patience_s=0.0)
    with contextlib.closing(Database(path, SCHEMA, patience_s=0.0)) as second:
        assert second.write(*say("b"), patience_s=0.0)
        reader = f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute({ALL!r}).fetchall(); c.close()"
        subprocess.run([sys.executable, "-c", reader], check=True)
        assert path.with_name(f"{path.name}-wal").exists()
        assert database.write(*say("c"), patience_s=0.0)
        assert words(second) == ["a", "b", "c"]


def test_a_transaction_is_written_whole_or_not_at_all(database: Database, path: Path) -> None:
    assert database.write(*say("a", "b"), patience_s=0.0)
    with pytest.raises(sqlite3.IntegrityError):
        database.write(*say("c", "a"), patience_s=0.0)
    with contextlib.closing(sqlite3.connect(path)) as other:
        assert other.execute(ALL).fetchall() == [("a",), ("b",)]


def test_what_a_lock_keeps_from_being_written_waits_in_order(
    database: Database, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with locking(path, "IMMEDIATE"):
        assert not database.write(*say("a", "b"), patience_s=0.0)
        assert not database.write(*say("c"), patience_s=0.0)
        assert database.behind_s > 0
        assert words(database) == []
    assert words(database) == ["a", "b", "c"]
    assert database.behind_s == 0
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0] == "words.sqlite3: another program has it locked; what is to be written waits"
    assert messages[1].startswith("words.sqlite3: 2 transactions that waited, for 0.0 s, are written")


def test_what_still_waits_at_the_end_is_counted_in_the_log_and_not_shown_there(
    database: Database, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with locking(path):
        database.write(*say("xylophone"), patience_s=0.0)
        database.close()
    assert "words.sqlite3: closed; 1 transactions are not written" in caplog.text
    assert "xylophone" not in caplog.text


def test_a_file_that_is_locked_is_opened_later(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.touch()
    with locking(path):
        database = Database(path, SCHEMA, patience_s=0.0)
        with pytest.raises(sqlite3.OperationalError) as caught:
            words(database)
        assert locked(caught.value)
    assert words(database) == []
    assert "it is opened with the next statement" in caplog.text
    database.close()


def test_a_full_disk_on_which_the_index_of_wal_cannot_grow_is_called_full(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found on a real one: the first attempt says "disk I/O error", and only the second that there is no room."""
    ends = {"WAL": ("disk I/O error", sqlite3.SQLITE_IOERR_SHMSIZE), "DELETE": ("disk is full", sqlite3.SQLITE_FULL)}

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
            for mode, (said, code) in ends.items():
                if sql == f"PRAGMA journal_mode = {mode}":
                    error = sqlite3.OperationalError(said)
                    error.sqlite_errorcode = code
                    raise error
            return super().execute(sql, *more)

    connect = sqlite3.connect
    monkeypatch.setattr("livechat.database.sqlite3.connect", lambda *a, **k: connect(*a, **k, factory=Full))
    with pytest.raises(sqlite3.OperationalError, match="disk is full") as caught:
        Database(path, SCHEMA, patience_s=0.0)
    assert "free some disk space" in remedy(caught.value, path)


def test_where_it_may_only_read_it_reads_a_copy_and_what_is_written_to_that_is_gone(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("CREATE TABLE words (said TEXT UNIQUE); INSERT INTO words VALUES ('a')")
    before = path.read_bytes()
    more = f"{SCHEMA} CREATE TABLE IF NOT EXISTS later (said TEXT);"
    with contextlib.closing(Database(path, more, patience_s=0.0, read_only=True)) as database:
        assert words(database) == ["a"]
        assert database.read("SELECT * FROM later", patience_s=0.0) == []  # tables that the file does not have yet
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]
