"""Which fields, types and enum values a client's message may hold, at every level, as a protobuf parser checks them.

The schema is that of the SDK's own types, so nothing here has to follow a new field. Names at the levels that
terms.py and wire.py have tables of are checked there: which of them exist depends on the model and the address.
google-genai takes half a second to import, so that is done when the first client comes.
"""

import enum
import json
import types
import typing
from functools import cache
from typing import Any, NamedTuple

from livechat.server.close_reasons import Rejected, closed
from livechat.server.wire import Json, camel, snake, unknown

_PACKAGE = "type.googleapis.com/google.ai.generativelanguage.v1beta"
_ROOTS = {
    "setup": "LiveClientSetup",
    "clientContent": "LiveClientContent",
    "realtimeInput": "LiveClientRealtimeInput",
    "toolResponse": "LiveClientToolResponse",
}
_CONTEXT_UPDATE = {"systemInstruction": "Content", "tools": "LiveClientSetup"}  # older SDKs have no type for it
# Their names are checked elsewhere.
_NAMED_ELSEWHERE = frozenset(
    """
    LiveClientSetup GenerationConfig SpeechConfig ThinkingConfig SessionResumptionConfig HistoryConfig
    ContextWindowCompressionConfig SlidingWindow RealtimeInputConfig AutomaticActivityDetection ProactivityConfig
    LiveClientContent LiveClientRealtimeInput AvatarConfig AudioTranscriptionConfig SafetySetting
    """.split()  # noqa: SIM905 - a list of names reads better as a text
)
_NAMES = {bool: "TYPE_BOOL", int: "TYPE_INT32", float: "TYPE_FLOAT", str: "TYPE_STRING", bytes: "TYPE_BYTES"}


class Field(NamedTuple):
    """One field: a message, an enum or one of _NAMES, or None for anything. `many`: a list of them."""

    kind: type | None
    many: bool


def check(name: str, body: Json) -> None:
    """Raises Rejected for what the real parser refuses in the message `name`, whose keys are in camelCase."""
    path = snake(name)
    if name == "contextUpdate":
        for field, value in body.items():
            if field not in _CONTEXT_UPDATE:
                raise unknown(snake(field), path)
            _message(value, _type(_CONTEXT_UPDATE[field]), f"{path}.{snake(field)}")
    elif name in _ROOTS:
        _message(body, _type(_ROOTS[name]), path)


@cache
def _type(name: str) -> type:
    from google.genai import types as sdk

    return typing.cast(type, getattr(sdk, name))


@cache
def _fields(message: type) -> dict[str, Field]:
    """The fields of a message of the SDK, by their names on the wire."""
    fields: dict[str, Any] = message.model_fields  # type: ignore[attr-defined] # pydantic's
    known = {field.alias or name: _field(field.annotation) for name, field in fields.items()}
    if message.__name__ == "LiveClientSetup":  # of which the SDK leaves one out
        known["realtimeInputConfig"] = Field(_type("RealtimeInputConfig"), many=False)
    return known


def _field(annotation: Any) -> Field:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return Field(_type("Tool"), many=True)  # setup's tools, which the SDK converts from other things as well
    if origin in (typing.Union, types.UnionType):
        choices = [choice for choice in inner if choice is not type(None)]
        content = _type("Content")
        return Field(content, many=False) if content in choices else _field(choices[0])
    if origin is list:
        return Field(_field(inner[0]).kind, many=True)
    if isinstance(annotation, type) and (
        annotation in _NAMES or issubclass(annotation, enum.Enum) or hasattr(annotation, "model_fields")
    ):
        return Field(annotation, many=False)
    return Field(None, many=False)


def _message(value: Any, message: type, path: str) -> None:
    if not isinstance(value, dict):
        raise _wrong(path, f"{_PACKAGE}.{message.__name__}", value)
    fields = _fields(message)
    for given, inner in value.items():
        name = given if given in fields else camel(given)  # what is the client's own keeps its spelling until here
        if name not in fields:
            if message.__name__ not in _NAMED_ELSEWHERE:
                raise unknown(snake(name), path)
            continue
        kind, many = fields[name]
        where = f"{path}.{snake(name)}"
        if inner is None or kind is None:
            continue
        if not many:
            _value(inner, kind, where)
        elif isinstance(inner, list):
            for n, one in enumerate(inner):
                _value(one, kind, f"{where}[{n}]")
        else:  # protobuf takes a single value for a list of one
            _value(inner, kind, where)


def _value(value: Any, kind: type, path: str) -> None:
    if kind not in _NAMES and not issubclass(kind, enum.Enum):
        _message(value, kind, path)
    elif not _fits(value, kind):
        raise _wrong(path, _NAMES.get(kind) or f"{_PACKAGE}.{kind.__name__}", value)


def _fits(value: Any, kind: type) -> bool:
    if issubclass(kind, enum.Enum):
        known = {str(choice.value) for choice in kind}
        return isinstance(value, int) or (isinstance(value, str) and value.upper() in known)
    if kind is bool:
        return isinstance(value, bool)
    if kind in (str, bytes):
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return False
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return False
    return kind is float or number.is_integer()


def _wrong(path: str, kind: str, value: Any) -> Rejected:
    return closed("wrong-type", where=path, kind=kind, value=json.dumps(value, ensure_ascii=False)[:40])
