"""PURE. The status bar as coloured parts for a given width, and what gives way where that is too little.

GoAway countdown, handle age and compression are there at every width from 50 columns up: the bold ones.
"""

from __future__ import annotations

from typing import Literal

from livechat.ui.safe_text import gauge
from livechat.ui.status import SIGNS, Status

Role = Literal["quiet", "plain", "state", "strong", "full", "empty", "good", "late"]
Part = tuple[str, Role]
Parts = list[Part]

STATE_WIDTH = 14  # most state words with their sign: the bar stands still while they change

# Each name makes its segment one form shorter; what is missed least comes first.
_GIVE_WAY = (
    "handle", "compression", "compression", "handle", "state", "compressed", "time", "compression",
    "compression", "compressed", "handle", "goaway", "lost", "state", "compression", "handle",
)  # fmt: skip


def bar(status: Status, width: int) -> Parts:
    """The status line in at most `width` cells; every character of it is one cell wide."""
    forms: dict[str, list[Parts]] = {
        "state": _state(status),
        "time": [[(status.time, "plain")], []],
        "goaway": _goaway(status),
        "handle": _handle(status),
        "compression": _compression(status),
        "compressed": _compressed(status),
        "lost": [[(f"! {status.lost}", "late")], []] if status.lost else [],
    }
    for name in [None, *_GIVE_WAY]:
        if name is not None and len(forms[name]) > 1:
            del forms[name][0]
        parts = _join([segment[0] for segment in forms.values() if segment])
        if _width(parts) <= width:
            return parts
    return _crop(parts, width)


def foot(status: Status, width: int) -> Parts:
    """The link, the last reply's delay and the levels in at most `width` cells, for the row above the bar."""
    link: Parts = []
    if status.link_age:
        link = [("link ", "quiet"), (status.link, "plain"), (f" {status.link_age}", "quiet")]
    reply: Parts = [("reply ", "quiet"), (status.reply, "plain")] if status.reply else []
    spent: Parts = [("spent ", "quiet"), (status.spent, "plain")] if status.spent else []
    levels = [_mic(status, 4), _level("spk", status.speaker, 4)]
    forms = (
        [link, reply, spent, _mic(status, 6), _level("speaker", status.speaker, 6)],
        [link, reply, _mic(status, 6), _level("speaker", status.speaker, 6)],
        [link, reply, *levels],
        [link, *levels],
        levels,
    )
    return next((parts for parts in map(_join, forms) if _width(parts) <= width), [])


# Each of the following gives the forms of one segment, the longest first.


def _state(status: Status) -> list[Parts]:
    late = status.state in ("handing over", "waiting to retry") or bool(status.notice)
    words = f"{SIGNS[status.state]} {status.state}"
    role: Role = "late" if late else "state"
    return [[(words.ljust(STATE_WIDTH), role)], [(words, role)], [(" ".join(words.split()[:2]), role)]]


def _goaway(status: Status) -> list[Parts]:
    left: Part = (f"{status.goaway} !", "late") if status.urgent else (status.goaway or "–", "strong")
    return [[("GoAway ", "quiet"), left], [("away ", "quiet"), left]]


def _handle(status: Status) -> list[Parts]:
    name: Part = ("handle ", "quiet")
    value: Parts = [(status.handle, "strong")]
    shortest = value
    long: Parts = []
    short: Parts = []
    if status.valid == "expired":
        shortest = [*value, (" !", "late")]
        value = [*value, (" expired !", "late")]
    elif status.valid:
        value = shortest = [*value, (" ✓", "good") if status.resumable else (" …", "quiet")]
        long, short = [(f" valid {status.valid}", "quiet")], [(f" {status.valid}", "quiet")]
    letter: Part = ("h ", "quiet")
    return [[name, *value, *long], [name, *value, *short], [name, *value], [letter, *value], [letter, *shortest]]


def _compression(status: Status) -> list[Parts]:
    context: Parts = [("context ", "quiet"), (f"{status.context}  ", "plain")] if status.context else []
    if status.filled is None:
        off: Parts = [("compression ", "quiet"), ("off", "strong")]
        return [[*context, *off], off, [("compr. ", "quiet"), off[1]], [off[1]]]
    setting: Part = (status.compression, "strong")
    name: Part = ("compress ", "quiet")
    eight, six, four = ([*_rule(status.filled, width), (" ", "quiet"), setting] for width in (8, 6, 4))
    return [[*context, name, *eight], [name, *six], [name, *four], six, four, [setting]]


def _compressed(status: Status) -> list[Parts]:
    change: Part = (status.compressed, "good")
    return [[("compressed ", "quiet"), change], [("↓ ", "good"), change], []] if status.compressed else []


def _mic(status: Status, width: int) -> Parts:
    return [("mic ", "quiet"), ("off".ljust(width), "late")] if status.shut else _level("mic", status.mic, width)


def _level(name: str, level: float, width: int) -> Parts:
    return [(f"{name} ", "quiet"), *_rule(level, width)]


def _rule(share: float, width: int) -> Parts:
    full, empty = gauge(share, width)
    return [(full, "full"), (empty, "empty")]


def _join(segments: list[Parts]) -> Parts:
    joined: Parts = []
    for segment in filter(None, segments):
        joined += [("  ", "quiet"), *segment] if joined else segment
    return joined


def _crop(parts: Parts, width: int) -> Parts:
    kept: Parts = []
    for text, role in parts:
        kept.append((text[: max(0, width)], role))
        width -= len(text)
    return kept


def _width(parts: Parts) -> int:
    return sum(len(text) for text, _ in parts)
