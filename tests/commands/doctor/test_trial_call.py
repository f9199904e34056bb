"""A conversation that does not work is found. test_run.py has one that works."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from livechat.commands.doctor import trial_call
from livechat.commands.doctor.finding import Subject

SUMMARY = '{"type": "summary", "links": 1, "turns": 0, "duration_s": 3.2}'


@pytest.mark.parametrize(
    ("code", "out", "err", "word"),
    [
        (
            1,
            "",
            "error: livechat has a bug: KeyError\nhint: report it\n",
            "ended with 1: error: livechat has a bug",
        ),
        (0, SUMMARY, "", "0 answers over 1 connections in 3 s; 2 were expected"),
    ],
)
def test_what_went_wrong_is_said(code: int, out: str, err: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess([], code, out, err)
    monkeypatch.setattr(subprocess, "run", lambda *given, **more: done)
    found = trial_call.call(Subject({}, terminal=False))
    assert found.status == "fail"
    assert word in found.summary
    assert "--log-file" in found.remedy


def test_a_conversation_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, timeout: float, **more: Any) -> None:
        raise subprocess.TimeoutExpired("livechat", timeout)

    monkeypatch.setattr(subprocess, "run", never)
    assert trial_call.call(Subject({}, terminal=False)).summary == "it did not end within 60 s"
