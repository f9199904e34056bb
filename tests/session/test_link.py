"""What one link hears and sends, through the real SDK."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from livechat.session.context_replay import ContextTurn
from livechat.session.events import (
    Audio,
    Counted,
    CutIn,
    Ended,
    GoAway,
    HandleUpdate,
    Heard,
    Replied,
    Said,
    Status,
    Thought,
    TurnOver,
    Written,
)
from livechat.session.link import Link
from tests.support.scripted_link import content, frames, link_against


def sound(pcm: bytes) -> dict[str, Any]:
    blob = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(pcm).decode()}
    return {"parts": [{"inlineData": blob}]}


def test_a_turn_and_what_follows_it_are_all_heard() -> None:
    """receive() of the SDK ends at turnComplete; the handle and the GoAway after it are not lost."""
    seen = link_against(
        frames(
            content(inputTranscription={"text": "Hello."}),
            content(modelTurn=sound(b"\1\0\2\0"), outputTranscription={"text": "Hi "}),
            content(generationComplete=True),
            content(turnComplete=True) | {"usageMetadata": {"promptTokenCount": 626, "totalTokenCount": 689}},
            {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
            {"goAway": {"timeLeft": "50s"}},
        )
    )
    assert seen.posted[1:-1] == [
        Heard(7, "Hello."),
        Said(7, "Hi "),
        Audio(7, b"\1\0\2\0", 24_000),
        Replied(7),
        Counted(7, 626, 0, 689),
        TurnOver(7),
        HandleUpdate(7, "h"),
        GoAway(7, 50.0),
    ]
    assert seen.end == Ended(7, "close", 1000, "")


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"serverContent": {}},
        {"fooBar": 1},
        {"error": {"message": "no"}},
        {"interactionStatus": "IDLE"},
        {"inputTranscription": {"text": "at the root"}},
        {"server_content": {"turn_complete": True}},
        b"not json",
        b"\xff\xfe",
        '{"serverContent": {}}',
        {"usageMetadata": {}},
        {"toolCall": {}},
        {"serverContent": {"unknownField": [1, 2]}},
        {"serverContent": "not an object"},
        [1, 2, 3],
    ],
)
def test_a_message_that_makes_no_sense_is_passed_over(strange: Any) -> None:
    seen = link_against(frames(strange, content(outputTranscription={"text": "still here"})))
    assert Said(7, "still here") in seen.posted
    assert seen.end == Ended(7, "close", 1000, "")


def test_bundled_fields_thoughts_and_odd_sound() -> None:
    thought = {"text": "**Thinking**", "thought": True}
    turn = {"parts": [thought, *sound(b"\1\0\2")["parts"], *sound(b"\3\0")["parts"]]}
    seen = link_against(frames(content(modelTurn=turn, outputTranscription={"text": "a"}, interrupted=True)))
    heard = [Audio(7, b"\1\0", 24_000), Audio(7, b"\3\0", 24_000), CutIn(7)]
    assert seen.posted[1:-1] == [Said(7, "a"), Thought(7, ""), *heard]  # that it thinks is told, and not what


def test_thoughts_are_heard_where_they_are_wanted_and_cut_to_a_length() -> None:
    thoughts = [{"text": "**Thinking**", "thought": True}, {"text": "x" * 9_000, "thought": True}, {"text": "no"}]
    seen = link_against(frames(content(modelTurn={"parts": thoughts})), thoughts=True)
    assert seen.posted[1:-1] == [Thought(7, "**Thinking**"), Thought(7, "x" * 8_000), Written(7, "no")]
    assert "Thinking" not in repr(seen.posted[1])


@pytest.mark.parametrize(
    ("given", "told"),
    [("RESPONSE_REJECTED", "RESPONSE_REJECTED"), ("MOON_PHASE", "MOON_PHASE"), (41, "41"), (None, ""),
     ("TURN_COMPLETE_REASON_UNSPECIFIED", "")],
)  # fmt: skip
def test_a_turn_is_over_whatever_its_reason_looks_like(given: Any, told: str) -> None:
    seen = link_against(frames(content(turnComplete=True, turnCompleteReason=given)))
    assert seen.posted[1:-1] == [TurnOver(7, "", told)]


@pytest.mark.parametrize("then", [[], [{"sessionResumptionUpdate": {}}], [content(inputTranscription={"text": "x"})]])
def test_a_reason_that_comes_before_its_turn_complete_is_of_that_turn(then: list[Any]) -> None:
    seen = link_against(frames(content(turnCompleteReason="RESPONSE_REJECTED"), *then, content(turnComplete=True)))
    assert TurnOver(7, "", "RESPONSE_REJECTED") in seen.posted
    again = link_against(frames(*[content(turnComplete=True, turnCompleteReason="X"), content(turnComplete=True)]))
    assert again.posted[1:-1] == [TurnOver(7, "", "X"), TurnOver(7)]


@pytest.mark.parametrize(
    "more", [{"modelTurn": {"parts": [{"text": "On"}]}}, {"outputTranscription": {"text": "On"}}]
)
def test_a_reason_is_not_of_a_turn_whose_answer_comes_after_it(more: Any) -> None:
    seen = link_against(frames(content(turnCompleteReason="X"), content(**more), content(turnComplete=True)))
    assert seen.posted[-2] == TurnOver(7)


@pytest.mark.parametrize("word", ["NAPPING", "", "AN OLD WORD", "INTERACTION_STATUS_UNSPECIFIED", 41, None])
def test_a_status_that_is_not_known_says_nothing(word: Any) -> None:
    """It neither ends a question that the server is at work on, nor keeps one open whose turn is over."""
    working, alone = content(interactionStatus="IN_PROGRESS"), {"interactionStatus": word}
    seen = link_against(frames(working, alone, content(turnComplete=True, interactionStatus=word)))
    assert seen.posted[1:-1] == [Status(7, "working"), TurnOver(7)]


@pytest.mark.parametrize(
    ("update", "handle"),
    [({}, ""), ({"newHandle": "h"}, ""), ({"resumable": True}, ""), ({"newHandle": "h", "resumable": True}, "h")],
)
def test_only_a_resumable_handle_counts(update: dict[str, Any], handle: str) -> None:
    seen = link_against(frames({"sessionResumptionUpdate": update}))
    heard = [e.handle for e in seen.posted if isinstance(e, HandleUpdate)]
    assert [h for h in heard if h] == ([handle] if handle else [])


@pytest.mark.parametrize(
    ("left", "seconds"),
    [("50s", 50.0), ("9.5s", 9.5), ("3.000000001s", 3.000000001), ("", 0.0), ("soon", 0.0), (None, 0.0)],
)
def test_the_time_left_is_read_or_means_now(left: str | None, seconds: float) -> None:
    seen = link_against(frames({"goAway": {"timeLeft": left} if left is not None else {}}))
    assert GoAway(7, seconds) in seen.posted


def test_a_large_burst_passes() -> None:
    seen = link_against(frames(content(modelTurn=sound(bytes(10_000_000)))))
    (audio,) = [e for e in seen.posted if isinstance(e, Audio)]
    assert len(audio.pcm) == 10_000_000


def test_closing_reads_on_to_the_last_handle() -> None:
    async def script(ws: ServerConnection) -> None:
        await ws.send(json.dumps({"sessionResumptionUpdate": {"newHandle": "last", "resumable": True}}).encode())

    seen = link_against(script, act=Link.close)
    assert HandleUpdate(7, "last") in seen.posted
    assert seen.end == Ended(7, "close", 1000, "")


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("gemini-3.8-live", {"realtime_input": {"text": "hi"}}),
        (
            "gemini-2.5-flash-native-audio-latest",
            {"client_content": {"turns": [{"parts": [{"text": "hi"}], "role": "user"}], "turnComplete": True}},
        ),
    ],
)
def test_text_and_context_travel_as_the_family_wants(model: str, sent: dict[str, Any]) -> None:
    heard: list[dict[str, Any]] = []

    async def script(ws: ServerConnection) -> None:
        heard.extend([json.loads(await ws.recv()), json.loads(await ws.recv()), json.loads(await ws.recv())])
        await ws.close()

    async def act(link: Link) -> None:
        await link.send_text("hi")
        await link.send_context([ContextTurn("user", "a"), ContextTurn("model", "b")])
        await link.send_audio(bytes(640))

    link_against(script, act=act, model=model)
    assert heard[0] == sent
    turns = [{"parts": [{"text": "a"}], "role": "user"}, {"parts": [{"text": "b"}], "role": "model"}]
    assert heard[1] == {"client_content": {"turns": turns, "turnComplete": False}}
    assert heard[2]["realtime_input"]["audio"]["mime_type"] == "audio/pcm;rate=16000"


def test_sending_after_the_end_is_harmless() -> None:
    async def act(link: Link) -> None:
        await asyncio.sleep(1)
        await link.send_audio(bytes(640))
        await link.close()

    assert link_against(frames(close=(1001, "")), act=act).end == Ended(7, "close", 1001, "")
