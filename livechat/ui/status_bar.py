"""The status bar as coloured spans for a given width, and what is left out where the width is too small.

A terminal of 100 columns and more is told in words what a narrower one is told in signs. A field is as wide as its
longest usual value, so that those behind it stand still while it counts.

GoAway countdown, handle age and compression, in bold, are there at every width from 50 columns up.
"""

from collections.abc import Sequence
from typing import Literal

from livechat.ui.safe_text import gauge
from livechat.ui.status import SIGNS, StatusView

Emphasis = Literal["quiet", "plain", "state", "strong", "full", "empty", "good", "late"]
Span = tuple[str, Emphasis]
Spans = list[Span]

WIDE = 99  # cells: a terminal of 100 columns
_TIME_WIDTH = 5  # 59:59
_GOAWAY_WIDTH = len("GoAway in about 9:59")
_HANDLE_WIDTH = len("handle 0:59 old, valid 1h59")
_LONGEST_STATE = 18  # ‖ waiting to retry
STATE_WIDTH = 14  # holds most state words with their sign, so that the bar does not move when they change

# Each name makes its segment one form shorter. What is missed least comes first.
_GIVE_WAY = (
    "seen", "compression", "compression", "handle", "state", "compressed", "time", "compression",
    "compression", "compressed", "handle", "handle", "goaway", "lost", "state", "compression",
)  # fmt: skip


_WORDS_GIVE_WAY = ("compression", "state", "compression", "compression", "seen")


def bar(status: StatusView, width: int) -> Spans:
    """The status line in at most `width` cells; every character of it is one cell wide."""
    seen: list[Spans] = [[("◉ sees ", "late"), (status.seen, "late")], [("◉", "late")]] if status.seen else []
    lost: list[Spans] = [[(f"! {status.lost}", "late")], []] if status.lost else []
    news: dict[str, list[Spans]] = {"compressed": _compressed(status), "lost": lost}
    if width >= WIDE:
        words: dict[str, list[Spans]] = {
            "state": _state(status),
            "seen": seen,
            "time": [[(status.time.rjust(_TIME_WIDTH), "plain")]],
            "goaway": [_goaway_in_words(status)],
            "handle": [_handle_in_words(status)],
            "compression": _compression_in_words(status),
        }
        if spans := _fitting(words | news, _WORDS_GIVE_WAY, width):
            return spans
    signs: dict[str, list[Spans]] = {
        "state": _state(status)[1:],
        "seen": seen,
        "time": [[(status.time, "plain")], []],
        "goaway": _goaway(status),
        "handle": _handle(status),
        "compression": _compression(status),
    }
    forms = signs | news
    return _fitting(forms, _GIVE_WAY, width) or _crop(_join([form[-1] for form in forms.values() if form]), width)


def _fitting(forms: dict[str, list[Spans]], give_way: Sequence[str], width: int) -> Spans:
    """The longest forms that fit; nothing where none do."""
    left = {name: list(form) for name, form in forms.items()}
    for name in [None, *give_way]:
        if name is not None and len(left[name]) > 1:
            del left[name][0]
        spans = _join([form[0] for form in left.values() if form])
        if _width(spans) <= width:
            return spans
    return []


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
    return [
        [(words.ljust(_LONGEST_STATE), role)],
        [(words.ljust(STATE_WIDTH), role)],
        [(words, role)],
        [(" ".join(words.split()[:2]), role)],
    ]


def _goaway_in_words(status: StatusView) -> Spans:
    own = status.goaway.startswith("~")
    late = f"{status.goaway} !" if status.urgent else status.goaway or "–"
    left: Span = (status.goaway[1:], "strong") if own else (late, "late" if status.urgent else "strong")
    return _padded([("GoAway in about " if own else "GoAway in ", "quiet"), left], _GOAWAY_WIDTH)


def _handle_in_words(status: StatusView) -> Spans:
    if not status.valid:
        return [("handle ", "quiet"), (status.handle, "strong")]
    spans: Spans = [("handle ", "quiet"), (status.handle, "strong"), (" old", "quiet")]
    if status.valid == "expired":
        return [*spans, (", expired", "late")]
    if not status.resumable:
        return _padded([*spans, (", not ready", "quiet")], _HANDLE_WIDTH)
    return _padded([*spans, (", valid ", "quiet"), (status.valid, "good")], _HANDLE_WIDTH)


def _compression_in_words(status: StatusView) -> list[Spans]:
    context: Spans = [("context ", "quiet"), (f"{status.context:<5}  ", "plain")] if status.context else []
    if status.filled is None:
        off: Spans = [("compression ", "quiet"), ("off", "strong")]
        return [[*context, *off], off]
    name: Span = ("compress ", "quiet")
    trigger, _, target = status.compression.partition("→")
    setting: Spans = [(trigger, "strong"), (" to ", "quiet"), (target, "strong")]
    long: Spans = [name, *_rule(status.filled, 8), (" at ", "quiet"), *setting]
    return [[*context, *long], long, [name, *_rule(status.filled, 4), (" ", "quiet"), *setting]]


def _goaway(status: StatusView) -> list[Spans]:
    left: Span = (f"{status.goaway} !", "late") if status.urgent else (status.goaway or "–", "strong")
    return [[("GoAway ", "quiet"), left], [("away ", "quiet"), left]]


def _handle(status: StatusView) -> list[Spans]:
    name: Span = ("handle ", "quiet")
    value: Spans = [(status.handle, "strong")]
    shortest = value
    short: Spans = []
    if status.valid == "expired":
        shortest = [*value, (" !", "late")]
        value = [*value, (" expired !", "late")]
    elif status.valid:
        value = shortest = [*value, (" ✓", "good") if status.resumable else (" …", "quiet")]
        short = [(f" {status.valid}", "quiet")]
    letter: Span = ("h ", "quiet")
    return [[name, *value, *short], [name, *value], [name, *shortest], [letter, *shortest]]


def _compression(status: StatusView) -> list[Spans]:
    context: Spans = [("context ", "quiet"), (f"{status.context}  ", "plain")] if status.context else []
    if status.filled is None:
        off: Spans = [("compression ", "quiet"), ("off", "strong")]
        return [[*context, *off], off, [("compr. ", "quiet"), off[1]], [off[1]]]
    setting: Span = (status.compression, "strong")
    name: Span = ("compress ", "quiet")
    six, four = ([*_rule(status.filled, width), (" ", "quiet"), setting] for width in (6, 4))
    return [[*context, name, *six], [name, *six], [name, *four], six, four, [setting]]


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


def _padded(spans: Spans, width: int) -> Spans:
    return [*spans, (" " * max(0, width - _width(spans)), "quiet")]


def _crop(spans: Spans, width: int) -> Spans:
    kept: Spans = []
    for text, role in spans:
        kept.append((text[: max(0, width)], role))
        width -= len(text)
    return kept


def _width(spans: Spans) -> int:
    return sum(len(text) for text, _ in spans)
