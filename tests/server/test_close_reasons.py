"""The ways a link ends, and that every part of the server ends it in these words."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from livechat import server
from livechat.server.close_reasons import CLOSES, closed
from livechat.server.wire import cut_reason


def test_every_close_fits_a_close_frame_or_is_cut_as_the_real_ones_are() -> None:
    for code, reason in CLOSES.values():
        assert code in (1000, 1001, 1007, 1008, 1011, 1012)
        assert len(cut_reason(reason).encode()) <= 123
    assert len(set(CLOSES.values())) == len(CLOSES)


@pytest.mark.parametrize("name", CLOSES)
def test_a_close_without_values_is_that_of_a_fault_plan(name: str) -> None:
    assert (closed(name).code, closed(name).reason) == CLOSES[name]


def test_values_are_told() -> None:
    assert closed("modality", modalities="TEXT, AUDIO").reason.startswith(
        "The requested combination of response modalities (TEXT, AUDIO) is not supported"
    )


def test_no_other_file_writes_a_close_reason_of_its_own() -> None:
    """Rejected is only made of what the table or a fault plan says: a text written twice drifts."""
    for file in Path(server.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith(("Rejected", "Close")):
                assert not any(isinstance(part, ast.Constant | ast.JoinedStr) for part in node.args), file.name
