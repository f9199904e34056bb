"""Files, pipes and silence as sources, on the clock of a loop in virtual time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from livechat.audio.interfaces import FRAME_BYTES, Source
from livechat.audio.sources import FileSource, SilenceSource, StreamSource
from livechat.errors import UsageError
from tests.support.virtual_time import run

Sound = npt.NDArray[np.int16]


def chirp(rate: int, seconds: float = 0.5) -> npt.NDArray[np.float64]:
    at = np.arange(int(rate * seconds)) / rate
    return 0.5 * np.sin(2 * np.pi * (300 + 1500 * at) * at)


async def collect(source: Source, limit: int = 10_000) -> tuple[bytes, list[float]]:
    """The sound of a source, and when each frame came, in seconds from the first."""
    clock = asyncio.get_running_loop().time
    frames, times = [], []
    async for frame in source.frames():
        assert len(frame) == FRAME_BYTES
        frames.append(frame)
        times.append(clock())
        if len(frames) == limit:
            break
    source.close()
    source.close()
    return b"".join(frames), [at - times[0] for at in times]


def is_paced(times: list[float]) -> bool:
    return all(at == pytest.approx(0.02 * n, abs=1e-6) for n, at in enumerate(times))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"])
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (8_000, 1)])
def test_any_wav_comes_out_as_paced_frames(tmp_path: Path, subtype: str, rate: int, channels: int) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, np.repeat(chirp(rate)[:, None], channels, axis=1), rate, subtype)
    sound, times = run(collect(FileSource(path)))
    assert is_paced(times)
    heard = np.frombuffer(sound, np.int16) / 32768
    wanted = chirp(16_000)
    assert len(heard) - len(wanted) < 2 * FRAME_BYTES // 2
    likeness = np.correlate(heard, wanted) / np.linalg.norm(heard) / np.linalg.norm(wanted)
    assert likeness.max() > 0.98


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("in.flac", {"format": "FLAC", "subtype": "PCM_16"}),
        ("in.ogg", {"format": "OGG", "subtype": "VORBIS"}),
        ("in.opus", {"format": "OGG", "subtype": "OPUS"}),
        ("in.mp3", {"format": "MP3", "subtype": "MPEG_LAYER_III"}),
    ],
)
def test_compressed_sound_comes_out_as_it_went_in(tmp_path: Path, name: str, kind: dict[str, str]) -> None:
    soundfile.write(tmp_path / name, np.repeat(chirp(48_000)[:, None], 2, axis=1), 48_000, **kind)
    sound, times = run(collect(FileSource(tmp_path / name)))
    assert is_paced(times)
    heard, wanted = np.frombuffer(sound, np.int16) / 32768, chirp(16_000)
    assert len(wanted) <= len(heard) < len(wanted) + 2_400  # MP3 fills up its blocks
    likeness = np.correlate(heard, wanted, "full") / np.linalg.norm(heard) / np.linalg.norm(wanted)
    assert likeness.max() > 0.98


def test_16_bit_at_16_khz_comes_out_as_it_is(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).integers(-32768, 32768, 1000).astype(np.int16)
    soundfile.write(tmp_path / "in.wav", sound, 16_000)
    source = FileSource(tmp_path / "in.wav")
    assert source.name == "in.wav"
    assert run(collect(source))[0] == sound.tobytes() + bytes(4 * FRAME_BYTES - 2000)


def test_a_wav_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    whole = tmp_path / "whole.wav"
    soundfile.write(whole, chirp(16_000), 16_000)
    (tmp_path / "cut.wav").write_bytes(whole.read_bytes()[: 44 + 5 * FRAME_BYTES])
    assert len(run(collect(FileSource(tmp_path / "cut.wav")))[0]) == 5 * FRAME_BYTES


def damaged(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "bad.wav"
    soundfile.write(path, chirp(16_000), 16_000)
    wav = path.read_bytes()
    if kind == "directory":
        return tmp_path
    if kind == "missing":
        return tmp_path / "nothing.wav"
    path.write_bytes(
        {
            "text": b"not a sound at all\n" * 20,
            "zero length": b"",
            "no samples": wav[:40] + bytes(4),
            "half a header": wav[:30],
            "1 Hz": wav[:24] + b"\1\0\0\0" + wav[28:],
            "2 GHz": wav[:24] + b"\xff\xff\xff\x7f" + wav[28:],
        }[kind]
    )
    return path


@pytest.mark.parametrize(
    "kind", ["directory", "missing", "text", "zero length", "no samples", "half a header", "1 Hz", "2 GHz"]
)
def test_what_is_no_sound_is_refused_in_one_line_with_a_hint(tmp_path: Path, kind: str) -> None:
    path = damaged(tmp_path, kind)
    with pytest.raises(UsageError) as caught:
        FileSource(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


@contextmanager
def stdin(tmp_path: Path, sound: bytes, speed: float = 1.0) -> Iterator[StreamSource]:
    """Standard input as `< FILE` gives it."""
    (tmp_path / "in.raw").write_bytes(sound)
    with (tmp_path / "in.raw").open("rb") as file:
        yield StreamSource(file.fileno(), speed)


def test_raw_sound_that_is_all_there_is_slowed_down_to_real_time(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).integers(-99, 99, 16_000 * 3 + 7).astype(np.int16).tobytes()
    with stdin(tmp_path, sound) as source:
        heard, times = run(collect(source))
    assert heard == sound + bytes(-len(sound) % FRAME_BYTES)
    assert is_paced(times)


def test_a_source_in_a_hurry_gives_the_same_sound_sooner(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).integers(-99, 99, 16_000).astype(np.int16)
    soundfile.write(tmp_path / "in.wav", sound, 16_000)
    with stdin(tmp_path, sound.tobytes(), 10.0) as piped:
        for source in (FileSource(tmp_path / "in.wav", 10.0), piped):
            heard, times = run(collect(source))
            assert heard == sound.tobytes()
            assert times[-1] == pytest.approx(0.098, abs=1e-6)


def test_an_odd_byte_at_the_end_of_raw_sound_is_left_out(tmp_path: Path) -> None:
    with stdin(tmp_path, b"\1" * (FRAME_BYTES + 1)) as source:
        assert run(collect(source))[0] == b"\1" * FRAME_BYTES


@contextmanager
def pipe() -> Iterator[tuple[StreamSource, int]]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream:
        yield StreamSource(stream.fileno()), writing


def test_a_pipe_ends_cleanly_and_a_slow_one_is_passed_on_as_it_comes() -> None:
    frame = b"\1\2" * (FRAME_BYTES // 2)

    def feed(writing: int) -> None:
        for _ in range(3):
            os.write(writing, frame[:100])
            time.sleep(0.05)
            os.write(writing, frame[100:])
        os.write(writing, frame * 10 + frame[:50])
        os.close(writing)

    with pipe() as (source, writing):
        threading.Thread(target=feed, args=(writing,)).start()
        sound, times = asyncio.run(collect(source))
    assert sound == frame * 13 + frame[:50] + bytes(FRAME_BYTES - 50)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps[:2]) > 0.04
    assert times[-1] - times[3] > 0.1  # and the fast rest paced


def test_a_pipe_that_stays_silent_does_not_hold_up_the_loop_or_the_exit() -> None:
    program = (
        "import asyncio, sys\n"
        "from livechat.audio.sources import StreamSource\n"
        "async def main():\n"
        "    frames = StreamSource(sys.stdin.fileno()).frames()\n"
        "    try:\n"
        "        async with asyncio.timeout(0.2): await anext(frames)\n"
        "    except TimeoutError: print('went on')\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout
        assert child.stderr
        assert child.wait(20) == 0
        assert child.stdout.read() == b"went on\n"
        assert child.stderr.read() == b""


def test_a_terminal_is_no_raw_sound() -> None:
    controller, terminal = os.openpty()
    try:
        with os.fdopen(terminal, "rb") as stream, pytest.raises(UsageError, match="terminal"):
            StreamSource(stream.fileno())
    finally:
        os.close(controller)


def test_silence_is_paced_and_endless_and_a_late_reader_gets_only_a_little_at_once() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        async with aclosing(SilenceSource().frames()) as frames:  # type: ignore[type-var]
            began = clock()
            for _ in range(3000):  # a minute
                assert not any(await anext(frames))
            assert clock() - began == pytest.approx(60 - 0.02, abs=1e-3)
            await asyncio.sleep(5)
            resumed = clock()
            burst = 0
            while clock() == resumed:
                await anext(frames)
                burst += 1
            assert 5 <= burst <= 12

    run(main())
