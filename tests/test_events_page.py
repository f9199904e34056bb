"""docs/events.md says what events.py says, and that says what each field is."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

import pytest

from tests import ROOT
from tests.support.events_page import lines, page

PAGE = ROOT / "docs/events.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.support.events_page docs/events.md`"


@pytest.mark.parametrize("line", lines())
def test_each_field_is_explained(line: type[Any]) -> None:
    explained = re.findall(r"`(\w+)`", inspect.getdoc(line) or "")
    assert {field.name for field in dataclasses.fields(line)} - {"type"} <= set(explained)
