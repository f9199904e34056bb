"""Slash words with a text behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.errors import UsageError
from livechat.events import Instruct, Tell, Typed
from livechat.ui.slash_words import typed


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("/system Be brief.", Instruct("Be brief.")),
        ("/SYSTEM  Be brief.\nAnd kind. ", Instruct("Be brief.\nAnd kind.")),
        ("/context I am in Oslo.", Tell("I am in Oslo.")),
        ("/ask why?", "why?"),
        ("/ask @@home", "@home"),
        ("system off", None),
        ("/systematic", None),
        ("/", None),
        ("//system off", None),
    ],
)
def test_a_line_is_an_instruction_a_context_or_a_question(line: str, asked: Typed | None) -> None:
    assert typed(line) == asked


def test_a_file_may_hold_the_text(tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_bytes("Über\r\nalles".encode("utf-16"))
    assert typed(f"/context @{tmp_path}/a b.txt") == Tell("Über\nalles")


@pytest.mark.parametrize("line", ["/system", "/context  ", "/ask @nowhere", "/system @/", "/ask @\0"])
def test_what_is_missing_is_said(line: str) -> None:
    with pytest.raises(UsageError) as refused:
        typed(line)
    assert refused.value.hint
