"""The JSON of the wire, both ways."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.server import wire
from livechat.server.close_reasons import Rejected


def rejection(frame: str | bytes) -> str:
    with pytest.raises(Rejected) as caught:
        wire.parse(frame)
    assert caught.value.code == 1007
    return caught.value.reason


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        # As google-genai 3.4.0 sends them (docs/wire.md 1.3), and as the JS SDK does.
        ({"realtime_input": {"audio": {"data": "-_8=", "mime_type": "audio/pcm;rate=16000"}}},
         wire.ClientAudio(b"\xfb\xff", 16_000)),
        ({"realtimeInput": {"audio": {"data": "+/8", "mimeType": "audio/pcm"}}},
         wire.ClientAudio(b"\xfb\xff", 16_000)),
        ({"realtimeInput": {"mediaChunks": [{"data": "AAAA", "mimeType": "audio/pcm;rate=24000"}]}},
         wire.ClientAudio(b"\0\0", 24_000, legacy=True)),
        ({"realtime_input": {"video": {"data": "_9g=", "mime_type": "image/jpeg"}}}, wire.ClientVideo("_9g=")),
        ({"realtime_input": {"text": "hi"}}, wire.ClientText("hi")),
        ({"realtime_input": {"activityStart": {}}}, wire.ClientActivity(began=True)),
        ({"realtime_input": {"activity_end": {}}}, wire.ClientActivity(began=False)),
        ({"realtime_input": {"audioStreamEnd": True}}, wire.ClientStreamEnd()),
        ({"client_content": {"turns": [{"parts": [{"text": "hello"}], "role": "user"}], "turnComplete": False}},
         wire.ClientContent((("user", "hello"),), complete=False)),
        ({"clientContent": {"turns": [{"parts": [{"text": "a"}, {"text": "b"}], "role": "model"}],
                            "turn_complete": True}}, wire.ClientContent((("model", "a b"),), complete=True)),
        ({"tool_response": {"functionResponses": [{"id": "1", "response": {"any_name": 1}}]}},
         wire.ClientToolResponse(({"id": "1", "response": {"any_name": 1}},))),
        ({"contextUpdate": {"systemInstruction": {"parts": [{"text": "new"}]}}}, wire.ClientContextUpdate("new")),
        ({"contextUpdate": {"tools": {"tools": []}}}, wire.ClientContextUpdate(None)),
        ({"setup": {"generation_config": {"response_modalities": ["AUDIO"]}}},
         wire.ClientSetup({"generationConfig": {"responseModalities": ["AUDIO"]}})),
    ],
)  # fmt: skip
def test_what_clients_send(frame: dict[str, object], message: wire.ClientMessage) -> None:
    assert wire.parse(json.dumps(frame)) == [message]
    assert wire.parse(json.dumps(frame).encode()) == [message]


def test_a_frame_may_bundle_several_inputs() -> None:
    frame = {"realtimeInput": {"text": "one", "activityStart": {}, "audioStreamEnd": False}}
    assert wire.parse(json.dumps(frame)) == [wire.ClientText("one"), wire.ClientActivity(began=True)]


def test_unknown_names_are_refused_in_google_s_words() -> None:
    assert rejection('{"fooBar": {}}') == 'Invalid JSON payload received. Unknown name "fooBar": Cannot find field.'
    assert rejection('{"realtimeInput": {"fooBar": 1}}').startswith(
        "Invalid JSON payload received. Unknown name \"foo_bar\" at 'realtime_input'"
    )


@pytest.mark.parametrize(
    "blob",
    [5, {}, {"data": "AAAA", "mimeType": "audio/wav"}, {"data": "AAAA", "mimeType": "audio/pcm;rate=1"},
     {"data": "A*==", "mimeType": "audio/pcm"}, {"data": "A", "mimeType": "audio/pcm"}, {"mimeType": 3},
     {"data": 3, "mimeType": "audio/pcm"}],
)  # fmt: skip
def test_sound_that_is_none_is_refused(blob: object) -> None:
    rejection(json.dumps({"realtimeInput": {"audio": blob}}))


@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_sound_survives_either_alphabet_with_or_without_padding(pcm: bytes, urlsafe: bool, padded: bool) -> None:
    data = (base64.urlsafe_b64encode if urlsafe else base64.b64encode)(pcm).decode()
    blob = {"data": data if padded else data.rstrip("="), "mimeType": "audio/pcm;rate=16000"}
    (audio,) = wire.parse(json.dumps({"realtimeInput": {"audio": blob}}))
    assert audio == wire.ClientAudio(pcm[: len(pcm) // 2 * 2], 16_000)


@given(st.binary(max_size=100) | st.text(max_size=100))
def test_garbage_is_rejected_and_nothing_else(frame: str | bytes) -> None:
    with contextlib.suppress(Rejected):
        wire.parse(frame)


@given(st.from_regex(r"[a-z]{1,5}(_[a-z]{1,5}){0,3}", fullmatch=True))
def test_names_go_to_camel_case_and_back(name: str) -> None:
    assert wire.snake(wire.camel(name)) == name
    assert wire.camel(wire.camel(name)) == wire.camel(name)


def test_frames_are_pretty_and_hold_no_defaults() -> None:
    frame = {"serverContent": {"turnComplete": True, "interrupted": False, "x": {}}, "n": 0, "s": "", "l": []}
    expected = b'{\n  "serverContent": {\n    "turnComplete": true,\n    "x": {}\n  }\n}\n'
    assert wire.encode(frame) == expected
    assert wire.encode({"sessionResumptionUpdate": {"newHandle": "", "resumable": False}}) == (
        b'{\n  "sessionResumptionUpdate": {}\n}\n'
    )


@given(st.text(max_size=200))
def test_a_reason_fits_its_close_frame(reason: str) -> None:
    cut = wire.cut_reason(reason)
    assert reason.startswith(cut)
    assert len(cut.encode()) <= 123
    assert len(cut.encode()) >= min(len(reason.encode()), 120)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(50, "50s"), (0, "0s"), (0.44, "0.440s"), (0.1 + 0.2, "0.300s"), (9.5, "9.500s"), (3.000000001, "3.000000001s")],
)
def test_durations_as_protobuf_writes_them(seconds: float, text: str) -> None:
    assert wire.seconds(seconds) == text
    assert json.loads(wire.encode({"goAway": {"timeLeft": text}})) == {"goAway": {"timeLeft": text}}


def test_an_empty_time_left_is_sent() -> None:
    assert json.loads(wire.encode({"goAway": {"timeLeft": ""}})) == {"goAway": {"timeLeft": ""}}
    assert json.loads(wire.encode({"goAway": {}})) == {"goAway": {}}
