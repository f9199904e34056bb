"""Files as sinks, and none, on the clock of a loop in virtual time."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from livechat.audio.dsp import SILENCE_DBFS, from_float, level
from livechat.audio.sinks import FileSink, NullSink
from livechat.errors import DeviceError, UsageError
from tests.support.disk import small_disk
from tests.support.virtual_time import run

Sound = npt.NDArray[np.int16]


def chirp(rate: int, seconds: float = 0.5) -> npt.NDArray[np.float64]:
    at = np.arange(int(rate * seconds)) / rate
    return 0.5 * np.sin(2 * np.pi * (300 + 1500 * at) * at)


def recorded(path: Path) -> Sound:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def test_a_recording_holds_what_was_heard_when_it_was_heard_and_not_what_was_flushed(tmp_path: Path) -> None:
    answer = np.arange(1, 24_001).astype(np.int16)

    async def main() -> None:
        sink = FileSink(tmp_path / "out.wav")
        assert recorded(tmp_path / "out.wav").size == 0  # it exists and is valid from the start
        task = asyncio.create_task(sink.run())
        await asyncio.sleep(1.005)
        assert sink.level() == SILENCE_DBFS
        sink.play(answer.tobytes(), 24_000)
        assert sink.pending_ms() == 1000
        await asyncio.sleep(0.333)
        assert sink.pending_ms() == pytest.approx(667, abs=0.1)
        assert sink.level() == pytest.approx(level(answer[7500:7980].tobytes()), abs=1)
        assert sink.flush() == pytest.approx(667, abs=0.1)
        assert sink.pending_ms() == 0
        await asyncio.sleep(1)
        sink.play(answer[:2400].tobytes(), 24_000)
        await asyncio.sleep(0.5)
        sink.close()
        sink.close()
        sink.play(answer.tobytes(), 24_000)
        task.cancel()

    run(main())
    sound = recorded(tmp_path / "out.wav")
    assert len(sound) == pytest.approx((1.005 + 0.333 + 1 + 0.5) * 24_000, abs=2)
    first = int(np.flatnonzero(sound)[0])
    assert first == pytest.approx(1.005 * 24_000, abs=2)
    cut = first + round(0.333 * 24_000)
    assert np.array_equal(sound[first : cut - 2], answer[: cut - first - 2])
    again = cut + 24_000
    assert not sound[cut + 2 : again - 2].any()
    assert np.count_nonzero(sound[again - 2 :]) == 2400


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_what_comes_at_another_rate_lasts_as_long_and_sounds_the_same(tmp_path: Path, rate: int) -> None:
    async def main() -> None:
        sink = FileSink(tmp_path / "out.wav")
        task = asyncio.create_task(sink.run())
        sink.play(from_float(chirp(rate).astype(np.float32)), rate)
        assert sink.pending_ms() == pytest.approx(500)
        await asyncio.sleep(0.6)
        sink.close()
        task.cancel()

    run(main())
    heard, wanted = recorded(tmp_path / "out.wav") / 32768, chirp(24_000)
    likeness = np.correlate(heard, wanted) / np.linalg.norm(heard) / np.linalg.norm(wanted)
    assert likeness.max() > 0.98


def test_a_compact_file_holds_what_was_heard_and_a_short_pause_between(tmp_path: Path) -> None:
    answer = np.arange(1, 24_001).astype(np.int16)

    async def main() -> None:
        sink = FileSink(tmp_path / "out.flac", compact=True)
        task = asyncio.create_task(sink.run())
        await asyncio.sleep(3.0)
        sink.play(answer.tobytes(), 24_000)
        await asyncio.sleep(0.25)
        sink.flush()
        await asyncio.sleep(5.0)
        sink.play(answer[:12_000].tobytes(), 24_000)
        await asyncio.sleep(0.6)
        sink.play(answer[12_000:].tobytes(), 24_000)
        await asyncio.sleep(7.0)
        sink.close()
        task.cancel()

    run(main())
    sound, rate = soundfile.read(tmp_path / "out.flac", dtype="int16")
    assert rate == 24_000
    pause, jitter = np.zeros(12_000, np.int16), np.zeros(2_400, np.int16)
    assert np.array_equal(sound, np.concatenate([answer[:6_000], pause, answer[:12_000], jitter, answer[12_000:]]))


def test_a_recording_survives_the_death_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    program = (
        "import asyncio, sys\n"
        "from livechat.audio.sinks import FileSink\n"
        "async def main():\n"
        "    sink = FileSink(sys.argv[1])\n"
        "    sink.play(bytes([1, 1]) * 240000, 24_000)\n"
        "    await sink.run()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, path]) as child:
        end = time.monotonic() + 20
        while time.monotonic() < end and not (path.exists() and path.stat().st_size > 60_000):
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
    sound = recorded(path)
    assert len(sound) >= 24_000
    assert (sound == 257).all()


def test_a_full_disk_is_one_clear_error_and_what_was_recorded_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"

    async def main(limit: Callable[[int], None]) -> None:
        sink = FileSink(path)
        task = asyncio.create_task(sink.run())
        await asyncio.sleep(1.5)
        limit(80_001)
        with pytest.raises(DeviceError, match="too large"):
            await task
        sink.play(bytes(960), 24_000)
        sink.close()

    with small_disk() as limit:
        run(main(limit))
    assert path.stat().st_size == 80_001
    assert len(recorded(path)) == (80_001 - 44) // 2
    with pytest.raises(UsageError, match="No space left"):
        FileSink("/dev/full")


def test_no_speaker_plays_nothing_and_never_waits() -> None:
    async def main() -> None:
        sink = NullSink()
        task = asyncio.create_task(sink.run())
        sink.play(from_float(chirp(24_000).astype(np.float32)), 24_000)
        assert (sink.pending_ms(), sink.flush(), sink.level()) == (0, 0, SILENCE_DBFS)
        await asyncio.sleep(10)
        assert not task.done()
        task.cancel()
        sink.close()

    run(main())
