"""I/O. All conversations that were kept: to list them, to read one, to forget some. A livechat may be running."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from livechat.conversations import rows
from livechat.conversations.records import Conversation, Entry, Run, Spoken
from livechat.conversations.store import Store, state_folder, unreadable
from livechat.errors import LivechatError, Notice, UsageError
from livechat.ui.safe_text import clean

_ENTRIES = """
SELECT c.id, c.started, c.seen,
    coalesce((SELECT sum(ended - began) FROM sound_runs WHERE conversation = c.id), max(0.0, c.seen - c.started)),
    c.backend, c.model,
    (SELECT count(*) FROM sound_turns WHERE conversation = c.id),
    (SELECT max(expires) FROM sound_handles WHERE conversation = c.id),
    coalesce((SELECT user FROM sound_turns WHERE conversation = c.id AND user <> '' ORDER BY number LIMIT 1), '')
FROM sound_conversations c
"""
_NEWEST_FIRST = "ORDER BY c.seen DESC, c.place DESC"
_NAMED = f"{rows.name('id')} = ?"
_PARTS = ("handles", "turns", "times", "runs")
_CHANGING_S = 5.0  # how long to wait for another program to let go of the file


def _refuse(notice: Notice) -> None:
    reason = notice.message.partition(": ")[2]
    raise UsageError(f"the kept conversations cannot be changed: {reason}", notice.hint)


class Archive(Store):
    """The store, for those who are not in a conversation. Each method raises UsageError for a broken database."""

    _writing_s = _CHANGING_S

    def __init__(self, folder: Path) -> None:
        """Raises UsageError where `folder` cannot be used."""
        try:
            super().__init__(folder / "conversations.sqlite3", on_trouble=_refuse)
        except LivechatError as error:
            raise UsageError(error.message, error.hint) from None
        self._locks = folder / "locks"

    def entries(self, *, seen_before: float | None = None) -> list[Entry]:
        """Every conversation, or those last used before then (epoch seconds). Newest first."""
        if seen_before is None:
            return [Entry(*row) for row in self._read(_ENTRIES + _NEWEST_FIRST)]
        return [Entry(*row) for row in self._read(f"{_ENTRIES} WHERE c.seen < ? {_NEWEST_FIRST}", seen_before)]

    def read(self, wanted: str | None) -> Conversation:
        """The conversation with this id, or its beginning; None: the newest. Raises UsageError if there is none."""
        identity = self.identify(wanted)
        if identity is None and wanted is None:
            raise UsageError("there are no conversations", "`livechat talk` begins one")
        if identity is None:
            raise _nothing(wanted)
        entries = self._read(f"{_ENTRIES} WHERE c.id = ?", identity)
        if not entries:
            raise unreadable(identity)
        turns = self._read(
            "SELECT user, model, t.began, t.answered, at FROM sound_turns"
            " LEFT JOIN sound_times t USING (conversation, number) WHERE conversation = ? ORDER BY number",
            identity,
        )
        runs = self._read(
            "SELECT began, ended, links, captured_ms, sent_ms, replayed_ms, dropped_ms, longest_gap_ms"
            " FROM sound_runs WHERE conversation = ? ORDER BY began",
            identity,
        )
        return Conversation(
            Entry(*entries[0]), tuple(Spoken(*turn) for turn in turns), tuple(Run(*run) for run in runs)
        )

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
        """The session handles of a conversation."""
        found = self._read("SELECT handle FROM sound_handles WHERE conversation = ?", identity)
        return [handle for (handle,) in found]

    def forget(self, identity: str) -> None:
        """Erase a conversation that was claimed: overwrite its words, as soon as nobody else has the database open.

        Not earlier, by a checkpoint: that locks out a conversation which is going on.
        """
        self._write("PRAGMA secure_delete = ON")
        self._write(f"DELETE FROM conversations WHERE {_NAMED}", identity)
        for table in _PARTS:  # the conversation's own row may have been lost before
            self._write(f"DELETE FROM {table} WHERE {rows.name('conversation')} = ?", identity)
        if rows.is_id(identity):
            with suppress(OSError):  # Windows keeps a file that is open
                (self._locks / identity).unlink()


def _nothing(wanted: str | None) -> UsageError:
    return UsageError(f"there is no conversation {wanted}", "`livechat sessions` lists them")


def completions(environ: Mapping[str, str]) -> list[tuple[str, float]]:
    """Ids and times of last use, newest first, for a shell. Creates nothing, and raises nothing."""
    with suppress(sqlite3.Error, OSError, ValueError), contextlib.ExitStack() as stack:
        path = (state_folder(environ) / "conversations.sqlite3").absolute()
        db = stack.enter_context(contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)))
        sound = rows.SOUND["conversations"]
        return list(db.execute(f"SELECT id, seen FROM conversations WHERE {sound} ORDER BY seen DESC, rowid DESC"))
    return []
