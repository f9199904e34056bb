"""What goes to the link, in order: on a new link first its context and the questions before, then whatever comes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from livechat.session.context_replay import ContextTurn, seed
from livechat.session.events import Called, Flow, Signal
from livechat.session.outbox import Outbox
from livechat.session.transcript import Transcript

ON_THE_WAY_S = 1.0  # a handle that comes sooner after a context was perhaps issued before it


class Linklike(Protocol):
    """What a conversation needs of a link (session/link.py has the real one)."""

    n: int

    async def run(self) -> None: ...
    async def close(self) -> None: ...
    async def send_audio(self, frame: bytes) -> None: ...
    async def send_text(self, text: str) -> None: ...
    async def send_picture(self, jpeg: bytes) -> None: ...
    async def send_signal(self, signal: Signal) -> None: ...
    async def send_context(self, turns: list[ContextTurn]) -> None: ...
    async def send_instruction(self, text: str) -> None: ...
    async def send_result(self, called: Called, result: dict[str, Any]) -> None: ...


class Sender:
    """One conversation's, whatever its links."""

    def __init__(
        self,
        outbox: Outbox,
        transcript: Transcript,
        *,
        caught_up: Callable[[], Awaitable[None]],
        begin: Callable[[], None],
        begun: Callable[[Flow, int, int], None],
    ) -> None:
        """`caught_up`: waits until what a link said while this process was stopped is taken in.

        `begin`: a link is about to be given what waits. `begun`: it takes input. With it, milliseconds of speech that
        are sent again, and milliseconds that the outbox had to drop since input stopped flowing.
        """
        self._outbox, self._transcript = outbox, transcript
        self._caught_up, self._begin, self._begun = caught_up, begin, begun
        self._link: Linklike | None = None
        self._flow: Flow | None = None  # the link is open and has not been given its context yet
        self._dropped_before = 0  # before the handover going on
        self._wake = asyncio.Event()
        self._known: int | None = None  # all turns that the session knows before its context; None: it has that
        self._instruction: str | None = None  # that was given in this run
        self._told = (0.0, 0)  # when the link was last told something, and how many turns it knew before
        self.flowing = False  # a link takes input

    @property
    def open(self) -> bool:
        """A link takes input, or is about to."""
        return self.flowing or self._flow is not None

    def start(self, link: Linklike | None, flow: Flow) -> None:
        """A link is open: give it its context, what waits, and what comes."""
        self._link, self._flow, self._known = link, flow, flow.covers
        self.wake()

    def covered(self, answered: int) -> int:
        """How many of the answered turns a handle holds that comes now.

        One from before the context was given holds none of it: to resume by it would lose what the session was told.
        """
        told_at, knew = self._told
        if self._known is None and asyncio.get_running_loop().time() - told_at < ON_THE_WAY_S:
            return min(answered, knew)
        return answered if self._known is None else min(answered, self._known)

    async def tell(self, known: int) -> None:
        """The transcript has turns from number `known` on that no link was told: tell them to the one that lives."""
        if self.flowing and self._link is not None:
            self._told = asyncio.get_running_loop().time(), known
            self._outbox.count_message()
            await self._link.send_context(seed(self._transcript.turns[known:]))

    async def instruct(self, text: str) -> None:
        """The system instruction is `text` from now on."""
        self._instruction = text
        if self.flowing and self._link is not None:
            self._outbox.count_message()
            await self._link.send_instruction(text)

    async def show(self, jpeg: bytes) -> bool:
        """Show the model a picture, on the link that takes input. False where none does: the picture is not kept."""
        if not self.flowing or self._link is None:
            return False
        self._outbox.count_message()
        await self._link.send_picture(jpeg)
        return True

    def hold(self) -> None:
        """Nothing is sent any more until the next `start`."""
        if self.flowing:
            self._dropped_before = self._outbox.dropped_ms
        self.flowing = False
        self._flow = None
        self._outbox.hold()

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._flow is not None and self._link is not None:
                await self._give_context(self._flow, self._link)
            await self._caught_up()
            while self.flowing and self._link is not None and (item := self._outbox.next()) is not None:
                if item.audio:
                    await self._link.send_audio(item.audio)
                elif item.signal:
                    await self._link.send_signal(item.signal)
                else:
                    await self._link.send_text(item.text)

    async def _give_context(self, flow: Flow, link: Linklike) -> None:
        turns, told, given = self._transcript.turns, flow.covers, 0
        if self._instruction is not None and flow.how in ("resumed", "previous"):
            given += 1  # a session may keep the instruction that it was begun with
            await link.send_instruction(self._instruction)
        while flow.replay != "none" and self._flow is flow and (contents := seed(turns[told:])):
            told, given = len(turns), given + 1  # while it is sent, the person may tell more
            await link.send_context(contents)
        if self._flow is not flow:
            return  # that link is gone already
        self._flow = self._known = None
        self._begin()
        replayed = self._outbox.rewind(flow.replay, given=given)
        if flow.replay == "missing" and not replayed:
            self._transcript.held()
        self.flowing = True
        self._begun(flow, replayed, self._outbox.dropped_ms - self._dropped_before)
