"""The functions that --tool names."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.errors import UsageError
from livechat.session.live_config import check_tools
from livechat.session.tools import Tools, load

MODULE = """
def add(a: int, b: int = 0) -> int:
    "Add two numbers."
    return a + b

async def slow(city: str): ...
def many(*names): ...
def strange(what: "Nothing"): ...
number = 5
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_functions.py").write_text(MODULE)
    (tmp_path / "broken_functions.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)


def test_functions_are_found_in_the_current_folder() -> None:
    tools = load("my_functions:add, my_functions:slow", search=True)
    assert list(tools.functions) == ["add", "slow"]
    assert tools.search
    check_tools(tools)
    assert load(None) == load("") == Tools({})


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("my_functions", "names no function"),
        ("my_functions:", "names no function"),
        ("nowhere:add", "nowhere cannot be imported (ModuleNotFoundError"),
        ("broken_functions:add", "cannot be imported (ZeroDivisionError"),
        ("my_functions:missing", "has no function missing"),
        ("my_functions:number", "has no function number"),
        ("my_functions:many", "cannot give a value to *names"),
        ("my_functions:add,my_functions:add", "names add twice"),
    ],
)
def test_a_wrong_name_is_one_line_with_a_remedy(named: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        load(named)
    assert words in refused.value.message
    assert refused.value.hint


def test_a_type_that_cannot_be_declared_is_one_line_with_a_remedy() -> None:
    with pytest.raises(UsageError, match="strange cannot be declared"):
        check_tools(load("my_functions:strange"))
