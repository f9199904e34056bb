"""Sound files of every kind that soundfile reads, from a path or from a stream that has no way back.

What recorders leave behind when they are killed is read, too: a WAV header is written first and put right at the
end, so such a file says that it holds nothing, or 4 GiB.
"""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
from collections.abc import Callable
from typing import IO, Any, Literal

from livechat.audio.dsp import from_float
from livechat.errors import reason

RATES = range(4_000, 384_001)  # Hz; outside it a header is damaged rather than unusual
_ENDLESS = 0xFFFF_0000  # bytes: a length of sound that nobody knows yet
_LONGEST_HEADER = 2**24  # bytes before the sound; cover pictures are in there
_TAIL = 4096  # bytes: less behind the sound is no sound
_IN_MEMORY = 2**26  # bytes of a stream that are kept in memory, the rest on disk
_PROBE = 12  # bytes that tell what something is, but for a bare MP3

# What a container begins with, and where. Some cannot be read: they are refused, and not taken for raw sound.
_MAGIC = (
    (0, b"fLaC"), (0, b"OggS"), (0, b"RIFF"), (0, b"RIFX"), (0, b"RF64"), (0, b"BW64"), (0, b"FORM"), (0, b"caff"),
    (0, b".snd"), (0, b"dns."), (0, b"riff"), (0, b"wvpk"), (0, b"#!AMR"), (0, b"\x1aE\xdf\xa3"), (4, b"ftyp"),
)  # fmt: skip
_KBIT = {  # MP3's bit rates by index, for MPEG 1 and for 2 and 2.5 (ISO 11172-3 and 13818-3, 2.4.2.3)
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


class UnreadableError(Exception):
    """This is no sound, or none that can be used; the text says why."""


class Stream:
    """Bytes that come one after the other, some of them looked at beforehand."""

    def __init__(self, more: Callable[[], bytes]) -> None:
        """`more` gives at least one byte, b"" at the end; it may raise OSError."""
        self._more = more
        self._held = bytearray()

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end. They are still to be read."""
        while len(self._held) < count and (chunk := self._more()):
            self._held += chunk
        return bytes(self._held[:count])

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end."""
        found = self.peek(count)
        del self._held[: len(found)]
        return found

    def some(self) -> bytes:
        """What there is, at least one byte; b"" at the end."""
        found, self._held = bytes(self._held), bytearray()
        return found or self._more()


class Sound:
    """A file of sound, read forwards. `rate` in Hz. Raises UnreadableError, or OSError, at once or later."""

    def __init__(self, file: Any, beneath: IO[bytes] | None = None) -> None:
        """`file`: a path, or what soundfile takes for one; `beneath`: what it reads, to be closed with it."""
        import soundfile  # 50 ms that only those who name a file wait for

        self._beneath = contextlib.closing(beneath) if beneath else contextlib.nullcontext()
        try:
            self._file = soundfile.SoundFile(file)
        except soundfile.SoundFileError as error:
            with self._beneath:
                pass
            raise UnreadableError(str(error).rpartition(": ")[2].rstrip(".") or "not readable") from error
        # soundfile seeks to where it is after each read, and MP3 cannot be entered at any place without harm.
        self._file.seekable = lambda: False
        self.rate, self.channels = int(self._file.samplerate), int(self._file.channels)
        # What a header says of the length is not to be trusted, in either direction.
        self._first = self._block() if self.rate in RATES else b""
        if not self._first:
            self.close()
            raise UnreadableError(f"no usable sound at {self.rate} Hz")

    def read(self) -> bytes:
        """20 ms of s16le, the channels interleaved; less, and then b"", at the end."""
        block, self._first = self._first or self._block(), b""
        return block

    def _block(self) -> bytes:
        if self._file.closed:
            return b""
        try:
            return from_float(self._file.read(self.rate // 50, dtype="float32", always_2d=True).reshape(-1))
        except RuntimeError as error:  # soundfile's errors are
            raise UnreadableError(str(error)) from error

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._beneath:
            self._file.close()


def open_file(path: str | os.PathLike[str]) -> Sound:
    """The sound in an ordinary file."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(path, "rb"))  # noqa: PTH123 - read on by the Sound
        mended = _mended(file.read, file) if _is_wav(file.read(_PROBE)) else None
        if mended is None:
            return Sound(os.fspath(path))
        sound = Sound(mended, file)
        stack.pop_all()
        return sound


def open_stream(stream: Stream) -> Sound | None:
    """The sound in a container that comes as a stream; None where it is none, but raw sound.

    WAV is read as it comes. The others need what is at their end: they are read to there first.
    """
    kind = _kind(stream)
    if kind == "raw":
        return None
    if kind == "wav":
        stream.peek(_PROBE)
        return Sound(_mended(stream.read, None) or stream)
    with contextlib.ExitStack() as stack:
        whole = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))
        try:
            while chunk := stream.some():
                whole.write(chunk)
            whole.seek(0)
        except OSError as error:
            raise UnreadableError(f"it cannot be kept until its end has come: {reason(error)}") from error
        stack.pop_all()
    return Sound(whole, whole)


def _is_wav(head: bytes) -> bool:
    return head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE"


def _kind(stream: Stream) -> Literal["raw", "wav", "other"]:
    head = stream.peek(_PROBE)
    if _is_wav(head):
        return "wav"
    tagged = head[:3] == b"ID3" and head[3:4] in b"\2\3\4" and len(head) >= 10 and max(head[6:10]) < 0x80
    known = any(head[at : at + len(magic)] == magic for at, magic in _MAGIC)
    return "other" if known or tagged or _is_mp3(stream) else "raw"


def _is_mp3(stream: Stream) -> bool:
    """Three frames in a row: one might be raw sound of -1025."""
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
    """A WAV file whose header says how much sound there is; None where it did. `file`: the same, to be searched."""
    if file is not None:
        file.seek(0)
    head = bytearray(read(_PROBE))
    order = ">" if head[:4] == b"RIFX" else "<"
    long: int | None = None  # bytes of sound as a 64-bit header has it
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
        head[:4] = b"RIFF"  # with the sizes of one
    size = min(whole, _ENDLESS)
    head[4:8] = struct.pack(f"{order}I", min(len(head) - 8 + size, 0xFFFF_FFFF))
    head[-4:] = struct.pack(f"{order}I", size)
    return _Spliced(head, read, len(head) + size)


def _chunks(file: IO[bytes], at: int) -> bool:
    """Are there nothing but whole chunks from here to the end of the file, and at least one?"""
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
    """A file for soundfile: one header in place of another, then the bytes behind that, forwards alone."""

    def __init__(self, head: bytearray, read: Callable[[int], bytes], length: int) -> None:
        self._head, self._read, self._length = bytes(head), read, length
        self._at = 0
        self._next = len(head)  # where the next byte of `read` lies
        self._keep = len(head) + _TAIL  # so far it can be gone back: soundfile has a look before it reads

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._length)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int) -> bytes:
        """As many as were asked for: soundfile takes fewer for the end. It raises nothing, through C."""
        found = self._head[self._at : self._at + count]
        self._at += len(found)
        wanted = min(count - len(found), self._length - self._at)
        if wanted > 0 and self._at == self._next:
            with contextlib.suppress(OSError):  # a pipe that broke has ended
                found += (body := self._read(wanted))
                self._at += len(body)
                if len(self._head) == self._next < self._keep:
                    self._head += body
                self._next = self._at
        return found
