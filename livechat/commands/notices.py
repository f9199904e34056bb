"""Notices that wait for the right moment to be told, and advice that is given once."""

import contextlib
from pathlib import Path

from livechat.errors import Notice, Notify


class Notices:
    """Takes notices at any time. They wait until `show_on` says who is told; from then on each is told at once."""

    def __init__(self) -> None:
        self._waiting: list[Notice] = []
        self._notify: Notify = self._waiting.append

    def __call__(self, notice: Notice) -> None:
        """Tell it, now or later."""
        self._notify(notice)

    def show_on(self, notify: Notify) -> None:
        """Tell what has waited, and whatever comes from now on."""
        self._notify = notify
        for notice in self._waiting:
            notify(notice)
        self._waiting.clear()

    def wait(self) -> None:
        """Let what comes wait for the next `show_on`."""
        self._notify = self._waiting.append


def first_time(advice: str, folder: Path) -> bool:
    """Whether nobody has asked this before, in any run that keeps its state in `folder`."""
    given = folder / "advice-given" / advice
    if given.exists():
        return False
    with contextlib.suppress(OSError):  # a folder that cannot be written to: then it is given again
        given.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        given.touch()
    return True
