"""Which device a conversation takes: the one that is asked for, the one asked for before, or the system's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from livechat.commands.remember_devices import Choices, open_preferred
from livechat.config_file import Config
from livechat.conversations.store import Store
from livechat.errors import DeviceError, Notice, UsageError

NONE = Config(Path("config.toml"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "conversations.sqlite3", on_trouble=lambda notice: None)
    yield opened
    opened.close()


def taken(
    store: Store, wanted: str | None, *there: str, kind: Any = "input", config: Config = NONE
) -> tuple[str, list[str]]:
    """The name of the microphone taken, and what is said about it."""
    notices: list[Notice] = []

    def make(name: str | None) -> Any:
        if name == "busy":
            raise DeviceError("the microphone cannot be opened")
        found = next((device for device in there if name and name in device), None)
        if name and not found:
            raise UsageError(f"no microphone fits {name}")
        return SimpleNamespace(name=found or "the system's")

    return open_preferred(make, kind, wanted, Choices(store, config), notices.append).name, [
        notice.message for notice in notices
    ]


def test_what_was_named_once_is_used_until_the_default_is_asked_for(store: Store) -> None:
    assert taken(store, None, "USB Headset") == ("the system's", [])
    assert taken(store, "Head", "USB Headset") == ("USB Headset", [])
    assert taken(store, None, "USB Headset", "USB Headset 2") == ("USB Headset", [])
    assert taken(store, None, "USB Headset", kind="output") == ("the system's", [])
    assert taken(store, " Default", "USB Headset") == ("the system's", [])
    assert taken(store, None, "USB Headset") == ("the system's", [])


def test_what_is_not_there_is_named_in_one_notice_and_used_again_when_it_is(store: Store) -> None:
    taken(store, "USB", "USB Headset")
    name, (notice,) = taken(store, None)
    assert name == "the system's"
    assert notice == "the microphone USB Headset is not there: the default is used"
    assert taken(store, None, "USB Headset") == ("USB Headset", [])
    store.prefer("default", "input", "busy")
    assert taken(store, None) == ("the system's", ["the microphone cannot be opened: the default is used"])


def test_what_is_asked_for_and_not_there_is_an_error_and_changes_nothing(store: Store) -> None:
    taken(store, "USB", "USB Headset")
    with pytest.raises(UsageError):
        taken(store, "Jabra", "USB Headset")
    assert taken(store, None, "USB Headset") == ("USB Headset", [])


def test_a_device_of_the_configuration_is_usual_until_a_flag_names_one(store: Store) -> None:
    config = Config(Path("config.toml"), values={"mic": "Desk"})
    assert taken(store, None, "USB Headset", "Desk Mic", config=config) == ("Desk Mic", [])
    assert taken(store, None, "USB Headset", config=config)[0] == "the system's"
    assert taken(store, "USB", "USB Headset", "Desk Mic", config=config) == ("USB Headset", [])
    assert taken(store, None, "USB Headset", "Desk Mic", config=config) == ("USB Headset", [])
    assert taken(store, "default", "USB Headset", "Desk Mic", config=config) == ("the system's", [])
    assert taken(store, None, "USB Headset", "Desk Mic", config=config) == ("Desk Mic", [])
    system = Config(Path("config.toml"), values={"mic": "Default"})
    assert taken(store, None, "Desk Mic", config=system) == ("the system's", [])


def test_each_profile_remembers_its_own_devices(store: Store) -> None:
    pair = Config(Path("config.toml"), "pair")
    assert taken(store, "USB", "USB Headset", config=pair) == ("USB Headset", [])
    assert taken(store, None, "USB Headset") == ("the system's", [])
    assert taken(store, None, "USB Headset", config=pair) == ("USB Headset", [])
