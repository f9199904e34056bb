"""What outlives a link: sessions, what they remember, and the handles that resume them.

All of it is in an SQLite database in RAM, and if wanted in a file too, which another process can open after this one
was killed. Only RAM is read. So a program that has locked the file delays nothing; what cannot be written waits.

A handle belongs to a model, and to what the session remembered when the handle was issued. A client that resumes an
older handle goes on from there. Handles come every second and are not stored: each holds the number of its memory,
and a keyed hash that proves it.
"""

import base64
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
from livechat.server.close_reasons import CLOSES, Rejected, closed
from livechat.server.deadlines import SessionAge
from livechat.server.history import HistoryTurn

log = logging.getLogger(__name__)

SOUNDS_PER_SESSION = 3  # more than one: when a link breaks, the client may not have the newest handle yet
# How long to wait for a program that has locked the file.
_OPENING_S = 0.5  # then the file is not used
_WRITING_S = 0.05  # then what is to be written waits
_LEAVING_S = 0.5
FORGETTING_S = 5.0  # a person wants it to be gone
MEMORIES_PER_SESSION = 64  # older ones are deleted, so that the database does not grow with the hours
LETTERS_PER_SESSION = 4_000_000  # of all its memories, but for the two newest

_OLD, _OLD_LENGTH = b"\x0a\x28", 56  # how a handle of a 2.x model begins, and how many characters it has

_TABLES = """
CREATE TABLE IF NOT EXISTS secret (id INTEGER PRIMARY KEY, key BLOB);
CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, model TEXT, born REAL, seen REAL);
CREATE TABLE IF NOT EXISTS memories (id INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT, turns TEXT);
CREATE TABLE IF NOT EXISTS sounds (memory INTEGER PRIMARY KEY, session TEXT, pcm BLOB);
CREATE INDEX IF NOT EXISTS memories_session ON memories (session);
INSERT OR IGNORE INTO secret VALUES (1, randomblob(32));
"""
# The types in a written turn.
_KINDS = {"role": (str,), "text": (str,), "seconds": (float, int), "cut": (bool,), "frames": (int,)}


class OtherModelError(Rejected):
    """The handle is another model's. The real server refuses it after setupComplete (docs/wire.md 2.5)."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as a link begins with it. `born`: seconds on the memory's clock.

    `sound`: of the utterance that was under way, s16le mono at 16 kHz.
    """

    id: str
    turns: tuple[HistoryTurn, ...]
    born: float
    sound: bytes = b""


def fingerprint(handle: str) -> str:
    """What a log may show of a handle: eight hex digits of its SHA-256, the same as in the client's `--json`."""
    return hashlib.sha256(handle.encode()).hexdigest()[:8]


class SessionMemory:
    """All sessions, in RAM and, if there is a `path`, in that file (mode 0600).

    A session is forgotten `ttl` seconds after its last link; `clock` returns seconds. If the file cannot be used,
    `warning` says so, and the sessions are in RAM only.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float], ttl: float = 7200.0) -> None:
        self.warning = ""
        self.clock = clock
        self._ttl = ttl
        self._open: set[str] = set()  # sessions with a link; not in the file, since a killed process cannot clear it
        # How old each session is by its links. A session that another process goes on with is young again.
        self._ages: dict[str, SessionAge] = {}
        self._last: dict[str, tuple[tuple[HistoryTurn, ...], bytes, int]] = {}  # each open session's newest memory
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.text_factory = decoded
        self._file: Database | None = None
        if path is not None:
            self._load(path)
        self._db.executescript(_TABLES)
        (key,) = self._db.execute("SELECT key FROM secret").fetchone()
        self._key = key[:64] if isinstance(key, bytes) else os.urandom(32)

    def begin(self, model: str) -> StoredSession:
        """A new session of `model`, with a link open on it."""
        self._purge()
        session = StoredSession(str(uuid.uuid4()), (), self.clock())
        self._write("INSERT INTO sessions VALUES (?, ?, ?, ?)", session.id, model, session.born, session.born)
        self._open.add(session.id)
        return session

    def resume(self, handle: str, model: str) -> StoredSession:
        """The session of `handle`, as it was when the handle was issued, with a link open on it.

        Raises Rejected if the handle is unknown or expired (1008) or the old link is still open (1011), and
        OtherModelError.
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
        return StoredSession(session, kept, born, sound)

    def issue(self, session: str, turns: Sequence[HistoryTurn], sound: bytes = b"", *, old: bool = False) -> str:
        """A new handle for `session` with `turns`, and with the `sound` of the utterance under way.

        `old`: in the form of the 2.x models, base64 of a protobuf with an id of 40 characters (docs/wire.md 2.3).
        Only a session's newest handles keep such a sound: it is large, and out of date within a second.
        """
        kept = tuple(turns)
        *last, memory = self._last.get(session, ((), b"", 0))
        if not memory or last != [kept, sound]:
            rows = json.dumps([(turn.role, turn.text, turn.seconds, turn.cut, turn.frames) for turn in kept])
            memory = self._next()
            self._write("INSERT OR REPLACE INTO memories VALUES (?, ?, ?)", memory, session, rows)
            self._last[session] = (kept, sound, memory)
            rest = "SELECT id FROM memories WHERE session = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
            keep = max(2, min(MEMORIES_PER_SESSION, LETTERS_PER_SESSION // len(rows)))
            self._write(f"DELETE FROM memories WHERE id IN ({rest})", session, keep)  # noqa: S608
            if sound:
                self._write("INSERT INTO sounds VALUES (?, ?, ?)", memory, session, sound)
                rest = "SELECT memory FROM sounds WHERE session = ? ORDER BY memory DESC LIMIT -1 OFFSET ?"
                self._write(f"DELETE FROM sounds WHERE memory IN ({rest})", session, SOUNDS_PER_SESSION)  # noqa: S608
        self._seen(session)
        named = memory.to_bytes(5) + os.urandom(3)
        handle = uuid.UUID(bytes=named + self._proof(named))
        return (
            base64.b64encode(_OLD + handle.hex.encode() + os.urandom(4).hex().encode()).decode()
            if old
            else str(handle)
        )

    def age(self, session: str) -> SessionAge:
        """How long the links of `session` were open. Its link counts on in it."""
        return self._ages.setdefault(session, SessionAge())

    def end(self, session: str) -> None:
        """The link on `session` has ended. From now on its handles live for `ttl`."""
        self._open.discard(session)
        self._last.pop(session, None)
        self._seen(session)

    def expire(self, session: str) -> None:
        """Make all handles that were issued for `session` invalid."""
        self._last.pop(session, None)
        self._write("DELETE FROM memories WHERE session = ?", session)

    def forget(self, handle: str) -> None:
        """Erase the session of `handle`, and those that have expired. `close` overwrites them in the file."""
        self._write("PRAGMA secure_delete = ON")
        row = self._db.execute("SELECT session FROM memories WHERE id = ?", (self._named_by(handle),)).fetchone()
        if row is not None:
            self._erase(*row)
        self._purge()
        if self._file is not None and not self._file.catch_up(FORGETTING_S):
            self._warn("another program has it locked")

    def close(self) -> None:
        """Close the file, when what waits is written."""
        if self._file is not None:
            self._file.close(_LEAVING_S)
            self._file = None
        self._db.close()

    def _next(self) -> int:
        """The number of a new memory. It is higher than all before, and another process will not choose the same."""
        newest = self._db.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()[0] or 0
        return ((newest >> 16) + 1 << 16) + int.from_bytes(os.urandom(2))

    def _named_by(self, handle: str) -> int:
        """The number of the memory of `handle`; 0, which no memory has, if the handle is not one of ours."""
        try:
            old = base64.b64decode(handle, validate=True) if len(handle) == _OLD_LENGTH else b""
            parts = uuid.UUID(old[2:34].decode() if old.startswith(_OLD) else handle).bytes
        except ValueError:
            return 0
        named, proof = parts[:8], parts[8:]
        return int.from_bytes(named[:5]) if hmac.compare_digest(proof, self._proof(named)) else 0

    def _proof(self, named: bytes) -> bytes:
        return hashlib.blake2b(named, digest_size=8, key=self._key).digest()

    def _seen(self, session: str) -> None:
        self._write("UPDATE sessions SET seen = ? WHERE id = ?", self.clock(), session)

    def _purge(self) -> None:
        before = self.clock() - self._ttl
        for (session,) in self._db.execute("SELECT id FROM sessions WHERE seen < ?", (before,)).fetchall():
            if session not in self._open:
                self._erase(session)

    def _erase(self, session: str) -> None:
        self._ages.pop(session, None)
        self._write("DELETE FROM memories WHERE session = ?", session)
        self._write("DELETE FROM sounds WHERE session = ?", session)
        self._write("DELETE FROM sessions WHERE id = ?", session)

    def _write(self, sql: str, *parameters: str | float | bytes) -> None:
        """Execute `sql` in RAM and in the file. A file that fails is not used any more."""
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
        """Open the file and copy it into RAM."""
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
        self.warning = f"the offline session cannot be kept on disk ({error}); it ends with this run"
        log.warning("%s", self.warning)


def _turns(written: object) -> tuple[HistoryTurn, ...] | None:
    """The turns of a memory; None if they cannot be read."""
    try:
        turns = tuple(HistoryTurn(*turn) for turn in json.loads(written)) if isinstance(written, str) else None
    except (ValueError, TypeError, RecursionError):
        return None
    if turns is None or any(type(getattr(t, name)) not in kinds for t in turns for name, kinds in _KINDS.items()):
        return None
    return turns
