"""A language model of one's own: what it is sent, how its answer is spoken, and what is said when it fails."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from google.genai import types
from google.genai.live import AsyncSession

from livechat.errors import Notice
from livechat.server.brain import SORRY, Brain, BrainAgent
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from tests.support.fake_llm import Completion, FakeLlm, call
from tests.support.program import PIPE, Program, environment
from tests.support.server_client import ask, dial, flags, said, turn
from tests.support.virtual_time import run

WEATHER: Any = {
    "function_declarations": [
        {
            "name": "get_weather",
            "description": "Look up the weather.",
            "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]},
        }
    ]
}


def unexpected(notice: Notice) -> None:
    raise AssertionError(notice)


def conversation(
    *completions: Completion, typed: tuple[str, ...] = ("hello",), **config: Any
) -> tuple[list[str], FakeLlm, list[Notice]]:
    """The answers to what is typed, the endpoint, and what the server's user was told."""
    notices: list[Notice] = []

    async def main() -> tuple[list[str], FakeLlm, list[Notice]]:
        async with FakeLlm(list(completions)) as llm:
            agent = BrainAgent(Brain(llm.url, "small", "secret"), Parrot(), hears=False, notify=notices.append)
            async with Server(agent) as server, dial(server, **config) as session:
                return [said(await ask(session, text)) for text in typed], llm, notices

    return run(main())


def test_the_model_gets_the_instruction_and_the_history_and_its_answer_is_spoken() -> None:
    answers, llm, notices = conversation(
        ["It is ", "noon. You ", "asked **so** kindly!", " Bye"], ["Later."],
        typed=("What time is it?", "And now?"), system_instruction="Be brief.",
    )  # fmt: skip
    assert answers == ["It is noon. You asked so kindly! Bye", "Later."]
    first, second = (asked["messages"] for asked in llm.asked)
    assert first[0]["role"] == "system"
    assert first[0]["content"].startswith("Be brief.")
    assert first[1:] == [{"role": "user", "content": "What time is it?"}]
    assert second[1:] == [
        {"role": "user", "content": "What time is it?"},
        {"role": "assistant", "content": "It is noon. You asked so kindly! Bye"},
        {"role": "user", "content": "And now?"},
    ]
    assert {asked["model"] for asked in llm.asked} == {"small"}
    assert set(llm.keys) == {"bearer secret"}
    assert notices == []


# The client of the package uses threads, for which virtual time does not wait: these tests measure no time.


async def first_sound(session: AsyncSession) -> None:
    async for message in session.receive():
        if message.data:
            return
    raise AssertionError("nothing was said")


def test_a_sentence_is_spoken_while_the_next_is_not_yet_there() -> None:
    async def main() -> int:
        async with FakeLlm([["One. ", "Two", 50.0, "."]]) as llm:
            agent = BrainAgent(Brain(llm.url, "small", "x"), Parrot(), hears=False, notify=unexpected)
            async with Server(agent) as server, dial(server) as session:
                await session.send_realtime_input(text="count")
                await first_sound(session)
                return llm.whole

    assert run(main()) == 0


def test_functions_of_the_client_are_passed_through() -> None:
    async def main() -> tuple[list[Any], str, FakeLlm]:
        completions: list[Completion] = [
            ["I look. ", call("get_weather", '{"city": '), {"tool_calls": [{"index": 0, "function":
             {"arguments": '"Oslo"}'}}]}, call("get_weather", '{"city": "Bergen"}', at=1, id_="c2")],
            ["It rains in both."],
        ]  # fmt: skip
        async with FakeLlm(completions) as llm:
            agent = BrainAgent(Brain(llm.url, "small", "x"), Parrot(), hears=False, notify=unexpected)
            async with Server(agent) as server, dial(server, tools=[WEATHER]) as session:
                await session.send_realtime_input(text="How is the weather in Norway?")
                calls: list[Any] = []
                messages = []
                async for message in session.receive():
                    messages.append(message)
                    for wanted in message.tool_call.function_calls or [] if message.tool_call else []:
                        calls.append((wanted.name, wanted.args))
                        answer = types.FunctionResponse(id=wanted.id, name=wanted.name, response={"sky": "rain"})
                        await session.send_tool_response(function_responses=[answer])
                return calls, said(messages), llm

    calls, answer, llm = run(main())
    assert calls == [("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Bergen"})]
    assert answer == "I look. It rains in both."
    (tool,) = llm.asked[0]["tools"]
    assert tool["function"]["parameters"]["properties"] == {"city": {"type": "string"}}
    asked, *results = llm.asked[1]["messages"][-3:]
    assert [made["function"]["arguments"] for made in asked["tool_calls"]] == [
        '{"city": "Oslo"}',
        '{"city": "Bergen"}',
    ]
    assert [(result["tool_call_id"], result["content"]) for result in results] == [
        ("c1", '{"sky": "rain"}'), ("c2", '{"sky": "rain"}'),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "why"), [(call("get_news", "{}"), "no function get_news"), (call("get_weather", "{"), "no JSON object"),
                       (call("get_weather", "[1]"), "no JSON object")]
)  # fmt: skip
def test_a_wrong_call_is_explained_to_the_model(wrong: dict[str, Any], why: str) -> None:
    answers, llm, _ = conversation([wrong], ["I cannot."], tools=[WEATHER])
    assert answers == ["I cannot."]
    assert why in llm.asked[1]["messages"][-1]["content"]


def test_a_model_that_calls_without_end_is_stopped() -> None:
    answers, llm, notices = conversation([call("get_news", "{}")], tools=[WEATHER])
    assert answers == [SORRY]
    assert len(llm.asked) == 8
    assert notices == [Notice("small calls functions without end")]


@pytest.mark.parametrize(
    ("completion", "why"),
    [
        (401, "refuses the key"),
        (403, "refuses the key"),
        (404, "has no model small"),
        (400, "failed (400)"),
        (429, "quota"),
        (500, "failed (500)"),
        ([ConnectionError()], "broke off"),
        ([600.0], "took too long"),
        ([], "an empty answer"),
        (["<think>hm</think>"], "an empty answer"),
        ([{"content": None}], "an empty answer"),
    ],
)
def test_what_fails_is_one_line_and_an_honest_sentence(completion: Completion, why: str) -> None:
    answers, _, notices = conversation(completion)
    assert answers == [SORRY]
    assert len(notices) == 1
    assert why in notices[0].message
    assert "secret" not in f"{notices[0]}"


def test_an_answer_that_breaks_off_keeps_what_was_said() -> None:
    answers, _, notices = conversation(["First. ", "Second", ConnectionError()])
    assert answers == [f"First. {SORRY}"]
    assert "broke off" in notices[0].message


def test_nobody_there_is_said_too() -> None:
    async def main() -> tuple[str, list[Notice]]:
        notices: list[Notice] = []
        agent = BrainAgent(Brain("http://127.0.0.1:9/v1", "small", "x"), Parrot(), hears=False, notify=notices.append)
        async with Server(agent) as server, dial(server) as session:
            return said(await ask(session, "hello")), notices

    answer, notices = run(main())
    assert answer == SORRY
    assert notices == [Notice("the language model at 127.0.0.1:9 cannot be reached", "see that it runs there")]


def test_a_history_too_long_for_the_model_loses_its_older_half() -> None:
    full = (400, "This model's maximum context length is 10 tokens.")
    answers, llm, notices = conversation(["1."], ["2."], full, ["3."], typed=("one", "two", "three"))
    assert answers == ["1.", "2.", "3."]
    assert [turn["content"] for turn in llm.asked[3]["messages"][1:]] == ["2.", "three"]
    assert notices == []


def test_an_interruption_ends_the_request() -> None:
    async def main() -> tuple[int, list[str], str]:
        async with FakeLlm([["One. ", "Two. ", 60.0, "Three."], ["Yes."]]) as llm:
            agent = BrainAgent(Brain(llm.url, "small", "x"), Parrot(), hears=False, notify=unexpected)
            async with Server(agent) as server, dial(server) as session:
                await session.send_realtime_input(text="count")
                await first_sound(session)
                await session.send_realtime_input(text="stop")
                cut = flags(await turn(session))
                answer = said(await turn(session))
                return llm.left, cut, answer

    left, cut, answer = run(main())
    assert left == 1
    assert "interrupted" in cut
    assert answer == "Yes."


@pytest.mark.parametrize("reached", [True, False])
def test_the_program_talks_to_it_and_goes_on_with_it_when_resumed(reached: bool, tmp_path: Path) -> None:
    async def main() -> None:
        async with FakeLlm([["Forty two."] if reached else 401]) as llm:
            flags = ["--offline", "--brain", llm.url, "--brain-model", "small"]
            answer = "Forty two." if reached else SORRY
            for command in (["talk", *flags], ["resume", "--plain"]):
                env = environment(tmp_path, LIVECHAT_BRAIN_KEY="k", HTTP_PROXY="http://127.0.0.1:9")
                program = Program(*command, env=env, cwd=tmp_path, stdin=PIPE, stdout=PIPE, stderr=PIPE)
                out, err = await asyncio.to_thread(program.communicate, b"What is it?\n")
                assert program.returncode == 0, err
                assert f"model: {answer}" in out.decode()
                assert ("refuses the key" in err.decode()) is not reached
            assert set(llm.keys) == {"bearer k"}

    asyncio.run(main())
