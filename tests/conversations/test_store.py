"""The store: nothing said is lost to a kill, nobody else may read it, and a bad disk costs the memory only."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from livechat.conversations.store import ID_LENGTH, Book, Store
from livechat.errors import LivechatError, Notice, UsageError
from livechat.events import Summary
from livechat.session.context_replay import Exchange
from livechat.session.events import Resumption
from tests.test_database import locking

TTL = 7200.0


class Trouble:
    """Remembers what the store complained of."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def __call__(self, notice: Notice) -> None:
        self.told.append((notice.message, notice.hint))


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "conversations.sqlite3"


@pytest.fixture
def store(path: Path, trouble: Trouble) -> Iterator[Store]:
    opened = Store(path, on_trouble=trouble)
    yield opened
    opened.close()


class Clock:
    """The wall's clock, for the store alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_700_000_000.0
        monkeypatch.setattr("livechat.conversations.store.time.time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def keep(store: Store, conversation: str, *handles: str) -> None:
    for handle in handles:
        store.keep(conversation, Resumption(handle, 0), TTL)


# --------------------------------------------------------------------------------------------- keeping


def test_a_conversation_is_found_again_as_it_was(store: Store, clock: Clock) -> None:
    identity = store.begin("gemini", "gemini-3.8-live", {"voice": "Puck", "trigger_tokens": 5_000})
    store.turn(identity, 0, "What time is it?", "It is noon.")
    store.turn(identity, 1, "Thanks – ünïcode \N{OWL} \n'; DROP TABLE turns; --", "")
    store.keep(identity, Resumption("handle", 2), TTL)
    kept = store.archive().find(identity)
    assert kept is not None
    assert (kept.id, kept.backend, kept.model) == (identity, "gemini", "gemini-3.8-live")
    assert kept.options == {"voice": "Puck", "trigger_tokens": 5_000}
    assert kept.turns == [
        Exchange("What time is it?", "It is noon."),
        Exchange("Thanks – ünïcode \N{OWL} \n'; DROP TABLE turns; --", ""),
    ]
    assert kept.handles == [("handle", 2, clock.now + TTL)]


def test_an_id_is_short_and_made_of_letters_that_cannot_be_confused(store: Store) -> None:
    identities = {store.begin("offline", "m", {}) for _ in range(200)}
    assert len(identities) == 200
    assert all(len(i) == ID_LENGTH and not set(i) & set("01oil") and i.isalnum() for i in identities)


def test_a_turn_that_goes_on_replaces_what_was_written_of_it(store: Store) -> None:
    identity = store.begin("offline", "m", {})
    for text in ("It", "It is", "It is noon."):
        store.turn(identity, 0, "Time?", text)
    kept = store.archive().find(identity)
    assert kept is not None
    assert kept.turns == [Exchange("Time?", "It is noon.")]


def test_turns_come_back_in_the_order_of_their_numbers(store: Store) -> None:
    identity = store.begin("offline", "m", {})
    for number in (10, 2, 0, 1):
        store.turn(identity, number, f"q{number}", "")
    kept = store.archive().find(identity)
    assert kept is not None
    assert [turn.user for turn in kept.turns] == ["q0", "q1", "q2", "q10"]


def test_a_conversation_is_found_by_its_handle_and_nothing_by_a_strange_word(store: Store) -> None:
    first, second = store.begin("offline", "m", {}), store.begin("offline", "m", {})
    keep(store, first, "h-first")
    keep(store, second, "h-second")
    found = store.archive().find("h-first")
    assert found is not None
    assert found.id == first
    assert store.archive().find("never-heard-of") is None
    assert store.archive().find("") is None


def test_the_newest_conversation_is_the_one_last_spoken_in(store: Store, clock: Clock) -> None:
    """With or without handles: some servers never give any."""
    older = store.begin("offline", "m", {})
    clock.now += 10
    newer = store.begin("offline", "m", {})
    store.turn(newer, 0, "hello", "")
    assert [kept and kept.id for kept in [store.archive().find(None)]] == [newer]
    clock.now += 10
    store.turn(older, 0, "I am back", "")
    assert [kept and kept.id for kept in [store.archive().find(None)]] == [older]
    clock.now += 10
    keep(store, newer, "h")
    assert [kept and kept.id for kept in [store.archive().find(None)]] == [newer]


def test_an_empty_store_has_no_newest_conversation(store: Store) -> None:
    assert store.archive().find(None) is None


# --------------------------------------------------------------------------------------------- handles


def test_only_the_two_newest_handles_are_kept_newest_first(store: Store, path: Path) -> None:
    identity, other = store.begin("offline", "m", {}), store.begin("offline", "m", {})
    keep(store, other, "theirs")
    keep(store, identity, "a", "b", "c", "d")
    kept = store.archive().find(identity)
    assert kept is not None
    assert [handle for handle, _, _ in kept.handles] == ["d", "c"]
    theirs = store.archive().find(other)
    assert theirs is not None
    assert [handle for handle, _, _ in theirs.handles] == ["theirs"]


def test_a_handle_that_comes_again_is_the_newest_again(store: Store, clock: Clock) -> None:
    identity = store.begin("offline", "m", {})
    keep(store, identity, "a", "b")
    clock.now += 1
    store.keep(identity, Resumption("a", 5), TTL)
    kept = store.archive().find(identity)
    assert kept is not None
    assert kept.handles == [("a", 5, clock.now + TTL), ("b", 0, clock.now - 1 + TTL)]


def test_a_clock_that_is_set_back_makes_no_old_handle_the_newest(store: Store, clock: Clock) -> None:
    identity = store.begin("offline", "m", {})
    keep(store, identity, "a", "b")
    clock.now -= 3_600
    keep(store, identity, "c")
    kept = store.archive().find(identity)
    assert kept is not None
    assert [handle for handle, _, _ in kept.handles] == ["c", "b"]


def test_handles_of_one_instant_keep_their_order(store: Store, clock: Clock) -> None:
    identity = store.begin("offline", "m", {})
    keep(store, identity, "m", "z", "a", "x")
    kept = store.archive().find(identity)
    assert kept is not None
    assert [handle for handle, _, _ in kept.handles] == ["x", "a"]


def test_validity_counts_from_the_arrival_until_the_end_of_the_link_is_known(store: Store, clock: Clock) -> None:
    identity, other = store.begin("offline", "m", {}), store.begin("offline", "m", {})
    keep(store, identity, "h")
    keep(store, other, "theirs")
    arrived = clock.now
    clock.now += 600
    for _ in range(2):
        kept = store.archive().find(identity)
        assert kept is not None
        assert kept.handles[0][2] == arrived + TTL
        arrived = clock.now
        store.expire(identity, TTL)
    theirs = store.archive().find(other)
    assert theirs is not None
    assert theirs.handles[0][2] == clock.now - 600 + TTL


def test_the_runners_ledger_writes_into_its_own_conversation(store: Store, clock: Clock) -> None:
    identity, other = store.begin("vertex", "m", {}), store.begin("vertex", "m", {})
    book = Book(store, identity, 86_400.0)
    book.turn(0, "q", "a")
    book.keep(Resumption("h", 1))
    clock.now += 5
    book.expire()
    kept, untouched = store.archive().find(identity), store.archive().find(other)
    assert kept is not None
    assert untouched is not None
    assert (kept.turns, kept.handles) == ([Exchange("q", "a")], [("h", 1, clock.now + 86_400.0)])
    assert (untouched.turns, untouched.handles) == ([], [])


# ------------------------------------------------------------------------------------ kills, two at once

_WRITER = """
import os, signal, sys
from pathlib import Path
from livechat.events import Summary
from livechat.session.events import Resumption
from livechat.conversations.store import Store
store = Store(Path(sys.argv[1]), on_trouble=lambda notice: os._exit(9))
identity = store.begin("offline", "m", {})
store.turn(identity, 0, "my name is Ada", "Hello Ada")
store.keep(identity, Resumption("handle-of-the-killed", 1), 7200.0)
store.turn(identity, 1, "and I was born in", "")
sys.stdout.write(identity)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""

_MANY = """
import sys
from pathlib import Path
from livechat.events import Summary
from livechat.session.events import Resumption
from livechat.conversations.store import Store
store = Store(Path(sys.argv[1]), on_trouble=lambda notice: sys.exit(notice.message))
identity = store.begin("offline", "m", {})
for n in range(150):
    store.turn(identity, n, f"q{n}", "")
    store.keep(identity, Resumption(f"{sys.argv[2]}{n}", n), 7200.0)
store.close()
sys.stdout.write(identity)
"""


def test_a_process_that_is_killed_loses_nothing_it_had_written(path: Path, trouble: Trouble) -> None:
    done = subprocess.run([sys.executable, "-c", _WRITER, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = Store(path, on_trouble=trouble)
    kept = store.archive().find(None)
    store.close()
    assert kept is not None
    assert kept.id == done.stdout
    assert kept.turns == [Exchange("my name is Ada", "Hello Ada"), Exchange("and I was born in", "")]
    assert [handle for handle, _, _ in kept.handles] == ["handle-of-the-killed"]
    assert trouble.told == []


def test_two_processes_write_at_once_and_neither_loses_a_word(path: Path, store: Store, trouble: Trouble) -> None:
    others = [
        subprocess.Popen([sys.executable, "-c", _MANY, str(path), name], stdout=subprocess.PIPE, text=True)
        for name in "ab"
    ]
    mine = store.begin("offline", "m", {})
    for n in range(150):
        store.turn(mine, n, f"q{n}", "")
    theirs = [other.communicate()[0] for other in others]
    assert [other.returncode for other in others] == [0, 0]
    assert trouble.told == []
    for identity in (mine, *theirs):
        kept = store.archive().find(identity)
        assert kept is not None
        assert [turn.user for turn in kept.turns] == [f"q{n}" for n in range(150)]


# --------------------------------------------------------------------------------------------- the disk


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_nobody_else_may_read_the_database_or_its_side_files(path: Path, store: Store) -> None:
    store.begin("offline", "m", {})
    files = sorted(path.parent.glob("*sqlite3*"))
    assert {file.name.removeprefix(path.name) for file in files} == {"", "-wal", "-shm"}
    assert {mode(file) for file in files} == {0o600}
    assert mode(path.parent) == 0o700


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_database_that_others_could_read_is_closed_to_them(path: Path, trouble: Trouble) -> None:
    """Restored from a backup, say."""
    path.parent.mkdir()
    path.touch(mode=0o644)
    path.chmod(0o644)
    store = Store(path, on_trouble=trouble)
    store.begin("offline", "m", {})
    files = list(path.parent.glob("*sqlite3*"))
    assert {mode(file) for file in files} == {0o600}
    store.close()


def test_a_folder_that_cannot_be_made_is_one_line_with_a_remedy(tmp_path: Path, trouble: Trouble) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LivechatError) as caught:
        Store(tmp_path / "file" / "c.sqlite3", on_trouble=trouble)
    assert str(tmp_path / "file") in caught.value.message
    assert "LIVECHAT_STATE" in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_path_that_cannot_be_written_to_is_one_line_with_a_remedy(tmp_path: Path, trouble: Trouble) -> None:
    (tmp_path / "c.sqlite3").mkdir()
    with pytest.raises(LivechatError) as caught:
        Store(tmp_path / "c.sqlite3", on_trouble=trouble)
    assert "Is a directory" in caught.value.message
    assert "LIVECHAT_STATE" in caught.value.hint


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path, trouble: Trouble) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are the plans for the boat\n" * 100)
    with pytest.raises(LivechatError) as caught:
        Store(path, on_trouble=trouble)
    assert "not a database" in caught.value.message
    assert path.read_bytes() == b"these are the plans for the boat\n" * 100


def test_a_damaged_database_ends_reading_with_one_line_and_writing_with_one_warning(
    path: Path, trouble: Trouble
) -> None:
    store = Store(path, on_trouble=trouble)
    identity = store.begin("offline", "m", {})
    for n in range(200):
        store.turn(identity, n, "q" * 200, "a" * 200)
    store.close()
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = bytes(byte ^ 0xFF for byte in damaged[4096:])
    path.write_bytes(damaged)
    store = Store(path, on_trouble=trouble)
    with pytest.raises(UsageError) as caught:
        store.archive().find(identity)
    assert "cannot be read" in caught.value.message
    store.turn(identity, 0, "q", "a")
    store.turn(identity, 1, "q", "a")
    assert len(trouble.told) == 1
    assert not store.on_disk
    store.close()


def test_a_full_disk_costs_the_memory_and_is_said_once(
    path: Path, trouble: Trouble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def limited(*where: Any, **how: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*where, **how)
        db.execute("PRAGMA max_page_count = 1")  # SQLite takes the pages that there are
        return db

    Store(path, on_trouble=trouble).close()
    connect = sqlite3.connect
    monkeypatch.setattr("livechat.database.sqlite3.connect", limited)
    store = Store(path, on_trouble=trouble)
    identity = store.begin("offline", "m", {})
    for n in range(50):
        store.turn(identity, n, "q" * 2_000, "")
        keep(store, identity, f"h{n}")
        store.expire(identity, TTL)
    ((message, hint),) = trouble.told
    assert message.endswith("database or disk is full")
    assert "disk space" in hint
    assert not store.on_disk
    assert not store.complete
    assert store.begin("offline", "m", {})
    assert store.preferred("default", "input") is None
    assert "nothing more is kept: database or disk is full" in caplog.text
    assert "qqqq" not in caplog.text
    with pytest.raises(UsageError, match="cannot be read"):
        store.archive().find(identity)


def test_a_disk_that_becomes_read_only_is_said_once(
    path: Path, store: Store, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = store.begin("offline", "m", {})
    store.close()

    connect = sqlite3.connect
    monkeypatch.setattr(
        "livechat.database.sqlite3.connect", lambda where, **how: connect(f"file:{where}?mode=ro", uri=True, **how)
    )
    store = Store(path, on_trouble=trouble)
    store.turn(identity, 0, "q", "")
    store.turn(identity, 1, "q", "")
    ((message, hint),) = trouble.told
    assert "readonly" in message
    assert f"make {path} one that can be written to" in hint


def test_without_a_path_all_is_kept_as_long_as_it_runs(trouble: Trouble) -> None:
    store = Store(None, on_trouble=trouble)
    assert not store.on_disk
    identity = store.begin("offline", "m", {})
    store.turn(identity, 0, "q", "a")
    kept = store.archive().find(None)
    assert kept is not None
    assert kept.turns == [Exchange("q", "a")]
    assert not store.complete
    store.close()
    store.close()
    assert trouble.told == []


def test_opening_again_changes_nothing(path: Path, trouble: Trouble) -> None:
    for n in range(3):
        store = Store(path, on_trouble=trouble)
        store.begin("offline", f"m{n}", {})
        store.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM conversations").fetchone() == (3,)
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"conversations", "handles", "turns", "times", "runs", "costs", "devices"}


def test_the_clock_of_the_store_is_the_walls(store: Store) -> None:
    before = time.time()
    identity = store.begin("offline", "m", {})
    keep(store, identity, "h")
    kept = store.archive().find(identity)
    assert kept is not None
    assert before + TTL <= kept.handles[0][2] <= time.time() + TTL


def test_a_conversation_left_without_a_word_does_not_hide_the_one_before(store: Store, clock: Clock) -> None:
    talked = store.begin("offline", "m", {})
    store.turn(talked, 0, "hello", "hi")
    clock.now += 60
    silent = store.begin("offline", "m", {})
    assert (kept := store.archive().find(None)) is not None
    assert kept.id == talked
    store.turn(silent, 0, "hello", "hi")
    assert (kept := store.archive().find(None)) is not None
    assert kept.id == silent


# ---------------------------------------------------------------------------------------------- claiming


def test_a_conversation_that_begins_is_claimed_until_the_store_is_closed(
    store: Store, path: Path, trouble: Trouble
) -> None:
    identity = store.begin("offline", "m", {})
    other = Store(path, on_trouble=trouble)
    assert not other.claim(identity)
    assert other.claim("another")
    store.close()
    assert other.claim(identity)
    other.close()


def test_how_continuous_a_run_was_is_kept_as_it_goes_on(store: Store, path: Path) -> None:
    identity = store.begin("offline", "m", {})
    for links in (2, 3):
        summary = Summary(60.0, 4, links, 60_000, 59_000, 900, 20, 250.0, identity, "", 0)
        store.measure(identity, 1_700_000_000.0, summary)
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT ended - began, links, replayed_ms, dropped_ms, longest_gap_ms FROM runs").fetchall()
    assert rows == [(60.0, 3, 900.0, 20.0, 250.0)]


# --------------------------------------------------------------------------------------- other programs


@pytest.mark.parametrize("kind", ["EXCLUSIVE", "IMMEDIATE"])
def test_what_cannot_be_written_for_a_lock_is_written_later_in_order_and_said_once(
    kind: str, store: Store, path: Path, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("livechat.database.time.monotonic", lambda: now)
    identity = store.begin("offline", "m", {})
    store.turn(identity, 0, "before", "")
    with locking(path, kind):
        for n in range(1, 4):
            store.turn(identity, n, f"during {n}", "")
        keep(store, identity, "a", "b", "c")
        store.turn(identity, 3, "during 3", "answered")
        assert trouble.told == []  # it may be over in a moment
        for _ in range(3):
            now += 2.0
            store.catch_up()
        ((message, hint),) = trouble.told
        assert "another program has the kept conversations locked" in message
        assert "waits" in hint
        assert (store.on_disk, store.complete) == (True, False)
    store.catch_up()
    assert [message for message, _ in trouble.told[1:]] == ["the conversation is being kept again, all of it"]
    kept = store.archive().find(identity)
    assert kept is not None
    assert kept.turns == [
        Exchange("before", ""),
        Exchange("during 1", ""),
        Exchange("during 2", ""),
        Exchange("during 3", "answered"),
    ]
    assert [handle for handle, _, _ in kept.handles] == ["c", "b"]
    store.turn(identity, 4, "after", "")
    assert len(trouble.told) == 2
    assert store.complete


def test_a_lock_delays_no_sound(path: Path, trouble: Trouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first write waits for a few frames at most, and no other waits at all."""
    waited: list[int] = []

    class Recording(sqlite3.Connection):
        def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
            if sql.startswith("PRAGMA busy_timeout"):
                waited.append(int(sql.rsplit(maxsplit=1)[-1]))
            return super().execute(sql, *more)

    connect = sqlite3.connect
    monkeypatch.setattr("livechat.database.sqlite3.connect", lambda *a, **k: connect(*a, **k, factory=Recording))
    store = Store(path, on_trouble=trouble)
    identity = store.begin("offline", "m", {})
    with locking(path, "EXCLUSIVE"):
        waited.clear()
        for n in range(3):
            store.turn(identity, n, "q", "")
        delays = list(waited)
    store.close()
    assert delays[0] == 50
    assert set(delays[1:]) == {0}


@pytest.mark.parametrize("new", [True, False])
def test_a_conversation_that_begins_while_the_database_is_locked_is_kept(
    new: bool, path: Path, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livechat.conversations.store._OPENING_S", 0.05)
    path.parent.mkdir()
    if not new:
        Store(path, on_trouble=trouble).close()
    with locking(path, "EXCLUSIVE"), contextlib.closing(Store(path, on_trouble=trouble)) as store:
        identity = store.begin("offline", "m", {})
        store.turn(identity, 0, "q", "a")
        if new:  # else there is something that can be read meanwhile
            with pytest.raises(UsageError, match="database is locked") as caught:
                store.archive(patience_s=0.0).find(identity)
            assert "backup" in caught.value.hint
        assert store.preferred("default", "input") is None
        monkeypatch.setattr("livechat.conversations.store._LEAVING_S", 0.0)
        assert not store.settle(identity)
        assert "the end of this conversation is not kept" in trouble.told[-1][0]
        assert not store.complete
    with contextlib.closing(Store(path, on_trouble=trouble)) as store:
        identity = store.begin("offline", "m", {})
        assert store.settle(identity) is False  # nothing was said


@pytest.mark.parametrize("begun", ["turn", "handle", "nothing"])
@pytest.mark.parametrize("kind", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_lock_that_outlasts_the_conversation_leaves_what_was_kept_before_it(
    kind: str, begun: str, path: Path, trouble: Trouble, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livechat.conversations.store._LEAVING_S", 0.0)
    identity = store.begin("offline", "m", {})
    if begun == "turn":
        store.turn(identity, 0, "hello", "")
    elif begun == "handle":
        keep(store, identity, "h")
    with locking(path, kind):
        store.turn(identity, 1, "the last words", "")
        assert store.settle(identity) == (begun != "nothing")
        assert "the end of this conversation is not kept" in trouble.told[-1][0]


def test_a_lock_that_ends_while_leaving_costs_nothing(path: Path, trouble: Trouble) -> None:
    store = Store(path, on_trouble=trouble)
    identity = store.begin("offline", "m", {})
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    store.turn(identity, 0, "the last words", "")
    freed = threading.Timer(0.2, other.execute, ["ROLLBACK"])
    freed.start()
    assert store.settle(identity)
    freed.join()
    other.close()
    kept = store.archive().find(identity)
    assert kept is not None
    assert kept.turns == [Exchange("the last words", "")]
    store.close()


@pytest.mark.parametrize("killed", [False, True])
def test_a_file_system_without_shared_memory_keeps_all_the_same(killed: bool, path: Path, trouble: Trouble) -> None:
    """As on many network drives; here the index that WAL maps cannot be made. A kill left the file in WAL mode."""
    shared = path.with_name(f"{path.name}-shm")
    path.parent.mkdir()
    if killed:
        subprocess.run([sys.executable, "-c", _WRITER, str(path)], capture_output=True, check=False)
        shared.unlink()
    shared.mkdir()
    first, second = Store(path, on_trouble=trouble), Store(path, on_trouble=trouble)
    identities = [store.begin("offline", "m", {}) for store in (first, second)]
    for n in range(3):
        for store, identity in zip((first, second), identities, strict=True):
            store.turn(identity, n, f"q{n}", "a")
    for identity in identities:
        kept = second.archive().find(identity)
        assert kept is not None
        assert len(kept.turns) == 3
    assert (second.archive().find("handle-of-the-killed") is not None) == killed
    assert trouble.told == []
    first.close()
    second.close()
    assert not path.with_name(f"{path.name}-journal").exists()


@pytest.mark.parametrize("how", ["version", "column", "table"])
def test_a_database_of_a_newer_livechat_is_not_written_to_and_said_to_be_one(
    how: str, path: Path, trouble: Trouble
) -> None:
    Store(path, on_trouble=trouble).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        if how == "version":
            db.execute("PRAGMA user_version = 7")
        elif how == "column":
            db.execute("ALTER TABLE conversations ADD COLUMN mood TEXT NOT NULL DEFAULT ''")
        else:
            db.execute("ALTER TABLE conversations RENAME COLUMN seen TO last_seen")
        db.commit()
    if how == "version":
        with pytest.raises(LivechatError) as caught:
            Store(path, on_trouble=trouble)
        message, hint = caught.value.message, caught.value.hint
        assert "of a newer livechat" in message
    else:
        store = Store(path, on_trouble=trouble)
        store.begin("offline", "m", {})
        store.close()
        ((message, hint),) = trouble.told or [("", "update livechat")]
    assert "update livechat" in hint
    assert "disk space" not in hint


@pytest.mark.parametrize(
    ("content", "words"), [(b"not a database at all" * 99, "move"), (b"SQLite format 3\0" + b"\xff" * 4096, "move")]
)
def test_the_remedy_is_that_of_the_true_cause(content: bytes, words: str, path: Path, trouble: Trouble) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(LivechatError) as caught:
        Store(path, on_trouble=trouble)
    assert words in caught.value.hint
    assert str(path) in caught.value.hint
    assert "disk space" not in caught.value.hint


def test_a_conversation_without_a_word_is_not_left_behind(store: Store) -> None:
    silent, heard, held = (store.begin("offline", "m", {}) for _ in range(3))
    store.turn(heard, 0, "hello", "")
    keep(store, held, "h")
    store.measure(silent, 1_700_000_000.0, Summary(1.0, 0, 1, 0, 0, 0, 0, 0, silent, "", 0))
    assert [store.settle(identity) for identity in (silent, heard, held)] == [False, True, True]
    assert store.archive().find(silent) is None
    with contextlib.closing(Store(None, on_trouble=lambda *told: None)) as in_memory:
        assert in_memory.settle("aaa222") is False
