"""docs/livechat.1 says what the commands say, in roff that a reader of man pages takes without a complaint."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests import ROOT
from tests.support.man_page import page

PAGE = ROOT / "docs" / "livechat.1"


def test_the_page_is_the_one_made_from_the_commands() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.support.man_page docs/livechat.1"


def test_every_command_and_flag_is_in_it() -> None:
    text = PAGE.read_text(encoding="utf-8").replace("\\-", "-")
    for part in (
        "livechat talk",
        "livechat sessions find WORD... [OPTIONS]",
        "--trigger-tokens",
        "[default: cancel]",
        "LIVECHAT_STATE",
    ):
        assert part in text


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_roff_has_no_complaint() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", str(PAGE)], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stderr == ""
