"""A machine that is told what happens, one input after the other, and what it asks for.

The stories of tests/session/test_machine*.py are told with it.
"""

from __future__ import annotations

from typing import TypeVar

from livechat.session.events import (
    Action,
    Begin,
    Dial,
    Ended,
    Finish,
    Flow,
    HandleIn,
    Input,
    Opened,
    Person,
    Replied,
    Replying,
    Resumption,
    Tick,
    TurnOver,
)
from livechat.session.machine import Machine, State

TTL = 7200.0


KEY_WRONG = "API key not valid. Please pass a valid API key."


QUOTA = "You exceeded your current quota, please check your plan and billing details."


INTERNAL = "Internal error encountered."


NOT_FOUND = "BidiGenerateContent session not found"


INVALID = "Request contains an invalid argument."


A = TypeVar("A")


def kinds(actions: list[Action], kind: type[A]) -> list[A]:
    """The actions of one kind, in order."""
    return [a for a in actions if isinstance(a, kind)]


class Line:
    """A machine, its clock, and everything it ever asked for."""

    def __init__(self, *, ttl: float = TTL, silent: bool = False) -> None:
        self.now = 1_000.0
        self.machine = Machine(random=lambda: 0.5, ttl=ttl, silent=silent)
        self.actions: list[Action] = []

    @property
    def state(self) -> State:
        return self.machine.state

    def at(self, state: State) -> bool:
        return self.machine.state is state

    @property
    def link(self) -> int:
        return self.dials[-1].n

    @property
    def dials(self) -> list[Dial]:
        return kinds(self.actions, Dial)

    @property
    def dialled(self) -> str | None:
        resumption = self.dials[-1].resumption
        return resumption.handle if resumption else None

    @property
    def flow(self) -> Flow:
        return kinds(self.actions, Flow)[-1]

    @property
    def finish(self) -> Finish:
        return kinds(self.actions, Finish)[-1]

    def feed(self, event: Input, after: float = 0.0) -> list[Action]:
        self.now += after
        actions = self.machine.handle(event, self.now)
        self.actions += actions
        return actions

    def begin(self, *handles: Resumption, turns: int = 0) -> list[Action]:
        return self.feed(Begin(handles, turns))

    def open(self, after: float = 0.2) -> list[Action]:
        return self.feed(Opened(self.link, after * 1000), after)

    def handle(self, handle: str, after: float = 0.0, covers: int = 0) -> list[Action]:
        return self.feed(HandleIn(self.link, handle, covers), after)

    def close(self, reason: str = INTERNAL, code: int = 1011, after: float = 1.0) -> list[Action]:
        return self.feed(Ended(self.link, "close", code, reason), after)

    def cut(self, after: float = 1.0) -> list[Action]:
        return self.feed(Ended(self.link, "network"), after)

    def answer(self, after: float = 1.0) -> list[Action]:
        """A whole answer, its playback counted."""
        begun = self.feed(Replying(self.link), after)
        return begun + self.feed(Replied(self.link)) + self.feed(TurnOver(self.link))

    def until(self, state: State) -> None:
        """Let the time pass until the machine is in that state by itself."""
        for _ in range(10):
            if not self.at(state):
                self.tick()
        assert self.at(state)

    def tick(self) -> list[Action]:
        """Let the time pass until the machine's deadline."""
        deadline = self.machine.deadline()
        assert deadline is not None
        self.now = max(self.now, deadline)
        return self.feed(Tick())


def live(*handles: Resumption, turns: int = 0, ttl: float = TTL) -> Line:
    """A line whose first link has just opened."""
    line = Line(ttl=ttl)
    line.begin(*handles, turns=turns)
    line.open()
    return line


def spoken(line: Line, seconds: float = 2.0) -> None:
    line.feed(Person(speaking=True))
    line.feed(Person(speaking=False), seconds)
