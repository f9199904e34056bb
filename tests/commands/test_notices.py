"""When a notice is told: once somebody can be told, and not in the middle of a moving line."""

from __future__ import annotations

from livechat.commands.notices import Notices
from livechat.errors import Notice


def test_notices_wait_for_somebody_to_be_told_and_are_told_once_in_order() -> None:
    notices, told = Notices(), list[str]()

    def show(notice: Notice) -> None:
        told.append(notice.message)

    notices(Notice("one"))
    notices(Notice("two"))
    assert told == []
    notices.show_on(show)
    notices(Notice("three"))
    notices.wait()
    notices(Notice("four"))
    assert told == ["one", "two", "three"]
    notices.show_on(show)
    assert told == ["one", "two", "three", "four"]
