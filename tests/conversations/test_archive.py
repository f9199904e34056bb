"""The kept conversations as a whole: what is listed, what is read, and that what is forgotten is gone."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from livechat.conversations.archive import Archive, completions, opened
from livechat.conversations.records import KeptTurn
from livechat.conversations.rows import FILE
from livechat.conversations.store import Store
from livechat.errors import UsageError
from livechat.events import Summary
from livechat.session.events import Resumption
from tests.conversations.test_store import Clock, clock

__all__ = ["clock"]  # the fixture

# What the tables were before `times`, and what is kept in them stays readable.
OLD = """
CREATE TABLE conversations (id TEXT PRIMARY KEY, started REAL NOT NULL, seen REAL NOT NULL,
    backend TEXT NOT NULL, model TEXT NOT NULL, options TEXT NOT NULL);
CREATE TABLE turns (conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    number INTEGER NOT NULL, user TEXT NOT NULL, model TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (conversation, number));
INSERT INTO conversations VALUES ('abc234', 100.0, 130.0, 'gemini', 'm', '{}');
INSERT INTO turns VALUES ('abc234', 0, 'hello', 'Hi.', 120.0);
"""


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with contextlib.closing(opened(tmp_path / FILE)) as archive:
        yield archive


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A livechat that is running beside it."""
    with contextlib.closing(Store(tmp_path / FILE, on_trouble=lambda *told: None)) as store:
        yield store


def test_conversations_are_listed_newest_first_with_their_facts(store: Store, archive: Archive, clock: Clock) -> None:
    begun = clock.now
    first = store.begin("gemini", "m", {})
    store.turn(first, 0, "", "Good morning.")
    store.turn(first, 1, "what time is it", "Noon.")
    store.keep(first, Resumption("h", 2), 7200.0)
    clock.now += 90
    second = store.begin("offline", "n", {})
    store.measure(second, clock.now, Summary(12.5, 0, 1, 0, 0, 0, 0, 0, second, "", 0))
    for began, cost in ((begun, 0.25), (begun, 0.5), (begun + 60, 0.25), (begun + 80, None)):
        store.measure(first, began, Summary(1.0, 0, 1, 0, 0, 0, 0, 0, first, "", 0, cost=cost))
    newest, oldest = archive.entries()
    assert (newest.id, newest.duration_s, newest.turns, newest.gist) == (second, 12.5, 0, "")
    assert (newest.backend, newest.model, newest.resumable_until) == ("offline", "n", None)
    assert (oldest.id, oldest.turns, oldest.gist) == (first, 2, "what time is it")
    assert oldest.resumable_until == begun + 7200
    assert (newest.cost, oldest.cost) == (None, 0.75)
    assert [run.cost for run in archive.read(first).runs] == [0.5, 0.25, None]
    assert [entry.id for entry in archive.entries(seen_before=begun + 1)] == [first]


def test_a_turn_has_the_times_of_its_first_words_and_of_its_last(
    store: Store, archive: Archive, clock: Clock
) -> None:
    began = clock.now
    identity = store.begin("gemini", "m", {})
    for user, model in (("what", ""), ("what time", ""), ("what time", "It"), ("what time", "It is noon.")):
        store.turn(identity, 0, user, model)
        clock.now += 1
    assert archive.read(None).turns == (KeptTurn("what time", "It is noon.", began, began + 2, began + 3),)


def test_a_store_of_before_is_read_and_goes_on(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.executescript(OLD)
    with contextlib.closing(opened(tmp_path / FILE)) as archive:
        assert archive.read("abc234").turns == (KeptTurn("hello", "Hi.", None, None, 120.0),)
        with contextlib.closing(Store(tmp_path / FILE, on_trouble=lambda *told: None)) as store:
            store.turn("abc234", 1, "again", "Yes.")
        assert [turn.began is None for turn in archive.read("abc").turns] == [True, False]


def test_what_is_not_there_and_what_is_ambiguous_is_said(store: Store, archive: Archive) -> None:
    with pytest.raises(UsageError, match="there are no conversations"):
        archive.read(None)
    identity = store.begin("gemini", "m", {})
    with pytest.raises(UsageError, match="there is no conversation nope"):
        archive.read("nope")
    assert archive.read(identity[:1]).entry.id == identity
    other = identity
    while other[0] != identity[0] or other == identity:
        other = store.begin("gemini", "m", {})
    with pytest.raises(UsageError, match=f"several conversations begin with {identity[0]}") as caught:
        archive.read(identity[0])
    assert identity in caught.value.hint
    assert archive.read(identity).entry.id == identity


def test_what_is_forgotten_is_overwritten_and_the_rest_stays(store: Store, archive: Archive, tmp_path: Path) -> None:
    stays, goes = store.begin("gemini", "m", {}), store.begin("gemini", "m", {})
    store.turn(stays, 0, "a rose", "is a rose")
    store.turn(goes, 0, "xylophone", "zeppelin")
    store.keep(goes, Resumption("quince", 1), 7200.0)
    store.close()
    archive.forget(goes)
    assert [entry.id for entry in archive.entries()] == [stays]
    archive.close()
    left = b"".join(file.read_bytes() for file in tmp_path.glob(f"{FILE}*"))
    assert b"a rose" in left
    assert not [word for word in (b"xylophone", b"zeppelin", b"quince") if word in left]


_TALKER = """
import sys
from pathlib import Path
from livechat.conversations.store import Store
store = Store(Path(sys.argv[1]), on_trouble=lambda notice: sys.exit(notice.message))
identity = store.begin("offline", "m", {})
for n in range(3000):
    store.turn(identity, n, f"q{n}", "a")
store.catch_up(20.0)  # what the others kept it from waits in order
store.close()
print(identity)
"""


def test_forgetting_takes_no_word_from_a_conversation_that_goes_on(
    store: Store, archive: Archive, tmp_path: Path
) -> None:
    """A checkpoint would: the one who writes meanwhile is told that the database is locked."""
    command = [sys.executable, "-c", _TALKER, str(tmp_path / FILE)]
    talkers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    while any(talker.poll() is None for talker in talkers):
        identity = store.begin("gemini", "m", {})
        store.catch_up(20.0)
        archive.forget(identity)
    said = {talker.communicate()[0].strip(): 3000 for talker in talkers}
    assert [talker.returncode for talker in talkers] == [0, 0]
    assert {entry.id: entry.turns for entry in archive.entries()} == said


def test_a_shell_is_told_the_ids_and_nothing_is_made_for_it(tmp_path: Path) -> None:
    path = tmp_path / "none" / FILE
    assert completions(path) == []
    assert not path.parent.exists()
    path.parent.mkdir()
    path.write_text("no database at all")
    assert completions(path) == []
    path.unlink()
    with contextlib.closing(Store(path, on_trouble=lambda *told: None)) as store:
        identities = [store.begin("gemini", "m", {}) for _ in range(2)]
        assert [identity for identity, _ in completions(path)] == identities[::-1]


# ------------------------------------------------------------------------------------------ read only


@pytest.fixture
def protected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that cannot be written to, as Linux tells. (These tests may run as root, whom no mode stops.)"""

    def refuse(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & os.O_RDWR:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, *more, **named)

    real = os.open
    monkeypatch.setattr("livechat.database.os.open", refuse)


@pytest.mark.usefixtures("protected")
@pytest.mark.parametrize("killed", [False, True])
def test_what_may_only_be_read_is_read_with_its_last_words_and_left_as_it_is(killed: bool, tmp_path: Path) -> None:
    """A process that was killed has left its last words in the WAL file, which SQLite does not read there."""
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(OLD)
        copy = tmp_path / "media"
        copy.mkdir()
        if killed:
            for side in ("", "-wal"):
                shutil.copyfile(f"{tmp_path / FILE}{side}", f"{copy / FILE}{side}")
    if not killed:
        shutil.copyfile(tmp_path / FILE, copy / FILE)
    before = {file.name: file.read_bytes() for file in copy.iterdir()}
    with contextlib.closing(opened(copy / FILE)) as archive:
        assert archive.read_only == "Read-only file system"
        assert [entry.id for entry in archive.entries()] == ["abc234"]
        assert archive.read("abc").turns == (KeptTurn("hello", "Hi.", None, None, 120.0),)
    assert {file.name: file.read_bytes() for file in copy.iterdir()} == before
    with pytest.raises(UsageError, match="cannot be changed: Read-only file system"):
        opened(copy / FILE, to_change=True)


@pytest.mark.usefixtures("protected")
def test_nothing_can_be_kept_where_nothing_can_be_written_and_so_there_is_nothing(tmp_path: Path) -> None:
    with contextlib.closing(opened(tmp_path / "none" / FILE)) as archive:
        assert archive.entries() == []


def test_what_is_locked_is_not_forgotten_and_this_is_said(
    store: Store, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livechat.conversations.archive._CHANGING_S", 0.0)
    identity = store.begin("gemini", "m", {})
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UsageError, match="cannot be changed: another program has them locked") as caught:
            archive.forget(identity)
        assert "backup" in caught.value.hint


def test_the_log_names_what_is_passed_over_and_holds_no_word_and_no_handle(
    store: Store, archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    identity = store.begin("gemini", "m", {})
    store.turn(identity, 0, "xylophone", "zeppelin")
    store.turn(identity, 1, "xylophone", "zeppelin")
    store.keep(identity, Resumption("quince", 1), 7200.0)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        db.execute("UPDATE turns SET at = 'zeppelin' WHERE number = 1")
    assert archive.find("quince") is not None
    archive.flaws()
    archive.forget(identity)
    log = caplog.text
    assert f"conversation {identity}: 1 exchange cannot be read, and is passed over" in log
    assert f"conversation {identity}: forgotten" in log
    assert not [word for word in ("xylophone", "zeppelin", "quince") if word in log]
