"""The whole program at a terminal: typed where there is no sound, spoken where there is a sound card."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests import ROOT
from tests.support.conversation import recognise, samples, words
from tests.support.program import environment
from tests.support.terminal import LIVECHAT, Terminal
from tests.support.virtual_card import VirtualCard

Call = Callable[..., Terminal]


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    """Starts livechat at 80x24."""
    begun: list[Terminal] = []

    def begin(*arguments: str, **more: str) -> Terminal:
        begun.append(Terminal(80, 24, [LIVECHAT, *arguments], environment(tmp_path, **more)))
        return begun[-1]

    yield begin
    for terminal in begun:
        terminal.close()


def test_without_a_device_one_types_and_reads(call: Call) -> None:
    terminal = call("talk", PULSE_SERVER="unix:/nonexistent")
    terminal.until_shown("type instead")
    terminal.until_shown("typing only")
    terminal.press("how much is 6 times 7\r")
    terminal.until_shown("42")
    for part in ("GoAway ~9:", "handle 0:", "105k→52k"):
        terminal.until_shown(part)
    terminal.press("\x03")
    assert terminal.until_ended() == 0
    assert terminal.restored()
    rows = [row for row in terminal.rows() if row]
    assert rows[-1].startswith("livechat resume ")
    assert sum("how much is 6 times 7" in row for row in rows) == 1


@pytest.mark.parametrize("how", [{"TERM": "dumb"}, {}])
def test_plain_lines_at_a_terminal(call: Call, how: dict[str, str]) -> None:
    """For a screen reader: no control sequence at all, and what was typed is not said twice."""
    terminal = call("talk", "--text", "--offline", *([] if how else ["--plain"]), **how, NO_COLOR="1")
    terminal.until_shown("you type")
    terminal.press("how much is 6 times 7\r")
    terminal.until_shown("model: 6 times 7 is 42.")
    terminal.press("/interrupt\r/mute\r/nothing known\r")
    terminal.until_shown("model: I heard")
    assert b"\x1b" not in terminal.raw
    assert sum("how much is 6 times 7" in row for row in terminal.rows()) == 1
    terminal.press("/quit\r" if how else "\x04")
    assert terminal.until_ended() == 0
    assert terminal.as_before()
    assert "livechat resume " in "\n".join(terminal.rows())


def test_columns_and_no_color_are_respected(call: Call) -> None:
    terminal = call("talk", "--text", "--offline", COLUMNS="60", NO_COLOR="1")
    terminal.until_shown("typing only")
    terminal.press("hello\r")
    terminal.until_shown("Hello!")
    assert max(map(len, terminal.rows())) < 60
    assert not re.search(rb"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;)", terminal.raw)
    terminal.press("\x03")
    assert terminal.until_ended() == 0
    assert terminal.restored()


def test_without_portaudio_one_types_and_reads(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import ctypes.util\nfound = ctypes.util.find_library\n"
        "ctypes.util.find_library = lambda name: None if name == 'portaudio' else found(name)\n"
    )
    command = [sys.executable, "-m", "livechat", "talk"]  # afresh: else it is not looked up
    terminal = Terminal(80, 24, command, environment(tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}"))
    terminal.until_shown("apt install libportaudio2")
    terminal.press("hello\r")
    terminal.until_shown("Hello!")
    terminal.press("\x04")
    assert terminal.until_ended() == 0
    terminal.close()


def test_a_call_by_microphone_and_speaker(call: Call, card: VirtualCard) -> None:
    """Speech into a microphone that PortAudio opens; the answer is heard, and understood, at the speaker."""
    terminal = call("talk", "--offline")
    terminal.until_shown("listening")
    with card.listen(16_000) as ear:
        card.say(np.concatenate([samples("Go forward ten meters."), np.zeros(8_000, np.int16)]), 16_000)
        terminal.until_shown("Go forward ten meters.")
        terminal.until_shown("speaking")
        terminal.until_shown("listening")
        heard = recognise(ear.sound.tobytes())
    assert words("go forward meters") <= heard
    terminal.press("tell me a story\r")
    with card.listen(16_000) as ear:
        terminal.until_shown("brass bell")
        before = len(ear.sound)
        card.say(np.concatenate([samples("Go forward ten meters."), np.zeros(8_000, np.int16)]), 16_000)
        terminal.until_shown("Go forward ten meters.")
        story = recognise(ear.sound[:before].tobytes())
        after = recognise(ear.sound[before + 3 * 16_000 :].tobytes())
    assert words("old lighthouse keeper") <= story
    assert not words("captain matches window") & after  # the speaker stopped where the person cut in
    terminal.press("\x03")
    assert terminal.until_ended() == 0
    assert terminal.restored()
    assert "nothing lost" in "\n".join(terminal.rows())
    assert "ALSA" not in "\n".join(terminal.all_rows())


def test_push_to_talk_at_a_terminal(call: Call, card: VirtualCard) -> None:
    terminal = call("talk", "--offline", "--ptt")
    terminal.until_shown("press space")
    quiet = np.zeros(8_000, np.int16)
    card.say(np.concatenate([samples("Go somewhere and do something."), quiet]), 16_000)
    assert "somewhere" not in "\n".join(terminal.rows())
    terminal.press(" ")
    terminal.until_shown("hearing you")
    card.say(np.concatenate([samples("Go forward ten meters."), quiet]), 16_000)
    terminal.press(" ")
    terminal.until_shown("Go forward ten meters.")
    terminal.until_shown("I heard")
    assert "somewhere" not in "\n".join(terminal.all_rows())
    terminal.press("\x03")
    assert terminal.until_ended() == 0


def test_one_leaves_as_usual_while_the_sound_server_hangs(call: Call, card: VirtualCard) -> None:
    terminal = call("talk", "--offline")
    terminal.until_shown("listening")
    terminal.press("tell me a story\r")
    terminal.until_shown("lighthouse")
    card.kill(signal.SIGSTOP)
    try:
        terminal.until_shown("went away")
        terminal.press("how much is 6 times 7\r")
        terminal.until_shown("42")
        terminal.press("\x03")
        assert terminal.until_ended() == 0
    finally:
        card.kill(signal.SIGCONT)
    assert terminal.restored()
    assert [row for row in terminal.rows() if row][-1].startswith("livechat resume ")


def test_devices_that_were_named_once_are_used_again(call: Call, card: VirtualCard) -> None:
    def hears(*flags: str) -> str:
        terminal = call("talk", "--offline", *flags)
        terminal.until_shown("plays to")
        terminal.press("\x03")
        terminal.until_ended()
        return "\n".join(terminal.rows())

    assert "hears virtual_mic · plays to virtual_speaker" in hears("--mic", "virtual_m", "--speaker", "virtual_s")
    assert "hears virtual_mic · plays to virtual_speaker" in hears()
    assert "hears virtual_mic · plays to default" in hears("--speaker", "default")
    card.unplug("virtual_mic")
    again = hears()
    assert "hears default · plays to default" in again
    assert "the microphone virtual_mic is not there: the default is used" in again


def test_a_conversation_outlives_its_sound_server_and_its_microphones(call: Call, card: VirtualCard) -> None:
    """Each event is one line, typing works without sound, and nothing said into a microphone in use is lost."""
    said = 0
    terminal = call("talk", "--offline")

    def speak(microphone: str) -> None:
        nonlocal said
        terminal.until_shown("○ listening")
        card.say(np.concatenate([samples("Go forward ten meters."), np.zeros(8_000, np.int16)]), 16_000, microphone)
        said += 1
        # The recogniser writes "metres", too, for what sounds the same.
        terminal.until(lambda: len(re.findall(r"you  Go forward ten met(?:er|re)s\.", screen())) == said)

    def screen() -> str:
        return "\n".join(terminal.all_rows())

    def swap(microphone: str, times: int) -> None:
        card.control("set-default-source", f"{microphone}.monitor").check_returncode()
        terminal.until(lambda: screen().count("the microphone is now") == times)

    def kill(times: int) -> None:
        card.kill()
        terminal.until(lambda: screen().count("went away") == times)
        terminal.press(f"how much is 6 times {times}\r")
        terminal.until(lambda: f"{6 * times}." in screen())
        card.start()
        terminal.until(lambda: screen().count("sound is back") == times)

    terminal.until_shown("listening")
    card.add_microphone("Desk")
    speak("virtual_mic")
    swap("Desk", 1)
    speak("Desk")
    kill(1)  # the default is virtual_mic again
    kill(2)
    speak("virtual_mic")
    terminal.press("\x03")
    assert terminal.until_ended() == 0
    assert terminal.restored()
    everything = screen()
    assert everything.count("went away") == everything.count("sound is back") == 2
    assert "nothing lost" in everything
    assert [noise for noise in ("ALSA lib", "Expression", "Traceback") if noise in everything] == []
