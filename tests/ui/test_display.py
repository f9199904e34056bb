"""Which display fits, and whether it may be coloured."""

from __future__ import annotations

import pytest

from livechat.ui.display import choose, colored


@pytest.mark.parametrize(
    ("json_", "plain", "stdin", "stdout", "term", "chosen"),
    [
        (False, False, True, True, "xterm-256color", "screen"),
        (False, True, True, True, "xterm-256color", "plain"),
        (False, False, False, True, "xterm", "plain"),
        (False, False, True, False, "xterm", "plain"),
        (False, False, True, True, "dumb", "plain"),
        (True, False, True, True, "xterm", "json"),
    ],
)
def test_the_display_that_fits(json_: bool, plain: bool, stdin: bool, stdout: bool, term: str, chosen: str) -> None:
    assert choose(json=json_, plain=plain, stdin_tty=stdin, stdout_tty=stdout, env={"TERM": term}) == chosen


def test_colour_is_asked_for_in_order() -> None:
    assert colored({}, tty=True)
    assert not colored({}, tty=False)
    assert colored({"FORCE_COLOR": "1"}, tty=False)
    assert not colored({"NO_COLOR": "1", "FORCE_COLOR": "1"}, tty=True)
    assert not colored({"TERM": "dumb"}, tty=True)
