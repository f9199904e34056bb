"""What is wrong with the kept conversations, and with the room for them."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from livechat.commands.doctor import storage
from livechat.commands.doctor.finding import Subject
from livechat.commands.doctor.run import _found
from livechat.conversations.rows import FILE
from livechat.conversations.store import Store


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject({"LIVECHAT_STATE": str(tmp_path / "state")}, terminal=False)


def kept(subject: Subject, turns: int = 1) -> Path:
    path = Path(subject.environ["LIVECHAT_STATE"]) / FILE
    with contextlib.closing(Store(path, on_trouble=lambda notice: None)) as store:
        identity = store.begin("gemini", "m", {})
        for n in range(turns):
            store.turn(identity, n, "a question " * 50, "an answer " * 50)
    return path


def test_nothing_is_made_where_nothing_was_kept(subject: Subject) -> None:
    assert storage.conversations(subject).summary == "none yet"
    assert not Path(subject.environ["LIVECHAT_STATE"]).exists()


def test_conversations_that_are_whole_are_counted(subject: Subject) -> None:
    kept(subject)
    assert storage.conversations(subject).summary == "1 kept, nothing is damaged"


def test_a_damaged_file_fails_with_a_remedy(subject: Subject) -> None:
    path = kept(subject, turns=50)
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)
    found = _found(storage.conversations, subject)
    assert (found.status, bool(found.remedy)) == ("fail", True)


def test_a_part_that_cannot_be_read_is_named(subject: Subject) -> None:
    path = kept(subject)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE turns SET user = x'00ff'")
    found = storage.conversations(subject)
    assert found.status == "warn"
    assert "livechat sessions forget" in found.remedy


@pytest.mark.parametrize(("free", "status"), [(2e9, "ok"), (1e8, "warn"), (1e6, "fail")])
def test_room_on_the_disk(free: float, status: str, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert storage.disk(subject).status == status
