"""How a microphone and a speaker survive the loss of their devices, on a virtual sound card."""

from __future__ import annotations

import asyncio
import logging
import re
import signal

import numpy as np
import pytest

from livechat.audio.ring import Samples
from tests.support.sound_line import Line, chirp, line, python, say, until
from tests.support.virtual_card import Ear, VirtualCard, likeness, virtual_card

__all__ = ["virtual_card"]  # the fixture `card`


async def until_all_is_back(it: Line, card: VirtualCard, ear: Ear, answer: Samples) -> None:
    """Said once, the rest of the answer is played, and the person is heard."""
    await until(lambda: "sound is back" in it.notices, "the second announcement")
    await until(lambda: likeness(ear.sound, answer[-24_000:])[0] > 0.94, "the rest of the answer")
    await say(card)
    await until(lambda: likeness(it.heard(), chirp(16_000))[0] > 0.94, "the chirp")
    assert len(it.notices) == 2


def test_a_sound_server_that_dies_is_announced_and_all_goes_on_when_it_is_back(
    card: VirtualCard, caplog: pytest.LogCaptureFixture
) -> None:
    """And the log explains it: what was opened and how, why it was lost, what was tried, what there is now."""
    caplog.set_level(logging.DEBUG, "livechat.audio")

    async def main() -> None:
        async with line() as it:
            answer = chirp(24_000, 3)
            it.speaker.play(answer.tobytes(), 24_000)
            await until(lambda: it.speaker.pending_ms() < 2700, "playback")
            card.kill()
            await until(lambda: len(it.notices) == 1, "the announcement")
            assert "the microphone" in it.notices[0]
            assert "went away" in it.notices[0]
            count = len(it.frames)
            await until(lambda: len(it.frames) > count + 20, "silence in place of the microphone")
            assert not any(it.frames[-1])
            assert it.speaker.pending_ms() > 2000
            card.start()
            with card.listen(24_000) as ear:
                await until_all_is_back(it, card, ear, answer)

    asyncio.run(main())
    told = [record.getMessage() for record in caplog.records]
    steps = [
        r"\d+ devices are listed",
        r"Device\(index=\d+, name='virtual_mic', ",
        r"the microphone opens: the default gives device \d+, default \(ALSA\), at 16000 Hz, 1 channels",
        r"frames of the microphone pass through nothing",
        r"the microphone default is lost: PortAudio ended the stream",
        r"attempt 1 to reopen sound",
        r"the microphone does not start: ",
        r"attempt \d+ to reopen sound",
        r"the microphone opens: ",
        r"the microphone default is alive",
    ]
    rest = iter(told)
    assert [step for step in steps if not any(re.match(step, line) for line in rest)] == [], told
    assert any("the sound server's routes: {'input': PulseRoute(default=" in line for line in told)


def test_suspended_devices_are_announced_once_and_swallow_nothing(
    card: VirtualCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They open, fill a buffer, and call no more: that is no sound yet."""
    monkeypatch.setattr("livechat.audio.device_stream._STARTING_POLLS", 10)

    async def main() -> None:
        async with line() as it:
            answer = chirp(24_000, 3)
            it.speaker.play(answer.tobytes(), 24_000)
            await until(lambda: it.speaker.pending_ms() < 2700, "playback")
            for sink in ("virtual_mic", "virtual_speaker"):
                card.control("suspend-sink", sink, "1").check_returncode()
            await until(lambda: it.microphone.lost and it.speaker.lost, "the loss")
            left = it.speaker.pending_ms()
            await asyncio.sleep(3)  # two attempts
            assert len(it.notices) == 1
            assert "the microphone and the speaker went away" in it.notices[0]
            assert left > 2000
            assert it.speaker.pending_ms() == left
            with card.listen(24_000) as ear:
                for sink in ("virtual_mic", "virtual_speaker"):
                    card.control("suspend-sink", sink, "0").check_returncode()
                await until_all_is_back(it, card, ear, answer)

    asyncio.run(main())


def test_a_sound_server_that_hangs_is_announced_once_and_so_is_its_return(card: VirtualCard) -> None:
    async def main() -> None:
        async with line() as it:
            it.speaker.play(chirp(24_000, 3).tobytes(), 24_000)
            await until(lambda: it.speaker.pending_ms() < 2700, "playback")
            card.kill(signal.SIGSTOP)
            try:
                await until(lambda: len(it.notices) == 1, "the announcement")
                count = len(it.frames)
                await until(lambda: len(it.frames) > count + 100, "silence in place of the microphone")
            finally:
                card.kill(signal.SIGCONT)
            await until(lambda: "sound is back" in it.notices, "the second announcement")
            await say(card)
            await until(lambda: likeness(it.heard(), chirp(16_000))[0] > 0.94, "the chirp")
            assert it.notices[0] == "the microphone and the speaker went away"
            assert len(it.notices) == 2

    asyncio.run(main())


@pytest.mark.parametrize("name", [None, "virtual_mic"])
def test_where_the_sound_server_takes_a_stream_is_announced(card: VirtualCard, name: str | None) -> None:
    """It moves both when the default changes; the one that was named, PortAudio calls by its name all the same."""
    card.add_microphone("Desk")

    async def main() -> None:
        async with line(name) as it:
            await asyncio.sleep(1.5)  # until it is known where it was
            card.control("set-default-source", "Desk.monitor")
            await until(lambda: len(it.notices) == 1, "the announcement")
            assert it.notices == ["the microphone is now Monitor of Desk"]
            sound = np.concatenate([chirp(48_000), np.zeros(9600, np.int16)])
            await asyncio.to_thread(card.say, sound, 48_000, "Desk")
            await until(lambda: likeness(it.heard(), chirp(16_000))[0] > 0.94, "the chirp")
            card.control("set-default-sink", "Desk")  # nothing is playing
            await until(lambda: len(it.notices) == 2, "the speaker's announcement")
            assert it.notices[1] == "the speaker is now Desk"

    asyncio.run(main())


def test_in_place_of_a_named_microphone_that_does_not_come_back_the_default_is_used(
    card: VirtualCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livechat.audio.card._PATIENCE_S", 0.5)

    async def main() -> None:
        async with line("virtual_mic", "virtual_speaker") as it:
            card.unplug("virtual_mic")
            card.unplug("virtual_speaker")
            card.kill()
            card.start()
            await until(lambda: len(it.notices) == 2, "the announcements")
            assert it.notices[1] == "sound is back, by default"
            await say(card)
            await until(lambda: likeness(it.heard(), chirp(16_000))[0] > 0.94, "the chirp")
            with card.listen(24_000) as ear:
                it.speaker.play(chirp(24_000).tobytes(), 24_000)
                await until(lambda: likeness(ear.sound, chirp(24_000))[0] > 0.94, "the chirp at the speaker")
            assert it.speaker.name == "default"
            assert len(it.notices) == 2

    asyncio.run(main())


def test_a_sound_server_that_hangs_does_not_keep_the_process_from_ending(card: VirtualCard) -> None:
    program = (
        "import asyncio\n"
        "from livechat.audio.card import Card\n"
        "from livechat.audio.microphone import Microphone\n"
        "async def main():\n"
        "    microphone = Microphone(Card(print))\n"
        "    frames = microphone.frames()\n"
        "    await anext(frames)\n"
        "    print('listening', flush=True)\n"
        "    input()\n"
        "    microphone.close()\n"
        "asyncio.run(main())\n"
    )
    with python(program, card.environment) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == "listening\n"
        card.kill(signal.SIGSTOP)
        try:
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.wait(10) == 0
        finally:
            card.kill(signal.SIGCONT)


def test_without_portaudio_the_error_says_how_to_get_it() -> None:
    program = (
        "import ctypes.util, os.path\n"
        "ctypes.util.find_library = lambda name: None\n"
        "os.path.isfile = lambda name: False\n"
        "from livechat.audio.card import Card\n"
        "from livechat.errors import DeviceError\n"
        "try: Card(print)\n"
        "except DeviceError as error: print(error.message, error.hint, sep='|')\n"
    )
    with python(program) as process:
        out, err = process.communicate(timeout=20)
    assert err == ""
    message, hint = out.split("|")
    assert "PortAudio" in message
    for remedy in ("apt install libportaudio2", "dnf install", "pacman -S", "brew install", "--text"):
        assert remedy in hint
