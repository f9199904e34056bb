"""In which frames an answer comes, family by family, against what was recorded (docs/wire.md 1.4 and 12)."""

from __future__ import annotations

from typing import Any

import pytest

from livechat.server.shapes import AnswerShape
from livechat.server.terms import Endpoint, agree

GEMINI, VERTEX = Endpoint("v1beta", vertex=False), Endpoint("v1", vertex=True)
SOUND = bytes(960)
TWO_PIECES = [("It is", SOUND), ("", SOUND), (" foggy.", SOUND)]


def kinds(model: str, to: Endpoint = GEMINI, pieces: Any = TWO_PIECES, **more: Any) -> list[str]:
    """What each frame of an answer holds, in a word."""
    shape = AnswerShape(agree({"model": model, "outputAudioTranscription": {}} | more, to))
    frames = shape.opening() + [frame for piece in pieces for frame in shape.piece(*piece)] + shape.closing()
    return [kind(frame) for frame in frames]


def kind(frame: dict[str, Any]) -> str:
    if "serverContent" not in frame:
        return "nothing"
    content = frame["serverContent"]
    parts = content.get("modelTurn", {}).get("parts", [])
    names = ["thought" if part.get("thought") else "sound" if "inlineData" in part else "text" for part in parts]
    if "outputTranscription" in content:
        said = content["outputTranscription"]
        names.append("words" if said.get("text") else "finished" if said.get("finished") else "no words")
    return "+".join(names) or "empty"


def test_3_8_has_an_empty_message_before_each_sound() -> None:
    assert kinds("gemini-3.8-live") == ["nothing", "sound+words", "nothing", "sound", "nothing", "sound+words"]


def test_3_1_begins_with_an_empty_content() -> None:
    assert kinds("gemini-3.1-flash-live-preview") == ["empty", "sound+words", "sound", "sound+words"]


def test_2_5_thinks_first_and_its_words_run_ahead_of_their_sound() -> None:
    model = "gemini-2.5-flash-native-audio-latest"
    told = ["words", "sound", "words", "sound", "sound"]
    assert kinds(model) == ["thought", *told]
    assert kinds(model, generationConfig={"thinkingConfig": {"thinkingBudget": 0}}) == told


def test_vertex_says_the_words_first_and_when_they_are_all() -> None:
    model = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash-native-audio"
    pieces = [("It is foggy.", SOUND), ("", SOUND)]
    assert kinds(model, VERTEX, pieces) == ["no words", "words", "sound", "sound", "finished"]


@pytest.mark.parametrize("model", ["gemini-3.8-live", "gemini-2.5-flash-native-audio-latest"])
def test_an_answer_that_was_cut_leaves_nothing_to_the_next(model: str) -> None:
    shape = AnswerShape(agree({"model": model}, GEMINI))
    shape.piece("cut", b"\1\0")
    shape.opening()
    assert [kind(frame) for frame in shape.closing()] == []
