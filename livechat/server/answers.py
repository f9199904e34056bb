"""How a link answers: it asks the agent, and sends what the agent says at the pace of the real service.

Where the words ask for a function that the client declared, it is called, and its result is the answer. A model that
blocks says nothing until it has the result. Another says that it will look, ends its turn, and speaks the result when
the response says so: at once, when it is silent, or never.
"""

import asyncio
import math
import random
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from livechat.server import web_search
from livechat.server.actions import Action
from livechat.server.agent import Agent, AgentQuestion, AnswerPiece
from livechat.server.fault_plan import Fault
from livechat.server.history import question as asked
from livechat.server.live_session import OUTPUT_BYTES_PER_SECOND, LiveSession
from livechat.server.proactive import for_somebody_else
from livechat.server.tool_calls import Call, call_for, spoken
from livechat.server.translation import stand_in
from livechat.server.wire import Json

FASTER = 4.0  # an answer is sent so many times faster than it sounds (docs/wire.md 1.6)
GAP_S = 4.0  # between the bursts of an answer on a slow line (docs/wire.md 1.6)
FIRST_WORDS = "Let me check that for you."  # the first utterance of a model that answers in several
THINK_S = 3.0  # from the end of one utterance to the next
EMPTY_TURN_S = 0.5  # from a question to a turn that is complete with nothing said
CHUNK_BYTES = 9_600  # 200 ms, the most sound in one frame
CHUNK_WORDS = 3  # the most words in one outputTranscription


class Answers:
    """The answers of one link, one at a time.

    `faults`: those in force on the link, by kind. `perform` does what the session asks for. `failed` is called when
    the agent raises an error. `empty` is told the reason of a turn with nothing said.
    """

    def __init__(
        self,
        agent: Agent,
        live: LiveSession,
        faults: Mapping[str, Fault],
        *,
        perform: Callable[[list[Action]], None],
        failed: Callable[[], None],
        empty: Callable[[str], None],
    ) -> None:
        self._agent = agent
        self._live = live
        self._faults = faults
        self._perform = perform
        self._failed = failed
        self._empty = empty
        self._loop = asyncio.get_running_loop()
        self._asked = 0
        self._results: dict[str, asyncio.Future[Any]] = {}  # of the calls that an answer waits for, by id
        self._reports: deque[tuple[str, bool]] = deque()  # results to speak, and whether each interrupts
        self.task: asyncio.Task[None] | None = None  # of the answer under way, or the last one

    def begin(self, question: AgentQuestion) -> None:
        """Answer `question`, and leave the answer before it at what was sent."""
        self.stop()
        self._asked += 1
        said = question.history[-1].text if question.history else ""
        chosen = self._live.terms.proactive and for_somebody_else(said, question.system)
        if self._strikes("silence") or chosen:
            self._live.keeps_silent(chosen=chosen)
            return
        empty = self._strikes("reason") or self._strikes("empty-turn")
        self.task = self._loop.create_task(self._say_nothing(empty) if empty else self._answer(question))

    def stop(self) -> None:
        """Send nothing more of the answer under way."""
        if self.task and self.task is not asyncio.current_task():
            self.task.cancel()

    def _strikes(self, kind: str) -> Fault | None:
        """The fault of this kind, if it strikes the question that has just been asked."""
        fault = self._faults.get(kind)
        return fault if fault and fault.value in (0, self._asked) else None

    async def _say_nothing(self, fault: Fault) -> None:
        await asyncio.sleep(EMPTY_TURN_S)
        self._empty(fault.reason)
        self._perform(self._live.says_nothing(self._loop.time(), fault.reason))

    async def _answer(self, question: AgentQuestion) -> None:
        live = self._live
        written = live.terms.in_text or self._strikes("text-answer") is not None
        # Not what was said before it: a call that was cut into would be made again.
        text = next((turn.text for turn in reversed(question.history) if any(map(str.isalnum, turn.text))), "")
        call, search = None, False
        if self._agent.calls_functions:
            declared = [function.declaration for function in live.terms.functions]
            question = replace(question, functions=declared, call=self._call)
        else:
            call = call_for(text, live.terms.functions, self._new_id)
            search = call is None and live.terms.searches and web_search.wanted(text)
        try:
            if live.terms.traits.utterances:
                await self._utter(self._agent.say(FIRST_WORDS), written)
                self._perform(live.said_all(self._loop.time(), more=True))
                slow = self._faults.get("think")
                await asyncio.sleep(live.unplayed(self._loop.time()) + (slow.value if slow else THINK_S))
            elif call and not call.function.blocking:
                self._perform(live.called(call))
                await self._utter(self._agent.say(FIRST_WORDS), written)
                self._perform(live.said_all(self._loop.time()))
                return
            if to := live.terms.translate_to:
                words = " ".join(turn.text for turn in asked(question.history))
                answer = self._agent.say(stand_in(words, to))
            elif call:
                answer = self._agent.say(spoken(call, await self._result_of(call)))
            else:
                answer = self._agent.say(web_search.ANSWER) if search else self._agent.reply(question)
            await self._utter(answer, written)
            if search:
                self._perform(live.grounded(web_search.grounding(text)))
            self._perform(live.said_all(self._loop.time()))
        except Exception:  # noqa: BLE001 - an agent is anybody's code
            self._failed()

    # ----------------------------------------------------------------------------------------- functions

    async def _call(self, name: str, arguments: Json) -> Any:
        """Have the client run the function `name`, as the agent asks."""
        function = next((function for function in self._live.terms.functions if function.name == name), None)
        if function is None:
            return {"error": f"there is no function {name}"}
        return await self._result_of(Call(self._new_id(), function, arguments))

    async def _result_of(self, call: Call) -> Any:
        """Call the function, and wait for what it gives back."""
        self._results[call.id] = self._loop.create_future()
        self._perform(self._live.called(call))
        try:
            result = await self._results[call.id]
        finally:
            del self._results[call.id]
        self._perform(self._live.result_taken(self._loop.time()))
        return result

    def _new_id(self) -> str:
        """The id of a call, in the form of its family."""
        if self._live.terms.vertex:
            return str(uuid.uuid4())
        number = random.randrange(10**18, 10**19)
        return f"function-call-{number}" if self._live.terms.traits.old_handles else f"fc_{number}"

    def results(self, responses: Sequence[Json]) -> None:
        """The client's responses to calls. One that nobody waits for is ignored."""
        for response in responses:
            name, result = str(response.get("id", "")), response.get("response")
            call = self._live.result(name, more=response.get("willContinue") is True)
            if call is None:
                continue
            if name in self._results:
                self._results[name].set_result(result)
            elif response.get("scheduling") == "SILENT":
                self._perform(self._live.informed(spoken(call, result)))
            else:
                self._reports.append((spoken(call, result), response.get("scheduling") == "INTERRUPT"))
        self.report()

    def report(self) -> None:
        """Speak the next result that came, if the moment is right for it."""
        if self._reports:
            text, interrupting = self._reports[0]
            actions = self._live.speaks_up(self._loop.time(), interrupting=interrupting)
            if actions is not None:
                self._reports.popleft()
                self._perform(actions)
                self.task = self._loop.create_task(self._tell(text))

    async def _tell(self, text: str) -> None:
        try:
            await self._utter(self._agent.say(text), self._live.terms.in_text)
            self._perform(self._live.said_all(self._loop.time()))
        except Exception:  # noqa: BLE001 - an agent is anybody's code
            self._failed()

    async def _utter(self, utterance: AsyncIterator[AnswerPiece], written: bool) -> None:
        """Send an utterance as fast as this link may. `written`: as text, without its sound."""
        slow = self._faults.get("trickle")
        faster = math.inf if "burst" in self._faults else slow.value if slow else FASTER
        gap = GAP_S if slow else 0.0
        ahead = 0.0  # seconds by which more was sent than the pace allows
        async for piece in utterance:
            together = piece.text.count(" ") + 1 if self._live.terms.vertex else CHUNK_WORDS
            for text, pcm in chunks(AnswerPiece(piece.text, b"") if written else piece, together):
                self._perform(self._live.said(text, pcm, self._loop.time(), written=written))
                ahead += len(pcm) / OUTPUT_BYTES_PER_SECOND / faster
                if ahead >= gap:
                    await asyncio.sleep(ahead)
                    ahead = 0.0
        await asyncio.sleep(ahead)


def chunks(piece: AnswerPiece, together: int) -> Iterator[tuple[str, bytes]]:
    """`piece` in portions for one frame each: `together` words with the first of their sound, then the rest of it."""
    words = piece.text.split()
    groups = max(1, -(-len(words) // together))
    samples = len(piece.pcm) // 2
    for i in range(groups):
        text = "".join(word + " " for word in words[i * together : (i + 1) * together])
        pcm = piece.pcm[samples * i // groups * 2 : samples * (i + 1) // groups * 2]
        yield text, pcm[:CHUNK_BYTES]
        for at in range(CHUNK_BYTES, len(pcm), CHUNK_BYTES):
            yield "", pcm[at : at + CHUNK_BYTES]
