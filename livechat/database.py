"""A SQLite file that other programs use too. What they keep from being written waits in order, and is not lost.

Nothing here waits longer than it is told to: a conversation's sound goes on meanwhile.
"""

import errno
import logging
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from livechat.errors import reason as refusal

log = logging.getLogger(__name__)

# Main result codes of SQLite (sqlite.org/rescode.html), in the low byte of an error's code.
_ERROR, _LOCKED, _READ_ONLY, _DAMAGED, _FULL = {1}, {5, 6}, {3, 8, 14, 23}, {11, 26}, {13}
# What WAL meets on a network drive: it cannot make, map or lock its index. The last four are IOERR_SHM… in full.
_NO_SHARED_MEMORY = {8, 14, 15, 4618, 4874, 5130, 5386}

UNLOCK = "end the program that has it open, such as a backup or a database browser, and try again"
Statement = tuple[Any, ...]  # SQL, then the values for its question marks


class NewerError(sqlite3.DatabaseError):
    """The file belongs to a later livechat."""


class Database:
    """One file, or memory for `path` None. What `write` was given is on disk before the next word is spoken."""

    def __init__(self, path: Path | None, schema: str, *, patience_s: float, read_only: bool = False) -> None:
        """`schema` makes the tables that are not there yet. `read_only`: a copy in memory; the file stays as it is.

        A file that another program keeps locked for longer than `patience_s` is opened later.

        Raises OSError or sqlite3.Error where the file cannot be used at all.
        """
        self.path = None if read_only else path
        self._schema = schema
        self._waiting: list[tuple[Statement, ...]] = []  # transactions
        self._since = 0.0  # when the oldest of them was to be written
        self._journal = "WAL"
        self._ready = False
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _create(self.path)
            with suppress(OSError):  # a file system without modes
                self.path.chmod(0o600)  # a file from a backup may have another
        self._db = _copy_in_memory(path) if read_only and path else self._connect()
        try:
            self._run(patience_s)
        except sqlite3.Error as error:
            if not locked(error):
                self._db.close()
                raise
            log.warning("%s: another program has it locked; it is opened with the next statement", self._name)

    def write(self, *statements: Statement, patience_s: float) -> bool:
        """Write these in one transaction, after all that waits; or let them wait too. Returns whether it is written.

        Raises sqlite3.Error for anything but a lock.
        """
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(statements)
        written = self.catch_up(patience_s)
        if len(self._waiting) == 1:
            log.warning("%s: another program has it locked; what is to be written waits", self._name)
        return written

    def catch_up(self, patience_s: float = 0.0) -> bool:
        """Write what waits. Returns whether nothing waits now. Raises as `write`."""
        waited, late = len(self._waiting), self.behind_s
        try:
            while self._waiting:
                self._run(patience_s, *self._waiting[0])
                del self._waiting[0]
        except sqlite3.Error as error:
            if not locked(error):
                raise
        if waited > 1 and not self._waiting:
            log.info("%s: %d transactions that waited, for %.1f s, are written", self._name, waited, late)
        return not self._waiting

    @property
    def behind_s(self) -> float:
        """For how long the oldest transaction has waited, in seconds; 0 if none waits."""
        return time.monotonic() - self._since if self._waiting else 0.0

    def read(self, sql: str, *values: object, patience_s: float) -> list[tuple[Any, ...]]:
        """The rows; those that wait are among them unless the file is still locked.

        Raises sqlite3.Error, also for a lock.
        """
        self.catch_up()
        return self._run(patience_s, (sql, *values))

    def copy(self, into: sqlite3.Connection) -> None:
        """Copy all of it, as it is now. Raises sqlite3.Error, also for a lock."""
        self._db.backup(into)

    def close(self, patience_s: float = 0.0) -> None:
        """Write what waits, as far as that is possible, and give the file back. Raises nothing."""
        with suppress(sqlite3.Error):
            self.catch_up(patience_s)
        if self._waiting:
            log.warning("%s: closed; %d transactions are not written", self._name, len(self._waiting))
        self._waiting.clear()
        self._db.close()

    @property
    def _name(self) -> str:
        return self.path.name if self.path else "memory"

    def _connect(self) -> sqlite3.Connection:
        return _connection(self.path or ":memory:")

    def _run(self, patience_s: float, *statements: Statement) -> list[tuple[Any, ...]]:
        """Execute, once the tables are there; in another way where the file system lacks what WAL needs."""
        try:
            return self._try(patience_s, statements)
        except sqlite3.Error as error:
            if self.path is None or not {_code(error), _extended(error)} & _NO_SHARED_MEMORY:
                raise
            first = error
        log.warning("%s: no shared memory beside it (%s); it is used without", self._name, first)
        self._db.close()
        self._db, self._journal, self._ready = self._connect(), "DELETE", False
        try:
            return self._try(patience_s, statements)
        except sqlite3.Error as error:
            # The first error says what is wrong. But on a full disk it says only that the index cannot grow.
            raise error if locked(error) or _code(error) in _FULL else first from None

    def _try(self, patience_s: float, statements: tuple[Statement, ...]) -> list[tuple[Any, ...]]:
        if not self._ready:
            self._set_journal()
        self._db.execute(f"PRAGMA busy_timeout = {round(patience_s * 1000)}")
        if not self._ready:
            self._prepare()
        if len(statements) < 2:
            return self._execute(statements)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            rows = self._execute(statements)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):  # a full disk has rolled back by itself
                self._db.execute("ROLLBACK")
            raise
        return rows

    def _execute(self, statements: tuple[Statement, ...]) -> list[tuple[Any, ...]]:
        """The rows of the last statement."""
        rows: list[tuple[Any, ...]] = []
        for sql, *values in statements:
            with closing(self._db.execute(sql, values)) as cursor:
                rows = cursor.fetchall()
        return rows

    def _set_journal(self) -> None:
        if self._journal != "WAL":
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")  # opens a file in WAL mode without shared memory
        try:
            (journal,) = self._db.execute(f"PRAGMA journal_mode = {self._journal}").fetchone()
            if journal == "wal":
                self._db.execute("BEGIN IMMEDIATE")  # whether it works shows only where something is to be written
                self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if not locked(error):  # somebody uses it in another mode: then that one is good for us too
                raise
        self._db.execute("PRAGMA locking_mode = NORMAL")
        self._db.execute("PRAGMA synchronous = NORMAL")  # survives a killed process; a power cut may cost seconds
        self._db.execute("PRAGMA foreign_keys = ON")

    def _prepare(self) -> None:
        # This use of the file also gives the exclusive lock back.
        if self._db.execute("PRAGMA user_version").fetchone()[0] > 0:
            raise NewerError("it is of a newer livechat")
        self._db.executescript(self._schema)
        self._ready = True
        log.info("%s: opened, journal %s", self.path or "memory", self._journal)


def _create(path: Path) -> None:
    """A file for its owner alone; its side files get the same mode. Raises OSError if it can never be written."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        # To open and close a file that SQLite has open here would drop the locks of all its connections in this
        # process: another program would then remove the WAL file under them, with what they write.
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path)) from None
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from None


def _connection(where: Path | str) -> sqlite3.Connection:
    db = sqlite3.connect(where, isolation_level=None, timeout=0.0)
    db.text_factory = decoded
    return db


def _copy_in_memory(path: Path) -> sqlite3.Connection:
    """All that the file holds. SQLite reads no WAL file, and no journal of a killed program, where it may not write.

    So it is given a copy of them where it may, for as long as it takes to read them.
    """
    memory = _connection(":memory:")
    with tempfile.TemporaryDirectory() as folder:
        for side in ("", "-wal", "-journal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{path}{side}", f"{folder}/copy{side}")
        with closing(_connection(f"{folder}/copy")) as copy:
            copy.backup(memory)
    return memory


def locked(error: Exception) -> bool:
    """Whether another program has the file, and may give it back."""
    return _code(error) in _LOCKED


def write_protected(error: Exception) -> bool:
    """Whether the file, its folder or its disk can only be read."""
    if isinstance(error, OSError):
        return error.errno in (errno.EROFS, errno.EACCES, errno.EPERM)
    return _code(error) in _READ_ONLY


def remedy(error: Exception, path: Path | None) -> str:
    """What to do about a database that cannot be used, by its true cause."""
    elsewhere = "set LIVECHAT_STATE to a folder that can be written to"
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return f"free some disk space, or {elsewhere}" if full else elsewhere
    code = _code(error)
    if isinstance(error, NewerError) or code in _ERROR:
        return f"update livechat, or {elsewhere}: it was written by a newer one"
    if code in _LOCKED:
        return UNLOCK
    if code in _READ_ONLY:
        return f"make {path} one that can be written to, or {elsewhere}"
    if code in _DAMAGED:
        return f"move {path} away, and a new one is begun; or {elsewhere}"
    return f"free some disk space, or {elsewhere}" if code in _FULL else f"look at the drive, or {elsewhere}"


def reason(error: Exception) -> str:
    """The cause in the system's or SQLite's words."""
    return refusal(error) if isinstance(error, OSError | ValueError) else str(error)


def _code(error: Exception) -> int:
    return _extended(error) & 0xFF


def _extended(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0))  # what Python's own module raises has none


def decoded(text: bytes) -> str:
    """A text as SQLite has it; a damaged one too."""
    return text.decode(errors="replace")
