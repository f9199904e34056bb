"""What outlives a link: sessions, what they remember, and the handles that lead back to them.

Kept in SQLite, in RAM or in a file that another process can open after this one was killed. A handle is
bound to its model and to the memory of the moment it was given out, so that resuming an older one branches.
Handles come every second and are not stored: each names its memory and proves itself by a keyed hash.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .closes import CLOSES, closed
from .history import Turn
from .wire import Rejected

log = logging.getLogger(__name__)

SOUNDS_PER_SESSION = 3  # a client may not have had the newest handle yet when its link breaks
MEMORIES_PER_SESSION = 64  # older ones are forgotten, so that what is kept does not grow with the hours

_TABLES = """
CREATE TABLE IF NOT EXISTS secret (id INTEGER PRIMARY KEY, key BLOB);
CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, model TEXT, born REAL, seen REAL);
CREATE TABLE IF NOT EXISTS memories (id INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT, turns TEXT);
CREATE TABLE IF NOT EXISTS sounds (memory INTEGER PRIMARY KEY, session TEXT, pcm BLOB);
CREATE INDEX IF NOT EXISTS memories_session ON memories (session);
"""


class OtherModelError(Rejected):
    """The handle is another model's: the real server says so only after setupComplete."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session as one link begins with it. `born` by the memory's clock, in seconds.

    `sound`: of an utterance that was going on, s16le 16 kHz.
    """

    id: str
    turns: tuple[Turn, ...]
    born: float
    sound: bytes = b""


def fingerprint(handle: str) -> str:
    """What may be shown of a handle: eight hex digits of its hash."""
    return hashlib.sha256(handle.encode()).hexdigest()[:8]


class Memory:
    """All sessions, in RAM or, given `path`, in that file (mode 0600). Seconds: `ttl`, and what `clock` returns.

    A file that cannot be used costs persistence, not service: `warning` then says so.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float], ttl: float = 7200.0) -> None:
        self.warning = ""
        self.clock = clock
        self._ttl = ttl
        self._open: set[str] = set()  # of this process; a killed process leaves nothing behind here
        self._last: dict[str, tuple[tuple[Turn, ...], bytes, int]] = {}  # per open session: its newest memory
        self._db, self._key = self._ram() if path is None else self._file(path)

    def begin(self, model: str) -> Session:
        """A new session of `model`, with a link open on it."""
        self._purge()
        session = Session(str(uuid.uuid4()), (), self.clock())
        self._write("INSERT INTO sessions VALUES (?, ?, ?, ?)", session.id, model, session.born, session.born)
        self._open.add(session.id)
        return session

    def resume(self, handle: str, model: str) -> Session:
        """The session `handle` leads to, as it was then, with a link open on it.

        Raises Rejected: 1008 unknown or expired, 1011 while its old link is open; OtherModelError.
        """
        self._purge()
        memory = self._named_by(handle)
        row = self._db.execute(
            "SELECT s.id, s.model, s.born, m.turns, (SELECT pcm FROM sounds WHERE memory = m.id) "
            "FROM memories m JOIN sessions s ON s.id = m.session WHERE m.id = ?",
            (memory,),
        ).fetchone()
        if row is None:
            raise closed("no-session")
        session, owner, born, turns, sound = row
        if owner != model:
            raise OtherModelError(*CLOSES["internal-occurred"])
        if session in self._open:
            raise closed("internal")
        kept = tuple(Turn(*turn) for turn in json.loads(turns))
        self._open.add(session)
        sound = sound or b""
        self._last[session] = (kept, sound, memory)
        return Session(session, kept, born, sound)

    def issue(self, session: str, turns: Sequence[Turn], sound: bytes = b"") -> str:
        """A new handle that leads back to `session` with `turns`, and to the utterance going on.

        Of a session only the newest handles lead to such a `sound`: it is large, and old in a second.
        """
        kept = tuple(turns)
        *last, memory = self._last.get(session, ((), b"", 0))
        if not memory or last != [kept, sound]:
            rows = json.dumps([(turn.role, turn.text, turn.seconds, turn.cut) for turn in kept])
            memory = self._write("INSERT INTO memories (session, turns) VALUES (?, ?)", session, rows)
            self._last[session] = (kept, sound, memory)
            old = "SELECT id FROM memories WHERE session = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
            self._write(f"DELETE FROM memories WHERE id IN ({old})", session, MEMORIES_PER_SESSION)  # noqa: S608
            if sound:
                self._write("INSERT INTO sounds VALUES (?, ?, ?)", memory, session, sound)
                old = "SELECT memory FROM sounds WHERE session = ? ORDER BY memory DESC LIMIT -1 OFFSET ?"
                self._write(f"DELETE FROM sounds WHERE memory IN ({old})", session, SOUNDS_PER_SESSION)  # noqa: S608
        self._seen(session)
        named = memory.to_bytes(5) + os.urandom(3)
        return str(uuid.UUID(bytes=named + self._proof(named)))

    def end(self, session: str) -> None:
        """The link on `session` is gone: its handles now live for the time to live."""
        self._open.discard(session)
        self._last.pop(session, None)
        self._seen(session)

    def expire(self, session: str) -> None:
        """No handle given out for `session` so far leads anywhere any more."""
        self._last.pop(session, None)
        self._write("DELETE FROM memories WHERE session = ?", session)

    def forget(self, handle: str) -> None:
        """Erase the session `handle` leads to, and those whose time is over. `close` overwrites them."""
        self._db.execute("PRAGMA secure_delete = ON")
        row = self._db.execute("SELECT session FROM memories WHERE id = ?", (self._named_by(handle),)).fetchone()
        if row is not None:
            self._erase(*row)
        self._purge()

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def _named_by(self, handle: str) -> int:
        """The memory that `handle` names; 0, which no memory has, when it is not one of ours."""
        try:
            parts = uuid.UUID(handle).bytes
        except ValueError:
            return 0
        named, proof = parts[:8], parts[8:]
        return int.from_bytes(named[:5]) if hmac.compare_digest(proof, self._proof(named)) else 0

    def _proof(self, named: bytes) -> bytes:
        return hashlib.blake2b(named, digest_size=8, key=self._key).digest()

    def _seen(self, session: str) -> None:
        self._write("UPDATE sessions SET seen = ? WHERE id = ?", self.clock(), session)

    def _purge(self) -> None:
        """Forget the sessions whose time to live is over."""
        before = self.clock() - self._ttl
        for (session,) in self._db.execute("SELECT id FROM sessions WHERE seen < ?", (before,)).fetchall():
            if session not in self._open:
                self._erase(session)

    def _erase(self, session: str) -> None:
        self._write("DELETE FROM memories WHERE session = ?", session)
        self._write("DELETE FROM sounds WHERE session = ?", session)
        self._write("DELETE FROM sessions WHERE id = ?", session)

    def _write(self, sql: str, *parameters: str | float | bytes) -> int:
        """Execute `sql`; returns the id of the row inserted. A file that fails is left for RAM."""
        try:
            with self._db:
                return self._db.execute(sql, parameters).lastrowid or 0
        except sqlite3.Error as error:
            self._warn(error)
        file, self._db = self._db, sqlite3.connect(":memory:")
        file.backup(self._db)
        file.close()
        with self._db:
            return self._db.execute(sql, parameters).lastrowid or 0

    def _file(self, path: Path) -> tuple[sqlite3.Connection, bytes]:
        db = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            db = sqlite3.connect(path, timeout=0.5)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")  # survives a killed process; a power cut may cost seconds
            return db, self._prepared(db)
        except (OSError, sqlite3.Error) as error:
            if db:
                db.close()
            self._warn(error)
            return self._ram()

    def _ram(self) -> tuple[sqlite3.Connection, bytes]:
        db = sqlite3.connect(":memory:")
        return db, self._prepared(db)

    def _prepared(self, db: sqlite3.Connection) -> bytes:
        """Make the tables of `db` unless they are there. Returns the key that its handles are proved with."""
        db.executescript(_TABLES)
        with db:
            db.execute("INSERT OR IGNORE INTO secret VALUES (1, ?)", (os.urandom(32),))
        return bytes(db.execute("SELECT key FROM secret").fetchone()[0])

    def _warn(self, error: Exception) -> None:
        self.warning = f"the offline session cannot be kept on disk ({error}); it lasts as long as this run"
        log.warning("%s", self.warning)
