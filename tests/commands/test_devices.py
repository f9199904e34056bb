"""`livechat devices`, on the virtual sound card and without one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import ROOT
from tests.support.program import livechat
from tests.support.terminal import LIVECHAT, Terminal
from tests.support.virtual_card import VirtualCard


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
    command = [sys.executable, "-m", "livechat", "devices"]  # afresh: else it is not looked up
    without = subprocess.run(
        command, env=env | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}, capture_output=True, text=True, check=False
    )
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
    terminal = Terminal(80, 24, [LIVECHAT, "devices"], env | card.environment)
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
    terminal = Terminal(80, 24, [LIVECHAT, "devices"], env | card.environment)
    try:
        assert terminal.until_ended() == 0  # by itself
        rows = terminal.rows()
        (level,) = [n for n, row in enumerate(rows) if row.endswith("-90 dBFS  any key ends")]
        assert rows[level + 1] == "warning: the microphone gives nothing but digital silence"
        assert rows[level + 2].startswith("hint: unmute it")
        assert terminal.as_before()
    finally:
        terminal.close()
