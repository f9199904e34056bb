"""One link through the real SDK against a server that says exactly what a test tells it to."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from livechat.errors import UsageError
from livechat.models import api_version
from livechat.server.tls import server_context
from livechat.session.context_replay import Content
from livechat.session.events import (
    Audio,
    Counted,
    CutIn,
    Dial,
    Ended,
    GoAway,
    HandleUpdate,
    Heard,
    Opened,
    Replied,
    Resumption,
    Said,
    Thought,
    TurnOver,
    Wire,
    Written,
)
from livechat.session.link import Dialler, Link
from livechat.settings import Settings
from tests.support.virtual_time import run

Script = Callable[[ServerConnection], Awaitable[None]]


@dataclass
class Seen:
    """What the server and the link's owner saw."""

    paths: list[str] = field(default_factory=list)
    setup: dict[str, Any] = field(default_factory=dict)
    posted: list[Wire] = field(default_factory=list)

    @property
    def end(self) -> Ended:
        (end,) = [event for event in self.posted if isinstance(event, Ended)]
        assert self.posted[-1] is end
        return end


def link_against(
    script: Script | None,
    *,
    handle: str | None = None,
    transparent: bool = True,
    act: Callable[[Link], Awaitable[None]] | None = None,
    status: HTTPStatus | None = None,
    trust: bool = True,
    **settings: Any,
) -> Seen:
    """Run one link to its end. `script` begins with setupComplete sent; None never sends it."""

    async def main() -> Seen:
        seen = Seen()
        context, ca = server_context()

        async def handler(ws: ServerConnection) -> None:
            assert ws.request is not None
            seen.paths.append(ws.request.path)
            seen.setup = json.loads(await ws.recv())["setup"]
            if script is not None:
                await ws.send(b'{\n  "setupComplete": {}\n}\n')
                await script(ws)
            await ws.wait_closed()

        def refuse(ws: ServerConnection, _: Request) -> Response | None:
            return ws.respond(status, "no\n") if status else None

        async with serve(handler, "127.0.0.1", 0, ssl=context, process_request=refuse, compression=None) as server:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            made = {"backend": "endpoint", "endpoint": url, "key": "k", **settings}
            made["api_version"] = api_version(made.get("model", "gemini-3.8-live"))
            dialler = Dialler(Settings(**made), ca_pem=ca.decode() if trust else None)
            how = Dial(7, Resumption(handle, 0) if handle else None, transparent)
            link = dialler.dial(how, seen.posted.append)
            running = asyncio.ensure_future(link.run())
            if act is not None:
                await asyncio.sleep(1)  # virtual: it has opened by then
                assert isinstance(seen.posted[0], Opened)
                await act(link)
            await running
        return seen

    return run(main())


def frames(*messages: Any, close: tuple[int, str] = (1000, "")) -> Script:
    """Send these and close; what is bytes or str goes as it is."""

    async def script(ws: ServerConnection) -> None:
        for message in messages:
            raw = isinstance(message, bytes | str)
            await ws.send(message if raw else (json.dumps(message, indent=2) + "\n").encode())
        await ws.close(*close)

    return script


def content(**fields: Any) -> dict[str, Any]:
    return {"serverContent": fields}


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


def test_a_close_keeps_its_code_and_reason() -> None:
    seen = link_against(frames(close=(1008, "The operation was aborted.")))
    assert seen.end == Ended(7, "close", 1008, "The operation was aborted.")


def test_a_cut_connection_is_a_network_failure() -> None:
    async def cut(ws: ServerConnection) -> None:
        raw = ws.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ws.transport.abort()

    seen = link_against(cut)
    assert (seen.end.how, seen.end.code) == ("network", 1006)


def test_a_setup_that_is_never_answered_ends_in_ten_seconds() -> None:
    seen = link_against(None)
    assert seen.posted == [Ended(7, "timeout")]


@pytest.mark.parametrize(
    "status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE]
)
def test_a_refused_upgrade_keeps_its_status(status: HTTPStatus) -> None:
    assert link_against(frames(), status=status).posted == [Ended(7, "http", status.value)]


def test_a_certificate_nobody_trusts_is_said_to_be_that() -> None:
    seen = link_against(frames(), trust=False)
    assert seen.end.how == "tls"
    assert "certificate" in seen.end.reason


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


def test_the_setup_asks_for_handles_transcripts_and_compression() -> None:
    setup = link_against(frames()).setup
    assert setup["model"] == "models/gemini-3.8-live"
    assert setup["generationConfig"] == {"responseModalities": ["AUDIO"]}
    assert setup["sessionResumption"] == {}
    assert setup["inputAudioTranscription"] == setup["outputAudioTranscription"] == {}
    assert setup["contextWindowCompression"] == {"sliding_window": {}}


def test_the_setup_says_what_the_person_chose() -> None:
    setup = link_against(
        frames(), handle="H", voice="Puck", system="Be brief.", trigger_tokens=9000, target_tokens=0
    ).setup
    assert setup["sessionResumption"] == {"handle": "H"}
    assert setup["contextWindowCompression"] == {"trigger_tokens": 9000, "sliding_window": {"target_tokens": 0}}
    assert setup["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    voice = setup["generationConfig"]["speechConfig"]["voice_config"]["prebuilt_voice_config"]
    assert voice == {"voice_name": "Puck"}
    assert "contextWindowCompression" not in link_against(frames(), no_compression=True).setup


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, {"transparent": True}),
        ({"handle": "H"}, {"handle": "H", "transparent": True}),
        ({"handle": "H", "transparent": False}, {"handle": "H"}),
    ],
)
def test_vertex_is_asked_which_messages_a_handle_holds(given: dict[str, Any], asked: dict[str, Any]) -> None:
    update = {"newHandle": "h", "resumable": True, "lastConsumedClientMessageIndex": "42"}
    seen = link_against(frames({"sessionResumptionUpdate": update}), backend="vertex", **given)
    assert seen.setup["sessionResumption"] == asked
    assert HandleUpdate(7, "h", consumed=42) in seen.posted


@pytest.mark.parametrize(
    ("model", "version", "thinking"),
    [
        ("gemini-3.8-live", "v1", None),
        ("gemini-3.8-live-extended-thinking", "v1", "LOW"),
        ("gemini-3.1-flash-live-preview", "v1beta", None),
        ("gemini-2.5-flash-native-audio-latest", "v1beta", None),
    ],
)
@pytest.mark.parametrize("thoughts", [True, False])
def test_each_family_gets_the_setup_it_accepts(
    model: str, version: str, thinking: str | None, thoughts: bool
) -> None:
    seen = link_against(frames(), model=model, thoughts=thoughts)
    assert f"generativelanguage.{version}.GenerativeService" in seen.paths[0]
    config = seen.setup["generationConfig"].get("thinkingConfig", {})
    assert config.get("thinking_level", config.get("thinkingLevel")) == thinking
    told = config.get("include_thoughts", config.get("includeThoughts"))
    assert told == (True if thoughts and model != "gemini-3.8-live" else None)


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
        await link.send_context([Content("user", "a"), Content("model", "b")])
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


def test_an_unreadable_certificate_is_a_usage_error(tmp_path: Path) -> None:
    bad = tmp_path / "ca.pem"
    bad.write_text("nothing")
    with pytest.raises(UsageError):
        Dialler(Settings(backend="endpoint", endpoint="https://127.0.0.1:1", key="k", ca_file=str(bad)))


def test_the_setup_says_how_speech_is_to_be_found() -> None:
    seen = link_against(frames(), start_sensitivity="low", end_sensitivity="high", prefix_ms=0, silence_ms=300)
    assert seen.setup["realtimeInputConfig"] == {
        "automatic_activity_detection": {
            "start_of_speech_sensitivity": "START_SENSITIVITY_LOW",
            "end_of_speech_sensitivity": "END_SENSITIVITY_HIGH",
            "prefix_padding_ms": 0,
            "silence_duration_ms": 300,
        }
    }
    seen = link_against(frames(), ptt=True)
    assert seen.setup["realtimeInputConfig"] == {"automatic_activity_detection": {"disabled": True}}
    assert "realtimeInputConfig" not in link_against(frames()).setup
