"""Sound of every kind, from files that a killed recorder left and from streams that cannot be rewound."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from livechat.audio.containers import PeekableStream, UnreadableError, open_stream
from livechat.audio.interfaces import FRAME_BYTES, Source
from livechat.audio.sources import FileSource, StreamSource, source_of
from livechat.errors import DeviceError, UsageError
from tests.support.virtual_time import run

SOUND = np.random.default_rng(0).integers(-9000, 9000, 16_000).astype(np.int16)


async def heard(source: Source) -> npt.NDArray[np.int16]:
    """The sound of a source, without the silence that fills its last frame."""
    frames = [frame async for frame in source.frames()]
    source.close()
    assert {len(frame) for frame in frames} <= {FRAME_BYTES}
    return np.frombuffer(b"".join(frames), np.int16)


def heard_from_stdin(data: bytes) -> npt.NDArray[np.int16]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        return run(heard(StreamSource(file.fileno())))


def wav(subtype: str = "PCM_16", kind: str = "WAV", endian: str = "FILE") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, SOUND / 32768 if subtype == "FLOAT" else SOUND, 16_000, subtype, endian, kind)
    return file.getvalue()


def sizes(data: bytes, riff: int, sound: int) -> bytes:
    """The same file with these sizes in its header, as a recorder writes it before it knows."""
    at = data.index(b"data") + 4
    return data[:4] + struct.pack("<I", riff) + data[8:at] + struct.pack("<I", sound) + data[at + 4 :]


def noted(data: bytes) -> bytes:
    """With a chunk between the format and the sound, as many recorders write one."""
    at = data.index(b"data")
    return data[:at] + b"LIST" + struct.pack("<I", 5) + b"INFOx\0" + data[at:]


KILLED: dict[str, bytes] = {
    "0, 0": sizes(wav(), 0, 0),
    "36, 0": sizes(wav(), 36, 0),
    "0 with a note": sizes(noted(wav()), 0, 0),
    "all ones": sizes(wav(), 2**32 - 1, 2**32 - 1),
    "ones but for a little": sizes(wav(), 0x7FFF_F024, 0x7FFF_F000),
    "RIFF 0 alone": sizes(wav(), 0, 32_000),
    "only the beginning counted": sizes(wav(), 36 + 640, 640),
    "RF64": sizes(wav(kind="RF64"), 2**32 - 1, 2**32 - 1),
    "float": sizes(wav("FLOAT"), 0, 0),
    "24 bit": sizes(wav("PCM_24"), 0, 0),
}


@pytest.mark.parametrize("name", KILLED)
def test_the_file_of_a_killed_recorder_is_heard_whole(name: str, tmp_path: Path) -> None:
    (tmp_path / "in.wav").write_bytes(KILLED[name])
    sound = run(heard(FileSource(tmp_path / "in.wav")))
    assert len(sound) == len(SOUND)
    assert np.abs(sound.astype(int) - SOUND).max() <= 1


@pytest.mark.parametrize("name", [name for name in KILLED if name != "only the beginning counted"])
def test_so_is_the_same_as_a_stream(name: str) -> None:
    sound = heard_from_stdin(KILLED[name])
    assert len(sound) == len(SOUND)
    assert np.abs(sound.astype(int) - SOUND).max() <= 1


def test_what_follows_the_sound_is_not_heard(tmp_path: Path) -> None:
    tail = b"LIST" + struct.pack("<I", 8000) + b"\x55" * 8000
    (tmp_path / "in.wav").write_bytes(wav() + tail)
    assert np.array_equal(run(heard(FileSource(tmp_path / "in.wav"))), SOUND)
    assert np.array_equal(heard_from_stdin(wav() + tail), SOUND)
    (tmp_path / "none.wav").write_bytes(sizes(wav(), 36, 0)[:44] + tail)  # it really holds nothing
    with pytest.raises(UsageError, match="no usable sound"):
        FileSource(tmp_path / "none.wav")


STREAMS: dict[str, Callable[[], bytes]] = {
    "WAV": wav,
    "RIFX": lambda: wav(endian="BIG"),
    "µ-law": lambda: wav("ULAW"),
    "FLAC": lambda: wav(kind="FLAC"),
    "Ogg Vorbis": lambda: wav("VORBIS", "OGG"),
    "Ogg Opus": lambda: wav("OPUS", "OGG"),
    "MP3": lambda: wav("MPEG_LAYER_III", "MP3"),
    "MP3 with a tag": lambda: b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + wav("MPEG_LAYER_III", "MP3"),
    "AIFF": lambda: wav(kind="AIFF"),
    "AU": lambda: wav(kind="AU"),
    "CAF": lambda: wav(kind="CAF"),
    "W64": lambda: wav(kind="W64"),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_container_on_standard_input_is_recognised_and_decoded(name: str) -> None:
    data = STREAMS[name]()
    sound = heard_from_stdin(data)
    wanted, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert rate == 16_000
    assert len(sound) == len(wanted) + -len(wanted) % 320
    assert np.abs(sound[: len(wanted)].astype(int) - wanted).max() <= 1


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\1",
        b"\xff\xfb",
        b"\xff\xfb\x90\x64" + b"\1\2" * 400,
        b"ID3",
        b"RIF",
        b"\0\0ft",
        b"\xff\xf3\x44\xc4" * 9,
    ],
)
def test_all_else_is_raw_sound(head: bytes) -> None:
    data = head + b"\7\0" * 1000
    sound = heard_from_stdin(data)
    assert sound.tobytes()[: len(data) // 2 * 2] == data[: len(data) // 2 * 2]


@pytest.mark.parametrize(
    "data",
    [b"\0\0\0\x20ftypM4A " + bytes(99), b"\x1aE\xdf\xa3" + bytes(99), b"RIFF\0\0\0\0AVI " + bytes(99), b"OggS"],
)
def test_a_container_that_cannot_be_read_is_refused_and_not_played(data: bytes) -> None:
    with pytest.raises(DeviceError, match="standard input is not a sound file"):
        heard_from_stdin(data)


def test_half_a_header_is_refused() -> None:
    for length in range(12, 45):
        with pytest.raises(UnreadableError):
            open_stream(PeekableStream(io.BytesIO(wav()[:length]).read))


@pytest.mark.parametrize("name", ["raw", "WAV", "FLAC"])
def test_a_fifo_is_a_file(name: str, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    data = SOUND.tobytes() if name == "raw" else STREAMS[name]()

    async def main() -> npt.NDArray[np.int16]:
        source = source_of(str(fifo), 10.0)
        assert source.name == "fifo"
        writer = threading.Thread(target=fifo.write_bytes, args=(data,))
        writer.start()
        sound = await heard(source)
        writer.join()
        return sound

    assert np.array_equal(asyncio.run(main()), SOUND)


@pytest.mark.parametrize("header", [b"", sizes(wav(), 2**32 - 1, 2**32 - 1)[:44]])
def test_a_recorder_that_goes_on_is_heard_as_it_goes(header: bytes) -> None:
    reading, writing = os.pipe()

    async def main() -> None:
        with os.fdopen(reading, "rb") as stream:
            frames = StreamSource(stream.fileno()).frames()
            for n in range(1, 4):
                frame = bytes([n, 0]) * (FRAME_BYTES // 2)
                os.write(writing, (header if n == 1 else b"") + frame)
                assert await anext(frames) == frame
            os.close(writing)
            assert [frame async for frame in frames] == []

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_pipe_that_does_not_block_is_not_at_its_end_while_it_is_empty() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    frame = b"\1\2" * (FRAME_BYTES // 2)

    async def main() -> None:
        with os.fdopen(reading, "rb") as stream:
            frames = StreamSource(stream.fileno()).frames()
            first = asyncio.ensure_future(anext(frames))
            await asyncio.sleep(0.05)
            assert not first.done()
            os.write(writing, frame)
            assert await first == frame
            os.close(writing)
            assert [frame async for frame in frames] == []

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_file_in_a_fifo_that_is_no_sound_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    source = source_of(str(tmp_path / "fifo"))
    threading.Thread(target=(tmp_path / "fifo").write_bytes, args=(b"fLaC" + b"x" * 100,)).start()
    with pytest.raises(DeviceError, match="fifo is not a sound file"):
        asyncio.run(heard(source))
