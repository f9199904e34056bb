"""Changes the frames of one link as its faults demand.

The session makes every frame as the real service does on a good day. Each fault that changes frames has one rule
here: one frame in, any number of frames out. The rules are applied in the order of RULES, each to all frames that the
one before returned. docs/faults.md says what each imitates.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from livechat.server import wire
from livechat.server.fault_plan import Fault
from livechat.server.utterances import OUTPUT_RATE, resampled
from livechat.server.wire import Json

Data = str | bytes | list[bytes]  # a text frame, a binary frame, a binary frame in fragments

HUGE = 10_000_000  # bytes in a huge frame
EARLY = 3  # the piece of an answer after which the early turnComplete comes
BUNDLED = 4  # the most pieces of sound in one frame
TOKENS = 5  # of a piece of sound, 200 ms at 25 tokens a second (docs/wire.md 4)
FALL = 0.5  # the part of the context that is left after each turn

OVER: Json = {"serverContent": {"turnComplete": True}}
INTERRUPTED: Json = {"serverContent": {"interrupted": True}}
NOISE: tuple[Json | bytes, ...] = (
    {},
    {"serverContent": {}},
    {"error": {"code": 500, "message": "Internal error encountered.", "status": "INTERNAL"}},
    {"sessionWeather": {"mood": "fair"}},
    b"this is not JSON",
    {"serverContent": {"interactionStatus": "NAPPING"}},
    b"\xff\xfe\x00",
    {"serverContent": {"novelty": [{"a": 1}]}},
    {"voiceActivity": {"type": "ACTIVITY_PAUSED"}},
    b"[1, 2, 3]",
    {"usageMetadata": {}},
    {"toolCall": {}},
)


class FrameFaults:
    """The frames of one link. `active`: the faults in force, by kind. They may change between frames."""

    def __init__(self, active: Mapping[str, Fault]) -> None:
        self._active = active
        self.ready = False  # setupComplete was sent
        self.turns = 0  # complete ones
        self.working = False  # the last complete turn belongs to an answer that goes on
        self.pieces = 0  # of sound in the answer under way
        self.begun = False  # something of that answer was sent before this frame
        self.piece: Json = {}  # the last of these pieces
        self.held: Json = {}  # a bundle that is not full yet
        self.cut = False  # an `interrupted` was held back
        self.noises = 0
        self.prompt = 0  # tokens of the context, as the client was last told

    def frames(self, frame: Json) -> list[Json | bytes]:
        """What is sent instead of `frame`."""
        content = _content(frame)
        self.ready = self.ready or "setupComplete" in frame
        if "modelTurn" in content:
            self.pieces += 1
            self.piece = {"serverContent": {"modelTurn": content["modelTurn"]}}
        changed: list[Json] = [frame]
        for kind, rule in RULES.items():
            if kind in self._active:
                changed = [after for before in changed for after in rule(self, before)]
        self.begun = self.begun or "modelTurn" in content or "outputTranscription" in content
        if content.get("turnComplete"):
            self.turns += 1
            self.begun = False
            self.working = content.get("interactionStatus") == "IN_PROGRESS"
            self.pieces = 0
        if "noise" in self._active and self.ready and "setupComplete" not in frame:
            self.noises += 1
            return [NOISE[self.noises % len(NOISE)], *changed]
        return list(changed)

    def data(self, frame: Json | bytes) -> Data:
        """`frame` as it goes to the transport."""
        raw = frame if isinstance(frame, bytes) else wire.encode(frame, compact="compact" in self._active)
        if "fragments" in self._active:
            third = len(raw) // 3 + 1
            return [raw[at : at + third] for at in range(0, len(raw), third)]
        if "text-frames" in self._active and isinstance(frame, dict):
            return raw.decode()
        return raw

    def fault(self, kind: str) -> Fault:
        return self._active[kind]


Rule = Callable[[FrameFaults, Json], list[Json]]


def _content(frame: Json) -> Json:
    content = frame.get("serverContent")
    return content if isinstance(content, dict) else {}


def _without(frame: Json, *names: str) -> Json:
    """`frame` without these fields of its serverContent; {} if nothing remains."""
    content = {name: value for name, value in _content(frame).items() if name not in names}
    rest = {name: value for name, value in frame.items() if name != "serverContent"}
    return {**rest, "serverContent": content} if content or rest else {}


def _where(field: str, rule: Rule) -> Rule:
    """Apply `rule` to the frames that have this field, at the top or in serverContent."""
    return lambda link, frame: rule(link, frame) if field in frame or field in _content(frame) else [frame]


def _leave_out(*names: str) -> Rule:
    """Leave out these fields of serverContent."""

    def rule(_: FrameFaults, frame: Json) -> list[Json]:
        if not any(name in _content(frame) for name in names):
            return [frame]
        rest = _without(frame, *names)
        return [rest] if rest else []

    return rule


def _stray_interrupted(link: FrameFaults, frame: Json) -> list[Json]:
    if "setupComplete" in frame:
        return [frame, INTERRUPTED]
    answers = "modelTurn" in _content(frame) or "outputTranscription" in _content(frame)
    return [INTERRUPTED, frame] if answers and not link.begun and not link.working else [frame]


def _interrupted_late(link: FrameFaults, frame: Json) -> list[Json]:
    if "interrupted" in _content(frame):
        link.cut = True
        rest = _without(frame, "interrupted")
        return [rest] if rest else []
    if link.cut and "turnComplete" in _content(frame):
        link.cut = False
        return [frame, INTERRUPTED]
    return [frame]


def _root_idle(link: FrameFaults, frame: Json) -> list[Json]:
    if "turnComplete" in _content(frame):
        status = _content(frame).get("interactionStatus", "IDLE")
        return [_without(frame, "interactionStatus"), {"interactionStatus": status}]
    first = "modelTurn" in _content(frame) and link.pieces == 1
    return [{"interactionStatus": "IN_PROGRESS"}, frame] if first else [frame]


def _status(link: FrameFaults, frame: Json) -> list[Json]:
    status = _content(frame).get("interactionStatus")
    if not status:
        return [frame]
    rest = _without(frame, "interactionStatus")
    match link.fault("status").reason:
        case "root":
            return [{**rest, "interactionStatus": status}]
        case "alone":
            return [rest, {"interactionStatus": status}]
        case "no-idle":
            return [rest if status == "IDLE" else frame]
        case _:  # stuck
            return [{**frame, "serverContent": {**_content(frame), "interactionStatus": "IN_PROGRESS"}}]


def _unheard(_: FrameFaults, frame: Json) -> list[Json]:
    rest = _without(frame, "inputTranscription") if "inputTranscription" in _content(frame) else frame
    return [] if not rest or "voiceActivity" in rest else [rest]


def _sounds(change: Callable[[FrameFaults, bytes, str], tuple[bytes, str]]) -> Rule:
    """Change every piece of sound: `change` takes its bytes and its MIME type and returns new ones."""

    def part(link: FrameFaults, part: Json) -> Json:
        blob = part.get("inlineData")
        if not blob:
            return part
        pcm, mime = change(link, base64.b64decode(blob["data"]), blob["mimeType"])
        return {"inlineData": {"mimeType": mime, "data": base64.b64encode(pcm).decode()}}

    def rule(link: FrameFaults, frame: Json) -> list[Json]:
        turn = _content(frame).get("modelTurn")
        if not turn:
            return [frame]
        changed = {**turn, "parts": [part(link, each) for each in turn["parts"]]}
        return [{**frame, "serverContent": {**_content(frame), "modelTurn": changed}}]

    return rule


def _at_rate(link: FrameFaults, pcm: bytes, _: str) -> tuple[bytes, str]:
    rate = int(link.fault("rate").value)
    return resampled(pcm, OUTPUT_RATE, rate), f"audio/pcm;rate={rate}"


def _huge_frame(link: FrameFaults, frame: Json) -> list[Json]:
    turn = _content(frame).get("modelTurn")
    if not turn or link.pieces != 1:
        return [frame]
    parts = [{"text": "x" * HUGE, "thought": True}, *turn["parts"]]
    return [{**frame, "serverContent": {**_content(frame), "modelTurn": {**turn, "parts": parts}}}]


def _candidates_usage(_: FrameFaults, frame: Json) -> list[Json]:
    counts = {name.replace("response", "candidates"): count for name, count in frame["usageMetadata"].items()}
    return [{**frame, "usageMetadata": counts}]


def _falling_usage(link: FrameFaults, frame: Json) -> list[Json]:
    usage = frame.get("usageMetadata")
    if not usage:
        return [frame]
    link.prompt = int(link.prompt * FALL) if link.prompt else usage["promptTokenCount"] + 1_000
    answer = usage["totalTokenCount"] - usage["promptTokenCount"]
    counts = {"promptTokenCount": link.prompt, "totalTokenCount": link.prompt + answer}
    return [{**frame, "usageMetadata": {**usage, **counts}}]


def _usage_per_chunk(link: FrameFaults, frame: Json) -> list[Json]:
    if usage := frame.get("usageMetadata"):
        link.prompt = usage.get("totalTokenCount", 0)
    if "modelTurn" not in _content(frame):
        return [frame]
    prompt, answer = max(1, link.prompt), TOKENS * link.pieces
    counts = {"promptTokenCount": prompt, "responseTokenCount": answer, "totalTokenCount": prompt + answer}
    return [{**frame, "usageMetadata": counts}]


def _bundle(link: FrameFaults, frame: Json) -> list[Json]:
    whole = _merged(link.held, frame)
    content = _content(whole)
    link.held = {}
    begun = "modelTurn" in content or "inputTranscription" in content
    if not begun or whole.keys() != {"serverContent"} or content.keys() & _ENDINGS or _parts(content) >= BUNDLED:
        return [whole]
    link.held = whole
    return []


_ENDINGS = {"generationComplete", "turnComplete", "interrupted"}


def _parts(content: Json) -> int:
    return len(content["modelTurn"]["parts"]) if "modelTurn" in content else 0


def _merged(one: Json, two: Json) -> Json:
    """Both frames in one. Texts and lists are joined; of anything else that both have, the second counts."""
    merged: Json = dict(one)
    for name, value in two.items():
        merged[name] = _joined(merged[name], value) if name in merged else value
    return merged


def _joined(one: Any, two: Any) -> Any:
    if isinstance(one, dict) and isinstance(two, dict):
        return _merged(one, two)
    if isinstance(one, list) and isinstance(two, list):
        return [*one, *two]
    return f"{one}{two}" if isinstance(one, str) and isinstance(two, str) else two


RULES: dict[str, Rule] = {
    "no-goaway": _where("goAway", lambda *_: []),
    "setup-noise": _where("setupComplete", lambda _, frame: [{"sessionResumptionUpdate": {}}, frame]),
    "no-handles": _where("sessionResumptionUpdate", lambda *_: []),
    "empty-updates": _where("sessionResumptionUpdate", lambda *_: [{"sessionResumptionUpdate": {}}]),
    "late-handles": _where("sessionResumptionUpdate", lambda link, frame: [frame] if link.turns else []),
    "rate": _sounds(_at_rate),
    "odd-pcm": _sounds(lambda _, pcm, mime: (pcm + b"\0", mime)),
    "no-rate": _sounds(lambda _, pcm, __: (pcm, "audio/pcm")),
    "huge-frame": _huge_frame,
    "no-usage": lambda _, frame: [{name: value for name, value in frame.items() if name != "usageMetadata"}],
    "empty-usage": _where("usageMetadata", lambda _, frame: [{**frame, "usageMetadata": {}}]),
    "falling-usage": _falling_usage,
    "usage-per-chunk": _usage_per_chunk,
    "candidates-usage": _where("usageMetadata", _candidates_usage),
    "late-audio": _where(
        "interrupted", lambda link, frame: [frame, link.piece, link.piece] if link.piece else [frame]
    ),
    "interrupted-late": _interrupted_late,
    "stray-interrupted": _stray_interrupted,
    "no-turn-complete": _leave_out("turnComplete", "interactionStatus"),
    "status": _status,
    "no-generation-complete": _leave_out("generationComplete"),
    "early-turn-complete": _where(
        "modelTurn", lambda link, frame: [frame, OVER] if link.pieces == EARLY else [frame]
    ),
    "double-turn-complete": _where("turnComplete", lambda _, frame: [frame, frame]),
    "root-idle": _root_idle,
    "unheard": _unheard,
    "bundle": _bundle,
}
