"""An agent that answers with a language model of one's own, behind any OpenAI-compatible endpoint.

Another agent listens and speaks. The model gets the system instruction, what the session remembers, and the client's
functions. Its answer is spoken sentence by sentence, while the rest of it still comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from livechat.errors import Notice, Notify
from livechat.server.agent import Agent, AgentQuestion, AnswerPiece, UtteranceDetector
from livechat.server.brain_messages import CallDeltas, Sentences, functions, messages
from livechat.server.history import HistoryTurn
from livechat.server.wire import Json

if TYPE_CHECKING:
    from openai import AsyncOpenAI

KEY = "LIVECHAT_BRAIN_KEY"  # of the environment. Not OPENAI_API_KEY: that is not for any address that one may try
ROUNDS = 8  # of calls for one question; a model that wants more goes round in circles
TIMEOUT_S = 60.0  # for the next piece of an answer: a model on one's own computer may have to be loaded first
SORRY = "I am sorry, my language model does not answer."


@dataclass(frozen=True, slots=True)
class Brain:
    """Which model answers, and where."""

    url: str
    model: str
    key: str = field(repr=False)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


class BrainAgent:
    """The agent. `voice`: who listens and speaks; `hears`: whether it understands words. `notify`: is told errors."""

    calls_functions = True

    def __init__(self, brain: Brain, voice: Agent, *, hears: bool, notify: Notify) -> None:
        self._brain, self._voice, self._hears, self._notify = brain, voice, hears, notify
        self._made: AsyncOpenAI | None = None
        self.name = f"{brain.model} at {brain.host}; {voice.name}"

    def detector(self, silence_ms: int | None) -> UtteranceDetector:
        return self._voice.detector(silence_ms)

    async def transcribe(self, pcm: bytes) -> str:
        return await self._voice.transcribe(pcm)

    def say(self, text: str) -> AsyncIterator[AnswerPiece]:
        return self._voice.say(text)

    async def close(self) -> None:
        if self._made is not None:
            await self._made.close()
        await self._voice.close()

    async def reply(self, question: AgentQuestion) -> AsyncIterator[AnswerPiece]:
        if question.speech and not self._hears:
            async for piece in self._voice.reply(question):
                yield piece
            return
        said = False
        try:
            async for sentence in self._sentences(question):
                async for piece in self._voice.say(sentence):
                    said = True
                    yield piece
            trouble = None if said else Notice(f"{self._brain.model} at {self._brain.host} gave an empty answer")
        except _FailureError as failure:
            trouble = failure.notice
        if trouble:
            self._notify(trouble)
            async for piece in self._voice.say(SORRY):
                yield piece

    async def _sentences(self, question: AgentQuestion) -> AsyncIterator[str]:
        """The answer, sentence by sentence. Functions that the model calls run between them."""
        turns = list(question.history)
        later: list[Json] = []  # calls and their results
        tools = functions(question.functions)
        for _ in range(ROUNDS):
            calls, sentences, text = CallDeltas(), Sentences(), ""
            async for delta in self._stream(question.system, turns, later, tools):
                calls.add(delta.tool_calls or ())
                text += delta.content or ""
                for sentence in sentences.add(delta.content or ""):
                    yield sentence
            if rest := sentences.rest():
                yield rest
            if not calls.made:
                return
            results = await asyncio.gather(*(_run(question, call.name, call.arguments) for call in calls.made))
            later += calls.messages(text, results)
        raise _FailureError(Notice(f"{self._brain.model} calls functions without end"))

    async def _stream(
        self, system: str, turns: list[HistoryTurn], later: Sequence[Json], tools: Sequence[Json]
    ) -> AsyncIterator[Any]:
        """The deltas of one completion. Where `turns` are too many for the model's window, the older half goes."""
        import openai

        while True:
            begun = False
            asked: Json = {"model": self._brain.model, "messages": [*messages(system, turns), *later]}
            if tools:
                asked["tools"] = tools
            try:
                async with await self._client().chat.completions.create(stream=True, **asked) as stream:
                    begun = True
                    async for chunk in stream:
                        if chunk.choices:
                            yield chunk.choices[0].delta
                return
            except openai.BadRequestError as error:
                if "context" not in str(error) or len(turns) < 2:
                    raise self._failure(error, begun=begun) from None
                del turns[: (len(turns) + 1) // 2]
            except Exception as error:  # noqa: BLE001 - a stream that breaks raises what the HTTP library raises
                raise self._failure(error, begun=begun) from None

    def _client(self) -> AsyncOpenAI:
        if self._made is None:
            import openai

            # No proxy for a server on this machine or in its network.
            direct = openai.DefaultAsyncHttpxClient(trust_env=False) if _is_near(self._brain.url) else None
            self._made = openai.AsyncOpenAI(
                base_url=self._brain.url, api_key=self._brain.key, timeout=TIMEOUT_S, http_client=direct
            )
        return self._made

    def _failure(self, error: Exception, *, begun: bool) -> _FailureError:
        """What to say of `error`, after an answer had `begun` or before."""
        import openai

        model, host = self._brain.model, self._brain.host
        match error:
            case openai.APITimeoutError():
                why, hint = f"{model} at {host} took too long", "a smaller model answers sooner"
            case openai.APIConnectionError() if not begun:
                why, hint = (
                    f"the language model at {host} cannot be reached",
                    "see that it runs there",
                )
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                why, hint = f"the language model at {host} refuses the key", f"set {KEY}"
            case openai.NotFoundError():
                why = f"{host} has no model {model} at this address"
                hint = "name one of its models with --brain-model; the address often ends in /v1"
            case openai.RateLimitError():
                why, hint = f"the quota at {host} is used up", "wait, or use another --brain"
            case openai.APIStatusError():
                why, hint = f"the language model at {host} failed ({error.status_code})", "see its own log"
            case _:
                why, hint = f"the answer of {model} at {host} broke off", "see its own log"
        return _FailureError(Notice(why, hint))


class _FailureError(Exception):
    """The model gives no answer, or not all of it."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(notice.message)
        self.notice = notice


async def _run(question: AgentQuestion, name: str, arguments: str) -> Any:
    """What a function gives back, or what is wrong with the call, which the model then reads."""
    try:
        values = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or question.call is None:
        return {"error": "the arguments are no JSON object"}
    return await question.call(name, values)


def _is_near(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_private
    return host == "localhost" or host.endswith((".local", ".localhost"))
