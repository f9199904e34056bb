"""When a picture is sent, and when it is not. The pictures are made on a real thread, so the time is real too."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from PIL import Image

from livechat.errors import DeviceError, Notice, UsageError
from livechat.events import Look, Output, PictureSent, Preview, Seeing, Watch
from livechat.video.feed import VideoFeed

T = TypeVar("T")


class Colours:
    """A source whose colour a test changes."""

    name = "colours"

    def __init__(self) -> None:
        self.colour: str = "red"
        self.grabs = self.closed = 0
        self.broken = False
        self.waits: threading.Event | None = None

    def grab(self) -> Image.Image:
        self.grabs += 1
        if self.waits:
            self.waits.wait(5)
        if self.broken:
            raise DeviceError("unplugged")
        return Image.new("RGB", (64, 48), self.colour)

    def close(self) -> None:
        self.closed += 1


class Table:
    """A feed with a fast clock, and a link that takes pictures while it is `open`."""

    def __init__(self, **more: Any) -> None:
        self.shown: list[Output] = []
        self.sent: list[bytes] = []
        self.source = Colours()
        self.open = True
        self.feed = VideoFeed(self.shown.append, self._source, fps=50, tokens=258, holds=more.get("holds", 10_000))

    def _source(self, what: str) -> Colours:
        if what == "nothing":
            raise UsageError("there is no picture nothing", "name one")
        return self.source

    async def give(self, jpeg: bytes) -> bool:
        if self.open:
            self.sent.append(jpeg)
        return self.open

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.shown if isinstance(event, kind)]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(10):
            while True:  # what is waited for happens on a thread
                if condition():
                    return
                await asyncio.sleep(0.005)

    def run(self, steps: Coroutine[Any, Any, None]) -> None:
        async def main() -> None:
            running = asyncio.create_task(self.feed.run(self.give, lambda: self.open))
            try:
                await steps
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

        asyncio.run(main())


def test_a_picture_that_has_not_changed_is_not_sent_again() -> None:
    table = Table()

    async def steps() -> None:
        await table.feed.obey(Watch("colours"))
        await table.feed.ready()
        assert len(table.sent) == 1
        await table.until(lambda: table.source.grabs > 5)
        assert len(table.sent) == 1
        table.source.colour = "blue"
        await table.until(lambda: len(table.sent) == 2)

    table.run(steps())
    (begun,) = table.of(Seeing)
    assert (begun.source, begun.on, begun.holds_s) == ("colours", True, 1)
    assert [(it.width, it.height, it.tokens) for it in table.of(PictureSent)] == [(64, 48, 258)] * 2
    assert len(table.of(Preview)) == 2


def test_nothing_is_grabbed_or_kept_while_no_link_takes_it() -> None:
    table = Table()
    table.open = False

    async def steps() -> None:
        await table.feed.obey(Watch("colours"))
        await asyncio.sleep(0.3)
        assert table.source.grabs == 0
        table.source.colour = "blue"
        table.open = True
        await table.until(lambda: table.sent)

    table.run(steps())
    assert len(table.sent) == 1


def test_a_source_that_breaks_is_said_once_and_shown_no_more() -> None:
    table = Table()

    async def steps() -> None:
        await table.feed.obey(Watch("colours"))
        await table.feed.ready()
        table.source.broken = True
        await table.until(lambda: len(table.of(Seeing)) == 2)
        await asyncio.sleep(0.1)

    table.run(steps())
    assert [it.message for it in table.of(Notice)] == ["unplugged"]
    assert [it.on for it in table.of(Seeing)] == [True, False]
    assert table.source.closed == 1


def test_what_cannot_be_shown_is_a_notice_and_what_was_shown_has_ended() -> None:
    table = Table()

    async def steps() -> None:
        await table.feed.obey(Watch("nothing"))
        await table.feed.toggle()
        await table.feed.obey(Watch("colours"))
        await table.feed.toggle()
        await table.feed.toggle()
        await table.feed.obey(Watch("off"))

    table.run(steps())
    assert [it.message for it in table.of(Notice)] == ["there is no picture nothing"] * 2
    assert [it.on for it in table.of(Seeing)] == [True, False, True, False]


def test_one_look_is_sent_at_once_also_without_video() -> None:
    table = Table(holds=None)

    async def steps() -> None:
        await table.feed.obey(Look("a.png"))
        assert len(table.sent) == 1
        await table.feed.obey(Look("nothing"))
        table.open = False
        await table.feed.obey(Look("a.png"))

    table.run(steps())
    assert [it.message for it in table.of(Notice)] == [
        "there is no picture nothing",
        "the picture was not sent: there is no link",
    ]
    assert table.source.closed == 2


def test_a_slow_source_stops_nothing_else() -> None:
    table = Table()
    table.source.waits = threading.Event()

    async def steps() -> None:
        await table.feed.obey(Watch("colours"))
        await table.until(lambda: table.source.grabs)
        loop = asyncio.get_running_loop()
        turns = 0
        until = loop.time() + 0.2
        while loop.time() < until:
            turns += 1
            await asyncio.sleep(0.001)
        assert turns > 20
        assert not table.sent
        assert table.source.waits is not None
        table.source.waits.set()
        await table.until(lambda: table.sent)

    table.run(steps())
