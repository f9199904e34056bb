"""Keys that are let go, where a terminal reports them: the kitty keyboard protocol, as far as it is needed here.

A terminal is asked (ASK) and answers. With REPORT on, a key that makes text still sends that text when it goes down.
When it comes up it sends ESC [ code ; modifiers : 3 u, and while it repeats 2 in place of 3.
https://sw.kovidgoyal.net/kitty/keyboard-protocol/
"""

import re

ASK = "\x1b[?u\x1b[c"  # the second asks for the device's attributes, which every terminal answers
REPORT = "\x1b[>2u"
END = "\x1b[<u"
RELEASED = "\x1b[32;1:3u"  # the space bar came up

_ANSWER = re.compile(r"\x1b\[\?[\d;]*[uc]")
SUPPORTED = re.compile(r"\x1b\[\?\d+u")
_TEXT_KEY = re.compile(r"\x1b\[\d+(?::\d*)*;(\d*)(?::([123]))?(?:;[\d:]*)?u")
_OTHER_KEY = re.compile(r"\x1b\[(\d+);(\d*):([123])([A-HPQS~])")  # arrows, Home, Delete, F5
_PART = re.compile(r"\x1b(?:\[[?\d:;]*)?$")


class KittyKeyboard:
    """Takes this protocol's sequences out of what a terminal sends."""

    def __init__(self) -> None:
        self.supported = False
        self.awaiting = False  # the terminal was asked, and has not answered
        self.released = False  # the space bar came up; whoever acts on that sets this back
        self._rest = ""

    def feed(self, data: str) -> str:
        """What a key decoder is to see of `data`."""
        data, self._rest = self._rest + data, ""
        self.supported = self.supported or bool(SUPPORTED.search(data))
        self.awaiting = self.awaiting and not _ANSWER.search(data)
        self.released = self.released or RELEASED in data
        data = _OTHER_KEY.sub(_as_before, _TEXT_KEY.sub("", _ANSWER.sub("", data)))
        if (self.supported or self.awaiting) and (part := _PART.search(data)):
            data, self._rest = data[: part.start()], part[0]
        return data

    def flush(self) -> str:
        """The beginning of a sequence whose rest has not come in time."""
        rest, self._rest = self._rest, ""
        return rest


def _as_before(key: re.Match[str]) -> str:
    """The sequence without this protocol's field: "" for a key that came up, a press for one that repeats."""
    number, modifiers, event, end = key.groups()
    if event == "3":
        return ""
    if modifiers in ("", "1"):
        return f"\x1b[{number}~" if end == "~" else f"\x1b[{end}"
    return f"\x1b[{number};{modifiers}{end}"
