"""What goes on in a resumed conversation: its handles, its options, and for whom they are of use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from livechat.commands.resume_conversation import find, fitting, known_options, options_to_keep
from livechat.conversations.records import Resumable
from livechat.conversations.store import Store
from livechat.errors import ConfigError, Notice, UsageError
from livechat.settings import Settings, resolve

HANDLE = "95e91930-b35b-482b-8880-17efc49ec2f2"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "c.sqlite3", on_trouble=lambda notice: pytest.fail(notice.message))
    yield opened
    opened.close()


def kept(backend: str, model: str, **options: object) -> Resumable:
    return Resumable("abc234", backend, model, dict(options), [], [("a handle", 1, 0.0)])


def test_a_handle_that_is_not_known_here_has_no_conversation_and_a_name_must_have_one(store: Store) -> None:
    found = find(store.archive(), f" {HANDLE}\n", lambda notice: None)
    assert (found.id, found.handles[0][:2]) == ("", (HANDLE, 0))
    for wanted, message in ((None, "there is no conversation to resume"), ("abc", "there is no conversation abc")):
        with pytest.raises(UsageError, match=message):
            find(store.archive(), wanted, lambda notice: None)


def test_handles_are_of_use_to_their_own_model_and_backend_alone() -> None:
    told: list[Notice] = []
    same = kept("offline", "gemini-3.8-live", offline=True)
    assert fitting(same, Settings(model="gemini-3.8-live"), told.append) is same
    assert told == []
    assert fitting(same, Settings(model="gemini-3.1-flash-live"), told.append).handles == []
    assert [notice.hint for notice in told] == ["the new one is told the transcript"]


def test_a_conversation_with_gemini_is_not_handed_to_the_embedded_server_for_want_of_a_key() -> None:
    with pytest.raises(ConfigError, match="held with gemini, which is not configured now"):
        fitting(kept("gemini", "gemini-3.8-live"), Settings(), lambda notice: None)


def test_a_text_that_begins_with_an_at_sign_comes_back_as_the_text() -> None:
    options = options_to_keep(resolve({}, system="@@home be brief"))
    assert resolve({}, **options).system == "@home be brief"


def test_options_of_a_later_livechat_are_left_out_and_named() -> None:
    told: list[Notice] = []
    assert known_options({"voice": "Kore", "hologram": True, "ptt": True}, told.append) == {"voice": "Kore"}
    assert [notice.message.rpartition(": ")[2] for notice in told] == ["hologram, ptt"]
