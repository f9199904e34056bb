"""Conversations on disk, as they happen: SQLite, so that a process killed at any moment loses nothing said.

A database nobody else may read (mode 0600): it holds speech as text, and handles, which are as good as
passwords for as long as they last. A disk that cannot be written to costs the memory, never the call.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livechat.conversations import rows
from livechat.database import Database, reason, remedy
from livechat.errors import LivechatError, Notice, Notify, UsageError
from livechat.events import Summary
from livechat.session.context_replay import Exchange
from livechat.session.events import Resumption

if TYPE_CHECKING:
    from filelock import BaseFileLock

_MADE = "SELECT id, backend, model, options FROM sound_conversations"
_NEWEST = f"{_MADE} ORDER BY id IN (SELECT conversation FROM sound_turns) DESC, seen DESC, place DESC"
_BEGUN = (
    "(EXISTS (SELECT 1 FROM turns WHERE conversation = c.id)"
    " OR EXISTS (SELECT 1 FROM handles WHERE conversation = c.id))"
)
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no 0 o 1 l i: an id is read aloud and typed
ID_LENGTH = 6
_OPENING_S = 1.0  # how long to wait for a lock before the conversation begins; it may end later
READING_S = 5.0  # and where somebody waits for what was kept
_WRITING_S = 0.05  # and while sound goes on
_LEAVING_S = 1.2  # and for the last words
_LOCKED = "another program has the kept conversations locked"
_UNLOCK = "end that program, such as a backup or a database browser"
_LATE_S = 1.0  # from then on it is worth a word that something waits to be written


@dataclass(frozen=True, slots=True)
class Kept:
    """A conversation as the store has it.

    `options`: what it was made with, as `settings.resolve` takes it. `handles`: newest first, at most two,
    each with the number of turns it covers and its expiry in seconds since the epoch. `numbers`: those of the turns
    in the store, and the next one: a row that cannot be read keeps its number.
    """

    id: str
    backend: str
    model: str
    options: dict[str, Any]
    turns: list[Exchange]
    handles: list[tuple[str, int, float]]
    numbers: tuple[int, ...] = (0,)


def state_folder(environ: Mapping[str, str]) -> Path:
    """The folder of everything livechat keeps: LIVECHAT_STATE, or the platform's for application state."""
    from platformdirs import user_state_path

    chosen = environ.get("LIVECHAT_STATE")
    return Path(chosen) if chosen else user_state_path("livechat", appauthor=False)


class Store:
    """The conversations of one person. Raises nothing after it was opened: `on_trouble` is told, once.

    What cannot be written because another program has the file waits in memory, for `catch_up`.
    """

    _writing_s = _WRITING_S

    def __init__(self, path: Path | None, *, on_trouble: Notify) -> None:
        """`path` may lie in a folder that does not exist yet; None keeps everything in memory alone.

        Raises LivechatError if the path cannot be used.
        """
        self._on_trouble = on_trouble
        self._path = path
        self._db: Database | None = None
        self._lock: BaseFileLock | None = None
        self._late = False  # it was said that something waits
        self.on_disk = path is not None  # and so there for a later run
        try:
            self._db = Database(path, rows.TABLES + rows.VIEWS, patience_s=_OPENING_S)
        except (OSError, ValueError, sqlite3.Error) as e:
            raise LivechatError(
                f"conversations cannot be kept in {path.parent if path else 'memory'}: {reason(e)}",
                f"{remedy(e, path)}; until then none can be resumed later",
            ) from None

    def close(self) -> None:
        """Write the side files back, and let others have the conversation. Safe to call twice."""
        if self._db is not None:
            self._db.close(_LEAVING_S)
            self._db = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def catch_up(self, patience_s: float = 0.0) -> None:
        """Write what waits for another program to let go of the file, if it has."""
        if self._db is None:
            return
        try:
            written = self._db.catch_up(patience_s)
        except sqlite3.Error as e:
            self._give_up(e)
            return
        if written and self._late:
            self._late = False
            self._on_trouble(Notice("the conversation is being kept again, all of it"))
        elif not self._late and self._db.behind_s >= _LATE_S:
            self._late = True
            self._on_trouble(Notice(f"nothing can be kept for now: {_LOCKED}", "what is said waits until it lets go"))

    def settle(self, conversation: str) -> bool:
        """The conversation is over: write the last of it, and leave nothing of one in which nothing was said.

        Whether it is there for a later run.
        """
        self._write(f"DELETE FROM conversations AS c WHERE id = ? AND NOT {_BEGUN}", conversation)
        self.catch_up(_LEAVING_S)
        if self._db is None or not self.on_disk:
            return False
        sql = f"SELECT 1 FROM conversations AS c WHERE id = ? AND {_BEGUN}"
        try:
            there = bool(self._read(sql, conversation, patience_s=self._writing_s))
        except UsageError:  # it is locked for readers too
            there = False
        if self._db.behind_s:
            self._on_trouble(Notice(f"the end of this conversation is not kept: {_LOCKED}", _UNLOCK))
            self._db.close()
            self._db = None
        return there

    def claim(self, conversation: str) -> None:
        """Keep other processes off this conversation. Raises UsageError if one has it."""
        if self._path is None or not rows.is_id(conversation):
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

    def find(self, wanted: str | None, *, patience_s: float = READING_S) -> Kept | None:
        """The conversation that `identify` finds; for None the newest that can be gone on with. None if none can.

        Raises UsageError as it does, and where this one cannot be read.
        """
        read = partial(self._read, patience_s=patience_s)
        if wanted is None:
            candidates = read(_NEWEST)
        elif (identity := self.identify(wanted, patience_s=patience_s)) is None:
            return None
        else:
            candidates = read(f"{_MADE} WHERE id = ?", identity)
            if not candidates or _options(candidates[0][3]) is None:
                raise unreadable(identity)
        for identity, backend, model, written in candidates:
            if (options := _options(written)) is not None:
                return Kept(identity, backend, model, options, *_said(read, identity))
        return None

    def identify(self, wanted: str | None, *, patience_s: float = READING_S) -> str | None:
        """The id of the conversation with this id, this handle, or the one id that begins so; None if there is none.

        For None the newest, first of those with a word said. One that cannot be read is found by its name too.

        Raises UsageError if the database cannot be read, or if several ids begin so.
        """
        read = partial(self._read, patience_s=patience_s)
        if wanted is None:
            found = read(f"{_NEWEST} LIMIT 1")
        else:
            name = rows.name("id")
            wanted = wanted.encode(errors="replace").decode()  # an argument may be no UTF-8
            by_handle = "id IN (SELECT conversation FROM sound_handles WHERE handle = ?)"
            found = read(f"SELECT {name} FROM conversations WHERE {name} = ? OR {by_handle}", wanted, wanted)
            begins = f"instr({name}, nullif(?, '')) = 1"
            found = found or read(f"SELECT {name} FROM conversations WHERE {begins} ORDER BY id", wanted)
        if len(found) > 1:
            several = ", ".join(row[0] for row in found)
            raise UsageError(f"several conversations begin with {wanted}", f"give more of one: {several}")
        return str(found[0][0]) if found else None

    def flaws(self, conversation: str | None = None) -> list[tuple[str, str]]:
        """(conversation, what of it cannot be read and is passed over), of one or of all."""
        found = [(name, rows.worded(table, count)) for name, table, count in self._read(rows.flaws())]
        unreadable = self._read("SELECT id, options FROM sound_conversations")
        found += [(identity, "what it was made with") for identity, made in unreadable if _options(made) is None]
        return [flaw for flaw in found if conversation in (None, flaw[0])]

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
        sql = "SELECT name FROM sound_devices WHERE profile = ? AND kind = ?"
        try:
            found = self._read(sql, profile, kind, patience_s=_OPENING_S)
        except UsageError:
            return None
        return str(found[0][0]) if found else None

    def _write(self, sql: str, *values: object) -> None:
        if self._db is None:
            return
        try:
            self._db.write(sql, *values, patience_s=0.0 if self._db.behind_s else self._writing_s)
        except sqlite3.Error as e:
            self._give_up(e)
            return
        self.catch_up()

    def _give_up(self, error: sqlite3.Error) -> None:
        self.close()
        self.on_disk = False
        hint = f"{remedy(error, self._path)}: it goes on, but cannot be resumed from what is not written"
        self._on_trouble(Notice(f"this conversation is no longer being kept: {error}", hint))

    def _read(self, sql: str, *values: object, patience_s: float = READING_S) -> list[tuple[Any, ...]]:
        if self._db is None:
            return []
        try:
            return self._db.read(sql, *values, patience_s=patience_s)
        except sqlite3.Error as e:
            raise UsageError(f"the kept conversations cannot be read: {e}", remedy(e, self._path)) from None


def unreadable(identity: str) -> UsageError:
    """The conversation is there, and of no use."""
    return UsageError(
        f"conversation {identity} cannot be read: another program, or a newer livechat, has changed it",
        f"`livechat sessions forget {identity}` erases it",
    )


def _said(
    read: Callable[..., list[tuple[Any, ...]]], identity: str
) -> tuple[list[Exchange], list[tuple[str, int, float]], tuple[int, ...]]:
    """The turns, handles and numbers of a conversation, as in `Kept`."""
    turns = read("SELECT number, user, model FROM sound_turns WHERE conversation = ? ORDER BY number", identity)
    ((highest,),) = read(
        f"SELECT max(number) FROM turns WHERE conversation = ? AND number BETWEEN 0 AND {rows.MOST}"
        " AND typeof(number) = 'integer'",
        identity,
    )
    handles = read(
        "SELECT handle, covers, expires FROM sound_handles WHERE conversation = ? ORDER BY place DESC LIMIT 2",
        identity,
    )
    following = 0 if highest is None else highest + 1
    numbers = [number for number, _, _ in turns]

    def counted(covers: int) -> int:
        return bisect_left(numbers, covers) + max(0, covers - following)

    said = [Exchange(user, model) for _, user, model in turns]
    return said, [(handle, counted(covers), expires) for handle, covers, expires in handles], (*numbers, following)


def _options(written: object) -> dict[str, Any] | None:
    """What a conversation was made with; None where it cannot be read."""
    try:
        made = json.loads(written) if isinstance(written, str) else None
    except (ValueError, RecursionError):
        return None
    return made if isinstance(made, dict) else None


class Book:
    """The runner's ledger: one conversation of a store.

    The runner counts the exchanges it was given; the store has others' numbers between them, where it could not read.
    """

    def __init__(self, store: Store, conversation: str, ttl_s: float, numbers: Sequence[int] = (0,)) -> None:
        """`numbers`: as in `Kept`."""
        self._store, self._conversation, self._ttl = store, conversation, ttl_s
        self._numbers = numbers

    def turn(self, number: int, user: str, model: str) -> None:
        """Exchange `number` (from 0) as far as it has come."""
        self._store.turn(self._conversation, self._number(number), user, model)

    def keep(self, resumption: Resumption) -> None:
        """The newest handle."""
        covers = self._number(resumption.covers - 1) + 1 if resumption.covers else 0
        self._store.keep(self._conversation, replace(resumption, covers=covers), self._ttl)

    def _number(self, counted: int) -> int:
        new = counted - (len(self._numbers) - 1)
        return self._numbers[counted] if new < 0 else self._numbers[-1] + new

    def expire(self) -> None:
        """The link of the newest handle ended."""
        self._store.expire(self._conversation, self._ttl)
