"""A conversation whose link, voice and clock are made up: the real runner and all of the session's core.

No SDK, no TLS, no sound: it is for tests of the runner. Run in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from livechat.audio.sinks import NullSink
from livechat.errors import LivechatError, Notice
from livechat.events import Command, ModelText, Output, Typed
from livechat.models import Family
from livechat.session.barge_in import BargeIn
from livechat.session.context_replay import Exchange
from livechat.session.events import Action, Begin, Dial, Ended, Input, Replied, Said, TurnOver, Wire
from livechat.session.listening import Listening
from livechat.session.machine import Machine
from livechat.session.push_to_talk import Gate
from livechat.session.runner import Runner
from livechat.session.tools import NO_TOOLS
from livechat.session.transcript import Transcript
from tests.support.fake_ledger import FakeLedger
from tests.support.fake_link import FakeLink
from tests.support.fake_voice import FakeDetector, FakeVoice
from tests.support.virtual_time import run

T = TypeVar("T")
TTL = 7_200.0
MANY = 10_000  # seconds: longer than anything here waits


class ToldMachine(Machine):
    """A machine that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(random=lambda: 0.5, ttl=TTL, answer_s=10.0)
        self.told: list[Input] = []

    def handle(self, event: Input, now: float) -> list[Action]:
        self.told.append(event)
        return super().handle(event, now)


class Player(NullSink):
    """A sink that plays nothing and keeps what it was given until it is flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.queued_ms = 0.0

    def play(self, pcm: bytes, rate: int) -> None:
        self.queued_ms += len(pcm) / (2 * rate) * 1000

    def flush(self) -> float:
        flushed, self.queued_ms = self.queued_ms, 0.0
        return flushed

    def pending_ms(self) -> float:
        return self.queued_ms


class Call:
    """One conversation: what the person does in it, its links, and what is shown."""

    def __init__(
        self,
        *,
        voice: FakeVoice | None = None,
        typing: bool = True,
        one_at_a_time: bool = False,
        push_to_talk: bool = False,
        fast: bool = False,
        server_is_there: bool = True,
        turns: tuple[Exchange, ...] = (),
    ) -> None:
        """`voice`: the microphone, or None. `typing`: lines may be typed. `fast`: the voice is faster than speech.

        `server_is_there`: a link that is dialled opens; it may be changed. `turns`: of an earlier run.
        """
        self.loop = asyncio.get_running_loop()
        self.shown: list[Output] = []
        self.links: list[FakeLink] = []
        self.server_is_there = server_is_there
        self.machine, self.ledger, self.player = ToldMachine(), FakeLedger(), Player()
        self.day = 0.0  # by so many seconds the time of day is ahead of the loop's clock
        self.instructions: list[str] = []
        self._lines: asyncio.Queue[Typed | None] = asyncio.Queue()
        self._commands: asyncio.Queue[Command | None] = asyncio.Queue()
        listening = Listening(
            voice,
            FakeVoice(".", endless=True),
            gate=Gate(push_to_talk=push_to_talk),
            detector=FakeDetector(),
            barge_in=BargeIn(self.player),
            level=lambda _: -90.0,
            fast=fast,
        )
        self.runner = Runner(
            begin=Begin(turns=len(turns)),
            dial=self._dial,
            listening=listening,
            lines=_items(self._lines) if typing else None,
            one_at_a_time=one_at_a_time,
            commands=_items(self._commands),
            sink=self.player,
            ledger=self.ledger,
            show=self.shown.append,
            transcript=Transcript(list(turns)),
            machine=self.machine,
            family=Family("test"),
            tools=NO_TOOLS,
            instruct=self.instructions.append,
            wall=lambda: self.loop.time() + self.day,
        )

    def _dial(self, dial: Dial, hear: Callable[[Wire], None]) -> FakeLink:
        self.links.append(FakeLink(dial, hear, opens=self.server_is_there))
        return self.links[-1]

    @property
    def link(self) -> FakeLink:
        return self.links[-1]

    def types(self, *lines: Typed) -> None:
        for line in lines:
            self._lines.put_nowait(line)

    def no_more_lines(self) -> None:
        self._lines.put_nowait(None)

    def presses(self, command: Command) -> None:
        self._commands.put_nowait(command)

    def answers(self, text: str, *, link: FakeLink | None = None) -> None:
        """The server gives a whole answer."""
        link = link or self.link
        link.say(Said(link.n, text), Replied(link.n), TurnOver(link.n))

    def cut(self) -> None:
        self.link.end(Ended(self.link.n, "network"))

    def of(self, kind: type[T]) -> list[T]:
        return [output for output in self.shown if isinstance(output, kind)]

    @property
    def final_answers(self) -> list[str]:
        return [output.text for output in self.of(ModelText) if output.final]

    @property
    def warnings(self) -> list[str]:
        return [output.message for output in self.of(Notice)]

    def told(self, kind: type[T]) -> list[T]:
        return [event for event in self.machine.told if isinstance(event, kind)]


async def _items(queue: asyncio.Queue[T | None]) -> AsyncIterator[T]:
    while (item := await queue.get()) is not None:
        yield item


Story = Callable[[Call], Awaitable[None]]


async def _play(story: Story, made: Call, task: asyncio.Task[LivechatError | None]) -> None:
    """Let the story happen. A conversation that breaks meanwhile is the error, and not what the story then misses."""
    await asyncio.sleep(0.1)
    telling = asyncio.ensure_future(story(made))
    await asyncio.wait({telling, task}, return_when=asyncio.FIRST_COMPLETED)
    if task.done() and not telling.done():
        telling.cancel()
        await task
        raise AssertionError("the conversation ended before the story")
    await telling


def call(
    story: Story,
    *,
    voice: FakeVoice | None = None,
    typing: bool = True,
    one_at_a_time: bool = False,
    push_to_talk: bool = False,
    fast: bool = False,
    server_is_there: bool = True,
    turns: tuple[Exchange, ...] = (),
) -> tuple[Call, LivechatError | None]:
    """A conversation in which this happens, hung up on after it; and what it ended of."""

    async def main() -> tuple[Call, LivechatError | None]:
        made = Call(
            voice=voice, typing=typing, one_at_a_time=one_at_a_time, push_to_talk=push_to_talk,
            fast=fast, server_is_there=server_is_there, turns=turns,
        )  # fmt: skip
        task = asyncio.create_task(made.runner.run())
        await _play(story, made, task)
        made.runner.leave(hurry=True)
        async with asyncio.timeout(60):
            return made, await task

    return run(main())


def ending(
    story: Story, *, voice: FakeVoice | None = None, typing: bool = True, one_at_a_time: bool = True
) -> tuple[Call, LivechatError | None, float]:
    """The same, but nobody hangs up: it ends by itself. With how long that took after the story."""

    async def main() -> tuple[Call, LivechatError | None, float]:
        made = Call(voice=voice, typing=typing, one_at_a_time=one_at_a_time)
        task = asyncio.create_task(made.runner.run())
        await _play(story, made, task)
        since = made.loop.time()
        async with asyncio.timeout(MANY):
            error = await task
        return made, error, made.loop.time() - since

    return run(main())
