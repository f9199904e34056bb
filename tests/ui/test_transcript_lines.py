"""The words of the transcript: the last lines, and which events add none."""

from __future__ import annotations

from dataclasses import replace

from livechat import events as ev
from livechat.ui.transcript_lines import closing, lines
from tests.ui.test_plain import SUMMARY


def test_the_closing_is_three_lines_at_most() -> None:
    calm = ev.Summary(60, 1, 1, 0, 0, 0, 0, 0, "k3f9", "", 0)
    assert closing(calm) == ["1:00 · 1 turn · 1 link", "nothing lost"]
    assert len(closing(SUMMARY)) == 3


def test_the_closing_calls_nothing_safe_that_is_not_on_disk() -> None:
    unkept = ev.Summary(60, 1, 1, 0, 0, 0, 0, 0, "k3f9", "", 0, kept=False)
    assert closing(unkept)[1] == "not all of it kept"
    assert (
        closing(replace(SUMMARY, kept=False))[1]
        == "longest gap 5.3 s, 0.1 s lost, 1.2 s sent again, not all of it kept"
    )


def test_what_is_partial_empty_or_measured_adds_no_line() -> None:
    assert lines(ev.UserText("what t", False, "speech")) == []
    assert lines(ev.ModelText("  ", True)) == []
    assert lines(ev.Levels(-20, -20)) == []
    assert [line.cut for line in lines(ev.ModelText("", True, cut=True))] == [True]
