"""What the real parser refuses is refused at every level, and what real clients send is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types
from websockets.asyncio.client import connect

from livechat.server import schema, wire
from livechat.server.close_reasons import Rejected
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from tests.support.server_client import closed, frames, raw
from tests.support.virtual_time import run

INVALID = "Request contains an invalid argument."
FIELD = "Invalid JSON payload received. Unknown name \"{}\" at '{}': Cannot find field."
MODEL = "models/gemini-3.8-live"


def setup(**fields: Any) -> dict[str, Any]:
    return {"setup": {"model": MODEL, **fields}}


def turn(**part: Any) -> dict[str, Any]:
    return {"clientContent": {"turns": [{"role": "user", "parts": [part]}]}}


UNKNOWN = [
    (setup(systemInstruction={"parts": [{"txt": "a"}]}), "txt", "setup.system_instruction.parts[0]"),
    (setup(systemInstruction={"text": "a"}), "text", "setup.system_instruction"),
    (setup(tools=[{"functions": []}]), "functions", "setup.tools[0]"),
    (setup(tools=[{"functionDeclarations": [{"name": "f", "strict": True}]}]), "strict",
     "setup.tools[0].function_declarations[0]"),
    (setup(generationConfig={"speechConfig": {"voiceConfig": {"prebuilt": {}}}}), "prebuilt",
     "setup.generation_config.speech_config.voice_config"),
    ({"clientContent": {"turns": [{"content": "a"}]}}, "content", "client_content.turns[0]"),
    (turn(inlineData={"mime": "a"}), "mime", "client_content.turns[0].parts[0].inline_data"),
    ({"realtimeInput": {"audio": {"pcm": "AAAA"}}}, "pcm", "realtime_input.audio"),
    ({"toolResponse": {"results": []}}, "results", "tool_response"),
    ({"toolResponse": {"functionResponses": [{"id": "1", "output": {}}]}}, "output",
     "tool_response.function_responses[0]"),
    ({"contextUpdate": {"instruction": {}}}, "instruction", "context_update"),
    ({"contextUpdate": {"systemInstruction": {"role": "user", "text": "a"}}}, "text",
     "context_update.system_instruction"),
]  # fmt: skip
WRONG = [
    (setup(generationConfig={"temperature": "hot"}), "setup.generation_config.temperature", "TYPE_FLOAT"),
    (setup(generationConfig={"maxOutputTokens": 1.5}), "setup.generation_config.max_output_tokens", "TYPE_INT32"),
    (setup(explicitVadSignal="yes"), "setup.explicit_vad_signal", "TYPE_BOOL"),
    (setup(systemInstruction=5), "setup.system_instruction", "Content"),
    (setup(systemInstruction="be kind"), "setup.system_instruction", "Content"),
    (setup(generationConfig={"responseModalities": ["SMELL"]}), "setup.generation_config.response_modalities[0]",
     "Modality"),
    (setup(realtimeInputConfig={"activityHandling": "MAYBE"}), "setup.realtime_input_config.activity_handling",
     "ActivityHandling"),
    (setup(realtimeInputConfig={"automaticActivityDetection": {"silenceDurationMs": "long"}}),
     "setup.realtime_input_config.automatic_activity_detection.silence_duration_ms", "TYPE_INT32"),
    (setup(tools=[{"functionDeclarations": [{"name": 5}]}]), "setup.tools[0].function_declarations[0].name",
     "TYPE_STRING"),
    (setup(tools=[{"functionDeclarations": [{"name": "f", "behavior": "SOMETIMES"}]}]),
     "setup.tools[0].function_declarations[0].behavior", "Behavior"),
    (turn(text=5), "client_content.turns[0].parts[0].text", "TYPE_STRING"),
    ({"clientContent": {"turns": ["hello"]}}, "client_content.turns[0]", "Content"),
    ({"clientContent": {"turns": [{"role": "user", "parts": "hello"}]}}, "client_content.turns[0].parts", "Part"),
    ({"clientContent": {"turnComplete": "true"}}, "client_content.turn_complete", "TYPE_BOOL"),
    ({"realtimeInput": {"video": 5}}, "realtime_input.video", "Blob"),
    ({"realtimeInput": {"text": ["a"]}}, "realtime_input.text", "TYPE_STRING"),
    ({"toolResponse": {"functionResponses": [{"id": 1}]}}, "tool_response.function_responses[0].id", "TYPE_STRING"),
    ({"toolResponse": {"functionResponses": [{"id": "1", "scheduling": "SOON"}]}},
     "tool_response.function_responses[0].scheduling", "FunctionResponseScheduling"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "name", "path"), UNKNOWN)
def test_an_unknown_name_is_refused_at_every_level(message: Any, name: str, path: str) -> None:
    with pytest.raises(Rejected) as refused:
        wire.parse(json.dumps(message), schema.check)
    assert (refused.value.code, refused.value.reason) == (1007, FIELD.format(name, path))


@pytest.mark.parametrize(("message", "path", "kind"), WRONG)
def test_a_wrong_type_is_refused_at_every_level(message: Any, path: str, kind: str) -> None:
    with pytest.raises(Rejected) as refused:
        wire.parse(json.dumps(message), schema.check)
    assert refused.value.code == 1007
    assert refused.value.reason.startswith(f"Invalid value at '{path}' (")
    assert kind in refused.value.reason


@pytest.mark.parametrize(
    "message",
    [
        setup(generation_config={"temperature": "0.5", "response_modalities": ["audio"], "top_k": 5.0}),
        setup(tools=[{"google_search": {}}, {"function_declarations": [
            {"name": "f", "parameters": {"type": "object", "properties": {"any_name": {"type": "string"}}}},
            {"name": "g", "parametersJsonSchema": {"type": "object", "$defs": {"x": 1}}},
        ]}]),
        setup(tools=None, systemInstruction=None),
        turn(text="a", thought=None),
        turn(inlineData={"mimeType": "image/png", "data": "AAAA"}),
        turn(functionResponse={"id": "1", "name": "f", "response": {"any_name": [1]}}),
        {"clientContent": {"turns": {"parts": {"text": "a"}}, "turnComplete": True}},
        {"realtimeInput": {"video": {"mimeType": "image/jpeg", "data": "AAAA"}}},
        {"realtimeInput": {"activityStart": {}}},
        {"toolResponse": {"functionResponses": {"id": "1", "name": "f", "response": {"x_y": {"z": 1}}}}},
        {"contextUpdate": {"tools": {"tools": [{"googleSearch": {}}]}}},
    ],
)  # fmt: skip
def test_what_real_clients_send_is_taken(message: Any) -> None:
    assert wire.parse(json.dumps(message), schema.check)


def test_each_setup_that_the_sdk_can_write_is_taken() -> None:
    """The schema is read from its types, so a field that is read wrongly would refuse the SDK's own message."""
    config = types.LiveClientSetup(
        model=MODEL,
        generation_config=types.GenerationConfig(temperature=0.5, top_p=1, seed=5, max_output_tokens=9),
        tools=[
            types.Tool(function_declarations=[types.FunctionDeclaration(name="f", behavior=types.Behavior.BLOCKING)])
        ],
        system_instruction=types.Content(parts=[types.Part(text="a")]),
        proactivity=types.ProactivityConfig(proactive_audio=True),
        labels={"a_b": "c"},
    )
    written = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert wire.parse(json.dumps({"setup": written}), schema.check)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"realtimeInput": {"video": {"mimeType": "image/gif", "data": "AAAA"}}}, INVALID),
        ({"toolResponse": {"functionResponses": [{"name": "f", "response": {}}]}}, INVALID),
        ({"clientContent": {"turns": [{"role": "system", "parts": [{"text": "a"}]}]}},
         "Please use a valid role: user, model."),
    ],
)  # fmt: skip
def test_what_only_the_gemini_api_refuses(message: Any, reason: str) -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server, raw(server) as ws:
            await ws.send(json.dumps(setup()))
            await ws.send(json.dumps(message))
            assert await closed(ws) == (1007, reason)

    run(main())


def test_vertex_takes_a_system_turn_and_a_result_without_an_id() -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server:
            url = f"ws://127.0.0.1:{server.port}/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
            async with connect(url, additional_headers={"Authorization": "Bearer any"}) as ws:
                await ws.send(json.dumps(setup()))
                for message in (
                    {"clientContent": {"turns": [{"role": "system", "parts": [{"text": "a"}]}]}},
                    {"toolResponse": {"functionResponses": [{"name": "f", "response": {}}]}},
                    {"realtimeInput": {"text": "hello"}},
                ):
                    await ws.send(json.dumps(message))
                contents = [frame.get("serverContent", {}) for frame in await frames(ws, 10)]
                assert any(content.get("turnComplete") for content in contents)

    run(main())


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("gemini-3.1-flash-live-preview",
         "realtime_input.media_chunks is deprecated. Use audio, video, or text instead."),
        ("gemini-3.8-live", INVALID),
    ],
)  # fmt: skip
def test_the_words_for_an_old_way_and_a_negative_silence(model: str, reason: str) -> None:
    async def main() -> None:
        chunks = {"realtimeInput": {"mediaChunks": [{"mimeType": "audio/pcm", "data": "AAAA"}]}}
        negative = {"realtimeInputConfig": {"automaticActivityDetection": {"silenceDurationMs": -5}}}
        async with Server(Parrot(), tls=False) as server, raw(server) as ws:
            fields = {} if "3.1" in model else negative
            await ws.send(json.dumps({"setup": {"model": f"models/{model}", **fields}}))
            await ws.send(json.dumps(chunks))
            assert await closed(ws) == (1007, reason)

    run(main())


@pytest.mark.parametrize("spelling", ["property_ordering", "propertyOrdering"])
def test_a_schema_of_parameters_may_be_spelt_either_way(spelling: str) -> None:
    parameters = {"type": "OBJECT", "properties": {"city_name": {"type": "STRING"}}, spelling: ["city_name"]}
    asked = {"tools": [{"functionDeclarations": [{"name": "f", "parameters": parameters}]}]}
    schema.check("setup", asked)
    parameters["property_order"] = []
    with pytest.raises(Rejected, match="property_order"):
        schema.check("setup", asked)
