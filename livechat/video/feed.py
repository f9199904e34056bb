"""Shows the model what a source sees: the newest picture, at most so many a second, to the link that takes input.

Everything that may be slow runs on a thread of its own. No picture waits: one that no link takes is forgotten, and
the next one is grabbed when its time has come. So none crosses a handover.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from livechat.errors import DeviceError, LivechatError, Notice
from livechat.events import Look, Output, PictureSent, Preview, Seeing, Watch
from livechat.video.picture import SMALL, Picture, picture
from livechat.video.sources import PictureSource
from livechat.worker import Worker

T = TypeVar("T")

AGAIN_S = 5.0  # a picture that has not changed is sent again so often, so that the model knows that nothing has
SLOW_S = 10.0  # a source that takes longer is taken for dead
_WAIT_S = 0.1  # between two looks whether there is a link
_LOOK_S = 2.0  # how long a picture that was asked for waits for a link

Open = Callable[[str], PictureSource]


class VideoFeed:
    """Of one conversation: `run` it once."""

    def __init__(
        self, show: Callable[[Output], None], open_source: Open, *, fps: float, tokens: int, holds: int | None
    ) -> None:
        """`fps`: pictures a second, at most one. `tokens`: of a picture.

        `holds`: how many tokens the context holds before it is compressed; None where it is not compressed.
        """
        self._show, self._open = show, open_source
        self._period, self._tokens, self._holds = 1 / fps, tokens, holds
        self._worker = Worker("pictures")
        self._source: PictureSource | None = None
        self._wanted = "screen"
        self._changed = asyncio.Event()  # there is something to show, or no more
        self._progress = asyncio.Event()  # a picture was sent, or none will be
        self._give: Callable[[bytes], Awaitable[bool]] | None = None
        self._last: Picture | None = None
        self._sent_at = 0.0

    async def run(self, give: Callable[[bytes], Awaitable[bool]], flowing: Callable[[], bool]) -> None:
        """Until cancelled. See session/video.py."""
        self._give = give
        loop = asyncio.get_running_loop()
        try:
            while True:
                while self._source is None:
                    self._changed.clear()
                    await self._changed.wait()
                began = loop.time()
                if not flowing():
                    await asyncio.sleep(_WAIT_S)
                    continue
                await self._show_newest(self._source)
                await asyncio.sleep(max(0.0, began + self._period - loop.time()))
        finally:
            self._worker.submit(self._release)

    async def obey(self, wish: Watch | Look) -> None:
        """What the person asks for."""
        if isinstance(wish, Look):
            await self.look(wish.what)
        elif wish.what in ("off", "stop"):
            await self.stop()
        else:
            await self.start(wish.what)

    async def toggle(self) -> None:
        """Show what was shown last, or the screen; or nothing any more."""
        await (self.start(self._wanted) if self._source is None else self.stop())

    async def start(self, what: str, *, must: bool = False) -> None:
        """Show `what` from now on. Where it cannot be shown: a notice, or with `must` a LivechatError."""
        await self.stop()
        self._wanted = what
        try:
            source = await self._on_worker(self._open, what)
        except LivechatError as error:
            if must:
                raise
            self._show(error.notice)
            return
        self._source, self._last = source, None
        a_second = self._tokens / self._period
        holds = None if self._holds is None else round(self._holds / a_second)
        self._show(Seeing(source.name, on=True, tokens_s=round(a_second, 1), holds_s=holds))
        self._changed.set()

    async def ready(self) -> None:
        """Wait until the first picture of what is being shown is sent, so that a question about it comes after it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                while self._source is not None and self._last is None:
                    self._progress.clear()
                    await self._progress.wait()

    async def stop(self, why: str = "") -> None:
        """Show nothing any more."""
        source, self._source = self._source, None
        self._progress.set()
        if source is not None:
            self._show(Seeing(source.name, on=False, why=why))
            self._worker.submit(source.close)

    async def look(self, what: str | None) -> None:
        """Send one picture now: of a file, or of what is being shown, or else of the screen."""
        try:
            if what is None and self._source is not None:
                seen = await self._on_worker(_grabbed, self._source)
            else:
                seen = await self._on_worker(self._one, what or "screen")
        except LivechatError as error:
            self._show(error.notice)
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + _LOOK_S
        while not await self._sent(seen, what or "screen"):
            if loop.time() >= until:
                self._show(Notice("the picture was not sent: there is no link", "ask for it again"))
                return
            await asyncio.sleep(_WAIT_S)

    async def _show_newest(self, source: PictureSource) -> None:
        try:
            seen = await self._on_worker(_grabbed, source)
        except LivechatError as error:
            if self._source is source:
                self._show(error.notice)
                await self.stop(error.message)
            return
        if self._source is not source:
            return  # it was switched off meanwhile
        now = asyncio.get_running_loop().time()
        same = self._last is not None and not seen.differs(self._last)
        if not same or now - self._sent_at >= AGAIN_S:
            await self._sent(seen, source.name)

    async def _sent(self, seen: Picture, name: str) -> bool:
        if self._give is None or not await self._give(seen.jpeg):
            return False
        self._progress.set()
        self._last, self._sent_at = seen, asyncio.get_running_loop().time()
        self._show(PictureSent(name, seen.width, seen.height, len(seen.jpeg), self._tokens))
        self._show(Preview(*SMALL, seen.small))
        return True

    def _one(self, what: str) -> Picture:
        source = self._open(what)
        try:
            return picture(source.grab())
        finally:
            source.close()

    def _release(self) -> None:
        if self._source is not None:
            self._source.close()

    async def _on_worker(self, call: Callable[..., T], *arguments: Any) -> T:
        try:
            async with asyncio.timeout(SLOW_S):
                return await asyncio.wrap_future(self._worker.submit(call, *arguments))
        except TimeoutError:
            raise DeviceError("what is to be shown does not answer", "choose something else") from None


def _grabbed(source: PictureSource) -> Picture:
    return picture(source.grab())
