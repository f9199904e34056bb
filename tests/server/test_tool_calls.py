"""Function calls of the local server: which are made, with which arguments, and what becomes of their results."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import uuid
from typing import Any

import pytest
from google.genai import types
from google.genai.live import AsyncSession
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from livechat.server.models import Calls
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.server.tool_calls import call_for, declared, searches, spoken
from tests.support.server_client import ask, dial, flags, frames, quiet, said, speak, tone, turn
from tests.support.virtual_time import run

OLD, NEW, HALTING = "gemini-2.5-flash-native-audio-latest", "gemini-3.8-live", "gemini-3.1-flash-live-preview"
THINKING = "gemini-3.8-live-extended-thinking"
WEATHER = {
    "name": "get_weather",
    "description": "Look up the weather for a city.",
    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]},
}
READING = {
    "name": "record_reading",
    "description": "Store the supplied sensor value.",
    "parameters": {
        "type": "OBJECT",
        "properties": {"measurement": {"type": "INTEGER"}, "note": {"type": "STRING", "nullable": True}},
        "required": ["measurement"],
    },
}
LIGHTS = {
    "name": "setLightValues",
    "parameters": {
        "type": "OBJECT",
        "properties": {
            "brightness": {"type": "NUMBER"},
            "color_temp": {"type": "STRING", "enum": ["daylight", "cool", "warm"]},
            "dimmed": {"type": "BOOLEAN"},
        },
        "required": ["brightness", "color_temp"],
    },
}
SEND = {
    "name": "send_message",
    "parameters": {
        "type": "OBJECT",
        "properties": {"to": {"type": "STRING"}, "message": {"type": "STRING"}, "tags": {"type": "ARRAY"}},
        "required": ["message", "tags"],
    },
}
TOOLS = [{"functionDeclarations": [WEATHER, READING]}, {"functionDeclarations": [LIGHTS, SEND]}]
LONDON = "What is the weather in London?"


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        (LONDON, "get_weather", {"city": "London"}),
        ("how is the weather in New York, please", "get_weather", {"city": "New York"}),
        ("Please record a reading of 5 with the note \"steady\".", "record_reading",
         {"measurement": 5, "note": "steady"}),
        ("record a reading of twenty-five", "record_reading", {"measurement": 25}),
        ("Set the brightness to fifty and the color to warm", "setLightValues",
         {"brightness": 50.0, "color_temp": "warm"}),
        ("set the light brightness to 10 but not dimmed", "setLightValues",
         {"brightness": 10.0, "color_temp": "daylight", "dimmed": False}),
        ("Send the message I am late", "send_message", {"message": "I am late", "tags": []}),
        ("Tell me a story.", None, {}),
        ("What time is it?", None, {}),
        ("How much is 2 plus 2?", None, {}),
    ],
)  # fmt: skip
def test_the_words_choose_a_function_and_its_arguments(text: str, name: str | None, arguments: Any) -> None:
    call = call_for(text, declared(TOOLS, "block"), lambda: "1")
    assert (call.function.name if call else None) == name
    assert call is None or call.arguments == arguments


@pytest.mark.parametrize(
    ("calls", "blocking"),
    [
        ("block", [True, True, True]),
        ("block by default", [True, True, False]),
        ("go on by default", [False, True, False]),
        ("go on", [False, False, False]),
    ],
)
def test_who_decides_whether_the_model_waits(calls: Calls, blocking: list[bool]) -> None:
    wished = [{"name": "f"} | behaviour for behaviour in ({}, {"behavior": "BLOCKING"}, {"behavior": "NON_BLOCKING"})]
    assert [function.blocking for function in declared([{"functionDeclarations": wished}], calls)] == blocking


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    text=st.text(max_size=50),
    schema=st.fixed_dictionaries({}, optional={
        "name": st.sampled_from(["get_weather", "", "x"]), "description": JSON, "behavior": JSON,
        "parameters": JSON | st.fixed_dictionaries({"properties": JSON, "required": JSON}),
    }),
    response=JSON,
)  # fmt: skip
def test_no_declaration_words_or_result_break_the_agent(text: str, schema: Any, response: Any) -> None:
    functions = declared([{"functionDeclarations": [schema, WEATHER]}], "block")
    call = call_for(f"weather {text}", functions, lambda: "1")
    assert call is not None
    assert isinstance(spoken(call, response), str)
    assert declared(response, "block") == () or isinstance(response, list)
    assert not searches(response) or "googleSearch" in str(response)


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ({"output": "It is foggy."}, "It is foggy."),
        ({"result": {"temperature": 12, "wind_speed": 3.5}}, "temperature is 12, wind speed is 3.5"),
        ({"a": True, "b": [1, None]}, "a is yes, b is 1, nothing"),
        ({"error": "no such city"}, "The function get weather failed: no such city"),
        ({}, "The function get weather is done."),
        ("plain", "plain"),
        ({"output": "x" * 10_000}, "x" * 500),
    ],
)
def test_a_result_is_said_in_words(response: Any, words: str) -> None:
    call = call_for(LONDON, declared(TOOLS, "block"), lambda: "1")
    assert call is not None
    assert spoken(call, response) == words


# -------------------------------------------------------------------------------------------- whole turns


async def next_call(session: AsyncSession) -> types.FunctionCall:
    async for message in session.receive():
        if message.tool_call:
            assert message.tool_call.function_calls
            return message.tool_call.function_calls[0]
    raise AssertionError("no call came")


async def give(session: AsyncSession, call: types.FunctionCall, output: str, **more: Any) -> None:
    response = types.FunctionResponse(id=call.id, name=call.name, response={"output": output}, **more)
    await session.send_tool_response(function_responses=[response])


@pytest.mark.parametrize(("model", "form"), [(OLD, r"function-call-\d{19}"), (HALTING, r"fc_\d{19}")])
def test_a_model_that_blocks_says_the_result_in_the_same_turn(model: str, form: str) -> None:
    async def main() -> None:
        async with Server(Parrot()) as server, dial(server, model, tools=TOOLS) as session:
            await session.send_client_content(turns=[{"role": "user", "parts": [{"text": LONDON}]}])
            call = await next_call(session)
            assert (call.name, call.args) == ("get_weather", {"city": "London"})
            assert re.fullmatch(form, call.id or "")
            await asyncio.sleep(20)
            await give(session, call, "It is foggy.")
            messages = await turn(session)
            assert (said(messages), flags(messages)) == ("It is foggy.", ["generation_complete", "turn_complete"])
            (history,) = server.sessions.values()
            assert [turn.text for turn in history] == [LONDON, "It is foggy."]

    run(main())


@pytest.mark.parametrize(
    ("scheduling", "told"), [(None, "later"), ("WHEN_IDLE", "later"), ("INTERRUPT", "at once"), ("SILENT", "never")]
)
def test_a_model_that_goes_on_speaks_the_result_when_it_may(scheduling: str | None, told: str) -> None:
    async def main() -> None:
        async with Server(Parrot()) as server, dial(server, NEW, tools=TOOLS) as session:
            await session.send_realtime_input(text=LONDON)
            call = await next_call(session)
            first = await turn(session)
            assert said(first) == "Let me check that for you."
            story = asyncio.create_task(ask(session, "tell me a story"))
            await asyncio.sleep(10)
            await give(session, call, "It is foggy.", scheduling=scheduling)
            assert flags(await story)[-2:] == (
                ["interrupted", "turn_complete"] if told == "at once" else ["generation_complete", "turn_complete"]
            )
            if told == "never":
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(turn(session), 60)
                (history,) = server.sessions.values()
                assert history[-1].text == "It is foggy."
            else:
                assert said(await turn(session)) == "It is foggy."

    run(main())


def test_a_thinking_model_is_at_work_until_it_has_said_the_result() -> None:
    async def main() -> None:
        thinking = {"thinking_level": "LOW"}
        async with (
            Server(Parrot()) as server,
            dial(server, THINKING, tools=TOOLS, thinking_config=thinking) as session,
        ):
            await session.send_realtime_input(text=LONDON)
            call = await next_call(session)  # after an utterance whose turn is complete and IN_PROGRESS
            await asyncio.sleep(60)
            await give(session, call, "It is foggy.")
            last = await turn(session)
            assert said(last) == "It is foggy."
            assert last[-1].server_content is not None
            assert str(last[-1].server_content.interaction_status).endswith("IDLE")
            (history,) = server.sessions.values()
            assert [turn.text for turn in history] == [LONDON, "Let me check that for you.", "It is foggy."]

    run(main())


def test_on_vertex_the_result_is_said_in_a_turn_of_its_own() -> None:
    setup = {"model": "gemini-3.8-live", "tools": [{"functionDeclarations": [{**WEATHER, "behavior": "BLOCKING"}]}]}

    async def main() -> None:
        async with Server(Parrot(), tls=False) as server:
            url = f"ws://127.0.0.1:{server.port}/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
            async with connect(url, additional_headers={"Authorization": "Bearer any"}) as ws:
                await ws.send(json.dumps({"setup": {**setup, "outputAudioTranscription": {}}}))
                await ws.send(json.dumps({"realtimeInput": {"text": LONDON}}))
                (call,) = (await frames(ws, 5))[-1]["toolCall"]["functionCalls"]
                assert uuid.UUID(call["id"])
                response = {"id": call["id"], "name": call["name"], "response": {"output": "It is foggy."}}
                await ws.send(json.dumps({"toolResponse": {"functionResponses": [response]}}))
                contents = [frame.get("serverContent", {}) for frame in await frames(ws, 10)]
                names = ("generationComplete", "outputTranscription", "turnComplete")
                order = [name for content in contents for name in names if content.get(name)]
                assert order[:2] == ["generationComplete", "turnComplete"]
                assert order[-2:] == ["generationComplete", "turnComplete"]
                assert "outputTranscription" in order[2:-2]

    run(main())


@pytest.mark.parametrize("how", ["speech", "text"])
def test_who_cuts_in_cancels_a_call_that_is_waited_for(how: str) -> None:
    async def main() -> None:
        async with Server(Parrot()) as server, dial(server, HALTING, tools=TOOLS) as session:
            await session.send_realtime_input(text=LONDON)
            call = await next_call(session)
            if how == "speech":
                await speak(session, tone(1) + quiet(1))
            else:
                await session.send_realtime_input(text="What time is it?")
            messages = await turn(session)
            cancelled = [m.tool_call_cancellation.ids for m in messages if m.tool_call_cancellation]
            assert cancelled == [[call.id]]
            assert flags(messages) == ["interrupted", "turn_complete"]
            await give(session, call, "It is foggy.")  # too late: ignored
            assert "foggy" not in said(await turn(session))

    run(main())


def test_while_a_result_is_awaited_there_is_no_handle() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server, dial(server, NEW, tools=TOOLS) as session:
            await session.send_realtime_input(text=LONDON)
            call = await next_call(session)
            before, after = [], []
            async with asyncio.timeout(30):
                before += await turn(session)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    async for message in session.receive():
                        before.append(message)
            await give(session, call, "It is foggy.")
            after += await turn(session)
            async for message in session.receive():
                after.append(message)
                if message.session_resumption_update:
                    break
            updates = [[bool(m.session_resumption_update.resumable) for m in messages if m.session_resumption_update]
                       for messages in (before, after)]  # fmt: skip
            assert updates[0]
            assert not any(updates[0])
            assert updates[1][-1]

    run(main())


def test_google_search_is_an_honest_answer_with_the_metadata_of_a_search() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server, dial(server, tools=[{"google_search": {}}]) as session:
            messages = await ask(session, "Search the web for lighthouses")
            assert said(messages) == "I am offline, so I cannot search the web."
            (found,) = [m.server_content.grounding_metadata for m in messages
                        if m.server_content and m.server_content.grounding_metadata]  # fmt: skip
            assert found.web_search_queries == ["Search the web for lighthouses"]
            assert found.grounding_chunks
            assert found.grounding_chunks[0].web is not None
            assert said(await ask(session, "how much is 2 plus 2")) == "2 plus 2 is 4."

    run(main())
