"""What slash words with a text behind them ask for: /system, /context and /ask (shortcuts.py has all words)."""

from collections.abc import Callable

from livechat.errors import UsageError
from livechat.events import Instruct, Tell, Typed
from livechat.paths import given_text
from livechat.ui.shortcuts import TEXTS

_MAKE: dict[str, Callable[[str], Typed]] = {"system": Instruct, "context": Tell, "ask": str}


def typed(line: str) -> Typed | None:
    """What a line such as "/system Be brief." or "/ask @FILE" asks for; None if it begins with none of these words.

    Raises UsageError for a word without a text, and for a file that cannot be read.
    """
    word, *rest = line[1:].split(maxsplit=1) or [""]
    name = word.lower()
    if not line.startswith("/") or name not in TEXTS:
        return None
    if not rest:
        raise UsageError(f"/{name} needs a text", f"write /{name} TEXT, or /{name} @FILE")
    return _MAKE[name](given_text(rest[0].strip(), f"/{name}"))
