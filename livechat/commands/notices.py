"""Notices that wait for the right moment to be told."""

from __future__ import annotations

from livechat.errors import Notice, Tell


class Notices:
    """Takes notices at any time. They wait until `show_on` says who is told; from then on each is told at once."""

    def __init__(self) -> None:
        self._waiting: list[Notice] = []
        self._tell: Tell = self._waiting.append

    def __call__(self, notice: Notice) -> None:
        """Tell it, now or later."""
        self._tell(notice)

    def show_on(self, tell: Tell) -> None:
        """Tell what has waited, and whatever comes from now on."""
        self._tell = tell
        for notice in self._waiting:
            tell(notice)
        self._waiting.clear()

    def wait(self) -> None:
        """Let what comes wait for the next `show_on`."""
        self._tell = self._waiting.append
