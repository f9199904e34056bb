"""Conversations are written to disk as they happen, so that a process killed at any moment loses nothing said.

The database is for its owner alone (mode 0600): it holds speech as text, and handles, which are as good as passwords
for as long as they last. A disk that cannot be written to ends the keeping, never the call.
"""

import json
import logging
import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from livechat.conversations import rows
from livechat.conversations.archive import READING_S, Archive
from livechat.conversations.claims import Claims
from livechat.database import Database, Statement, reason, remedy
from livechat.errors import LivechatError, Notice, Notify
from livechat.events import Summary
from livechat.session.events import Resumption

log = logging.getLogger(__name__)

_BEGUN = (
    "(EXISTS (SELECT 1 FROM turns WHERE conversation = c.id)"
    " OR EXISTS (SELECT 1 FROM handles WHERE conversation = c.id))"
)
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no 0 o 1 l i: an id is read aloud and typed
ID_LENGTH = 6
_OPENING_S = 1.0  # how long to wait for a lock before the conversation begins; it may end later
_WRITING_S = 0.05  # and while sound goes on
_LEAVING_S = 1.2  # and for the last words
_LOCKED = "another program has the kept conversations locked"
_UNLOCK = "end that program, such as a backup or a database browser"
_LATE_S = 1.0  # from then on the person is told that something waits to be written


class Store:
    """Keeps the conversations of one person. Raises nothing after it was opened: `on_trouble` is told instead.

    What cannot be written because another program has the file waits in memory, for `catch_up`.
    """

    def __init__(self, path: Path | None, *, on_trouble: Notify) -> None:
        """`path` may lie in a folder that does not exist yet; None keeps everything in memory alone.

        Raises LivechatError if the path cannot be used.
        """
        self._on_trouble = on_trouble
        self._path = path
        self._claims = Claims(path.parent / "locks" if path else None)
        self._writable = True
        self._late = False  # it was said that something waits
        self.on_disk = path is not None  # a later run finds what is written
        try:
            self._db = Database(path, rows.SCHEMA, patience_s=_OPENING_S)
        except (OSError, ValueError, sqlite3.Error) as e:
            raise LivechatError(
                f"conversations cannot be kept in {path.parent if path else 'memory'}: {reason(e)}",
                f"{remedy(e, path)}; until then none can be resumed later",
            ) from None

    def close(self) -> None:
        """Write what waits, and let others have the conversation. Safe to call twice."""
        self._stop(_LEAVING_S)
        self._claims.close()

    @property
    def complete(self) -> bool:
        """All that was given to it is on disk."""
        return self.on_disk and not self._db.behind_s

    def archive(self, *, patience_s: float = READING_S) -> Archive:
        """What is kept, to be read over the same connection. `patience_s`: as for Archive."""
        return Archive(self._db, patience_s=patience_s)

    def catch_up(self, patience_s: float = 0.0) -> None:
        """Write what waits for another program to let go of the file, if it has."""
        if not self._writable:
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

    # ---------------------------------------------------------------------------------- one conversation

    def begin(self, backend: str, model: str, options: dict[str, Any]) -> str:
        """Begin a conversation, claimed for this process. Returns its id."""
        now = time.time()
        identity = "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))
        values = (identity, now, now, backend, model, json.dumps(options))
        self._write(("INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?)", *values))
        self.claim(identity)
        return identity

    def claim(self, conversation: str) -> bool:
        """Keep other processes off this conversation. Returns False if one has it already."""
        return self._claims.take(conversation)

    def reconfigure(self, conversation: str, options: dict[str, Any]) -> None:
        """From now on the conversation is resumed with these options."""
        self._write(("UPDATE conversations SET options = ? WHERE id = ?", json.dumps(options), conversation))

    def turn(self, conversation: str, number: int, user: str, model: str) -> None:
        """Keep exchange `number` (from 0) as far as it has come: in one transaction, and only what has changed."""
        now = time.time()
        self._write(
            (
                "INSERT INTO turns VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET user = excluded.user, model = excluded.model, at = excluded.at"
                " WHERE (user, model) IS NOT (excluded.user, excluded.model)",
                conversation, number, user, model, now,
            ),
            (
                "INSERT INTO times VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET answered = excluded.answered"
                " WHERE answered IS NULL AND excluded.answered IS NOT NULL",
                conversation, number, now, now if model else None,
            ),
            _seen(conversation, now),
        )  # fmt: skip

    def keep(self, conversation: str, resumption: Resumption, ttl_s: float) -> None:
        """Keep the newest handle and the one before it. Newest by arrival (rowid), not by a clock.

        Its validity counts from the end of its link, which a killed process cannot write down. Until
        `expire` does, it is counted from the handle's arrival, which is never too long.
        """
        now = time.time()
        self._write(
            (
                "INSERT OR REPLACE INTO handles VALUES (?, ?, ?, ?, ?)",
                conversation, resumption.handle, resumption.covers, now, now + ttl_s,
            ),
            (
                "DELETE FROM handles WHERE conversation = ? AND handle NOT IN"
                " (SELECT handle FROM handles WHERE conversation = ? ORDER BY rowid DESC LIMIT 2)",
                conversation, conversation,
            ),
            _seen(conversation, now),
        )  # fmt: skip

    def expire(self, conversation: str, ttl_s: float) -> None:
        """The link of this conversation's handles has just ended."""
        self._write(("UPDATE handles SET expires = ? WHERE conversation = ?", time.time() + ttl_s, conversation))

    def measure(self, conversation: str, began: float, summary: Summary) -> None:
        """Keep how continuous a run of the conversation, begun at `began` (epoch seconds), has been, and its cost."""
        values = [conversation, began, began + summary.duration_s]
        values += [getattr(summary, name) for name in rows.FIGURES]
        self._write(("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *values))
        if summary.cost is not None:
            self._write(("INSERT OR REPLACE INTO costs VALUES (?, ?, ?)", conversation, began, summary.cost))

    def settle(self, conversation: str) -> bool:
        """The conversation is over: write the last of it, and leave nothing of one in which nothing was said.

        Returns whether a later run finds it.
        """
        self._write((f"DELETE FROM conversations AS c WHERE id = ? AND NOT {_BEGUN}", conversation))
        self.catch_up(_LEAVING_S)
        if not self._writable or not self.on_disk:
            return False
        sql = f"SELECT 1 FROM conversations AS c WHERE id = ? AND {_BEGUN}"
        try:
            there = bool(self._db.read(sql, conversation, patience_s=_WRITING_S))
        except sqlite3.Error:  # it is locked for readers too
            there = False
        if self._db.behind_s:
            self._stop()
            self.on_disk = False
            self._on_trouble(Notice(f"the end of this conversation is not kept: {_LOCKED}", _UNLOCK))
        return there

    # -------------------------------------------------------------------------------------------- devices

    def prefer(self, profile: str, kind: str, name: str | None) -> None:
        """Use this device from now on in this direction, "input" or "output"; None: the system's default."""
        chosen = [] if name is None else [("INSERT INTO devices VALUES (?, ?, ?)", profile, kind, name)]
        self._write(("DELETE FROM devices WHERE profile = ? AND kind = ?", profile, kind), *chosen)

    def preferred(self, profile: str, kind: str) -> str | None:
        """The name of the device to use in this direction; None for the system's default."""
        sql = "SELECT name FROM readable_devices WHERE profile = ? AND kind = ?"
        try:
            found = self._db.read(sql, profile, kind, patience_s=_OPENING_S)
        except sqlite3.Error as error:
            log.warning("the preferred %s device cannot be read (%s): the default is used", kind, error)
            return None
        return str(found[0][0]) if found else None

    def _write(self, *statements: Statement) -> None:
        if not self._writable:
            return
        try:
            # Only the first waits for a lock: sound goes on meanwhile.
            self._db.write(*statements, patience_s=0.0 if self._db.behind_s else _WRITING_S)
        except sqlite3.Error as e:
            self._give_up(e)
            return
        self.catch_up()

    def _give_up(self, error: sqlite3.Error) -> None:
        log.warning("nothing more is kept: %s", error)
        self.close()
        self.on_disk = False
        hint = f"{remedy(error, self._path)}: it goes on, but cannot be resumed from what is not written"
        self._on_trouble(Notice(f"this conversation is no longer being kept: {error}", hint))

    def _stop(self, patience_s: float = 0.0) -> None:
        if self._writable:
            self._writable = False
            self._db.close(patience_s)


def _seen(conversation: str, now: float) -> Statement:
    return "UPDATE conversations SET seen = ? WHERE id = ?", now, conversation


class Book:
    """The runner's ledger: one conversation of a store.

    The runner counts the exchanges that it was given; the store also those between them that cannot be read.
    """

    def __init__(self, store: Store, conversation: str, ttl_s: float, numbers: Sequence[int] = (0,)) -> None:
        """`numbers`: as in `Resumable`. `ttl_s`: for how long a handle is valid after the end of its link."""
        self._store, self._conversation, self._ttl = store, conversation, ttl_s
        self._numbers = numbers

    def turn(self, number: int, user: str, model: str) -> None:
        self._store.turn(self._conversation, self._number(number), user, model)

    def reconfigure(self, options: dict[str, Any]) -> None:
        self._store.reconfigure(self._conversation, options)

    def keep(self, resumption: Resumption) -> None:
        covers = self._number(resumption.covers - 1) + 1 if resumption.covers else 0
        self._store.keep(self._conversation, replace(resumption, covers=covers), self._ttl)

    def _number(self, counted: int) -> int:
        new = counted - (len(self._numbers) - 1)
        return self._numbers[counted] if new < 0 else self._numbers[-1] + new

    def expire(self) -> None:
        self._store.expire(self._conversation, self._ttl)
