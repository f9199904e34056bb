"""What a language model is sent of a session, and what is made of its answer: pure functions over both."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from livechat.server.history import HistoryTurn
from livechat.server.wire import Json

SPOKEN = (
    "This is a voice conversation: your answers are spoken. Use short sentences and plain words. "
    "Use no lists, no tables, no Markdown and no emoji."
)
_ROLES = {"user": "user", "model": "assistant"}
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
_END = re.compile(r"(?<=[.!?…])[\"”')\]]*\s+|(?<=[。！？])|\n+")  # of a sentence
_MARKS = re.compile(r"^\s*(?:#+|[-*+]|>)\s+|[*`]+|__+")  # of Markdown


def messages(system: str, turns: Sequence[HistoryTurn]) -> list[Json]:
    """The messages of a completion that answers the last of `turns`."""
    sent: list[Json] = [{"role": "system", "content": f"{system}\n\n{SPOKEN}".strip()}]
    for turn in turns:
        text = f"{turn.text} …" if turn.cut else turn.text  # so that it does not take up half a sentence as its own
        if text.strip():
            sent.append({"role": _ROLES[turn.role], "content": text})
    return sent


def functions(declarations: Iterable[Json]) -> list[Json]:
    """Function declarations of the Live API as tools of a completion."""
    return [
        {
            "type": "function",
            "function": {
                "name": declared["name"],
                "description": str(declared.get("description", "")),
                "parameters": declared.get("parametersJsonSchema")
                or _json_schema(declared.get("parameters") or {"type": "OBJECT", "properties": {}}),
            },
        }
        for declared in declarations
    ]


def _json_schema(schema: Any) -> Any:
    """A schema of the Live API, whose types are in capitals, as JSON Schema."""
    if isinstance(schema, list):
        return [_json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value.lower() if name == "type" and isinstance(value, str) else _json_schema(value)
        for name, value in schema.items()
    }


class Sentences:
    """Cuts the text of an answer, which comes in pieces, into sentences to be spoken. Thoughts are left out."""

    def __init__(self) -> None:
        self._rest = ""

    def add(self, text: str) -> Iterator[str]:
        """The sentences that are complete with `text`."""
        self._rest = _THOUGHT.sub("", self._rest + text)
        ready, tag, thought = self._rest.partition("<think>")
        while end := _END.search(ready):
            if sentence := _plain(ready[: end.end()]):
                yield sentence
            ready = ready[end.end() :]
        self._rest = ready + tag + thought

    def rest(self) -> str:
        """The last sentence, when nothing more comes."""
        return _plain(self._rest.partition("<think>")[0])


def _plain(text: str) -> str:
    return _MARKS.sub("", text).strip()


@dataclass(slots=True)
class ModelCall:
    """A function call of the model. `arguments`: JSON, as the model wrote it."""

    id: str
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class CallDeltas:
    """The calls of one completion, which come in pieces."""

    made: list[ModelCall] = field(default_factory=list)
    _places: dict[int, ModelCall] = field(default_factory=dict)

    def add(self, deltas: Iterable[Any]) -> None:
        """`deltas`: of the openai package."""
        for delta in deltas:
            call = self._places.get(delta.index)
            # Some servers give all calls the same index, and each an id of its own.
            if call is None or (delta.id and delta.id != call.id):
                call = ModelCall(delta.id or f"call_{len(self.made)}")
                self.made.append(call)
                self._places[delta.index] = call
            if delta.function:
                call.name += delta.function.name or ""
                call.arguments += delta.function.arguments or ""

    def messages(self, text: str, results: Sequence[Any]) -> list[Json]:
        """What the model is told of them next: that it made them, saying `text`, and their results."""
        asked = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in self.made
        ]
        told = [
            {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result, ensure_ascii=False)}
            for call, result in zip(self.made, results, strict=True)
        ]
        return [{"role": "assistant", "content": text or None, "tool_calls": asked}, *told]
