"""What slash words with something behind them ask for: /system, /ask, /video … (shortcuts.py has all words)."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from livechat.errors import UsageError
from livechat.events import Instruct, Look, Tell, Typed, Watch
from livechat.paths import given_text
from livechat.ui.shortcuts import TEXTS

_PICTURE = re.compile(r"\S.*\.(jpe?g|png|webp|bmp|gif)", re.IGNORECASE)

_MAKE: dict[str, Callable[[str], Typed]] = {"system": Instruct, "context": Tell, "ask": str}


def typed(line: str) -> Typed | None:
    """What a line such as "/system Be brief." or "/ask @FILE" asks for; None if it begins with none of these words.


    Raises UsageError for a word without a text, for a file that cannot be read, and for a line that only names a
    picture: a terminal writes that when a file is dropped on it, and nobody has asked to send it.
    """
    if _PICTURE.fullmatch(path := _path(line)) and Path(path).is_file():
        raise UsageError(f"{Path(path).name} was not sent", f"/look {path} shows it, with your next question")
    word, *rest = line[1:].split(maxsplit=1) or [""]
    name = word.lower()
    if not line.startswith("/") or name not in TEXTS:
        return None
    if name == "look":
        return Look(_path(rest[0]) if rest else None)
    if name == "video":
        return Watch(_path(rest[0])) if rest else None
    if not rest:
        raise UsageError(f"/{name} needs a text", f"write /{name} TEXT, or /{name} @FILE")
    return _MAKE[name](given_text(rest[0].strip(), f"/{name}"))


def _path(words: str) -> str:
    """A path as it is typed or dropped: quoted, with spaces after backslashes, or from the home folder."""
    plain = words.strip()
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\"":
        plain = plain[1:-1]
    return os.path.expanduser(plain.replace("\\ ", " "))  # noqa: PTH111 - Path's raises where nobody has that name
