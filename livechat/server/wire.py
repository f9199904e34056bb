"""The JSON of the wire: reads what clients send, and builds what the server sends.

Clients mix camelCase and snake_case in one message and use either base64 alphabet, so both are accepted at every
level. The server sends binary frames of indented JSON without proto3 defaults (docs/wire.md 1.2 to 1.4).
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from livechat.server.close_reasons import Rejected, closed

IMAGES = ("image/jpeg", "image/png", "image/webp", "image/heic", "image/heif")
REASON_BYTES = 123  # of a close frame, beside its code

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClientSetup:
    """The first message. `body` has camelCase keys and is not checked."""

    body: Json


@dataclass(frozen=True, slots=True)
class ClientAudio:
    """Sound, s16le mono at `rate` Hz. `legacy`: it came as mediaChunks."""

    pcm: bytes
    rate: int
    legacy: bool = False


@dataclass(frozen=True, slots=True)
class ClientVideo:
    """An image, in base64."""

    data: str


@dataclass(frozen=True, slots=True)
class ClientText:
    """Text that the person typed, to be answered."""

    text: str


@dataclass(frozen=True, slots=True)
class ClientActivity:
    """The client's own voice detection: speech began or ended."""

    began: bool


@dataclass(frozen=True, slots=True)
class ClientStreamEnd:
    """The microphone was closed: nothing more is said."""


@dataclass(frozen=True, slots=True)
class ClientContent:
    """Turns for the history, each a role and a text. `complete` asks for an answer."""

    turns: tuple[tuple[str, str], ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class ClientContextUpdate:
    """A new system instruction; None for no change."""

    system: str | None


@dataclass(frozen=True, slots=True)
class ClientToolResponse:
    """Results of function calls: for each its "id" and "response", and perhaps its "scheduling"."""

    responses: tuple[Json, ...]


ClientMessage = (
    ClientSetup | ClientAudio | ClientVideo | ClientText | ClientActivity | ClientStreamEnd
    | ClientContent | ClientContextUpdate | ClientToolResponse
)  # fmt: skip

# Inside these fields the names are the client's own and stay as they are.
_OPAQUE = {"response", "args", "parameters", "parametersJsonSchema", "responseSchema", "labels"}


def camel(key: str) -> str:
    """`snake_case` as `snakeCase`; anything else unchanged."""
    return re.sub(r"(?<=[a-z0-9])_+([a-z0-9])", lambda m: m[1].upper(), key)


def snake(key: str) -> str:
    """`camelCase` as `camel_case`, which Google's errors use for paths."""
    return re.sub(r"(?<!^)([A-Z])", lambda m: "_" + m[1].lower(), key)


def camel_keys(value: Any) -> Any:
    """`value` with all names in camelCase but those that are the client's own."""
    if isinstance(value, dict):
        return {camel(k): v if camel(k) in _OPAQUE else camel_keys(v) for k, v in value.items()}
    if isinstance(value, list):
        return [camel_keys(v) for v in value]
    return value


def _encodable(value: Any) -> Any:
    """`value` with a question mark for each half of a surrogate pair: such text can be neither written nor sent."""
    if isinstance(value, dict):
        return {_encodable(key): _encodable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_encodable(inner) for inner in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def unknown(name: str, path: str) -> Rejected:
    """The end of a link for an unknown field at `path` ("" for the message itself)."""
    return closed("unknown-field", field=name, at=f" at '{path}'" if path else "")


def parse(frame: str | bytes, check: Callable[[str, Json], None] | None = None) -> list[ClientMessage]:
    """The messages in one frame of a client: usually one, several if a realtimeInput holds several.

    `check` is given the name and the fields of the message, and raises Rejected for those that are wrong; schema.py
    has the real one. Raises Rejected for what the real server's parser refuses.
    """
    try:
        raw = json.loads(frame)
        if _SURROGATE.search(frame if isinstance(frame, str) else frame.decode(errors="replace")):
            raw = _encodable(raw)
        body = camel_keys(raw)
    except (ValueError, RecursionError):
        raise closed("not-json") from None
    if not isinstance(body, dict) or len(body) != 1:
        raise closed("invalid")
    ((name, value),) = body.items()
    if name not in _READERS:
        raise unknown(next(iter(raw)), "")
    if not isinstance(value, dict):
        raise closed("invalid")
    if check is not None:
        check(name, value)
    return _READERS[name](value)


def text_of(content: Any) -> str:
    """The text of a Content ({"parts": [{"text": …}]}), its parts joined by spaces; or of a plain string."""
    if isinstance(content, str):
        return content
    parts = content.get("parts") if isinstance(content, dict) else None
    found = parts if isinstance(parts, list) else []
    texts = [part.get("text") for part in found if isinstance(part, dict)]
    return " ".join(t.strip() for t in texts if isinstance(t, str) and t.strip())


def _audio(blob: Any, legacy: bool = False) -> ClientAudio | ClientVideo:
    mime = blob.get("mimeType", "") if isinstance(blob, dict) else None
    if not isinstance(mime, str):
        raise closed("invalid")
    if legacy and mime.startswith("image/"):
        return _video(blob)
    match = re.fullmatch(r"audio/pcm(?:;\s*rate=(\d{4,5}))?", mime)
    rate = int(match[1] or 16_000) if match else 0
    data = blob.get("data", "")
    if not 8_000 <= rate <= 48_000 or not isinstance(data, str):
        raise closed("invalid")
    standard = data.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        pcm = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise closed("not-base64") from None
    return ClientAudio(pcm[: len(pcm) // 2 * 2], rate, legacy)


def _video(blob: Json) -> ClientVideo:
    data = blob.get("data", "")
    if not isinstance(data, str):
        raise closed("invalid")
    return ClientVideo(data)


def _realtime(value: Json) -> list[ClientMessage]:
    messages: list[ClientMessage] = []
    for name, field in value.items():
        if name == "audio":
            messages.append(_audio(field))
        elif name == "mediaChunks" and isinstance(field, list):
            messages += [_audio(chunk, legacy=True) for chunk in field]
        elif name == "text" and isinstance(field, str):
            messages += [ClientText(field)] if field else []
        elif name in ("activityStart", "activityEnd"):
            messages.append(ClientActivity(name == "activityStart"))
        elif name == "audioStreamEnd":
            messages += [ClientStreamEnd()] if field is True else []
        elif name == "video":
            if not (isinstance(field, dict) and field.get("mimeType") in IMAGES):
                raise closed("invalid")
            messages.append(_video(field))
        elif name in ("mediaChunks", "text"):
            raise closed("invalid")
        else:
            raise unknown(snake(name), "realtime_input")
    return messages


def _content(value: Json) -> list[ClientMessage]:
    for name in value:
        if name not in ("turns", "turnComplete"):
            raise unknown(snake(name), "client_content")
    turns = value.get("turns") or []
    if isinstance(turns, dict):
        turns = [turns]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise closed("invalid")
    if any(turn.get("role", "user") not in ("user", "model", "system") for turn in turns):
        raise closed("invalid")
    said = tuple((turn.get("role", "user"), text_of(turn)) for turn in turns)
    return [ClientContent(tuple(turn for turn in said if turn[1]), value.get("turnComplete") is True)]


def _context(value: Json) -> list[ClientMessage]:
    system = value.get("systemInstruction")
    return [ClientContextUpdate(None if system is None else text_of(system))]


def _tool_response(value: Json) -> list[ClientMessage]:
    responses = value.get("functionResponses") or []
    if isinstance(responses, dict):
        responses = [responses]
    if not isinstance(responses, list) or not all(isinstance(response, dict) for response in responses):
        raise closed("invalid")
    return [ClientToolResponse(tuple(responses))]


_READERS: dict[str, Callable[[Json], list[ClientMessage]]] = {
    "setup": lambda value: [ClientSetup(value)],
    "realtimeInput": _realtime,
    "clientContent": _content,
    "contextUpdate": _context,
    "toolResponse": _tool_response,
}


def encode(frame: Json, *, compact: bool = False) -> bytes:
    """`frame` as it is sent: UTF-8, an indent of two spaces, a final newline, without proto3 defaults.

    `compact`: in one line without spaces.
    """
    if compact:
        return json.dumps(_bare(frame), separators=(",", ":"), ensure_ascii=False).encode()
    return (json.dumps(_bare(frame), indent=2, ensure_ascii=False) + "\n").encode()


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _bare(v) for k, v in value.items() if isinstance(v, dict) or v or k == "timeLeft"}
    if isinstance(value, list):
        return [_bare(v) for v in value]
    return value


def sound(pcm: bytes, vertex: bool) -> Json:
    """A modelTurn with `pcm`, s16le mono at 24 kHz. Vertex AI names the role and no rate."""
    mime = "audio/pcm" if vertex else "audio/pcm;rate=24000"
    part = {"inlineData": {"mimeType": mime, "data": base64.b64encode(pcm).decode()}}
    return {"role": "model" if vertex else None, "parts": [part]}


def words(text: str, vertex: bool) -> Json:
    """A modelTurn with `text` instead of sound."""
    return {"role": "model" if vertex else None, "parts": [{"text": text}]}


def seconds(value: float) -> str:
    """A protobuf Duration, with zero, three, six or nine decimals: "50s", "0.440s", "3.000000001s"."""
    for digits in (0, 3, 6):
        if abs(value - round(value, digits)) < 5e-10:
            return f"{value:.{digits}f}s"
    return f"{value:.9f}s"


def cut_reason(reason: str) -> str:
    """The beginning of `reason` that a close frame can hold: at most 123 bytes, whole characters."""
    return reason.encode()[:REASON_BYTES].decode(errors="ignore")
