"""Where livechat keeps what it keeps."""

from __future__ import annotations

from pathlib import Path

from livechat.paths import state_folder


def test_the_folder_is_ones_own_or_the_platforms(tmp_path: Path) -> None:
    assert state_folder({"LIVECHAT_STATE": str(tmp_path)}) == tmp_path
    assert state_folder({}).name == "livechat"
    assert state_folder({"LIVECHAT_STATE": ""}) == state_folder({})
