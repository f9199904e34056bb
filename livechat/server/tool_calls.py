"""Function calls: which function a client declared fits what was said, with which arguments, and what it gave back.

A real model reads declarations. The offline agent compares words: those of the name, the description and the
parameters with those of the question. Nothing here is random, so a test can rely on it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from livechat.server.models import Calls
from livechat.server.replies import digits
from livechat.server.wire import Json

SPOKEN = 500  # the most characters of a result that are spoken

# Words that say nothing of what a function is for.
_EMPTY = frozenset(
    re.findall(
        r"\w+",
        """
        a about an and any are as at be by call can current currently do does fetch find for from function get give
        given has have how i in into is it its let list look make me my need now of on or out please provided return
        returns run set show supplied tell that the their them then there this to tool up use used user using want
        what when where which who will with would you your
        """,
    )
)
_PLACE = frozenset({"address", "area", "city", "country", "location", "place", "region", "station", "town"})
_OFF = re.compile(r"\b(?:off|no|not|don't|disable|false|without|stop)\b")
_QUOTED = re.compile("[\"“”'‘]([^\"“”'‘’]+)[\"“”'’]")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
# Where a value ends that has no quotation marks.
_END = re.compile(r"[,.;:?!](?:\s|$)|\s(?:and|please|then|today|tomorrow|now|right now|with)\b|$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function. `kind`: its JSON type in capitals. `choices`: all its values, if they are few."""

    name: str
    kind: str
    about: str
    choices: tuple[str, ...]
    required: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A function that a client declared. `blocking`: the model says nothing until it has the result.

    `declaration`: what the client wrote.
    """

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    blocking: bool
    declaration: Json


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was sent to the client."""

    id: str
    function: Function
    arguments: Json

    @property
    def json(self) -> Json:
        """As it is sent."""
        return {"name": self.function.name, "args": self.arguments, "id": self.id}


def declared(tools: Any, calls: Calls) -> tuple[Function, ...]:
    """The functions in a setup's `tools`, for a model that calls functions in this way."""
    lists = [tool.get("functionDeclarations") for tool in _tools(tools)]
    functions = [function for found in lists if isinstance(found, list) for function in found]
    return tuple(
        _function(function, calls)
        for function in functions
        if isinstance(function, dict) and isinstance(function.get("name"), str)
    )


def searches(tools: Any) -> bool:
    """Whether a setup's `tools` hold Google Search."""
    return any(
        isinstance(tool, dict) and "googleSearch" in tool for tool in (tools if isinstance(tools, list) else [])
    )


def call_for(text: str, functions: Sequence[Function], new_id: Callable[[], str]) -> Call | None:
    """The call that `text` asks for; None if no function fits."""
    said = {_stem(word) for word in _words(text)}
    scores = [(_score(said, function), -place) for place, function in enumerate(functions)]
    best, place = max(scores, default=(0, 0))
    if best < 2:
        return None
    function = functions[-place]
    return Call(new_id(), function, _arguments(text, function))


def spoken(call: Call, response: Any) -> str:
    """What the agent says of the `response` to `call`, which may be any JSON."""
    if isinstance(response, dict) and response.get("error"):
        return f"The function {_readable(call.function.name)} failed: {_said(response['error'])}"[:SPOKEN]
    if isinstance(response, dict) and len(response) == 1:
        (response,) = response.values()
    words = _said(response)
    return words[:SPOKEN] if words else f"The function {_readable(call.function.name)} is done."


def _tools(tools: Any) -> list[Json]:
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []


def _function(raw: Json, calls: Calls) -> Function:
    schema = raw.get("parameters") or raw.get("parametersJsonSchema")
    schema = schema if isinstance(schema, dict) else {}
    properties, required = schema.get("properties"), schema.get("required")
    parameters = [
        Parameter(
            name=name,
            kind=str(about.get("type", "STRING")).upper(),
            about=str(about.get("description", "")),
            choices=tuple(map(str, about["enum"])) if isinstance(about.get("enum"), list) else (),
            required=isinstance(required, list) and name in required,
        )
        for name, about in (properties.items() if isinstance(properties, dict) else ())
        if isinstance(about, dict)
    ]
    blocks = _blocks(raw.get("behavior"), calls)
    return Function(raw["name"], str(raw.get("description", "")), tuple(parameters), blocks, raw)


def _blocks(behaviour: Any, calls: Calls) -> bool:
    if calls in ("block", "go on") or behaviour not in ("BLOCKING", "NON_BLOCKING"):
        return calls in ("block", "block by default")
    return bool(behaviour == "BLOCKING")


def _words(text: str) -> list[str]:
    """The words of a text or an identifier that say something."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()
    return [word for word in re.findall(r"[^\W\d_]+", apart) if word not in _EMPTY]


def _stem(word: str) -> str:
    for end in ("ing", "ed", "es", "s", "e"):
        if word.endswith(end) and len(word) - len(end) >= 3:
            return word[: -len(end)]
    return word


def _score(said: set[str], function: Function) -> int:
    """How well a function fits: a word of its name counts twice, one of its description or a parameter once."""
    name = {_stem(word) for word in _words(function.name)}
    about = {_stem(word) for word in _words(function.about)}
    for parameter in function.parameters:
        about |= {_stem(word) for word in _words(f"{parameter.name} {' '.join(parameter.choices)}")}
    return 2 * len(said & name) + len(said & (about - name))


def _arguments(text: str, function: Function) -> Json:
    numbers = _NUMBER.findall(digits(text.lower()))
    quoted = _QUOTED.findall(text)
    arguments: Json = {}
    for parameter in function.parameters:
        value = _value(text, parameter, numbers, quoted)
        if value is None and parameter.required:
            value = _last_resort(text, parameter, function)
        if value is not None:
            arguments[parameter.name] = value
    return arguments


def _value(text: str, parameter: Parameter, numbers: list[str], quoted: list[str]) -> Any:
    """The value that the words give a parameter; None if they give none. Numbers and quotations are used up."""
    plain = text.lower()
    for choice in parameter.choices:
        if re.search(rf"\b{re.escape(choice.lower().replace('_', ' '))}\b", plain):
            return choice
    if parameter.choices:
        return None
    if parameter.kind in ("INTEGER", "NUMBER"):
        if not numbers:
            return None
        number = float(numbers.pop(0))
        return int(number) if parameter.kind == "INTEGER" else number
    if parameter.kind == "BOOLEAN":
        named = any(word in plain for word in _words(parameter.name))
        return not _OFF.search(plain) if parameter.required or named else None
    if parameter.kind in ("ARRAY", "OBJECT"):
        return None
    if quoted:
        return quoted.pop(0)
    named_words = [word for word in re.findall(r"[^\W\d_]+", parameter.name.lower()) if len(word) > 2]
    for word in reversed(named_words):
        if match := re.search(
            rf"\b{word}\b(?:\s+(?:is|to|of|called|named|says|saying|that))?\s+", text, re.IGNORECASE
        ):
            return _up_to_end(text[match.end() :])
    if _PLACE & set(named_words) or _PLACE & set(_words(parameter.about)):
        match = re.search(r"\b(?:in|at|near|for|of|from|to)\s+(?=[A-Z])", text)
        return _up_to_end(text[match.end() :]) if match else None
    return None


def _last_resort(text: str, parameter: Parameter, function: Function) -> Any:
    """A value for a required parameter of which the words say nothing."""
    if parameter.choices:
        return parameter.choices[0]
    if parameter.kind in ("INTEGER", "NUMBER"):
        return 0
    if parameter.kind == "ARRAY":
        return []
    if parameter.kind == "OBJECT":
        return {}
    named = {_stem(word) for word in _words(function.name)}
    rest = [word for word in re.findall(r"[\w'’-]+", text) if word.lower() not in _EMPTY]
    left = [word for word in rest if _stem(word.lower()) not in named]
    return " ".join(left) or text.strip()


def _up_to_end(text: str) -> str | None:
    end = _END.search(text)
    return text[: end.start() if end else len(text)].strip() or None


def _readable(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name)


def _said(value: Any) -> str:
    """A JSON value in words."""
    if isinstance(value, dict):
        return ", ".join(f"{_readable(str(key))} is {_said(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "nothing"}[value]
    return str(value).strip()
