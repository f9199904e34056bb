"""Which device a conversation takes: asked for, asked for before, or the system's own; and `livechat devices`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from livechat.commands.devices import Choices, prefer
from livechat.config_file import Config
from livechat.conversations.store import Store
from livechat.errors import DeviceError, UsageError
from tests import ROOT
from tests.commands.test_talk import livechat
from tests.support.terminal import Terminal
from tests.support.virtual_card import VirtualCard, virtual_card

__all__ = ["virtual_card"]  # the fixture `card`


NONE = Config(Path("config.toml"))


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The card's environment, if one is there, and a state of its own."""
    ours = {"LIVECHAT_STATE": str(tmp_path / "state"), "LIVECHAT_CONFIG": os.devnull}
    return {**os.environ, **ours, "TERM": "xterm-256color"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "conversations.sqlite3", on_trouble=lambda message, hint: None)
    yield opened
    opened.close()


def taken(
    store: Store, wanted: str | None, *there: str, kind: Any = "input", config: Config = NONE
) -> tuple[str, list[str]]:
    """The name of the microphone taken, and what is said about it."""
    notices: list[tuple[str, str]] = []

    def make(name: str | None) -> Any:
        if name == "busy":
            raise DeviceError("the microphone cannot be opened")
        found = next((device for device in there if name and name in device), None)
        if name and not found:
            raise UsageError(f"no microphone fits {name}")
        return SimpleNamespace(name=found or "the system's")

    return prefer(make, kind, wanted, Choices(store, config), notices).name, [message for message, _ in notices]


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


def test_devices_are_listed_for_people_and_for_programs(card: VirtualCard, env: dict[str, str]) -> None:
    plain = livechat("devices", "--mic", "virtual_mic", env=env | card.environment)
    assert plain.returncode == 0
    assert plain.stderr == ""
    lines = plain.stdout.splitlines()
    assert "microphone 0: virtual_mic · ALSA · channels 32 · 44100 Hz · opens at 16000 Hz · used" in lines
    assert "speaker 0: virtual_mic · ALSA · channels 32 · 44100 Hz · does not open" in lines
    rows = [
        json.loads(line) for line in livechat("devices", "--json", env=env | card.environment).stdout.splitlines()
    ]
    assert {row["type"] for row in rows} == {"device"}
    assert [(row["kind"], row["name"]) for row in rows if row["chosen"]] == [
        ("microphone", "virtual_mic"),  # named above
        ("speaker", "default"),
    ]
    assert [row["takes"] for row in rows if row["default"]] == [16_000, 24_000]


def test_an_unknown_device_is_a_usage_error_that_lists_them(card: VirtualCard, env: dict[str, str]) -> None:
    done = livechat("devices", "--speaker", "mars", env=env | card.environment)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: no speaker fits --speaker 'mars'",
        "hint: choose by number or name: 0 virtual_mic; 1 virtual_speaker; 2 virtual_ear; 3 default",
    ]


def test_without_devices_or_portaudio_there_is_one_line_and_a_remedy(env: dict[str, str], tmp_path: Path) -> None:
    none = livechat("devices", env=env | {"PULSE_SERVER": "unix:/nonexistent"})
    assert none.returncode == 4
    assert none.stdout == ""
    assert none.stderr.startswith("error: there is neither microphone nor speaker\nhint: ")
    (tmp_path / "sitecustomize.py").write_text(
        "import ctypes.util\nfound = ctypes.util.find_library\n"
        "ctypes.util.find_library = lambda name: None if name == 'portaudio' else found(name)\n"
    )
    without = livechat("devices", env=env | {"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert without.returncode == 4
    assert without.stderr.startswith("error: PortAudio, the sound library, is not installed\nhint: apt install")


def test_the_test_measures_what_the_microphone_hears_of_the_speaker(card: VirtualCard, env: dict[str, str]) -> None:
    silent = livechat("devices", "--test", env=env | card.environment)
    assert silent.returncode == 0
    *_, verdict, remedy = silent.stdout.splitlines()
    assert verdict == "nothing was heard: the microphone gives digital silence"
    assert "pactl set-source-mute" in remedy
    card.couple(-10)
    *_, found = livechat("devices", "--test", "--json", env=env | card.environment).stdout.splitlines()
    tested = json.loads(found)
    assert tested["type"] == "test"
    assert tested["echo_db"] == pytest.approx(-10, abs=0.5)
    assert tested["round_trip_ms"] > 60  # what the card itself takes
    assert "the microphone hears the speaker at -10 dB" in tested["verdict"]
    assert tested["removed_db"] > 15
    assert tested["recommended"] == "cancel"
    assert "--echo cancel" in tested["hint"]


def test_a_microphone_that_opens_and_gives_nothing_is_an_error(card: VirtualCard, env: dict[str, str]) -> None:
    card.control("suspend-sink", "virtual_mic", "1").check_returncode()
    done = livechat("devices", "--test", env=env | card.environment)
    assert done.returncode == 4
    assert done.stderr.startswith("error: the microphone opens, but gives no sound\nhint: ")


def test_at_a_terminal_there_is_a_table_and_a_level_until_a_key(card: VirtualCard, env: dict[str, str]) -> None:
    terminal = Terminal(80, 24, [sys.executable, "-m", "livechat", "devices"], env | card.environment)
    try:
        terminal.until_shown("microphones")
        terminal.until_shown("speakers")
        terminal.until_shown("any key ends")
        assert "-90 dBFS" in "\n".join(terminal.rows())
        card.say((1000 * np.sqrt(2) * np.sin(np.arange(48_000) / 20)).astype(np.int16), 48_000)
        terminal.until(lambda: b"-30 dBFS" in terminal.raw)
        terminal.press("\x03")
        assert terminal.until_ended() == 0
        assert terminal.as_before()
        assert "ALSA lib" not in "\n".join(terminal.all_rows())
    finally:
        terminal.close()


def test_a_silent_microphone_is_explained_below_its_level(card: VirtualCard, env: dict[str, str]) -> None:
    terminal = Terminal(80, 24, [sys.executable, "-m", "livechat", "devices"], env | card.environment)
    try:
        assert terminal.until_ended() == 0  # by itself
        rows = terminal.rows()
        (level,) = [n for n, row in enumerate(rows) if row.endswith("-90 dBFS  any key ends")]
        assert rows[level + 1] == "warning: the microphone gives nothing but digital silence"
        assert rows[level + 2].startswith("hint: unmute it")
        assert terminal.as_before()
    finally:
        terminal.close()
