"""docs/design.md draws the machine as it is."""

from __future__ import annotations

from tests import ROOT
from tests.support.design_page import page

PAGE = ROOT / "docs" / "design.md"


def test_the_diagram_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run `python -m tests.support.design_page docs/design.md`"
