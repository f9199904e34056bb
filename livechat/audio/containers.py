"""Reads sound files of every kind that soundfile knows, from a path or from a stream that cannot be rewound.

Files of a recorder that was killed are read, too. Recorders write a WAV header first and correct it at the end. So
such a file claims to hold no sound, or 4 GiB of it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import tempfile
from collections.abc import Callable
from typing import IO, Any, Literal

from livechat.audio.dsp import from_float
from livechat.errors import reason

RATES = range(4_000, 384_001)  # Hz; a header with any other rate is taken for damaged
_ENDLESS = 0xFFFF_0000  # bytes: stands for a length of sound that is not known yet
_LONGEST_HEADER = 2**24  # bytes before the sound; there may be cover pictures
_TAIL = 4096  # bytes: if fewer follow the sound, they are no sound
_IN_MEMORY = 2**26  # bytes of a stream that are kept in memory; the rest is kept on disk
_PROBE = 12  # bytes that show the format, except for an MP3 without a tag

# The bytes that a format begins with, and their offset. Some of these formats cannot be read. They are here so that
# they are refused, and not played as raw sound.
_MAGIC = (
    (0, b"fLaC"), (0, b"OggS"), (0, b"RIFF"), (0, b"RIFX"), (0, b"RF64"), (0, b"BW64"), (0, b"FORM"), (0, b"caff"),
    (0, b".snd"), (0, b"dns."), (0, b"riff"), (0, b"wvpk"), (0, b"#!AMR"), (0, b"\x1aE\xdf\xa3"), (4, b"ftyp"),
)  # fmt: skip
_KBIT = {  # MP3's bit rates by index, for MPEG 1 and for 2 and 2.5 (ISO 11172-3 and 13818-3, 2.4.2.3)
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}

_log = logging.getLogger(__name__)


class UnreadableError(Exception):
    """This is no sound, or none that can be used. The text says why."""


class PeekableStream:
    """A stream of bytes, whose next bytes can be looked at before they are read."""

    def __init__(self, more: Callable[[], bytes]) -> None:
        """`more` returns at least one byte, or b"" at the end. It may raise OSError."""
        self._more = more
        self._held = bytearray()

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end. They stay in the stream."""
        while len(self._held) < count and (chunk := self._more()):
            self._held += chunk
        return bytes(self._held[:count])

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end."""
        found = self.peek(count)
        del self._held[: len(found)]
        return found

    def some(self) -> bytes:
        """What has arrived, at least one byte; b"" at the end."""
        found, self._held = bytes(self._held), bytearray()
        return found or self._more()


class SoundReader:
    """A sound file, read from its beginning to its end. `rate` in Hz.

    Raises UnreadableError or OSError, when it is made or later.
    """

    def __init__(self, file: Any, beneath: IO[bytes] | None = None) -> None:
        """`file`: a path or a file object, as soundfile takes it. `beneath`: what it reads, to be closed with it."""
        import soundfile  # takes 50 ms, for those alone who name a file

        self._beneath = contextlib.closing(beneath) if beneath else contextlib.nullcontext()
        try:
            self._file = soundfile.SoundFile(file)
        except soundfile.SoundFileError as error:
            with self._beneath:
                pass
            raise UnreadableError(str(error).rpartition(": ")[2].rstrip(".") or "not readable") from error
        # soundfile seeks to its own position after each read. In an MP3 this would damage the sound that follows.
        self._file.seekable = lambda: False
        self.rate, self.channels = int(self._file.samplerate), int(self._file.channels)
        # The length in the header may be wrong, too large or too small. So reading shows whether there is sound.
        self._first = self._block() if self.rate in RATES else b""
        if not self._first:
            self.close()
            raise UnreadableError(f"no usable sound at {self.rate} Hz")

    def __str__(self) -> str:
        """Format, channels and rate, for a log."""
        return f"{self._file.format} {self._file.subtype}, {self.channels} channels, {self.rate} Hz"

    def read(self) -> bytes:
        """20 ms of s16le with interleaved channels. At the end less, and then b""."""
        block, self._first = self._first or self._block(), b""
        return block

    def _block(self) -> bytes:
        if self._file.closed:
            return b""
        try:
            return from_float(self._file.read(self.rate // 50, dtype="float32", always_2d=True).reshape(-1))
        except RuntimeError as error:  # the base of soundfile's errors
            raise UnreadableError(str(error)) from error

    def close(self) -> None:
        with self._beneath:
            self._file.close()


def open_file(path: str | os.PathLike[str]) -> SoundReader:
    """The sound in an ordinary file."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(path, "rb"))  # noqa: PTH123 - the SoundReader may go on reading it
        mended = _mended(file.read, file) if _is_wav(file.read(_PROBE)) else None
        if mended is None:
            return SoundReader(os.fspath(path))
        sound = SoundReader(mended, file)
        stack.pop_all()
        return sound


def open_stream(stream: PeekableStream) -> SoundReader | None:
    """The sound file that arrives as a stream; None if it is none, which means raw sound.

    WAV is read as it arrives. The other formats are read to their end first, since soundfile needs what is there.
    """
    kind = _kind(stream)
    if kind == "raw":
        return None
    if kind == "wav":
        stream.peek(_PROBE)
        return SoundReader(_mended(stream.read, None) or stream)
    with contextlib.ExitStack() as stack:
        whole = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))
        try:
            while chunk := stream.some():
                whole.write(chunk)
            whole.seek(0)
        except OSError as error:
            raise UnreadableError(f"it cannot be kept until its end arrives: {reason(error)}") from error
        stack.pop_all()
    return SoundReader(whole, whole)


def _is_wav(head: bytes) -> bool:
    return head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE"


def _kind(stream: PeekableStream) -> Literal["raw", "wav", "other"]:
    head = stream.peek(_PROBE)
    if _is_wav(head):
        return "wav"
    tagged = head[:3] == b"ID3" and head[3:4] in b"\2\3\4" and len(head) >= 10 and max(head[6:10]) < 0x80
    known = any(head[at : at + len(magic)] == magic for at, magic in _MAGIC)
    return "other" if known or tagged or _is_mp3(stream) else "raw"


def _is_mp3(stream: PeekableStream) -> bool:
    """Does it begin with three MP3 frames in a row? The header of one alone could be raw sound."""
    at = 0
    for _ in range(3):
        head = stream.peek(at + 4)[at:]
        if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:  # eleven bits of sync, and layer III
            return False
        version, rate, bits = head[1] >> 3 & 3, head[2] >> 2 & 3, head[2] >> 4
        if version == 1 or rate == 3 or not 0 < bits < 15:
            return False
        hertz = (44_100, 48_000, 32_000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
        at += (144 if version == 3 else 72) * _KBIT[version == 3][bits - 1] * 1000 // hertz + (head[2] >> 1 & 1)
    return True


def _mended(read: Callable[[int], bytes], file: IO[bytes] | None) -> _Spliced | None:
    """A WAV file whose header states how much sound there is. None if the header of `file` can stay as it is.

    `file` is what `read` reads, if it can be searched. Of a stream, any possible length is believed.
    """
    if file is not None:
        file.seek(0)
    head = bytearray(read(_PROBE))
    order = ">" if head[:4] == b"RIFX" else "<"
    long: int | None = None  # bytes of sound according to a 64-bit header
    while True:
        chunk = read(8)
        head += chunk
        if len(chunk) < 8 or len(head) > _LONGEST_HEADER:
            return _Spliced(head, read, len(head)) if file is None else None
        name, said = struct.unpack(f"{order}4sI", chunk)
        if name == b"data":
            break
        body = read(min(said + said % 2, _LONGEST_HEADER))
        head += body
        if name == b"ds64" and len(body) >= 16:
            long = struct.unpack_from("<Q", body, 8)[0]
            head[-len(body) - 8 : -len(body) - 4] = b"JUNK"
    if long is not None and said == 0xFFFF_FFFF:
        said = long
    if file is None:
        whole = said if 0 < said < _ENDLESS else _ENDLESS
    else:
        left = os.fstat(file.fileno()).st_size - len(head)
        if (0 < said <= left and left - said <= _TAIL) or not left or _chunks(file, len(head) + said):
            return None
        file.seek(len(head))
        whole = left
    if long is not None:
        head[:4] = b"RIFF"  # its sizes have 32 bits from here on
    size = min(whole, _ENDLESS)
    head[4:8] = struct.pack(f"{order}I", min(len(head) - 8 + size, 0xFFFF_FFFF))
    head[-4:] = struct.pack(f"{order}I", size)
    if size != said:
        _log.info("the WAV header claims %d bytes of sound; up to %d are read", said, size)
    return _Spliced(head, read, len(head) + size)


def _chunks(file: IO[bytes], at: int) -> bool:
    """Is there at least one chunk from `at` to the end of the file, and nothing but whole chunks?"""
    end, found = os.fstat(file.fileno()).st_size, False
    at += at % 2
    while at < end:
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8 or not (chunk[:4].isascii() and chunk[:4].decode("ascii").isprintable()):
            return False
        at += 8 + struct.unpack("<I", chunk[4:])[0]
        if at > end:
            return False
        at += at % 2
        found = True
    return found


class _Spliced:
    """A file object for soundfile: a corrected header, then the bytes that follow the original one, read once."""

    def __init__(self, head: bytearray, read: Callable[[int], bytes], length: int) -> None:
        self._head, self._read, self._length = bytes(head), read, length
        self._at = 0
        self._next = len(head)  # the position of the next byte of `read`
        self._keep = len(head) + _TAIL  # positions before it can be read again: soundfile probes before it reads

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._length)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes, since soundfile takes fewer for the end. Raises nothing: C code calls it."""
        found = self._head[self._at : self._at + count]
        self._at += len(found)
        wanted = min(count - len(found), self._length - self._at)
        if wanted > 0 and self._at == self._next:
            with contextlib.suppress(OSError):  # a broken pipe counts as the end
                found += (body := self._read(wanted))
                self._at += len(body)
                if len(self._head) == self._next < self._keep:
                    self._head += body
                self._next = self._at
        return found
