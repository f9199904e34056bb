"""I/O. All conversations that were kept: to list them, to read one, to forget some. A livechat may be running."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from livechat.errors import LivechatError, UsageError
from livechat.kept import Conversation, Entry, Run, Spoken
from livechat.store import Store, state_folder

_ENTRIES = """
SELECT c.id, c.started, c.seen,
    coalesce((SELECT sum(ended - began) FROM runs WHERE conversation = c.id), c.seen - c.started),
    c.backend, c.model,
    (SELECT count(*) FROM turns WHERE conversation = c.id),
    (SELECT max(expires) FROM handles WHERE conversation = c.id),
    coalesce((SELECT user FROM turns WHERE conversation = c.id AND user <> '' ORDER BY number LIMIT 1), '')
FROM conversations c
"""
_NEWEST_FIRST = "ORDER BY c.seen DESC, c.rowid DESC"


def _refuse(message: str, _: str) -> None:
    reason = message.partition(": ")[2]
    raise LivechatError(f"the kept conversations cannot be changed: {reason}", "free some disk space, or try again")


class Archive(Store):
    """The store, for those who are not in a conversation. Each method raises UsageError for a broken database."""

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
            raise UsageError(f"there is no conversation {wanted}", "`livechat sessions` lists them")
        (entry,) = self._read(f"{_ENTRIES} WHERE c.id = ?", identity)
        turns = self._read(
            "SELECT user, model, began, answered, at FROM turns LEFT JOIN times USING (conversation, number)"
            " WHERE conversation = ? ORDER BY number",
            identity,
        )
        runs = self._read(
            "SELECT began, ended, links, captured_ms, sent_ms, replayed_ms, dropped_ms, longest_gap_ms"
            " FROM runs WHERE conversation = ? ORDER BY began",
            identity,
        )
        return Conversation(Entry(*entry), tuple(Spoken(*turn) for turn in turns), tuple(Run(*run) for run in runs))

    def handles(self, identity: str) -> list[str]:
        """The session handles of a conversation."""
        return [handle for (handle,) in self._read("SELECT handle FROM handles WHERE conversation = ?", identity)]

    def forget(self, identity: str) -> None:
        """Erase a conversation that was claimed: overwrite its words, as soon as nobody else has the database open.

        Not earlier, by a checkpoint: that locks out a conversation which is going on.
        """
        self._write("PRAGMA secure_delete = ON")
        self._write("DELETE FROM conversations WHERE id = ?", identity)
        with suppress(OSError):  # Windows keeps a file that is open
            (self._locks / identity).unlink()


def completions(environ: Mapping[str, str]) -> list[tuple[str, float]]:
    """Ids and times of last use, newest first, for a shell. Creates nothing, and raises nothing."""
    with suppress(sqlite3.Error, OSError, ValueError), contextlib.ExitStack() as stack:
        path = (state_folder(environ) / "conversations.sqlite3").absolute()
        db = stack.enter_context(contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)))
        return list(db.execute("SELECT id, seen FROM conversations ORDER BY seen DESC, rowid DESC"))
    return []
