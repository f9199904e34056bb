"""What a terminal lacks. The kitty protocol's answer comes from a real pseudo-terminal."""

from __future__ import annotations

import io
import os
import pty
import sys
import threading

import pytest

from livechat.commands.doctor import terminal
from livechat.commands.doctor.finding import Subject


@pytest.mark.parametrize(
    ("term", "size", "encoding", "status", "word"),
    [
        ("xterm-256color", (100, 30), "utf-8", "ok", "100x30, colours"),
        ("dumb", (100, 30), "utf-8", "warn", "lines instead of a screen"),
        ("xterm", (60, 30), "utf-8", "warn", "leaves things out"),
        ("xterm", (100, 30), "ascii", "warn", "some letters become ?"),
    ],
)
def test_what_it_lacks_is_said(
    term: str, size: tuple[int, int], encoding: str, status: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size(size))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
    found = terminal.terminal(Subject({"TERM": term}, terminal=True))
    assert found.status == status
    assert word in found.summary
    assert found.status == "ok" or found.remedy


@pytest.mark.parametrize(("answer", "status"), [(b"\x1b[?0u\x1b[?62c", "ok"), (b"\x1b[?62c", "warn"), (b"", "warn")])
def test_it_is_asked_whether_it_reports_keys_that_are_let_go(
    answer: bytes, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(os.dup(theirs)) as keyboard, os.fdopen(os.dup(theirs), "w") as screen:
            monkeypatch.setattr(sys, "stdin", keyboard)
            monkeypatch.setattr(sys, "stdout", screen)
            asked = threading.Thread(target=lambda: (os.read(ours, 100), os.write(ours, answer)))
            asked.start()
            assert terminal.keys(Subject({}, terminal=True)).status == status
            asked.join()
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_pipe_is_not_asked() -> None:
    subject = Subject({}, terminal=False)
    assert terminal.terminal(subject).status == terminal.keys(subject).status == "skip"
