"""The kept conversations, and room on their disk."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

from livechat.commands.doctor.finding import Finding, Subject
from livechat.conversations.archive import opened
from livechat.conversations.rows import FILE
from livechat.paths import state_folder

_NONE_LEFT, _LITTLE = 50e6, 500e6  # bytes


def conversations(subject: Subject) -> Finding:
    path = state_folder(subject.environ) / FILE
    if not path.exists():
        return Finding("ok", "none yet", str(path))
    with contextlib.closing(opened(path)) as archive:
        kept, flaws, read_only = archive.entries(), archive.flaws(), archive.read_only
    damage = _damage(path)
    if damage:
        remedy = f"keep a copy of {path}, then remove it; or restore it from a backup"
        return Finding("fail", f"the file is damaged: {damage}", str(path), remedy)
    if read_only:
        remedy = f"let {path.parent} be written to, or set LIVECHAT_STATE to another folder"
        return Finding("fail", f"they can only be read: {read_only}", str(path), remedy)
    if flaws:
        remedy = f"`livechat sessions forget {flaws[0][0]}` erases all of it"
        return Finding(
            "warn", f"{len(flaws)} parts cannot be read", "; ".join(" ".join(flaw) for flaw in flaws), remedy
        )
    return Finding("ok", f"{len(kept)} kept, nothing is damaged", str(path))


def disk(subject: Subject) -> Finding:
    folder = state_folder(subject.environ)
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free
    summary = f"{free / 1e9:.1f} GB free"
    if free >= _LITTLE:
        return Finding("ok", summary, str(there))
    remedy = f"free some space on the disk of {there}"
    return Finding("fail" if free < _NONE_LEFT else "warn", summary, "a recording takes 5 MB a minute", remedy)


def _damage(path: Path) -> str:
    """What SQLite finds wrong with the file; "" for nothing, or where another program has it locked."""
    with contextlib.suppress(sqlite3.OperationalError):
        try:
            with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
                (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            return str(error)
        return "" if found == "ok" else str(found)
    return ""
