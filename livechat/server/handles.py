"""What outlives a link: sessions, what they remember, and the handles that lead back to them.

Kept in SQLite, in RAM or in a file that another process can open after this one was killed. A handle is
bound to its model and to the memory of the moment it was given out, so that resuming an older one branches.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .history import Turn
from .wire import Rejected

log = logging.getLogger(__name__)

# Handles come every second: what is kept per session is bounded, or memory would grow with the hours.
HANDLES_PER_MEMORY = 8
MEMORIES_PER_SESSION = 64

_TABLES = """
CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, model TEXT, born REAL, seen REAL);
CREATE TABLE IF NOT EXISTS memories (id INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT, turns TEXT);
CREATE TABLE IF NOT EXISTS handles (id INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT UNIQUE, memory INTEGER);
CREATE INDEX IF NOT EXISTS memories_session ON memories (session);
CREATE INDEX IF NOT EXISTS handles_memory ON handles (memory);
"""


class OtherModelError(Rejected):
    """The handle is another model's: the real server says so only after setupComplete."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session as one link begins with it. `born` by the memory's clock, in seconds."""

    id: str
    turns: tuple[Turn, ...]
    born: float


def fingerprint(handle: str) -> str:
    """What may be shown and stored of a handle: eight hex digits of its hash."""
    return _hash(handle)[:8]


def _hash(handle: str) -> str:
    return hashlib.sha256(handle.encode(errors="surrogatepass")).hexdigest()


class Memory:
    """All sessions, in RAM or, given `path`, in that file (mode 0600). Seconds: `ttl`, and what `clock` returns.

    A file that cannot be used costs persistence, not service: `warning` then says so.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float], ttl: float = 7200.0) -> None:
        self.warning = ""
        self.clock = clock
        self._ttl = ttl
        self._open: set[str] = set()  # of this process; a killed process leaves nothing behind here
        self._last: dict[str, tuple[tuple[Turn, ...], int]] = {}  # per open session: its newest memory
        self._db = self._ram() if path is None else self._file(path)

    def begin(self, model: str) -> Session:
        """A new session of `model`, with a link open on it."""
        self._purge()
        session = Session(str(uuid.uuid4()), (), self.clock())
        self._write(("INSERT INTO sessions VALUES (?, ?, ?, ?)", (session.id, model, session.born, session.born)))
        self._open.add(session.id)
        return session

    def resume(self, handle: str, model: str) -> Session:
        """The session `handle` leads to, as it was then, with a link open on it.

        Raises Rejected: 1008 unknown or expired, 1011 while its old link is open; OtherModelError.
        """
        self._purge()
        row = self._db.execute(
            "SELECT s.id, s.model, s.born, m.turns, m.id FROM handles h JOIN memories m ON m.id = h.memory "
            "JOIN sessions s ON s.id = m.session WHERE h.hash = ?",
            (_hash(handle),),
        ).fetchone()
        if row is None:
            raise Rejected(1008, "BidiGenerateContent session not found")
        session, owner, born, turns, memory = row
        if owner != model:
            raise OtherModelError(1011, "Internal error occurred.")
        if session in self._open:
            raise Rejected(1011, "Internal error encountered.")
        kept = tuple(Turn(*turn) for turn in json.loads(turns))
        self._open.add(session)
        self._last[session] = (kept, memory)
        return Session(session, kept, born)

    def issue(self, session: str, turns: Sequence[Turn]) -> str:
        """A new handle that leads back to `session` with `turns`."""
        handle, kept = str(uuid.uuid4()), tuple(turns)
        last, memory = self._last.get(session, ((), 0))
        if not memory or last != kept:
            rows = json.dumps([(turn.role, turn.text, turn.seconds, turn.cut) for turn in kept])
            memory = self._write(("INSERT INTO memories (session, turns) VALUES (?, ?)", (session, rows)))
            self._last[session] = (kept, memory)
            old = "SELECT id FROM memories WHERE session = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
            self._forget(old, session, MEMORIES_PER_SESSION)
        self._write(
            ("INSERT INTO handles (hash, memory) VALUES (?, ?)", (_hash(handle), memory)),
            (
                "DELETE FROM handles WHERE id IN "
                "(SELECT id FROM handles WHERE memory = ? ORDER BY id DESC LIMIT -1 OFFSET ?)",
                (memory, HANDLES_PER_MEMORY),
            ),
            ("UPDATE sessions SET seen = ? WHERE id = ?", (self.clock(), session)),
        )
        return handle

    def end(self, session: str) -> None:
        """The link on `session` is gone: its handles now live for the time to live."""
        self._open.discard(session)
        self._last.pop(session, None)
        self._write(("UPDATE sessions SET seen = ? WHERE id = ?", (self.clock(), session)))

    def expire(self, session: str) -> None:
        """No handle given out for `session` so far leads anywhere any more."""
        self._last.pop(session, None)
        self._forget("SELECT id FROM memories WHERE session = ?", session)

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def _purge(self) -> None:
        """Forget the sessions whose time to live is over."""
        before = self.clock() - self._ttl
        for (session,) in self._db.execute("SELECT id FROM sessions WHERE seen < ?", (before,)).fetchall():
            if session not in self._open:
                self._forget("SELECT id FROM memories WHERE session = ?", session)
                self._write(("DELETE FROM sessions WHERE id = ?", (session,)))

    def _forget(self, memories: str, *parameters: str | int) -> None:
        """Delete the memories that the query `memories` selects, and their handles."""
        gone = self._db.execute(memories, parameters).fetchall()
        for row in gone:
            self._write(("DELETE FROM handles WHERE memory = ?", row), ("DELETE FROM memories WHERE id = ?", row))

    def _write(self, *statements: tuple[str, tuple[str | int | float, ...]]) -> int:
        """Execute `statements` as one; returns the id of the last row inserted."""
        try:
            with self._db:
                for sql, parameters in statements:
                    row = self._db.execute(sql, parameters).lastrowid
        except sqlite3.Error as error:
            self._warn(error)
            return 0
        return row or 0

    def _file(self, path: Path) -> sqlite3.Connection:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            db = sqlite3.connect(path, timeout=0.5)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")  # survives a killed process; a power cut may cost seconds
            db.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            self._warn(error)
            return self._ram()
        return db

    def _ram(self) -> sqlite3.Connection:
        db = sqlite3.connect(":memory:")
        db.executescript(_TABLES)
        return db

    def _warn(self, error: Exception) -> None:
        self.warning = f"the offline session cannot be kept on disk ({error}); it lasts as long as this run"
        log.warning("%s", self.warning)
