"""The kept conversations as a whole: what is listed, what is read, and that what is forgotten is gone."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from livechat.conversations.archive import Archive, completions
from livechat.conversations.records import Spoken
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
    with contextlib.closing(Archive(tmp_path)) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A livechat that is running beside it."""
    with contextlib.closing(Store(tmp_path / "conversations.sqlite3", on_trouble=lambda *told: None)) as opened:
        yield opened


def test_conversations_are_listed_newest_first_with_their_facts(store: Store, archive: Archive, clock: Clock) -> None:
    begun = clock.now
    first = store.begin("gemini", "m", {})
    store.turn(first, 0, "", "Good morning.")
    store.turn(first, 1, "what time is it", "Noon.")
    store.keep(first, Resumption("h", 2), 7200.0)
    clock.now += 90
    second = store.begin("offline", "n", {})
    store.measure(second, clock.now, Summary(12.5, 0, 1, 0, 0, 0, 0, 0, second, "", 0))
    newest, oldest = archive.entries()
    assert (newest.id, newest.duration_s, newest.turns, newest.gist) == (second, 12.5, 0, "")
    assert (newest.backend, newest.model, newest.resumable_until) == ("offline", "n", None)
    assert (oldest.id, oldest.turns, oldest.gist) == (first, 2, "what time is it")
    assert oldest.resumable_until == begun + 7200
    assert [entry.id for entry in archive.entries(seen_before=begun + 1)] == [first]


def test_a_turn_has_the_times_of_its_first_words_and_of_its_last(
    store: Store, archive: Archive, clock: Clock
) -> None:
    began = clock.now
    identity = store.begin("gemini", "m", {})
    for user, model in (("what", ""), ("what time", ""), ("what time", "It"), ("what time", "It is noon.")):
        store.turn(identity, 0, user, model)
        clock.now += 1
    assert archive.read(None).turns == (Spoken("what time", "It is noon.", began, began + 2, began + 3),)


def test_a_store_of_before_is_read_and_goes_on(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "conversations.sqlite3")) as db:
        db.executescript(OLD)
    with contextlib.closing(Archive(tmp_path)) as archive:
        assert archive.read("abc234").turns == (Spoken("hello", "Hi.", None, None, 120.0),)
        archive.turn("abc234", 1, "again", "Yes.")
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
    archive.claim(goes)
    archive.forget(goes)
    assert [entry.id for entry in archive.entries()] == [stays]
    archive.close()
    left = b"".join(file.read_bytes() for file in tmp_path.glob("conversations.sqlite3*"))
    assert b"a rose" in left
    assert not [word for word in (b"xylophone", b"zeppelin", b"quince") if word in left]
    assert not (tmp_path / "locks" / goes).exists()


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


def test_forgetting_takes_no_word_from_a_conversation_that_goes_on(archive: Archive, tmp_path: Path) -> None:
    """A checkpoint would: the one who writes meanwhile is told that the database is locked."""
    command = [sys.executable, "-c", _TALKER, str(tmp_path / "conversations.sqlite3")]
    talkers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    while any(talker.poll() is None for talker in talkers):
        archive.forget(archive.begin("gemini", "m", {}))
    said = {talker.communicate()[0].strip(): 3000 for talker in talkers}
    assert [talker.returncode for talker in talkers] == [0, 0]
    assert {entry.id: entry.turns for entry in archive.entries()} == said


def test_a_shell_is_told_the_ids_and_nothing_is_made_for_it(tmp_path: Path) -> None:
    environ = {"LIVECHAT_STATE": str(tmp_path / "none")}
    assert completions(environ) == []
    assert not (tmp_path / "none").exists()
    environ = {"LIVECHAT_STATE": str(tmp_path)}
    (tmp_path / "conversations.sqlite3").write_text("no database at all")
    assert completions(environ) == []
    (tmp_path / "conversations.sqlite3").unlink()
    with contextlib.closing(Archive(tmp_path)) as archive:
        identities = [archive.begin("gemini", "m", {}) for _ in range(2)]
        assert [identity for identity, _ in completions(environ)] == identities[::-1]
