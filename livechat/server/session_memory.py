"""What outlives a link: sessions, what they remember, and the handles that lead back to them.

Kept in SQLite, in RAM and, if wanted, in a file that another process can open after this one was killed. It is read
from RAM alone, so that a program which has locked the file delays nothing; what it keeps from being written waits.
A handle is bound to its model and to the memory of the moment it was given out: resuming an older one branches.
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

from livechat.database import Database, decoded
from livechat.server.close_reasons import CLOSES, closed
from livechat.server.history import Turn
from livechat.server.wire import Rejected

log = logging.getLogger(__name__)

SOUNDS_PER_SESSION = 3  # a client may not have had the newest handle yet when its link breaks
_OPENING_S = 0.5  # how long to wait for another program to let go of the file, before it is done without
_WRITING_S = 0.05  # and while links are open
_LEAVING_S = 0.5  # and at the end
FORGETTING_S = 5.0  # and where a person waits for what is to be forgotten
MEMORIES_PER_SESSION = 64  # older ones are forgotten, so that what is kept does not grow with the hours

_TABLES = """
CREATE TABLE IF NOT EXISTS secret (id INTEGER PRIMARY KEY, key BLOB);
CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, model TEXT, born REAL, seen REAL);
CREATE TABLE IF NOT EXISTS memories (id INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT, turns TEXT);
CREATE TABLE IF NOT EXISTS sounds (memory INTEGER PRIMARY KEY, session TEXT, pcm BLOB);
CREATE INDEX IF NOT EXISTS memories_session ON memories (session);
INSERT OR IGNORE INTO secret VALUES (1, randomblob(32));
"""
_KINDS = {"role": (str,), "text": (str,), "seconds": (float, int), "cut": (bool,)}  # of a turn as it is written


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
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.text_factory = decoded
        self._file: Database | None = None
        if path is not None:
            self._load(path)
        self._db.executescript(_TABLES)
        (key,) = self._db.execute("SELECT key FROM secret").fetchone()
        self._key = key[:64] if isinstance(key, bytes) else os.urandom(32)

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
        kept = _turns(turns)
        if kept is None or not isinstance(born, float):
            raise closed("no-session")
        if owner != model:
            raise OtherModelError(*CLOSES["internal-occurred"])
        if session in self._open:
            raise closed("internal")
        self._open.add(session)
        sound = sound if isinstance(sound, bytes) else b""
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
            memory = self._next()
            self._write("INSERT OR REPLACE INTO memories VALUES (?, ?, ?)", memory, session, rows)
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
        self._write("PRAGMA secure_delete = ON")
        row = self._db.execute("SELECT session FROM memories WHERE id = ?", (self._named_by(handle),)).fetchone()
        if row is not None:
            self._erase(*row)
        self._purge()
        if self._file is not None and not self._file.catch_up(FORGETTING_S):
            self._warn("another program has it locked")

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            self._file.close(_LEAVING_S)
            self._file = None
        self._db.close()

    def _next(self) -> int:
        """The name of a new memory: higher than any before, and not what another process gives out meanwhile."""
        newest = self._db.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()[0] or 0
        return ((newest >> 16) + 1 << 16) + int.from_bytes(os.urandom(2))

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

    def _write(self, sql: str, *parameters: str | float | bytes) -> None:
        """Execute `sql`, here and in the file. A file that fails is done without."""
        self._db.execute(sql, parameters)
        if self._file is None:
            return
        try:
            self._file.write((sql, *parameters), patience_s=0.0 if self._file.behind_s else _WRITING_S)
        except sqlite3.Error as error:
            self._warn(error)
            self._file.close()
            self._file = None

    def _load(self, path: Path) -> None:
        """Take what the file has."""
        try:
            self._file = Database(path, _TABLES, patience_s=_OPENING_S)
            self._file.read("SELECT 1", patience_s=_OPENING_S)
            self._file.copy(self._db)
        except (OSError, sqlite3.Error) as error:
            self._warn(error)
            if self._file is not None:
                self._file.close()
                self._file = None

    def _warn(self, error: Exception | str) -> None:
        self.warning = f"the offline session cannot be kept on disk ({error}); it lasts as long as this run"
        log.warning("%s", self.warning)


def _turns(written: object) -> tuple[Turn, ...] | None:
    """What a memory holds; None where that cannot be read."""
    try:
        turns = tuple(Turn(*turn) for turn in json.loads(written)) if isinstance(written, str) else None
    except (ValueError, TypeError, RecursionError):
        return None
    if turns is None or any(type(getattr(t, name)) not in kinds for t in turns for name, kinds in _KINDS.items()):
        return None
    return turns
