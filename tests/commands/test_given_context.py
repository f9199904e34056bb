"""What --context and --history-from tell a conversation before it begins."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from livechat.commands.given_context import given_context
from livechat.conversations.store import Store
from livechat.errors import UsageError
from livechat.session.context_replay import NOTED, Exchange
from livechat.settings import Settings
from tests.support.program import environment, livechat


@pytest.fixture
def store() -> Iterator[Store]:
    with contextlib.closing(Store(None, on_trouble=lambda notice: None)) as opened:
        yield opened


def test_the_other_conversation_comes_first_and_then_the_files(tmp_path: Path, store: Store) -> None:
    other = store.begin("offline", "gemini-3.8-live", {})
    store.turn(other, 0, "hello", "Hi.")
    for name in ("one.txt", "two.md"):
        (tmp_path / name).write_text(f"This is {name}.")
    told = given_context(
        Settings(history_from=other[:4], context=f"{tmp_path}/one.txt, {tmp_path}/two.md"), store.archive()
    )
    assert told == [Exchange("hello", "Hi.")] + [
        Exchange(f"For your memory, the document {name}:\nThis is {name}.", NOTED) for name in ("one.txt", "two.md")
    ]
    assert given_context(Settings(), store.archive()) == []


@pytest.mark.parametrize(
    "settings", [Settings(history_from="nobody"), Settings(context="nowhere.txt"), Settings(context=".")]
)
def test_what_is_not_there_is_said(settings: Settings, store: Store) -> None:
    with pytest.raises(UsageError):
        given_context(settings, store.archive())


def test_an_empty_file_is_said(tmp_path: Path, store: Store) -> None:
    (tmp_path / "empty").write_text(" \n")
    with pytest.raises(UsageError, match="empty"):
        given_context(Settings(context=f"{tmp_path}/empty"), store.archive())


def test_a_new_conversation_knows_an_exported_one(tmp_path: Path) -> None:
    env = environment(tmp_path)
    livechat("talk", stdin="my name is Ada\n", env=env)
    export = livechat("sessions", "export", env=env).stdout
    (tmp_path / "call.md").write_text(export)
    done = livechat("talk", "--context", str(tmp_path / "call.md"), stdin="what is my name\n", env=env)
    assert "model: Your name is Ada." in done.stdout
    done = livechat("resume", stdin="what is my name\n", env=env)
    assert "model: Your name is Ada." in done.stdout
