"""Looks at, compares and decodes the files that a person names. Whatever the system refuses is one line."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os

from livechat.errors import LivechatError, UsageError, reason

_ABSENT = {errno.ENOENT, errno.ENOTDIR}
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def look(
    path: str | os.PathLike[str], what: str, hint: str = "name another file", error: type[LivechatError] = UsageError
) -> os.stat_result | None:
    """The status of the file; None if there is none. Raises `error` if the system refuses to look.

    `what`: what the path is for, such as "--input".
    """
    try:
        return os.stat(path)  # noqa: PTH116 - Path.exists() says no to some of what this raises, in some Pythons
    except (OSError, ValueError) as e:
        if isinstance(e, OSError) and e.errno in _ABSENT:
            return None
        raise error(f"{what} {path} cannot be used: {reason(e)}", hint) from None


def same(one: str, other: str) -> bool:
    """Whether both names lead to one file, which may not exist."""
    with contextlib.suppress(OSError, ValueError):  # as when the working folder is deleted: opening will say so
        return os.path.realpath(one) == os.path.realpath(other)
    return one == other


def encoding(head: bytes) -> tuple[str, int] | None:
    """(encoding, length of its mark in bytes) of a text that begins with `head`; None if more bytes are needed."""
    for mark, name in _BOMS.items():
        if head.startswith(mark):
            return name, len(mark)
    return None if any(mark.startswith(head) for mark in _BOMS) else ("utf-8", 0)


def decoded(data: bytes) -> str:
    """Decode a whole text: UTF-8, or UTF-16 with a mark. Each line end becomes LF. Raises UnicodeDecodeError."""
    name, mark = encoding(data) or ("utf-8", 0)
    return data[mark:].decode(name).replace("\r\n", "\n").replace("\r", "\n")


class Lines:
    """Cuts bytes of unknown encoding into lines as they come. Bytes that are no text become �."""

    def __init__(self) -> None:
        self._head = b""  # still too short to tell the encoding
        self._decoder: codecs.IncrementalDecoder | None = None
        self.rest = ""  # the beginning of a line whose end has not come

    def feed(self, data: bytes, *, final: bool = False) -> list[str]:
        """The lines that these bytes complete. `final`: no more bytes will come, so the rest is a line too."""
        if self._decoder is None:
            self._head += data
            found = encoding(self._head) or (("utf-8", 0) if final else None)
            if found is None:
                return []
            self._decoder = codecs.getincrementaldecoder(found[0])("replace")
            data = self._head[found[1] :]
        *whole, self.rest = (self.rest + self._decoder.decode(data, final)).split("\n")
        if final:
            whole, self.rest = [*whole, self.rest], ""
        return whole
