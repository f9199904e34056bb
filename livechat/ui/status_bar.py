"""The status bar as coloured spans for a given width, and what is left out where the width is too small.

GoAway countdown, handle age and compression, in bold, are there at every width from 50 columns up.
"""

from typing import Literal

from livechat.ui.safe_text import gauge
from livechat.ui.status import SIGNS, StatusView

Emphasis = Literal["quiet", "plain", "state", "strong", "full", "empty", "good", "late"]
Span = tuple[str, Emphasis]
Spans = list[Span]

STATE_WIDTH = 14  # holds most state words with their sign, so that the bar does not move when they change

# Each name makes its segment one form shorter. What is missed least comes first.
_GIVE_WAY = (
    "seen", "handle", "compression", "compression", "handle", "state", "compressed", "time", "compression",
    "compression", "compressed", "handle", "goaway", "lost", "state", "compression", "handle",
)  # fmt: skip


def bar(status: StatusView, width: int) -> Spans:
    """The status line in at most `width` cells; every character of it is one cell wide."""
    forms: dict[str, list[Spans]] = {
        "state": _state(status),
        "seen": [[("◉ sees ", "late"), (status.seen, "late")], [("◉", "late")]] if status.seen else [],
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
        spans = _join([segment[0] for segment in forms.values() if segment])
        if _width(spans) <= width:
            return spans
    return _crop(spans, width)


def foot(status: StatusView, width: int) -> Spans:
    """The link, the last reply's delay and the levels in at most `width` cells, for the row above the bar."""
    link: Spans = []
    if status.link_age:
        link = [("link ", "quiet"), (status.link, "plain"), (f" {status.link_age}", "quiet")]
    reply: Spans = [("reply ", "quiet"), (status.reply, "plain")] if status.reply else []
    spent: Spans = [("spent ", "quiet"), (status.spent, "plain")] if status.spent else []
    levels = [_mic(status, 4), _level("spk", status.speaker, 4)]
    forms = (
        [link, reply, spent, _mic(status, 6), _level("speaker", status.speaker, 6)],
        [link, reply, _mic(status, 6), _level("speaker", status.speaker, 6)],
        [link, reply, *levels],
        [link, *levels],
        levels,
    )
    return next((spans for spans in map(_join, forms) if _width(spans) <= width), [])


# Each of the following gives the forms of one segment, the longest first.


def _state(status: StatusView) -> list[Spans]:
    late = status.state in ("handing over", "waiting to retry") or bool(status.notice)
    words = f"{SIGNS[status.state]} {status.state}"
    role: Emphasis = "late" if late else "state"
    return [[(words.ljust(STATE_WIDTH), role)], [(words, role)], [(" ".join(words.split()[:2]), role)]]


def _goaway(status: StatusView) -> list[Spans]:
    left: Span = (f"{status.goaway} !", "late") if status.urgent else (status.goaway or "–", "strong")
    return [[("GoAway ", "quiet"), left], [("away ", "quiet"), left]]


def _handle(status: StatusView) -> list[Spans]:
    name: Span = ("handle ", "quiet")
    value: Spans = [(status.handle, "strong")]
    shortest = value
    long: Spans = []
    short: Spans = []
    if status.valid == "expired":
        shortest = [*value, (" !", "late")]
        value = [*value, (" expired !", "late")]
    elif status.valid:
        value = shortest = [*value, (" ✓", "good") if status.resumable else (" …", "quiet")]
        long, short = [(f" valid {status.valid}", "quiet")], [(f" {status.valid}", "quiet")]
    letter: Span = ("h ", "quiet")
    return [[name, *value, *long], [name, *value, *short], [name, *value], [letter, *value], [letter, *shortest]]


def _compression(status: StatusView) -> list[Spans]:
    context: Spans = [("context ", "quiet"), (f"{status.context}  ", "plain")] if status.context else []
    if status.filled is None:
        off: Spans = [("compression ", "quiet"), ("off", "strong")]
        return [[*context, *off], off, [("compr. ", "quiet"), off[1]], [off[1]]]
    setting: Span = (status.compression, "strong")
    name: Span = ("compress ", "quiet")
    eight, six, four = ([*_rule(status.filled, width), (" ", "quiet"), setting] for width in (8, 6, 4))
    return [[*context, name, *eight], [name, *six], [name, *four], six, four, [setting]]


def _compressed(status: StatusView) -> list[Spans]:
    change: Span = (status.compressed, "good")
    return [[("compressed ", "quiet"), change], [("↓ ", "good"), change], []] if status.compressed else []


def _mic(status: StatusView, width: int) -> Spans:
    return [("mic ", "quiet"), ("off".ljust(width), "late")] if status.shut else _level("mic", status.mic, width)


def _level(name: str, level: float, width: int) -> Spans:
    return [(f"{name} ", "quiet"), *_rule(level, width)]


def _rule(share: float, width: int) -> Spans:
    full, empty = gauge(share, width)
    return [(full, "full"), (empty, "empty")]


def _join(segments: list[Spans]) -> Spans:
    joined: Spans = []
    for segment in filter(None, segments):
        joined += [("  ", "quiet"), *segment] if joined else segment
    return joined


def _crop(spans: Spans, width: int) -> Spans:
    kept: Spans = []
    for text, role in spans:
        kept.append((text[: max(0, width)], role))
        width -= len(text)
    return kept


def _width(spans: Spans) -> int:
    return sum(len(text) for text, _ in spans)
