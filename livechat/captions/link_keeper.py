"""Keeps one link open at a time: dials, dials again, and leaves a link before the server ends it.

What a link's end means, and how long to wait, is that of conversations (session/verdicts.py, session/failures.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from livechat.errors import ConfigError, LivechatError, LostError, Notice
from livechat.events import Handover, LinkState, Output
from livechat.models import ROTATE_AFTER_S
from livechat.session import events as ev
from livechat.session.failures import Failures
from livechat.session.verdicts import STABLE_S, Kind, judge

CLOSE_S = 1.5  # a close that takes longer is not waited for


class Linklike(Protocol):
    """What captions need of a link (session/link.py has the real one)."""

    n: int

    async def run(self) -> None: ...
    async def close(self) -> None: ...
    async def send_audio(self, frame: bytes) -> None: ...
    async def send_signal(self, signal: ev.Signal) -> None: ...


class LinkKeeper:
    """Of one stream. `heard` is told what the open link says, and `lost` that it has ended before it was left."""

    def __init__(
        self,
        dial: Callable[[ev.Dial, Callable[[ev.Wire], None]], Linklike],
        show: Callable[[Output], None],
        counted: Callable[[], tuple[int, int]],
        random: Callable[[], float],
    ) -> None:
        """`counted`: milliseconds of speech that were sent again, and that were lost, so far. `random`: 0 to 1."""
        self._dial, self._show, self._counted = dial, show, counted
        self._failures = Failures(random)
        self._clock = asyncio.get_running_loop().time
        self.heard: Callable[[ev.Wire], None] = lambda _: None
        self.lost: Callable[[], None] = lambda: None
        self.n = 0
        self.link: Linklike = _NoLink()
        self.open = False
        self.error: LivechatError | None = None
        self.longest_gap_ms = 0.0
        self._task: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._opened_at = 0.0
        self._deadline: float | None = None  # the server ends the link then
        self._left_at: float | None = None
        self._cause = ""
        self._before = (0, 0)

    @property
    def due(self) -> bool:
        """Whether the link is to be left at the next good moment."""
        return self.open and (self._deadline is not None or self._clock() - self._opened_at >= ROTATE_AFTER_S)

    @property
    def overdue(self) -> bool:
        """Whether there is no more time for a good moment."""
        return self.open and self._deadline is not None and self._clock() >= self._deadline

    def notice(self, left_s: float) -> None:
        """The server ends this link in so many seconds."""
        self._deadline = self._clock() + max(0.0, left_s)

    def proved(self) -> None:
        """The link brought words."""
        self._failures.replying()

    def begin(self) -> None:
        """Dial the first link."""
        self._next()

    def want(self) -> None:
        """There is something to send: dial, unless that is under way."""
        if self._task is None and self._retry is None and self.error is None:
            self._next()

    async def move(self) -> None:
        """Leave the link for another."""
        await self.leave("the server's time limit for one connection")
        self._next()

    async def leave(self, cause: str) -> None:
        """Close the link, and dial none until one is wanted."""
        self._cause = cause
        if self._retry:
            self._retry.cancel()
            self._retry = None
        task, self._task = self._task, None
        if task is None:
            return
        link = self.link
        self._gone()
        self._show(LinkState(link.n, "closing", why=cause))
        closing = asyncio.create_task(link.close())
        await asyncio.wait([closing, task], timeout=CLOSE_S)
        for one in (closing, task):
            one.cancel()
        await asyncio.gather(closing, task, return_exceptions=True)
        if not self._failures.forgiven(self._clock() - self._opened_at):
            self._failures.count += 1  # a server that sends every link away at once is not to be hammered
        self._show(LinkState(link.n, "closed", why=cause))

    def _next(self) -> None:
        delay = self._failures.delay_s(slow=False)
        if delay:
            self._wait(delay, self._cause)
        else:
            self._dial_now()

    def _wait(self, delay: float, why: str) -> None:
        self._show(LinkState(self.n, "waiting", why=why, retry_in_s=round(delay, 1)))
        self._retry = asyncio.get_running_loop().call_later(delay, self._dial_now)

    def _dial_now(self) -> None:
        self._retry = None
        self.n += 1
        self._failures.dialled()
        self._show(LinkState(self.n, "connecting"))
        self.link = self._dial(ev.Dial(self.n, None, transparent=False), self._posted)
        self._task = asyncio.ensure_future(self.link.run())

    def _gone(self) -> None:
        if self.open or self._left_at is None:
            self._left_at = self._clock()
        self.open, self._deadline, self.link = False, None, _NoLink()

    def _posted(self, event: ev.Wire) -> None:
        if event.link != self.n or self._task is None:
            return  # of a link that was left
        if isinstance(event, ev.Opened):
            self._opened(event)
        elif isinstance(event, ev.Ended):
            self._ended(event)
            return
        self.heard(event)

    def _opened(self, event: ev.Opened) -> None:
        now = self._clock()
        self.open, self._opened_at = True, now
        self._failures.opened(old=False)
        self._show(LinkState(self.n, "open", setup_ms=event.setup_ms))
        replayed, dropped = self._counted()
        if self._left_at is not None and self._cause:
            gap = (now - self._left_at) * 1000
            self.longest_gap_ms = max(self.longest_gap_ms, gap)
            again, gone = replayed - self._before[0], dropped - self._before[1]
            self._show(Handover(self.n, self._cause, "fresh", gap, again, gone))
        self._left_at = None
        self._before = replayed, dropped

    def _ended(self, event: ev.Ended) -> None:
        was_open, age = self.open, self._clock() - self._opened_at
        self._task = None
        self._gone()
        good = was_open and self._failures.forgiven(age)
        if was_open and not good:
            self._failures.died_young(event)
        verdict = judge(event, setting_up=not was_open, age_s=max(age, STABLE_S) if good else age)
        verdict = self._failures.doubted(verdict, event, setting_up=not was_open, resumed=False)
        self._cause = verdict.why
        self._show(LinkState(self.n, "closed", code=event.code, reason=event.reason, why=verdict.why))
        if verdict.kind is Kind.FATAL:
            self.error = ConfigError(verdict.why, verdict.hint)
        elif self._failures.hopeless:
            self.error = LostError(f"no connection: {verdict.why}", verdict.hint)
        elif verdict.idle and was_open:
            self._show(LinkState(self.n, "resting", why=verdict.why))
        else:
            self._failures.count += 1
            slow = verdict.kind is Kind.SLOW
            if verdict.hint and self._failures.count == (1 if slow else 2):
                self._show(Notice(verdict.why, verdict.hint))
            if delay := self._failures.delay_s(slow=slow):
                self._wait(delay, verdict.why)
            else:
                self._dial_now()
        self.lost()


class _NoLink:
    """Between two links: what is sent to it is kept by whoever sends it."""

    n = 0

    async def run(self) -> None: ...
    async def close(self) -> None: ...
    async def send_audio(self, frame: bytes) -> None: ...
    async def send_signal(self, signal: ev.Signal) -> None: ...
