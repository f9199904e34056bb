"""Runs the functions that the model calls, beside the conversation, and says what came of each.

A function runs once for a question. If a link is lost meanwhile, the question is asked again, and so is the function:
then the result is that of the first call, whether it is there yet or not. So no message is sent twice.
"""

import asyncio
import inspect
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from livechat.errors import Notice
from livechat.events import Confirm, Output, ToolCall, ToolResult
from livechat.session.events import Called
from livechat.session.tools import Tools

LIMIT_S = 60.0  # a function that takes longer is given up: a server ends the link of one (docs/wire.md 6.1)
KEPT = 300  # characters of a call, and of its result, that are kept with the answer
YES = ("yes", "y", "yes please", "ok", "okay")  # typed or said, whatever the case
NO = ("no", "n", "no thanks", "no thank you")
LONGEST = 100_000  # characters of a result; more is not sent
_log = logging.getLogger(__name__)

Respond = Callable[[Called, dict[str, Any]], Awaitable[None]]


class _NotAllowedError(Exception):
    """The person did not say that a function may run."""


class FunctionCalls:
    """One conversation's. `respond` gives a result to the link that called, if it still lives."""

    def __init__(self, tools: Tools, *, respond: Respond, show: Callable[[Output], None]) -> None:
        self._tools, self._respond, self._show = tools, respond, show
        self._running: dict[str, asyncio.Task[dict[str, Any]]] = {}  # by function and arguments; of this question
        self._questions: dict[str, asyncio.Future[bool]] = {}  # to the person, by the id of the call
        self._waiting: dict[str, asyncio.Task[None]] = {}  # by the id of the call

    def call(self, called: Called) -> None:
        """The model calls a function."""
        key = json.dumps([called.name, called.arguments], sort_keys=True, default=str)
        if key not in self._running or self._running[key].cancelled():
            self._show(ToolCall(called.name, called.arguments))
            self._running[key] = asyncio.create_task(self._run(called))
        self._waiting[called.id] = asyncio.create_task(self._answer(called, self._running[key]))

    @property
    def asking(self) -> bool:
        """The person is asked whether a function may run."""
        return bool(self._questions)

    def answered(self, words: str) -> bool:
        """What the person typed, or said. Whether it answers what they are asked."""
        plain = words.strip().strip(".!,").lower()
        if not self._questions or plain not in YES + NO:
            return False
        key, question = next(iter(self._questions.items()))
        del self._questions[key]
        question.set_result(plain in YES)
        return True

    def cancel(self, ids: Iterable[str]) -> None:
        """The server does not wait for these calls any more."""
        for name in ids:
            if waiting := self._waiting.pop(name, None):
                waiting.cancel()
            if question := self._questions.pop(name, None):
                question.set_result(False)

    def forget(self) -> None:
        """The question has its answer: the same call, made again, is another one."""
        self._running = {key: task for key, task in self._running.items() if not task.done()}

    def stop(self) -> None:
        """The conversation is over."""
        for task in (*self._waiting.values(), *self._running.values()):
            task.cancel()

    async def _answer(self, called: Called, running: asyncio.Task[dict[str, Any]]) -> None:
        result = await asyncio.shield(running)  # another link may ask for it again
        self._waiting.pop(called.id, None)
        await self._respond(called, result)

    async def _run(self, called: Called) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        function = self._tools.functions.get(called.name)
        try:
            if function is None:
                raise LookupError(f"there is no function {called.name}")
            async with asyncio.timeout(LIMIT_S):
                await self._ask(called)
                result = _sendable(await _call(function, called.arguments))
        except TimeoutError:
            result = {"error": f"{called.name} took longer than {LIMIT_S:.0f} seconds"}
        except _NotAllowedError as refused:
            result = {"error": str(refused)}
        except Exception as error:  # noqa: BLE001 - a function is anybody's code
            _log.warning("a function failed (%s)", type(error).__name__)
            result = {"error": f"{type(error).__name__}: {error}"[:LONGEST]}
        failed = "error" in result
        text = str(result.get("error" if failed else "output"))
        self._show(ToolResult(called.name, text, failed=failed, took_ms=round((loop.time() - began) * 1000, 1)))
        if failed:
            self._show(Notice(f"the function {called.name} failed", text))
        return result

    async def _ask(self, called: Called) -> None:
        """Ask the person, if this function needs that. Raises _NotAllowedError unless they agree."""
        if called.name in self._tools.refused:
            raise _NotAllowedError("it may change something, and nobody can be asked: see --confirm")
        if called.name not in self._tools.asked:
            return
        question = self._questions[called.id] = asyncio.get_running_loop().create_future()
        self._show(Confirm(called.name, called.arguments))
        try:
            if not await question:
                raise _NotAllowedError("the person did not allow it")
        finally:
            self._questions.pop(called.id, None)


def summary(called: Called, result: dict[str, Any]) -> str:
    """A call and what it gave, in one line: as it is kept, and told to a new session."""
    given = json.dumps(called.arguments, ensure_ascii=False, default=str)
    text = " ".join(str(result.get("error") or result.get("output")).split())
    return f"[called {called.name} {given[:KEPT]}, which gave: {text[:KEPT]}]"


async def _call(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """What `function` returns. A function that is not asynchronous runs in a thread, so that sound goes on."""
    if inspect.iscoroutinefunction(function):
        return await function(**arguments)
    result = await asyncio.to_thread(function, **arguments)
    return await result if inspect.isawaitable(result) else result


def _sendable(value: Any) -> dict[str, Any]:
    """A result as JSON has it; what JSON has not is sent in its own words."""
    written = json.dumps(value, default=str, ensure_ascii=False)
    if len(written) > LONGEST:
        return {"error": f"the result has {len(written):,} characters; at most {LONGEST:,} are sent"}
    return {"output": json.loads(written)}
