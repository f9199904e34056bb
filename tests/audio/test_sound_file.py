"""Sound files that are written: valid at any moment, of limited length, and refused in one line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from livechat.audio.sound_file import create
from livechat.errors import UsageError


@pytest.mark.parametrize(("name", "missing"), [("out.wav", 0), ("out", 0), ("out.flac", 4608)])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_is_valid_before_it_is_closed_and_complete_afterwards(
    tmp_path: Path, name: str, missing: int, channels: int
) -> None:
    sound = np.random.default_rng(0).integers(-9_000, 9_000, (48_000, channels)).astype(np.int16)
    file = create(tmp_path / name, "--output", channels)
    for block in np.split(sound, 100):
        file.write(block)
    unfinished, rate = soundfile.read(tmp_path / name, dtype="int16", always_2d=True)
    assert rate == 24_000
    assert len(unfinished) >= len(sound) - 0.4 * rate - missing
    assert np.array_equal(unfinished, sound[: len(unfinished)])
    file.close()
    file.close()
    assert np.array_equal(soundfile.read(tmp_path / name, dtype="int16", always_2d=True)[0], sound)


def test_a_wav_file_does_not_overflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livechat.audio.sound_file._WAV_BYTES", 96_000)
    file, second = create(tmp_path / "out.wav", "--output", 1), np.ones(24_000, np.int16)
    file.write(second)
    with pytest.raises(OSError, match="4 GiB"):
        file.write(second)
    file.close()
    assert len(soundfile.read(tmp_path / "out.wav")[0]) == 24_000


def test_a_fresh_file_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "there.wav").write_text("another recording")
    with pytest.raises(UsageError, match="--record"):
        create(tmp_path / "there.wav", "--record", 2, fresh=True)
    assert (tmp_path / "there.wav").read_text() == "another recording"


@pytest.mark.parametrize("name", ["", "no/such/place.wav", "sound.mp3", "fifo"])
def test_a_file_that_cannot_be_written_is_refused_in_one_line_with_a_hint(tmp_path: Path, name: str) -> None:
    if name == "fifo":
        os.mkfifo(tmp_path / name)
    with pytest.raises(UsageError) as caught:
        create(tmp_path / name, "--output", 1)
    assert str(tmp_path / name) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
