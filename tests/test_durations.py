"""Which lengths of time are understood, and which are refused."""

from __future__ import annotations

import pytest

from livechat.durations import seconds
from livechat.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("8s", 8), ("1.5s", 1.5), ("500ms", 0.5), ("2m", 120), ("2h", 7200), ("30d", 2_592_000), ("7", 7)],
)
def test_a_number_with_a_unit_is_so_many_seconds(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "s", "-1s", "1e3", "1 s 2", "inf", "x"])
def test_anything_else_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        seconds(text)
