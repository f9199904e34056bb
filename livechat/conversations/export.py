"""A kept conversation in the formats that `livechat sessions export` writes.

Each of them is free of what a terminal obeys, because a file is shown at a terminal sooner or later.
"""

import dataclasses
import html
import json
import re
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

from livechat.conversations.records import Conversation, Entry, KeptTurn, Run, Utterance
from livechat.ui.safe_text import clean, plain_text

_SPEECH = 15.0  # characters in a second, as people speak and as subtitles are read
_SHORTEST_S = 1.0  # a shorter caption cannot be read


def local(seconds: float, *, of_day: bool = False) -> str:
    """A time since the epoch on this place's clock: 2026-03-01 14:05, or 14:05:09."""
    when = datetime.fromtimestamp(seconds).astimezone()
    return f"{when:%H:%M:%S}" if of_day else f"{when:%Y-%m-%d %H:%M}"


def markdown(kept: Conversation) -> str:
    """For people: each side a paragraph, the times in front of the questions."""
    entry = kept.entry
    parts = [f"# Conversation {entry.id}", f"{_escaped(entry.model)}, {local(entry.started)}"]
    for turn in kept.turns:
        if turn.user:
            parts.append(f"**You** ({local(_times(turn)[0], of_day=True)}): {_escaped(turn.user)}")
        if turn.model:
            parts.append(f"**Model**: {_escaped(turn.model)}")
    return "\n\n".join(parts) + "\n"


def text(kept: Conversation) -> str:
    """As the lines in a pipe: one for each side of an exchange."""
    return plain_text((turn.user, turn.model) for turn in kept.turns)


def subtitles(kept: Conversation) -> str:
    """SubRip, with the times of `_captions`."""
    captions = enumerate(_captions(kept), start=1)
    return "\n".join(
        f"{n}\n{_time(begin)} --> {_time(end)}\n{'You: ' if who == 'You' else ''}{clean(said)}\n"
        for n, (begin, end, who, said) in captions
    )


def web_subtitles(kept: Conversation) -> str:
    """WebVTT, with the times of `_captions`. Each speaker is a voice, which players may show in a colour."""
    shown = ["WEBVTT\n"]
    for begin, end, who, said in _captions(kept):
        times = f"{_time(begin)} --> {_time(end)}".replace(",", ".")
        shown.append(f"{times}\n<v {who}>{html.escape(clean(said), quote=False)}\n")
    return "\n".join(shown)


def _captions(kept: Conversation) -> list[tuple[float, float, str, str]]:
    """From when until when each utterance is shown, who said it ("You" or "Model"), and what.

    The times count from the beginning of the conversation, in seconds, and are those at which the words came. The
    words of a question may come late or all at once. Then it begins as long before its answer as it takes to say.
    """
    cues: list[tuple[float, float, str, str]] = []
    before = 0.0
    for turn in kept.turns:
        began, answered = (max(0.0, at - kept.entry.started) for at in _times(turn))
        ended = max(0.0, turn.ended - kept.entry.started)
        if turn.user:
            if turn.model:
                began = min(began, max(before, answered - _spoken_s(turn.user)))
            until = answered if turn.model else ended
            cues.append((began, max(until, began + _spoken_s(turn.user)), "You", turn.user))
        before = ended
        if turn.model:
            cues.append((answered, max(ended, answered + _spoken_s(turn.model)), "Model", turn.model))
    cues.sort(key=lambda cue: cue[0])
    for n, (this, following) in enumerate(pairwise(cues)):
        if this[0] < following[0] < this[1]:
            cues[n] = (this[0], following[0], *this[2:])
    return cues


def listed(entry: Entry) -> dict[str, Any]:
    """A conversation as an object for programs, its times as ISO 8601."""
    dated = _dated(entry, "started", "seen", "resumable_until")
    return {"type": "conversation"} | dated | {"duration_s": round(entry.duration_s, 1)}


def found_in(utterance: Utterance) -> dict[str, Any]:
    """An utterance as an object for programs. `n`: of its exchange, from 1, as in `json_lines`."""
    return {
        "type": "found",
        "conversation": utterance.conversation,
        "n": utterance.number + 1,
        "who": utterance.who,
        "at": _iso(utterance.at),
        "text": utterance.text,
    }


def json_lines(kept: Conversation) -> str:
    """One object a line: the conversation, its exchanges, its runs."""
    objects = [listed(kept.entry)]
    for n, turn in enumerate(kept.turns, start=1):
        objects.append({"type": "turn", "n": n} | _dated(turn, "began", "answered", "ended"))
    objects += [{"type": "run"} | _dated(run, "began", "ended") for run in kept.runs]
    return "".join(json.dumps(each) + "\n" for each in objects)


FORMATS: dict[str, Callable[[Conversation], str]] = {
    "md": markdown,
    "txt": text,
    "srt": subtitles,
    "vtt": web_subtitles,
    "json": json_lines,
}


def _times(turn: KeptTurn) -> tuple[float, float]:
    """When each side of an exchange began; estimated from its end where no time of it is kept."""
    answered = turn.answered or turn.ended - (_spoken_s(turn.model) if turn.model else 0.0)
    return turn.began or answered - _spoken_s(turn.user), answered


def _spoken_s(said: str) -> float:
    return max(_SHORTEST_S, len(said) / _SPEECH)


def _time(seconds: float) -> str:
    minutes, ms = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{ms // 1000:02},{ms % 1000:03}"


def _dated(what: Entry | KeptTurn | Run, *times: str) -> dict[str, Any]:
    """The fields of `what`, with those called `times` as ISO 8601 or None."""
    fields = dataclasses.asdict(what)
    for name in times:
        if fields[name] is not None:
            fields[name] = _iso(fields[name])
    return fields


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="milliseconds")


def _escaped(said: str) -> str:
    """As it was said: what Markdown would take for markup is escaped."""
    inline = re.sub(r"([\\`*_\[\]<>~|&])", r"\\\1", clean(said, newlines=True).strip())
    lines = re.sub(r"^(\s*)(#|[-+=]|\d+(?=[.)]))", _literal, inline, flags=re.MULTILINE)
    return re.sub(r"\n+", "\\\\\n", lines)  # a break, and not a paragraph


def _literal(match: re.Match[str]) -> str:
    space, mark = match.groups()
    return f"{space}{mark}" + "\\" if mark.isdigit() else f"{space}\\{mark}"
