"""All conversations that were kept: to list them, to read one, to go on with one, to forget some."""

import contextlib
import json
import logging
import sqlite3
from bisect import bisect_left
from contextlib import suppress
from pathlib import Path
from typing import Any

from livechat.conversations import rows
from livechat.conversations.records import Conversation, Entry, KeptTurn, Resumable, Run, Utterance
from livechat.database import UNLOCK, Database, reason, remedy, write_protected
from livechat.errors import UsageError
from livechat.session.context_replay import Exchange
from livechat.ui.safe_text import clean

log = logging.getLogger(__name__)

_ENTRIES = """
SELECT c.id, c.started, c.seen,
    coalesce((SELECT sum(ended - began) FROM readable_runs WHERE conversation = c.id), max(0.0, c.seen - c.started)),
    c.backend, c.model,
    (SELECT count(*) FROM readable_turns WHERE conversation = c.id),
    (SELECT max(expires) FROM readable_handles WHERE conversation = c.id),
    coalesce((SELECT user FROM readable_turns WHERE conversation = c.id AND user <> '' ORDER BY number LIMIT 1), ''),
    (SELECT sum(cost) FROM readable_costs WHERE conversation = c.id)
FROM readable_conversations c
"""
_NEWEST_FIRST = "ORDER BY c.seen DESC, c.place DESC"
_MADE = "SELECT id, backend, model, options FROM readable_conversations"
_NEWEST = f"{_MADE} ORDER BY id IN (SELECT conversation FROM readable_turns) DESC, seen DESC, place DESC"
_NAMED = f"{rows.name('id')} = ?"
_PARTS = ("handles", "turns", "times", "runs", "costs")
_OPENING_S = 1.0  # how long to wait for a lock before the database is opened; the lock may end later
READING_S = 5.0  # and where a person waits for what was kept
_CHANGING_S = 5.0  # and for what is to be forgotten


class Archive:
    """Kept conversations. Each method raises UsageError where the database cannot be read."""

    def __init__(self, database: Database, *, patience_s: float = READING_S, read_only: str = "") -> None:
        """`patience_s`: how long a method waits for another program that has the database locked.

        `read_only`: why nothing can be changed; "" where it can.
        """
        self._db = database
        self._patience_s = patience_s
        self.read_only = read_only

    def close(self) -> None:
        self._db.close()

    # ------------------------------------------------------------------------------------------- to list

    def entries(self, *, seen_before: float | None = None) -> list[Entry]:
        """Every conversation, or those last used before then (epoch seconds). Newest first."""
        if seen_before is None:
            return [Entry(*row) for row in self._read(_ENTRIES + _NEWEST_FIRST)]
        return [Entry(*row) for row in self._read(f"{_ENTRIES} WHERE c.seen < ? {_NEWEST_FIRST}", seen_before)]

    def flaws(self, conversation: str | None = None) -> list[tuple[str, str]]:
        """(conversation, what of it cannot be read and is passed over), of one conversation or of all."""
        found = [(name, rows.worded(table, count)) for name, table, count in self._read(rows.flaws())]
        made = self._read("SELECT id, options FROM readable_conversations")
        found += [(identity, "what it was made with") for identity, written in made if _options(written) is None]
        flaws = [flaw for flaw in found if conversation in (None, flaw[0])]
        for identity, what in flaws:
            log.warning("conversation %s: %s cannot be read, and is passed over", _for_log(identity), what)
        return flaws

    # -------------------------------------------------------------------------------------- to read one

    def identify(self, wanted: str | None) -> str | None:
        """The id of the conversation with this id, this handle, or the one id that begins so; None if there is none.

        For None the newest, first of those with a word said. One that cannot be read is found by its name too.

        Raises UsageError also if several ids begin so.
        """
        if wanted is None:
            found = self._read(f"{_NEWEST} LIMIT 1")
        else:
            name = rows.name("id")
            wanted = wanted.encode(errors="replace").decode()  # an argument may be no UTF-8
            by_handle = "id IN (SELECT conversation FROM readable_handles WHERE handle = ?)"
            found = self._read(f"SELECT {name} FROM conversations WHERE {name} = ? OR {by_handle}", wanted, wanted)
            begins = f"instr({name}, nullif(?, '')) = 1"
            found = found or self._read(f"SELECT {name} FROM conversations WHERE {begins} ORDER BY id", wanted)
        if len(found) > 1:
            several = ", ".join(row[0] for row in found)
            raise UsageError(f"several conversations begin with {wanted}", f"give more of one: {several}")
        return str(found[0][0]) if found else None

    def read(self, wanted: str | None) -> Conversation:
        """The conversation that `identify` finds. Raises UsageError if there is none."""
        identity = self.identify(wanted)
        if identity is None and wanted is None:
            raise UsageError("there are no conversations", "`livechat talk` begins one")
        if identity is None:
            raise _nothing(wanted)
        entries = self._read(f"{_ENTRIES} WHERE c.id = ?", identity)
        if not entries:
            raise _unreadable(identity)
        turns = self._read(
            "SELECT user, model, t.began, t.answered, at FROM readable_turns"
            " LEFT JOIN readable_times t USING (conversation, number) WHERE conversation = ? ORDER BY number",
            identity,
        )
        columns = ", ".join(("began", "ended", *rows.FIGURES))
        runs = self._read(
            f"SELECT {columns}, cost FROM readable_runs LEFT JOIN readable_costs USING (conversation, began)"
            " WHERE conversation = ? ORDER BY began",
            identity,
        )
        return Conversation(
            Entry(*entries[0]), tuple(KeptTurn(*turn) for turn in turns), tuple(Run(*run) for run in runs)
        )

    def utterances(self) -> list[Utterance]:
        """All that was said, of the newest conversation first."""
        rows = self._read(
            "SELECT t.conversation, number, t.user, t.model, s.began, s.answered, t.at FROM readable_turns t"
            " JOIN readable_conversations c ON c.id = t.conversation"
            " LEFT JOIN readable_times s USING (conversation, number)"
            f" {_NEWEST_FIRST}, number"
        )
        sides = (
            (conversation, number, who, ended if at is None else at, said)
            for conversation, number, user, model, began, answered, ended in rows
            for who, said, at in (("you", user, began), ("model", model, answered))
        )
        return [Utterance(*side) for side in sides if side[-1]]

    # ------------------------------------------------------------------------------- to go on with one

    def find(self, wanted: str | None) -> Resumable | None:
        """The conversation that `identify` finds; for None the newest that can be gone on with. None if none can.

        Raises UsageError if this one cannot be read.
        """
        if wanted is None:
            candidates = self._read(_NEWEST)
        elif (identity := self.identify(wanted)) is None:
            return None
        else:
            candidates = self._read(f"{_MADE} WHERE id = ?", identity)
            if not candidates or _options(candidates[0][3]) is None:
                raise _unreadable(identity)
        for identity, backend, model, written in candidates:
            if (options := _options(written)) is not None:
                return Resumable(identity, backend, model, options, *self._said(identity))
        return None

    def _said(self, identity: str) -> tuple[list[Exchange], list[tuple[str, int, float]], tuple[int, ...]]:
        """The turns, handles and numbers of a conversation, as in `Resumable`."""
        turns = self._read(
            "SELECT number, user, model FROM readable_turns WHERE conversation = ? ORDER BY number", identity
        )
        ((highest,),) = self._read(
            f"SELECT max(number) FROM turns WHERE conversation = ? AND number BETWEEN 0 AND {rows.MOST}"
            " AND typeof(number) = 'integer'",
            identity,
        )
        handles = self._read(
            "SELECT handle, covers, expires FROM readable_handles WHERE conversation = ? ORDER BY place DESC LIMIT 2",
            identity,
        )
        following = 0 if highest is None else highest + 1
        numbers = [number for number, _, _ in turns]

        def counted(covers: int) -> int:
            return bisect_left(numbers, covers) + max(0, covers - following)

        said = [Exchange(user, model) for _, user, model in turns]
        newest = [(handle, counted(covers), expires) for handle, covers, expires in handles]
        return said, newest, (*numbers, following)

    # --------------------------------------------------------------------------------------- to forget

    def to_forget(self, wanted: str) -> str:
        """The name of the conversation with this id, or its beginning; also where it cannot be read, or is in pieces.

        Raises UsageError if there is none.
        """
        identity = self.identify(wanted)
        if identity is not None:
            return identity
        names = [f"SELECT {rows.name('conversation')} FROM {table}" for table in _PARTS]
        names.append(f"SELECT {rows.name('id')} FROM conversations")
        for (name,) in self._read(" UNION ".join(names)):
            if wanted in (name, clean(name)):  # it was read off the screen
                return str(name)
        raise _nothing(wanted)

    def backend(self, identity: str) -> str:
        """Whom a conversation was held with; "" where that cannot be read."""
        found = self._read(f"SELECT backend FROM conversations WHERE {_NAMED}", identity)
        return found[0][0] if found and isinstance(found[0][0], str) else ""

    def handles(self, identity: str) -> list[str]:
        found = self._read("SELECT handle FROM readable_handles WHERE conversation = ?", identity)
        return [handle for (handle,) in found]

    def forget(self, identity: str) -> None:
        """Erase a conversation that was claimed: overwrite its words, as soon as nobody else has the database open.

        Not earlier, by a checkpoint: that locks out a conversation which is going on. Raises UsageError if it cannot.
        """
        # The parts by name too: the conversation's own row may have been lost before.
        erased = [(f"DELETE FROM {table} WHERE {rows.name('conversation')} = ?", identity) for table in _PARTS]
        try:
            self._db.write(("PRAGMA secure_delete = ON",), patience_s=_CHANGING_S)
            conversation = (f"DELETE FROM conversations WHERE {_NAMED}", identity)
            written = self._db.write(conversation, *erased, patience_s=_CHANGING_S)
        except sqlite3.Error as error:
            raise _unusable("changed", error, self._db.path) from None
        if not written:
            raise UsageError("the kept conversations cannot be changed: another program has them locked", UNLOCK)
        log.info("conversation %s: forgotten", _for_log(identity))

    def _read(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._db.read(sql, *values, patience_s=self._patience_s)
        except sqlite3.Error as error:
            raise _unusable("read", error, self._db.path) from None


def opened(path: Path, *, to_change: bool = False) -> Archive:
    """The archive in this file, which is made where it can be. Raises UsageError where it cannot be used.

    A file that cannot be written to is read as it is, unless it is opened `to_change` something.
    """
    try:
        try:
            return Archive(Database(path, rows.SCHEMA, patience_s=_OPENING_S))
        except (OSError, sqlite3.Error) as error:
            if to_change or not write_protected(error):
                raise
            log.warning("%s: read only (%s)", path, reason(error))
            copy = Database(path, rows.SCHEMA, patience_s=_OPENING_S, read_only=True)
            return Archive(copy, read_only=reason(error))
    except (OSError, ValueError, sqlite3.Error) as error:
        raise _unusable("changed" if to_change else "read", error, path) from None


def completions(path: Path) -> list[tuple[str, float]]:
    """Ids and times of last use, newest first, for a shell. Creates nothing, and raises nothing."""
    with suppress(sqlite3.Error, OSError, ValueError), contextlib.ExitStack() as stack:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        db = stack.enter_context(contextlib.closing(sqlite3.connect(uri, uri=True)))
        right = rows.READABLE["conversations"]
        return list(db.execute(f"SELECT id, seen FROM conversations WHERE {right} ORDER BY seen DESC, rowid DESC"))
    return []


def _options(written: object) -> dict[str, Any] | None:
    """What a conversation was made with; None where it cannot be read."""
    try:
        made = json.loads(written) if isinstance(written, str) else None
    except (ValueError, RecursionError):
        return None
    return made if isinstance(made, dict) else None


def _for_log(identity: str) -> str:
    """An id; not what a damaged row has in its place, which may be speech."""
    return identity if rows.is_id(identity) else "without an id"


def _unusable(what: str, error: Exception, path: Path | None) -> UsageError:
    return UsageError(f"the kept conversations cannot be {what}: {reason(error)}", remedy(error, path))


def _nothing(wanted: str | None) -> UsageError:
    return UsageError(f"there is no conversation {wanted}", "`livechat sessions` lists them")


def _unreadable(identity: str) -> UsageError:
    """The conversation is there, and of no use."""
    return UsageError(
        f"conversation {identity} cannot be read: another program, or a newer livechat, has changed it",
        f"`livechat sessions forget {identity}` erases it",
    )
