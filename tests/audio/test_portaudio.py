"""Microphone and speaker over real PortAudio and a virtual sound card; and which device is meant by a name."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from livechat.audio.device_choice import Device, choose
from livechat.audio.interfaces import FRAME_BYTES
from livechat.audio.microphone import Microphone
from livechat.audio.portaudio import Card, list_devices
from livechat.audio.speaker import Speaker
from livechat.errors import DeviceError, Notice, UsageError
from tests.support.virtual_card import Sound, VirtualCard, likeness, virtual_card  # noqa: F401 - the fixture `card`


def chirp(rate: int, seconds: float = 0.3) -> Sound:
    at = np.arange(int(rate * seconds)) / rate
    return (12_000 * np.sin(2 * np.pi * (300 + 2000 / seconds * 0.3 * at) * at)).astype(np.int16)


class Line:
    """A microphone and a speaker in use, and what came of it."""

    def __init__(self, mic: str | None, speaker: str | None) -> None:
        self.notices: list[str] = []
        self.silence: list[str] = []  # a null sink gives exact zeros, and may be said to
        self.frames: list[bytes] = []
        self.on_frame: Callable[[bytes], object] = len
        card = Card(self.notice)
        self.microphone = Microphone(card, mic)
        self.speaker = Speaker(card, speaker)

    def notice(self, notice: Notice) -> None:
        message = notice.message
        mute = "digital silence" in message or message == "the microphone is heard now"
        (self.silence if mute else self.notices).append(message)

    async def listen(self) -> None:
        async for frame in self.microphone.frames():
            assert len(frame) == FRAME_BYTES
            self.frames.append(frame)
            self.on_frame(frame)

    def heard(self) -> Sound:
        return np.frombuffer(b"".join(self.frames), np.int16)


@asynccontextmanager
async def line(mic: str | None = None, speaker: str | None = None) -> AsyncIterator[Line]:
    opened = Line(mic, speaker)
    tasks = [asyncio.create_task(opened.listen()), asyncio.create_task(opened.speaker.run())]
    try:
        await until(lambda: bool(opened.frames), "the first frame")
        yield opened
    finally:
        for end in (opened.microphone, opened.speaker, opened.microphone):
            end.close()
        tasks[1].cancel()
        await asyncio.wait(tasks, timeout=5)
    assert not tasks[0].exception()


async def until(true: Callable[[], bool], what: str, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        await asyncio.sleep(0.02)


async def say(card: VirtualCard) -> None:
    """A chirp into the microphone, in real time."""
    await asyncio.to_thread(card.say, np.concatenate([chirp(48_000), np.zeros(9600, np.int16)]), 48_000)


def test_what_is_said_arrives_sample_for_sample_and_what_is_played_is_heard(card: VirtualCard) -> None:
    async def main() -> None:
        async with line("virtual_mic", "VIRTUAL_SPEAKER") as it:
            assert (it.microphone.name, it.speaker.name) == ("virtual_mic", "virtual_speaker")
            await say(card)
            await until(lambda: likeness(it.heard(), chirp(16_000))[0] > 0.94, "the chirp")
            with card.listen(24_000) as ear:
                it.speaker.play(chirp(24_000).tobytes(), 24_000)
                assert it.speaker.pending_ms() == pytest.approx(300)
                await until(lambda: it.speaker.level() > -20, "the level")
                await until(lambda: it.speaker.pending_ms() == 0, "the end")
                await until(lambda: likeness(ear.sound, chirp(24_000))[0] > 0.94, "the chirp")
            await until(lambda: not it.speaker.running, "the stream to stop")
            assert it.notices == []
        it.speaker.play(chirp(24_000).tobytes(), 24_000)  # too late, and no reason to fail
        assert not it.speaker.running

    asyncio.run(main())


def test_barge_in_is_silent_at_once_and_tells_what_was_not_heard(card: VirtualCard) -> None:
    async def main() -> None:
        async with line() as it:
            with card.listen(24_000) as ear:
                it.speaker.play(chirp(24_000, 5).tobytes(), 24_000)
                await until(lambda: it.speaker.pending_ms() < 4500, "half a second of it")
                heard = len(ear.sound)
                assert 4000 < it.speaker.flush() < 4500
                assert it.speaker.pending_ms() == 0
                await asyncio.sleep(0.4)
                last = int(np.flatnonzero(np.abs(ear.sound) > 100)[-1])
                assert last > 6000
                assert last - heard < 0.25 * 24_000  # a loaded machine's; 2 ms on an idle one
                it.speaker.play(chirp(24_000).tobytes(), 24_000)
                await until(lambda: likeness(ear.sound[last + 1 :], chirp(24_000))[0] > 0.94, "the next answer")

    asyncio.run(main())


def test_what_was_paused_goes_on_with_the_first_sample_that_was_not_heard(card: VirtualCard) -> None:
    async def main() -> None:
        async with line() as it:
            answer = chirp(24_000, 3)
            with card.listen(24_000) as ear:
                it.speaker.play(answer.tobytes(), 24_000)
                it.speaker.finish()
                await until(lambda: it.speaker.pending_ms() < 2000, "a second of it")
                it.speaker.pause()
                paused = it.speaker.pending_ms()
                await asyncio.sleep(0.4)
                assert it.speaker.pending_ms() == pytest.approx(paused, abs=0.1)
                before = int(np.flatnonzero(np.abs(ear.sound) > 100)[-1]) + 1
                it.speaker.resume()
                await until(lambda: it.speaker.pending_ms() == 0, "the end")
                await until(lambda: likeness(ear.sound[before:], answer[-12_000:])[0] > 0.94, "the end to be heard")
            first, second = ear.sound[:before], ear.sound[before:]
            _, place = likeness(answer, first[-4800:])
            after = int(np.flatnonzero(np.abs(second) > 100)[0])
            _, again = likeness(answer, second[after : after + 4800])
            # The card takes up to 20 ms at once, which are heard twice; none is lost.
            assert 0 <= place + 4800 - again < 0.25 * 24_000

    asyncio.run(main())


def test_an_answer_that_ran_dry_waits_for_more_until_it_is_complete(card: VirtualCard) -> None:
    async def main() -> None:
        async with line() as it:
            piece = chirp(24_000)
            for _ in range(4):
                it.speaker.play(piece.tobytes(), 24_000)
                await until(lambda: it.speaker.pending_ms() == 0, "the end of a piece")
            with card.listen(24_000) as ear:
                it.speaker.play(piece.tobytes(), 24_000)
                await asyncio.sleep(0.3)
                assert it.speaker.pending_ms() == pytest.approx(300)  # of a cushion of two seconds
                it.speaker.finish()
                await until(lambda: likeness(ear.sound, piece)[0] > 0.94, "the last piece")

    asyncio.run(main())


def test_a_device_that_wants_another_format_gets_it(card: VirtualCard, monkeypatch: pytest.MonkeyPatch) -> None:
    import sounddevice

    def refuse(**wanted: Any) -> None:
        if (wanted["samplerate"], wanted["channels"]) != (44_100, 2):
            raise sounddevice.PortAudioError("Invalid sample rate")

    monkeypatch.setattr(sounddevice, "check_input_settings", refuse)
    monkeypatch.setattr(sounddevice, "check_output_settings", refuse)

    async def main() -> None:
        async with line() as it:
            await say(card)
            await until(lambda: likeness(it.heard(), chirp(16_000))[0] > 0.94, "the chirp")
            with card.listen(24_000) as ear:
                it.speaker.play(chirp(24_000).tobytes(), 24_000)
                await until(lambda: likeness(ear.sound, chirp(24_000))[0] > 0.94, "the chirp")
                it.speaker.play(chirp(24_000).tobytes(), 24_000)
                assert it.speaker.flush() == pytest.approx(300, abs=1)

    asyncio.run(main())


def test_a_sound_server_that_dies_is_announced_and_all_goes_on_when_it_is_back(card: VirtualCard) -> None:
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
                await until(lambda: "sound is back" in it.notices, "the second announcement")
                await until(lambda: likeness(ear.sound, answer[-24_000:])[0] > 0.94, "the rest of the answer")
            await say(card)
            await until(lambda: likeness(it.heard(), chirp(16_000))[0] > 0.94, "the chirp")
            assert len(it.notices) == 2

    asyncio.run(main())


def test_a_stream_whose_turn_with_portaudio_comes_late_has_not_gone() -> None:
    class Later:
        worker: Any = None

        def add(self, stream: Any) -> None:
            """Nothing is tried out."""

        def submit(self, call: Any) -> None:
            """Not yet."""

    card: Any = Later()
    card.worker = card
    microphone = Microphone(card)
    for _ in range(2):  # the second time, callbacks of the first have been seen
        microphone._start()
        assert not any(microphone.stalled() for _ in range(30))
        microphone._calls += 1
        assert not microphone.stalled()
        microphone._stop()
        assert not microphone.stalled()


def test_suspended_devices_are_announced_once_and_swallow_nothing(
    card: VirtualCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They open, fill a buffer, and call no more: that is no sound yet."""
    monkeypatch.setattr("livechat.audio.portaudio._STARTING_POLLS", 10)

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
                await until(lambda: "sound is back" in it.notices, "the second announcement")
                await until(lambda: likeness(ear.sound, answer[-24_000:])[0] > 0.94, "the rest of the answer")
            await say(card)
            await until(lambda: likeness(it.heard(), chirp(16_000))[0] > 0.94, "the chirp")
            assert len(it.notices) == 2

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
    monkeypatch.setattr("livechat.audio.portaudio._PATIENCE_S", 0.5)

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


def test_a_microphone_that_gives_exact_zeros_is_mentioned_and_so_is_its_return(card: VirtualCard) -> None:
    async def main() -> None:
        async with line() as it:
            await until(lambda: len(it.silence) == 1, "the announcement")
            assert "digital silence" in it.silence[0]
            assert len(it.frames) < 150  # 3 s
            await say(card)
            await until(lambda: len(it.silence) == 2, "the second announcement")
            assert it.silence[1] == "the microphone is heard now"

    asyncio.run(main())


def python(program: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_sound_server_that_hangs_does_not_keep_the_process_from_ending(card: VirtualCard) -> None:
    program = (
        "import asyncio\n"
        "from livechat.audio.portaudio import Card\n"
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
        "from livechat.audio.portaudio import Card\n"
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


def test_what_c_libraries_print_is_kept_off_the_screen_and_python_is_not() -> None:
    program = (
        "import os, sys\n"
        "from livechat.audio.quiet_stderr import quiet_stderr\n"
        "with quiet_stderr():\n"
        "    with quiet_stderr():\n"
        "        os.write(2, b'noise ')\n"
        "        print('words', file=sys.stderr)\n"
        "    os.write(2, b'more noise ')\n"
        "os.write(2, b'after')\n"
    )
    with python(program) as process:
        assert process.communicate(timeout=20)[1] == "words\nafter"


def test_an_unknown_name_is_an_error_that_lists_what_there_is(card: VirtualCard) -> None:
    opened = Card(lambda notice: None)
    with pytest.raises(UsageError, match="no microphone fits") as caught:
        Microphone(opened, "Mars")
    assert "virtual_mic" in caught.value.hint
    assert "virtual_speaker" in {device.name for device in list_devices()}
    assert set(card.environment) <= set(os.environ)


def device(index: int, name: str, host: str = "ALSA", inputs: int = 1, outputs: int = 0) -> Device:
    return Device(index, name, host, inputs, outputs, 48_000, default_input=index == 1)


DEVICES = [
    device(0, "USB Headset"),
    device(1, "Built-in Microphone"),
    device(2, "USB Headset Pro"),
    device(3, "Speakers", inputs=0, outputs=2),
    device(4, "Built-in Microphone", host="WDM"),
]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [(None, 1), ("2", 2), ("built", 1), ("USB HEADSET", 0), (" pro ", 2), ("Built-in Microphone", 1), ("4", 4)],
)
def test_a_number_a_part_of_a_name_or_a_whole_name_is_enough(wanted: str | None, index: int) -> None:
    assert choose(DEVICES, wanted, "input").index == index


def test_a_card_that_has_another_number_today_is_still_that_card() -> None:
    cards = [device(0, "HDA Intel: ALC257 (hw:0,0)"), device(1, "USB Headset: Audio (hw:3,0)")]
    assert choose(cards, "USB Headset: Audio (hw:2,0)", "input").index == 1


@pytest.mark.parametrize(
    ("wanted", "message"),
    [("usb", "2 microphones fit"), ("9", "no microphone fits"), ("3", "no microphone fits"), ("Speak", "no mic")],
)
def test_what_fits_none_or_several_chooses_nothing_and_lists_them(wanted: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        choose(DEVICES, wanted, "input")
    assert "0 USB Headset; " in caught.value.hint


def test_no_device_at_all_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DeviceError, match="there is no speaker") as caught:
        choose([device(0, "Built-in Microphone")], None, "output")
    assert "--output" in caught.value.hint
