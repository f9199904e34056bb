"""When a notice is told: once somebody can be told, and not in the middle of a moving line."""

from __future__ import annotations

from pathlib import Path

from livechat.commands.notices import Notices, first_time
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


def test_advice_is_given_once_in_any_run_and_again_where_that_cannot_be_kept(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert first_time("no-sound", folder)
    assert not first_time("no-sound", folder)
    assert first_time("something else", folder)
    (tmp_path / "file").touch()
    assert first_time("no-sound", tmp_path / "file")
    assert first_time("no-sound", tmp_path / "file")
