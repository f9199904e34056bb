"""Which events get a line of the transcript, and in which words; for screen and pipe alike."""

import json
from dataclasses import dataclass
from typing import Literal

from livechat import events as ev
from livechat.errors import KEY_PAGE, Notice
from livechat.ui.safe_text import age, clean, duration, money, tokens
from livechat.ui.status import KEYBOARD

SHOWN = 200  # characters of a function's arguments, or of its result
SOURCES = 5  # of a search
SILENT = "none"  # `Start.output` of a conversation that is only read

_BACKENDS = {"gemini": "Gemini", "vertex": "Vertex AI", "offline": "embedded server, offline"}
_RUNGS = {
    "resumed": "",
    "previous": ", from the handle before: the last words may be forgotten",
    "seeded": ", a new session that was told the transcript",
    "fresh": ", a new session that remembers nothing",
}


@dataclass(frozen=True, slots=True)
class TranscriptLine:
    """One entry, already clean. "you" and "model" are data: what was said. The other kinds are talk about it."""

    kind: Literal["you", "model", "thought", "note", "warning", "hint"]
    text: str  # may hold "\\n" where `newlines` was asked for
    cut: bool = False  # the answer did not get to its end
    restored: bool = False  # said in an earlier run


def lines(event: ev.Output, *, newlines: bool = False, bar: bool = False) -> list[TranscriptLine]:
    """What `event` adds to the transcript for good. Partial words and measurements add nothing.

    `bar`: it stands above a status bar, which says some of it.
    """
    match event:
        case ev.UserText(final=True) | ev.ModelText(final=True):
            line = said(event, newlines=newlines)
            return [line] if line.text or line.cut else []
        case ev.SystemText():
            return [_note(f"instruction from now on: {_short(clean(event.text.strip()))}")]
        case ev.ContextText():
            return [_note(f"told, not asked: {_short(clean(event.text.strip()))}")]
        case ev.ThoughtText():
            return [TranscriptLine("thought", clean(event.text.strip(), newlines=newlines))]
        case ev.Start():
            return _start(event, bar=bar)
        case ev.Handover():
            return [_handover(event)]
        case ev.LinkState(state="waiting"):
            why = f": {clean(event.why)}" if event.why else ""
            return [_note(f"no link; next try in {duration((event.retry_in_s or 0) * 1000)}{why}")]
        case ev.Seeing():
            return [_note(_seeing(event))]
        case ev.Compression():
            return [_note(f"context compressed, {tokens(event.before)}→{tokens(event.after)} tokens")]
        case ev.ToolCall():
            given = ", ".join(
                f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in event.arguments.items()
            )
            return [_note(clean(f"calls {event.name}({_short(given)})"))]
        case ev.Confirm():
            return [TranscriptLine("warning", clean(f"may {event.name} run? Answer yes or no"))]
        case ev.ToolResult(failed=False):
            return [_note(clean(f"{event.name} gave {_short(event.text) or 'nothing'}"))]
        case ev.Sources():
            found = [f"[{n}] {source['title']} {source['uri']}" for n, source in enumerate(event.sources, 1)]
            return [_note(clean(line)) for line in found[:SOURCES]]
        case Notice():
            hint = [TranscriptLine("hint", clean(event.hint))] if event.hint else []
            return [TranscriptLine("warning", clean(event.message)), *hint]
        case _:
            return []


def said(event: ev.UserText | ev.ModelText, *, newlines: bool = False) -> TranscriptLine:
    """The utterance of `event`, final or not."""
    text = clean(event.text.strip(), newlines=newlines)
    if isinstance(event, ev.UserText):
        return TranscriptLine("you", text, restored=event.source == "restored")
    return TranscriptLine("model", text, cut=event.cut, restored=event.restored)


def closing(summary: ev.Summary, unit: str = "turn") -> list[str]:
    """The last lines, three at most: how long, how continuous, and the command that picks it up again.

    `unit`: what `turns` counts.
    """
    turns = f"{summary.turns} {unit}{'s' * (summary.turns != 1)}"
    links = f"{summary.links} link{'s' * (summary.links != 1)}"
    facts = (
        f"longest gap {duration(summary.longest_gap_ms)}" if summary.longest_gap_ms > 0 else "",
        f"{duration(summary.dropped_ms)} lost" if summary.dropped_ms > 0 else "nothing lost" if summary.kept else "",
        f"{duration(summary.replayed_ms)} sent again" if summary.replayed_ms > 0 else "",
        "" if summary.kept else "not all of it kept",
        "" if summary.cost is None else f"cost {money(summary.cost)}",
    )
    resume = [clean(summary.resume)] if summary.resume else []
    return [f"{age(summary.duration_s)} · {turns} · {links}", ", ".join(filter(None, facts)), *resume]


def _start(event: ev.Start, *, bar: bool) -> list[TranscriptLine]:
    where = _BACKENDS.get(event.backend, "your endpoint")
    voice = f" · voice {event.voice}" if event.voice else ""
    heard = "you type" if event.input == KEYBOARD else f"hears {event.input}"
    found = [_note(clean(f"livechat {event.version} · {where} · {event.model}{voice}"))]
    if event.backend == "offline":
        found.append(TranscriptLine("hint", f"for Gemini, set GEMINI_API_KEY from {KEY_PAGE}"))
    told = "shows the answer" if event.output == SILENT else f"plays to {event.output}"
    if not bar or event.input != KEYBOARD or event.output != SILENT:  # there the bar says so: typing only
        found.append(_note(clean(f"{heard} · {told}")))
    if event.restored:
        known = f"{event.restored} turn{'s' * (event.restored != 1)}"
        found.append(_note(f"conversation {clean(event.conversation)} goes on after {known}"))
    return found


def _handover(event: ev.Handover) -> TranscriptLine:
    lost = f", {duration(event.dropped_ms)} lost" if event.dropped_ms > 0 else ""
    again = f", {duration(event.replayed_ms)} sent again" if event.replayed_ms > 0 else ""
    cause = f" ({clean(event.cause)})" if event.cause else ""
    gap = duration(event.gap_ms)
    return _note(f"link {event.n} after {gap}{cause}{again}{lost}{_RUNGS[event.how]}")


def _seeing(event: ev.Seeing) -> str:
    if not event.on:
        return clean(f"the model sees {event.source} no more{f': {event.why}' if event.why else ''}")
    room = "without compression a session with pictures ends after 2 minutes"
    if event.holds_s is not None:
        room = f"the context has room for {age(event.holds_s)} of it before it is compressed"
    return clean(f"the model sees {event.source}: up to {event.tokens_s:g} tokens a second; {room}")


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} …"


def _note(text: str) -> TranscriptLine:
    return TranscriptLine("note", text)
