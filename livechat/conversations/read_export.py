"""Reads what `livechat sessions export` wrote, so that another conversation can know it; and any other text."""

import json
import re

from livechat.session.context_replay import NOTED, Exchange

_LINE = re.compile(r"(you|model): (.*)")
_PARAGRAPH = re.compile(r"\*\*(You|Model)\*\*(?: \([\d:]+\))?: (.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\`*_\[\]<>~|&#\-+=.)])")


def exchanges(text: str, name: str) -> list[Exchange]:
    """The exchanges of an export as JSON, Markdown or lines; any other `text` as something told.

    `name`: of the file, which the model is told.
    """
    found = _of_json(text) or _of_lines(text) or _of_markdown(text)
    return found or [Exchange(f"For your memory, the document {name}:\n{text.strip()}", NOTED)]


def _of_json(text: str) -> list[Exchange]:
    try:
        objects = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return []
    turns = [each for each in objects if isinstance(each, dict) and each.get("type") == "turn"]
    return [Exchange(str(turn.get("user") or ""), str(turn.get("model") or "")) for turn in turns]


def _of_lines(text: str) -> list[Exchange]:
    lines = [_LINE.fullmatch(line) for line in text.splitlines() if line.strip()]
    return _joined([(found[1], found[2]) for found in lines if found]) if all(lines) else []


def _of_markdown(text: str) -> list[Exchange]:
    if not text.startswith("# Conversation "):
        return []
    found = (_PARAGRAPH.fullmatch(paragraph.strip()) for paragraph in text.split("\n\n"))
    sides = [(side[1].lower(), side[2].replace("\\\n", "\n")) for side in found if side]
    return _joined([(who, _ESCAPED.sub(r"\1", said)) for who, said in sides])


def _joined(sides: list[tuple[str, str]]) -> list[Exchange]:
    """Exchanges of (who, what they said): a question and its answer are one."""
    made: list[Exchange] = []
    for who, said in sides:
        if who == "you":
            made.append(Exchange(said, ""))
        elif made and not made[-1].model:
            made[-1] = Exchange(made[-1].user, said)
        else:
            made.append(Exchange("", said))
    return made
