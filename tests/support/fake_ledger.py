"""A ledger that remembers what it was told, and writes nothing."""

from __future__ import annotations

from livechat.session.events import Resumption


class FakeLedger:
    """`turns`: question and answer by number; `kept`: the handles, oldest first."""

    def __init__(self) -> None:
        self.turns: dict[int, tuple[str, str]] = {}
        self.kept: list[Resumption] = []
        self.expired = 0  # how often a link of the newest handle ended

    def turn(self, number: int, user: str, model: str) -> None:
        self.turns[number] = (user, model)

    def keep(self, resumption: Resumption) -> None:
        self.kept.append(resumption)

    def expire(self) -> None:
        self.expired += 1
