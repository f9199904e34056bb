"""Writes WAV and FLAC files that are valid at any moment, even if the process is killed.

The length in the header is updated while the file grows. So a killed process costs a WAV file at most its last 0.4 s.
FLAC is written in blocks: there the block that was not full is missing as well.
"""

import contextlib
import io
import logging
import os
import stat
import struct
from pathlib import Path
from typing import Any, Protocol

from livechat.audio.interfaces import OUTPUT_RATE
from livechat.audio.ring import Samples
from livechat.errors import UsageError, reason
from livechat.paths import look

_SAVE_S = 0.4  # the header is updated whenever so much sound was added
_WAV_BYTES = 2**32 - 2**16  # sizes in a WAV file have 32 bits
_STREAMINFO = 8  # the offset of FLAC's first block of metadata in the file, RFC 9639 8.2

_log = logging.getLogger(__name__)


class SoundWriter(Protocol):
    """A sound file, s16 at OUTPUT_RATE, open for writing."""

    def write(self, samples: Samples) -> None:
        """Append samples: shape (n,), or (n, channels) if there are several. Raises OSError."""

    def close(self) -> None:
        """Complete the file. Safe to call twice."""


def create(path: str | os.PathLike[str], flag: str, channels: int, *, fresh: bool = False) -> SoundWriter:
    """Open a WAV file for writing, or FLAC if its name ends so. `fresh`: the file must not exist yet.

    Raises UsageError, which names `flag`, if it cannot be written.
    """
    kind = Path(path).suffix.lower()
    if kind not in {".wav", ".flac", ""}:
        raise UsageError(f"{flag} {path}: WAV and FLAC are written", "give it a name that ends in .wav or .flac")
    found = look(path, flag)
    if found and stat.S_ISFIFO(found.st_mode):
        raise UsageError(f"{flag} {path}: a sound file cannot go through a pipe", "name a file")
    try:
        made = (_Flac if kind == ".flac" else _Wav)(Path(path), channels, "x" if fresh else "w")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{flag} {path} cannot be written: {reason(error)}", "name a file in a directory you may write to"
        ) from error
    _log.info("%s: writing %s, %d channels, %d Hz", flag, kind or ".wav", channels, OUTPUT_RATE)
    return made


class _Wav:
    def __init__(self, path: Path, channels: int, mode: str) -> None:
        # Unbuffered: what was written survives the process, and a full disk raises only one error.
        self._file = path.open(f"{mode}b", buffering=0)
        self._channels = channels
        self._unsaved = 0  # samples that are not in the header's length yet
        try:
            self._save()
        except OSError:
            self._file.close()
            raise

    def write(self, samples: Samples) -> None:
        if self._file.tell() + samples.nbytes > _WAV_BYTES:
            raise OSError(0, "it has reached 4 GiB, the most a WAV file can hold")
        self._file.write(samples.tobytes())
        self._unsaved += len(samples)
        if self._unsaved >= _SAVE_S * OUTPUT_RATE:
            self._save()

    def _save(self) -> None:
        width = 2 * self._channels
        size = max(0, self._file.seek(0, io.SEEK_END) - 44) // width * width
        header = struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            *(b"RIFF", 36 + size, b"WAVE"),
            *(b"fmt ", 16, 1, self._channels, OUTPUT_RATE, width * OUTPUT_RATE, width, 16),  # PCM of 16 bit
            *(b"data", size),
        )
        self._file.seek(0)
        self._file.write(header)
        self._file.seek(0, io.SEEK_END)
        self._unsaved = 0

    def close(self) -> None:
        if not self._file.closed:
            with contextlib.suppress(OSError):  # write() has said what is wrong
                self._save()
        self._file.close()


class _Flac:
    def __init__(self, path: Path, channels: int, mode: str) -> None:
        import soundfile

        self._header = path.open(f"{mode}b+", buffering=0)
        try:
            self._file: Any = soundfile.SoundFile(path, "w", OUTPUT_RATE, channels, "PCM_16", format="FLAC")
        except soundfile.LibsndfileError as error:
            self._header.close()
            raise OSError(0, "no sound can be written to it") from error
        self._failures = (soundfile.LibsndfileError, AssertionError)  # what soundfile raises on a full disk
        self._written = 0
        self._unsaved = 0
        self._failed = False

    def write(self, samples: Samples) -> None:
        try:
            self._file.write(samples)
        except self._failures as error:
            self._failed = True
            raise OSError(0, "no more can be written to it, the disk may be full") from error
        self._written += len(samples)
        self._unsaved += len(samples)
        if self._unsaved >= _SAVE_S * OUTPUT_RATE:
            self._save()

    def _save(self) -> None:
        """Write the number of samples in whole blocks into the header. The encoder does so only at the end."""
        self._header.seek(_STREAMINFO)
        block, count = struct.unpack(">2xH6xQ", self._header.read(18))
        whole = max(0, self._written - 1) // block * block  # a block is written when the next one begins
        self._header.seek(_STREAMINFO + 10)
        self._header.write(struct.pack(">Q", count >> 36 << 36 | whole))
        self._unsaved = 0

    def close(self) -> None:
        with contextlib.suppress(*self._failures, OSError):  # write() has said what is wrong
            self._file.close()
            if self._failed:
                self._save()
        self._header.close()
