"""Functions that the model calls: each runs once for a question, beside the conversation, and never breaks it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from livechat.errors import Notice
from livechat.events import Confirm, Output, ToolCall, ToolResult
from livechat.session.events import Called
from livechat.session.function_calls import LIMIT_S, LONGEST, FunctionCalls
from livechat.session.tools import Tools
from tests.support.virtual_time import run


class Model:
    """Calls functions, and gets their results."""

    def __init__(self, *functions: Callable[..., Any]) -> None:
        self.shown: list[Output] = []
        self.results: list[tuple[str, dict[str, Any]]] = []
        self.given = asyncio.Event()
        tools = Tools({function.__name__: function for function in functions})
        self.calls = FunctionCalls(tools, respond=self._respond, show=self.shown.append)

    async def _respond(self, called: Called, result: dict[str, Any]) -> None:
        self.results.append((called.id, result))
        self.given.set()

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.shown if isinstance(event, kind)]


runs: list[int] = []


async def slowly(n: int) -> int:
    runs.append(n)
    await asyncio.sleep(5)
    return n + 1


async def for_ever() -> None:
    await asyncio.sleep(10 * LIMIT_S)


async def broken() -> None:
    raise ValueError("no such thing")


async def huge() -> str:
    return "x" * (LONGEST + 1)


async def strange() -> set[int]:
    return {1}


def test_a_call_that_is_made_again_on_another_link_is_the_same_run() -> None:
    async def main() -> None:
        runs.clear()
        model = Model(slowly)
        model.calls.call(Called(1, "a", "slowly", {"n": 1}))
        await asyncio.sleep(1)
        model.calls.forget()
        model.calls.call(Called(2, "b", "slowly", {"n": 1}))
        await asyncio.sleep(10)
        assert runs == [1]
        assert model.results == [("a", {"output": 2}), ("b", {"output": 2})]
        assert len(model.of(ToolCall)) == len(model.of(ToolResult)) == 1
        model.calls.call(Called(2, "c", "slowly", {"n": 1}))  # still the same question
        await asyncio.sleep(0.1)
        assert model.results[-1] == ("c", {"output": 2})
        model.calls.forget()
        model.calls.call(Called(2, "d", "slowly", {"n": 1}))
        await asyncio.sleep(10)
        assert runs == [1, 1]

    run(main())


def test_a_call_that_the_server_cancels_gets_no_result() -> None:
    async def main() -> None:
        model = Model(slowly)
        model.calls.call(Called(1, "a", "slowly", {"n": 1}))
        model.calls.cancel(["a", "unknown"])
        await asyncio.sleep(10)
        assert model.results == []
        model.calls.stop()

    run(main())


@pytest.mark.parametrize(
    ("function", "name", "words"),
    [
        (for_ever, "for_ever", "longer than 60 seconds"),
        (broken, "broken", "ValueError: no such thing"),
        (huge, "huge", "at most 100,000 are sent"),
        (slowly, "slowly", "TypeError"),  # without its argument
        (slowly, "nobody", "there is no function nobody"),
    ],
)
def test_what_fails_is_a_result_too(function: Callable[..., Any], name: str, words: str) -> None:
    async def main() -> None:
        model = Model(function)
        model.calls.call(Called(1, "a", name, {}))
        await asyncio.sleep(2 * LIMIT_S)
        ((_, result),) = model.results
        assert words in result["error"]
        assert [event.failed for event in model.of(ToolResult)] == [True]
        assert words in model.of(Notice)[0].hint

    run(main())


def test_what_json_has_not_is_sent_in_its_own_words() -> None:
    async def main() -> None:
        model = Model(strange)
        model.calls.call(Called(1, "a", "strange", {}))
        await asyncio.sleep(1)
        assert model.results == [("a", {"output": "{1}"})]

    run(main())


def test_a_plain_function_runs_in_a_thread() -> None:
    threads: list[str] = []

    def plain(word: str) -> str:
        threads.append(threading.current_thread().name)
        return word.upper()

    async def main() -> None:
        model = Model(plain)
        model.calls.call(Called(1, "a", "plain", {"word": "yes"}))
        async with asyncio.timeout(10):
            await model.given.wait()
        assert model.results == [("a", {"output": "YES"})]
        assert threads != [threading.current_thread().name]

    asyncio.run(main())


def confirming(*answers: str | None, after: float = 1.0, which: str = "always", somebody: bool = True) -> Model:
    """A function is called that runs only when the person says so; each answer comes `after` the one before."""

    async def main() -> Model:
        model = Model(slowly)
        model.calls._tools = Tools({"slowly": slowly}, risky=frozenset({"slowly"})).confirmed(
            which, somebody=somebody
        )
        model.calls.call(Called(1, "a", "slowly", {"n": 3}))
        for answer in answers:
            await asyncio.sleep(after)
            if answer is None:
                model.calls.cancel(["a"])
            else:
                model.calls.answered(answer)
        await asyncio.sleep(LIMIT_S + 10)
        assert not model.calls.asking
        return model

    runs.clear()
    return run(main())


@pytest.mark.parametrize("answer", ["yes", "Yes.", " y ", "OK!"])
def test_a_function_runs_when_the_person_says_so(answer: str) -> None:
    model = confirming("what do you mean?", answer)
    assert model.of(Confirm) == [Confirm("slowly", {"n": 3})]
    assert model.results == [("a", {"output": 4})]


@pytest.mark.parametrize(
    ("answers", "somebody", "why"),
    [(("no",), True, "did not allow"), ((), True, "longer than"), (("yes",), False, "nobody can be asked")],
)
def test_a_function_that_is_not_allowed_does_not_run(answers: tuple[str, ...], somebody: bool, why: str) -> None:
    model = confirming(*answers, somebody=somebody)
    ((_, result),) = model.results
    assert why in result["error"]
    assert runs == []


def test_a_call_that_the_server_cancels_asks_nobody_any_more() -> None:
    model = confirming(None, "yes")
    assert model.results == []
    assert runs == []


@pytest.mark.parametrize(("which", "asks"), [("always", True), ("risky", True), ("never", False)])
def test_which_functions_ask_is_the_persons_choice(which: str, asks: bool) -> None:
    model = confirming("yes", which=which)
    assert bool(model.of(Confirm)) == asks
    assert runs == [3]
    harmless = Tools({"slowly": slowly}).confirmed(which, somebody=True)
    assert bool(harmless.asked) == (which == "always")


def test_an_answer_without_a_question_is_none() -> None:
    async def main() -> None:
        assert not Model(slowly).calls.answered("yes")

    run(main())
