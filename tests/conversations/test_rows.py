"""Rows of any type in any column: one that cannot be read is named and passed over, and hides no other."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from livechat.commands import sessions
from livechat.commands.resume_conversation import find
from livechat.commands.sessions_view import as_lines, as_table, in_full
from livechat.conversations.archive import completions, opened
from livechat.conversations.export import FORMATS
from livechat.conversations.rows import FILE
from livechat.conversations.store import Book, Store
from livechat.errors import Notice, UsageError
from livechat.events import Summary
from livechat.session.events import Resumption

COLUMNS = {
    "conversations": ("id", "started", "seen", "backend", "model", "options"),
    "handles": ("conversation", "handle", "covers", "issued", "expires"),
    "turns": ("conversation", "number", "user", "model", "at"),
    "times": ("conversation", "number", "began", "answered"),
    "runs": ("conversation", "began", "ended", "links", "captured_ms", "sent_ms", "replayed_ms", "dropped_ms",
             "longest_gap_ms"),
}  # fmt: skip
KEYS = {"handles": "handle", "turns": "number", "times": "number", "runs": "began"}
# One of each type for every column, and what is odd for some.
VALUES: tuple[Any, ...] = ("text", "\x1b[31m", b"\x00\xff", None, -1, 1e300, "\ud83d")
ODD_TEXTS = ("", "../../x", "a\0b")
ODD_NUMBERS = (1.5, 2**62, float("inf"), 253_402_300_799)
ODD_OPTIONS = ("", "[1]", "{", '{"voice": 5, "new": {}}')
TEXTS = {"id", "conversation", "backend", "model", "handle", "user"}
GOOD = ("aaa222", "ccc444")
HIT = "bbb333"
BEGAN = 1_700_000_000.0


def opened_store(folder: Path) -> contextlib.closing[Store]:
    return contextlib.closing(Store(folder / FILE, on_trouble=lambda *told: None))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three conversations, in tables that take anything."""
    folder = tmp_path_factory.mktemp("template")
    path = folder / FILE
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for table, columns in COLUMNS.items():
            key = "id" if table == "conversations" else f"conversation, {KEYS[table]}"
            db.execute(f"CREATE TABLE {table} ({', '.join(columns)}, PRIMARY KEY ({key}))")
        for n, identity in enumerate((GOOD[0], HIT, GOOD[1])):
            values = (identity, BEGAN + n, BEGAN + n, "offline", "gemini-3.8-live", '{"offline": true}')
            db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?)", values)
    with opened_store(folder) as store:
        for n, identity in enumerate((GOOD[0], HIT, GOOD[1])):
            for number in range(3):
                store.turn(identity, number, f"question {number}", f"answer {number}")
            store.keep(identity, Resumption(f"handle of {identity}", 3), 7200.0)
            store.measure(identity, BEGAN + n, Summary(12.5, 0, 1, 0, 0, 0, 0, 0, identity, "", 0))
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    copy = tmp_path / "state"
    shutil.copytree(template, copy)
    monkeypatch.setenv("LIVECHAT_STATE", str(copy))
    yield copy
    shutil.rmtree(copy)


def spoil(folder: Path, table: str, column: str, value: Any) -> None:
    """Put `value` into one row of the middle conversation, the first of several."""
    where = "id" if table == "conversations" else "conversation"
    held, given = (value.encode("utf-8", "surrogatepass"), "CAST(? AS TEXT)") if value == "\ud83d" else (value, "?")
    row = f"SELECT min(rowid) FROM {table} WHERE {where} = ?"  # noqa: S608
    with contextlib.closing(sqlite3.connect(folder / FILE, isolation_level=None)) as db:
        db.execute(f"UPDATE {table} SET {column} = {given} WHERE rowid = ({row})", (held, HIT))  # noqa: S608


def refused(run: Any) -> str:
    """What it says; "" where it does what was asked for. Anything but a usage error goes through."""
    try:
        run()
    except UsageError as error:
        return error.message
    return ""


def odd(column: str) -> tuple[Any, ...]:
    return ODD_OPTIONS if column == "options" else ODD_TEXTS if column in TEXTS else ODD_NUMBERS


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [(t, c, value) for t, columns in COLUMNS.items() for c in columns for value in (*VALUES, *odd(c))],
    ids=ascii,
)
def test_a_row_of_any_type_hides_no_other(
    table: str, column: str, value: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder, table, column, value)
    with contextlib.closing(opened(folder / FILE)) as archive:
        entries = {entry.id: entry for entry in archive.entries()}
        assert set(entries) >= set(GOOD)
        assert {identity for identity, _ in completions(folder / FILE)} == set(entries)
        as_table(io.StringIO(), list(entries.values()), 0.0)
        as_lines(io.StringIO(), list(entries.values()), 0.0)
        for identity in entries:
            kept = archive.read(identity)
            in_full(io.StringIO(), kept, 0.0)
            for form in FORMATS.values():
                form(kept).encode()
            said = [turn.user for turn in kept.turns]
            if identity in GOOD:
                assert said == ["question 0", "question 1", "question 2"]
            elif table != "conversations":
                assert said[-2:] == ["question 1", "question 2"] or column == "number"
        if entries.keys() == set(GOOD) and isinstance(value, str) and column != "id":
            assert HIT in refused(lambda: archive.read(HIT))
    assert sessions.sessions(as_json=True, every=True) == 0
    out, err = capsys.readouterr()
    assert {json.loads(line)["id"] for line in out.splitlines()} == set(entries)
    assert "\x1b" not in err
    for complaint in err.splitlines()[:-1]:
        assert complaint.startswith("conversation ")
        assert HIT in complaint or column in ("id", "conversation")
    if HIT not in entries and column != "id":
        assert f"conversation {HIT}: what livechat noted of it cannot be read" in err
    with opened_store(folder) as store:
        notices: list[Notice] = []
        newest = find(store.archive(), None, notices.append)
        assert newest.id in {*entries}
        assert newest.options.keys() <= {"offline"}
        said_of_it = refused(lambda: find(store.archive(), HIT, notices.append))
        assert said_of_it == "" or HIT not in entries or column in ("options", "id")
    if column != "id":  # the remedy
        assert sessions.forget([HIT, GOOD[0]], older_than=None, as_json=False) == 0
        with contextlib.closing(opened(folder / FILE)) as archive:
            assert [entry.id for entry in archive.entries()] == [GOOD[1]]
            left = [who for who, _ in archive.flaws()]
            assert HIT not in left


@pytest.mark.parametrize("name", ["", "-1", "../x", "a b", "\x1b[2J", "a\0b", b"\xff", None])
def test_what_has_no_name_that_can_be_typed_is_forgotten_by_what_is_shown(
    name: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder, "conversations", "id", name)
    outside = folder.parent / "x"
    outside.write_text("not ours")
    assert sessions.sessions(as_json=False) == 0
    shown = capsys.readouterr().err.splitlines()[0].removeprefix("conversation ").rpartition(": what livechat")[0]
    assert sessions.forget([shown], older_than=None, as_json=False) == 0
    assert outside.exists()
    capsys.readouterr()
    assert sessions.sessions(as_json=False) == 0
    assert capsys.readouterr().err.count("what livechat noted") == 0


def test_pieces_of_a_conversation_that_is_not_there_are_named_and_forgotten(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.closing(sqlite3.connect(folder / FILE, isolation_level=None)) as db:
        db.execute("INSERT INTO turns VALUES ('zzz999', 0, 'a lost word', '', 1.0)")
    assert sessions.sessions(as_json=False) == 0
    assert "conversation zzz999: 1 exchange cannot be read" in capsys.readouterr().err
    assert sessions.forget(["zzz999"], older_than=None, as_json=False) == 0
    assert b"a lost word" not in (folder / FILE).read_bytes()
    with pytest.raises(UsageError, match="there is no conversation zzz999"):
        sessions.forget(["zzz999"], older_than=None, as_json=False)


def test_what_is_said_after_a_bad_row_is_written_over_none(folder: Path) -> None:
    """The runner counts what it was given: two exchanges, of which the second has the third's number."""
    spoil(folder, "turns", "user", b"\xff")
    with opened_store(folder) as store:
        kept = store.archive().find(HIT)
        assert kept is not None
        assert [turn.user for turn in kept.turns] == ["question 1", "question 2"]
        assert [covers for _, covers, _ in kept.handles] == [2]  # all of them, as before
        book = Book(store, HIT, 7200.0, kept.numbers)
        book.turn(1, "question 2, in full", "answer 2")
        book.turn(2, "question 3", "answer 3")
        book.keep(Resumption("newest", 3))
        again = store.archive().find(HIT)
        assert again is not None
        assert [turn.user for turn in again.turns] == ["question 1", "question 2, in full", "question 3"]
        assert again.handles[0][:2] == ("newest", 3)


def test_what_a_later_livechat_noted_is_left_out_and_named(folder: Path) -> None:
    made = {"voice": 5, "model": "gemini-3.8-live", "hologram": True, "offline": True, "trigger_tokens": True}
    spoil(folder, "conversations", "options", json.dumps(made))
    with opened_store(folder) as store:
        notices: list[Notice] = []
        kept = find(store.archive(), HIT, notices.append)
    assert kept.options == {"model": "gemini-3.8-live", "offline": True}
    (notice,) = notices
    assert notice.message.endswith("hologram, trigger_tokens, voice")


@pytest.mark.parametrize("value", [b"\xff", 5, None])
def test_a_device_of_another_type_is_not_remembered(folder: Path, value: Any) -> None:
    with opened_store(folder) as store:
        with contextlib.closing(sqlite3.connect(folder / FILE, isolation_level=None)) as db:
            db.execute("DROP TABLE devices")
            db.execute("CREATE TABLE devices (profile, kind, name)")
            db.execute("INSERT INTO devices VALUES ('default', 'input', ?), ('default', 'output', 'Horn')", (value,))
        assert store.preferred("default", "input") is None
        assert store.preferred("default", "output") == "Horn"
