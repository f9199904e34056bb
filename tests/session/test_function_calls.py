"""Functions that the model calls: each runs once for a question, beside the conversation, and never breaks it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from livechat.errors import Notice
from livechat.events import Output, ToolCall, ToolResult
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
