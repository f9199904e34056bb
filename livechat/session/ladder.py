"""What a resume tries, in order: the newest handle, the one before it, a new session.

docs/design.md says when a handle is dropped. Times are seconds on the caller's clock. Numbers in parentheses are
sections of docs/wire.md.
"""

from dataclasses import replace

from livechat.events import Rung
from livechat.session.events import Resumption

HANDLE_STRIKES = 2  # short-lived links on one session before its handles count as poisoned (2.6)


class Ladder:
    """The handles of one conversation, newest first, at most two."""

    def __init__(self, ttl: float) -> None:
        """`ttl`: seconds a handle outlives its link."""
        self._ttl = ttl
        self._handles: list[Resumption] = []
        self._stepped_down = False  # the newest handle was dropped and none has come since
        self._strikes = 0
        self.dialled: Resumption | None = None  # what the link that lives was dialled with

    def __bool__(self) -> bool:
        """Whether there is a handle to dial with."""
        return bool(self._handles)

    def begin(self, handles: tuple[Resumption, ...]) -> None:
        """The handles of an earlier run, newest first."""
        self._handles = list(handles)[:2]

    def expired(self, now: float) -> bool:
        """Drop the newest handle if it is not valid any more. Returns whether it was dropped."""
        if not self._handles or (expires := self._handles[0].expires) is None or expires >= now:
            return False
        self._drop(1)
        return True

    def dial(self) -> Resumption | None:
        """The handle for the next link, or None for a new session."""
        self.dialled = self._handles[0] if self._handles else None
        return self.dialled

    def keep(self, newest: Resumption) -> None:
        """A handle came."""
        self._handles = [newest, *(h for h in self._handles if h.handle != newest.handle)][:2]
        self._stepped_down = False

    def end_of_link(self, now: float) -> bool:
        """The validity of the link's handles counts from now. Returns whether the newest is one of them."""
        if not self._handles or self._handles[0].expires is not None:
            return False
        self._handles = [h if h.expires is not None else replace(h, expires=now + self._ttl) for h in self._handles]
        return True

    def slept(self, unseen: float) -> None:
        """`unseen` seconds passed that the caller's clock did not count. Handles age in them too."""
        self._handles = [h if h.expires is None else replace(h, expires=h.expires - unseen) for h in self._handles]

    def strike(self) -> bool:
        """A link that was dialled with a handle failed early. Returns whether its session counts as dead."""
        if self.dialled is not None:
            self._strikes += 1
        return self._strikes >= HANDLE_STRIKES

    def forgive(self) -> None:
        """The link was a good one: its session is not dead."""
        self._strikes = 0

    def drop_dead_session(self) -> None:
        """Drop the handle that was dialled, and those that came after it."""
        dialled = self.dialled.handle if self.dialled else None
        names = [h.handle for h in self._handles]
        self._drop(names.index(dialled) + 1 if dialled in names else len(names))

    def _drop(self, count: int) -> None:
        del self._handles[:count]
        self._stepped_down = bool(self._handles)
        self._strikes = 0

    def rung(self, *, told: bool) -> Rung:
        """The rung of the link that lives. `told`: a new session is given the transcript."""
        if self.dialled is not None:
            return "previous" if self._stepped_down else "resumed"
        return "seeded" if told else "fresh"

    def next_step(self, *, told: bool) -> str:
        """What is tried next, in words."""
        if self._handles:
            return "trying the one before it"
        return "opening a new session that is told the transcript" if told else "opening a new session"
