"""Conversations on disk, as they happen: SQLite, so that a process killed at any moment loses nothing said.

A database nobody else may read (mode 0600): it holds speech as text, and handles, which are as good as
passwords for as long as they last. A disk that cannot be written to costs the memory, never the call.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livechat.errors import LivechatError, UsageError, reason
from livechat.events import Resumption, Summary
from livechat.session.seeding import Exchange

if TYPE_CHECKING:
    from filelock import BaseFileLock

_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, started REAL NOT NULL, seen REAL NOT NULL,
    backend TEXT NOT NULL, model TEXT NOT NULL, options TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS handles (
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    handle TEXT NOT NULL, covers INTEGER NOT NULL, issued REAL NOT NULL, expires REAL NOT NULL,
    PRIMARY KEY (conversation, handle)
);
CREATE TABLE IF NOT EXISTS turns (
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    number INTEGER NOT NULL, user TEXT NOT NULL, model TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (conversation, number)
);
CREATE TABLE IF NOT EXISTS times (
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    number INTEGER NOT NULL, began REAL NOT NULL, answered REAL, PRIMARY KEY (conversation, number)
);
CREATE TABLE IF NOT EXISTS runs (
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    began REAL NOT NULL, ended REAL NOT NULL, links INTEGER NOT NULL, captured_ms REAL NOT NULL,
    sent_ms REAL NOT NULL, replayed_ms REAL NOT NULL, dropped_ms REAL NOT NULL, longest_gap_ms REAL NOT NULL,
    PRIMARY KEY (conversation, began)
);
CREATE TABLE IF NOT EXISTS devices (
    profile TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (profile, kind)
);
"""
# `times` came later than `turns`. It is no column there: an older livechat that is running inserts whole rows.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no 0 o 1 l i: an id is read aloud and typed
ID_LENGTH = 6
_FULL = "free some disk space: this conversation goes on, but cannot be resumed from what is not written"


@dataclass(frozen=True, slots=True)
class Kept:
    """A conversation as the store has it.

    `options`: what it was made with, as `settings.resolve` takes it. `handles`: newest first, at most two,
    each with the number of turns it covers and its expiry in seconds since the epoch.
    """

    id: str
    backend: str
    model: str
    options: dict[str, Any]
    turns: list[Exchange]
    handles: list[tuple[str, int, float]]


def state_folder(environ: Mapping[str, str]) -> Path:
    """The folder of everything livechat keeps: LIVECHAT_STATE, or the platform's for application state."""
    from platformdirs import user_state_path

    chosen = environ.get("LIVECHAT_STATE")
    return Path(chosen) if chosen else user_state_path("livechat", appauthor=False)


class Store:
    """The conversations of one person. Raises nothing after it was opened: `on_trouble` is told, once."""

    def __init__(self, path: Path | None, *, on_trouble: Callable[[str, str], None]) -> None:
        """`path` may lie in a folder that does not exist yet; None keeps everything in memory alone.

        Raises LivechatError if the path cannot be used.
        """
        self._on_trouble = on_trouble
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._lock: BaseFileLock | None = None
        self.on_disk = path is not None  # and so there for a later run
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite's side files get the same mode
                with suppress(OSError):  # a file system without modes
                    path.chmod(0o600)  # it may come from a backup
            # Autocommit: each statement is on disk before the next word is spoken.
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=2.0)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.executescript(_SCHEMA)
        except (OSError, ValueError, sqlite3.Error) as e:
            self.close()
            why = str(e) if isinstance(e, sqlite3.Error) else reason(e)
            raise LivechatError(
                f"conversations cannot be kept in {path.parent if path else 'memory'}: {why}",
                "set LIVECHAT_STATE to a folder that can be written to; until then none can be resumed later",
            ) from None

    def close(self) -> None:
        """Write the side files back, and let others have the conversation. Safe to call twice."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        if self._db is not None:
            self._db.close()
            self._db = None

    def claim(self, conversation: str) -> None:
        """Keep other processes off this conversation. Raises UsageError if one has it."""
        if self._path is None:
            return
        from filelock import FileLock, Timeout

        folder = self._path.parent / "locks"
        lock = FileLock(folder / conversation, mode=0o600)
        try:
            folder.mkdir(exist_ok=True, mode=0o700)
            lock.acquire(blocking=False)
        except Timeout:
            raise UsageError(
                f"conversation {conversation} is going on in another livechat",
                "leave it there first, or begin another with `livechat talk`",
            ) from None
        except (OSError, NotImplementedError):
            return  # a file system without locks: nobody can be kept off
        if self._lock is not None:
            self._lock.release()
        self._lock = lock

    def begin(self, backend: str, model: str, options: dict[str, Any]) -> str:
        """A new conversation, claimed for this process. Returns its id."""
        now = time.time()
        identity = "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))
        values = (identity, now, now, backend, model, json.dumps(options))
        self._write("INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?)", *values)
        self.claim(identity)
        return identity

    def find(self, wanted: str | None) -> Kept | None:
        """The conversation that `identify` finds. None if there is none; raises UsageError as it does."""
        identity = self.identify(wanted)
        rows = self._read("SELECT backend, model, options FROM conversations WHERE id = ?", identity)
        if identity is None or not rows:
            return None
        backend, model, options = rows[0]
        turns = self._read("SELECT user, model FROM turns WHERE conversation = ? ORDER BY number", identity)
        handles = self._read(
            "SELECT handle, covers, expires FROM handles WHERE conversation = ? ORDER BY rowid DESC LIMIT 2",
            identity,
        )
        said = [Exchange(*turn) for turn in turns]
        return Kept(identity, backend, model, json.loads(options), said, [(h, c, e) for h, c, e in handles])

    def identify(self, wanted: str | None) -> str | None:
        """The id of the conversation with this id, this handle, or the one id that begins so; None if there is none.

        For None the newest, first of those with a word said.

        Raises UsageError if the database cannot be read, or if several ids begin so.
        """
        if wanted is None:
            rows = self._read(
                "SELECT id FROM conversations"
                " ORDER BY id IN (SELECT conversation FROM turns) DESC, seen DESC, rowid DESC LIMIT 1"
            )
        else:
            rows = self._read(
                "SELECT id FROM conversations WHERE id = ?"
                " OR id IN (SELECT conversation FROM handles WHERE handle = ?)",
                wanted,
                wanted,
            ) or self._read("SELECT id FROM conversations WHERE instr(id, nullif(?, '')) = 1 ORDER BY id", wanted)
        if len(rows) > 1:
            several = ", ".join(identity for (identity,) in rows)
            raise UsageError(f"several conversations begin with {wanted}", f"give more of one: {several}")
        return str(rows[0][0]) if rows else None

    def turn(self, conversation: str, number: int, user: str, model: str) -> None:
        """Exchange `number` (from 0) as far as it has come."""
        now = time.time()
        self._write(
            "INSERT INTO turns VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET user = excluded.user, model = excluded.model, at = excluded.at",
            conversation,
            number,
            user,
            model,
            now,
        )
        self._write(
            "INSERT INTO times VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET answered = coalesce(answered, excluded.answered)",
            conversation,
            number,
            now,
            now if model else None,
        )
        self._seen(conversation, now)

    def keep(self, conversation: str, resumption: Resumption, ttl_s: float) -> None:
        """The newest handle; all but the one before it are forgotten. Newest by arrival (rowid), not by a clock.

        Its validity counts from the end of its link, which a killed process cannot write down: until
        `expire` does, it is counted from the handle's arrival, which is never too long.
        """
        now = time.time()
        self._write(
            "INSERT OR REPLACE INTO handles VALUES (?, ?, ?, ?, ?)",
            conversation,
            resumption.handle,
            resumption.covers,
            now,
            now + ttl_s,
        )
        self._write(
            "DELETE FROM handles WHERE conversation = ? AND handle NOT IN"
            " (SELECT handle FROM handles WHERE conversation = ? ORDER BY rowid DESC LIMIT 2)",
            conversation,
            conversation,
        )
        self._seen(conversation, now)

    def _seen(self, conversation: str, now: float) -> None:
        self._write("UPDATE conversations SET seen = ? WHERE id = ?", now, conversation)

    def measure(self, conversation: str, began: float, summary: Summary) -> None:
        """How continuous a run of the conversation, begun at `began` (epoch seconds), has been so far."""
        self._write(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            conversation,
            began,
            began + summary.duration_s,
            summary.links,
            summary.captured_ms,
            summary.sent_ms,
            summary.replayed_ms,
            summary.dropped_ms,
            summary.longest_gap_ms,
        )

    def expire(self, conversation: str, ttl_s: float) -> None:
        """The link of this conversation's handles has just ended."""
        self._write("UPDATE handles SET expires = ? WHERE conversation = ?", time.time() + ttl_s, conversation)

    def prefer(self, profile: str, kind: str, name: str | None) -> None:
        """The device to use from now on in this direction, "input" or "output"; None for the system's default."""
        self._write("DELETE FROM devices WHERE profile = ? AND kind = ?", profile, kind)
        if name is not None:
            self._write("INSERT INTO devices VALUES (?, ?, ?)", profile, kind, name)

    def preferred(self, profile: str, kind: str) -> str | None:
        """The name of the device preferred in this direction; None for the system's default."""
        rows = self._read("SELECT name FROM devices WHERE profile = ? AND kind = ?", profile, kind)
        return str(rows[0][0]) if rows else None

    def _write(self, sql: str, *values: object) -> None:
        if self._db is None:
            return
        try:
            self._db.execute(sql, values)
        except sqlite3.Error as e:
            self.close()
            self.on_disk = False
            self._on_trouble(f"this conversation is no longer being kept: {e}", _FULL)

    def _read(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        if self._db is None:
            return []
        try:
            with closing(self._db.execute(sql, values)) as cursor:
                return cursor.fetchall()
        except sqlite3.Error as e:
            raise UsageError(
                f"the kept conversations cannot be read: {e}", "set LIVECHAT_STATE to another folder"
            ) from None


class Book:
    """The runner's ledger: one conversation of a store."""

    def __init__(self, store: Store, conversation: str, ttl_s: float) -> None:
        self._store, self._conversation, self._ttl = store, conversation, ttl_s

    def turn(self, number: int, user: str, model: str) -> None:
        """Exchange `number` (from 0) as far as it has come."""
        self._store.turn(self._conversation, number, user, model)

    def keep(self, resumption: Resumption) -> None:
        """The newest handle."""
        self._store.keep(self._conversation, resumption, self._ttl)

    def expire(self) -> None:
        """The link of the newest handle ended."""
        self._store.expire(self._conversation, self._ttl)
