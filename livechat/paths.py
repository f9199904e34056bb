"""Files that a person names: looked at, compared and read. And the folder of those that livechat keeps."""

import codecs
import contextlib
import errno
import os
from collections.abc import Mapping
from pathlib import Path

from livechat.errors import LivechatError, UsageError, reason

_ABSENT = {errno.ENOENT, errno.ENOTDIR}
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def state_folder(environ: Mapping[str, str]) -> Path:
    """The folder of everything livechat keeps: LIVECHAT_STATE, or the platform's for application state."""
    from platformdirs import user_state_path

    chosen = environ.get("LIVECHAT_STATE")
    return Path(chosen) if chosen else user_state_path("livechat", appauthor=False)


def look(
    path: str | os.PathLike[str], what: str, hint: str = "name another file", error: type[LivechatError] = UsageError
) -> os.stat_result | None:
    """What lies there; None for nothing. Raises `error`, with `what` the path is for, if one may not even look."""
    try:
        return os.stat(path)  # noqa: PTH116 - Path.exists() says no to some of what this raises, in some Pythons
    except (OSError, ValueError) as e:
        if isinstance(e, OSError) and e.errno in _ABSENT:
            return None
        raise error(f"{what} {path} cannot be used: {reason(e)}", hint) from None


def same(one: str, other: str) -> bool:
    """Would both names be one file, whether it is there or not?"""
    with contextlib.suppress(OSError, ValueError):  # the working directory is gone, say: opening will tell
        return os.path.realpath(one) == os.path.realpath(other)
    return one == other


def encoding(head: bytes) -> tuple[str, int] | None:
    """The encoding of a text that begins so, and how many bytes of it only say so; None: it takes more to tell."""
    for mark, name in _BOMS.items():
        if head.startswith(mark):
            return name, len(mark)
    return None if any(mark.startswith(head) for mark in _BOMS) else ("utf-8", 0)


def decoded(data: bytes) -> str:
    """A whole text, with LF for each line end. UTF-8, or UTF-16 with a mark. Raises UnicodeDecodeError."""
    name, mark = encoding(data) or ("utf-8", 0)
    return data[mark:].decode(name).replace("\r\n", "\n").replace("\r", "\n")


def given_text(wanted: str, option: str) -> str:
    """What a person means by TEXT or @FILE; @@TEXT begins with one. Raises UsageError for a file it cannot read."""
    if not wanted.startswith("@"):
        return wanted
    if wanted.startswith("@@"):
        return wanted[1:]
    return text_of(wanted[1:], f"{option} takes a text, or @FILE")


def text_of(name: str, hint: str) -> str:
    """The text in a file. Raises UsageError, with this hint, for one that cannot be read."""
    try:
        return decoded(Path(name).read_bytes())
    except UnicodeDecodeError:
        why = "it is not UTF-8 text"
    except (OSError, ValueError) as e:
        why = reason(e)
    raise UsageError(f"cannot read {name}: {why}", hint)


class Lines:
    """Cuts a stream of bytes of unknown encoding into lines. What is no text of it becomes �."""

    def __init__(self) -> None:
        self._head = b""  # too short to tell the encoding
        self._decoder: codecs.IncrementalDecoder | None = None
        self.rest = ""  # of a line that has no end yet

    def feed(self, data: bytes, *, final: bool = False) -> list[str]:
        """The lines that are whole with these bytes; `final`: no more will come, and all is whole."""
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
