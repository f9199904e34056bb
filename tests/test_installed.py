"""What livechat says to install fits how it was installed itself, and is never a stranger's program."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from livechat import installed
from tests import ROOT


class Copy:
    """A copy of livechat as an installer leaves it."""

    def __init__(self, origin: object) -> None:
        self.origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.origin if isinstance(self.origin, str | None) else json.dumps(self.origin)


@pytest.fixture(autouse=True)
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.prefix", str(tmp_path / "prefix"))
    monkeypatch.setattr("sys.executable", "/opt/my venv/bin/python")
    monkeypatch.setattr(installed, "have_wheels", lambda *_, musl: True)
    (tmp_path / "prefix").mkdir()


def said(monkeypatch: pytest.MonkeyPatch, origin: object) -> str:
    monkeypatch.setattr(metadata, "distribution", lambda name: Copy(origin))
    return installed.speech_models()


def clone(folder: Path) -> Path:
    place = folder / "my clone"
    place.mkdir()
    (place / "pyproject.toml").touch()
    return place


@pytest.mark.parametrize("editable", [False, True])
def test_a_clone_is_installed_from_again(editable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = clone(tmp_path)
    origin: dict[str, Any] = {"url": place.as_uri(), "dir_info": {"editable": True} if editable else {}}
    flag = "-e " if editable else ""
    assert said(monkeypatch, origin) == f"'/opt/my venv/bin/python' -m pip install {flag}'{place}[offline]'"
    (place / "pyproject.toml").unlink()  # the clone was moved
    assert said(monkeypatch, origin) == "in a clone of livechat's repository: pip install '.[offline]'"


def test_a_wheel_and_a_repository_are_named_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "livechat-0.1.0-py3-none-any.whl"
    wheel.touch()
    assert said(monkeypatch, {"url": wheel.as_uri(), "archive_info": {}}).endswith(f" '{wheel}[offline]'")
    repository = {"url": "https://example.org/l.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}
    assert said(monkeypatch, repository).endswith(" 'livechat[offline] @ git+https://example.org/l.git@abc'")
    archive = {"url": "https://example.org/livechat.zip", "archive_info": {}}
    assert said(monkeypatch, archive).endswith(" 'livechat[offline] @ https://example.org/livechat.zip'")


def test_a_folder_of_a_repository_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    control = {"vcs": "git", "commit_id": "abc"}
    origin = {"url": "https://example.org/l.git", "vcs_info": control, "subdirectory": "voice/chat"}
    assert said(monkeypatch, origin).endswith("git+https://example.org/l.git@abc#subdirectory=voice/chat'")


def test_windows_gets_the_quotes_that_its_shell_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = clone(tmp_path)
    monkeypatch.setattr("sys.platform", "win32")
    command = said(monkeypatch, {"url": place.as_uri(), "dir_info": {}})
    assert command == f'"/opt/my venv/bin/python" -m pip install "{place}[offline]"'


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "{",
        "[]",
        "{}",
        {"url": 5},
        {"url": "https://ada:secret@example.org/l.git", "vcs_info": {}},
        {"url": ""},
        {"url": "https://["},
        {"url": "https://example.org/l.git", "vcs_info": {"vcs": "git"}},
        {"url": "https://example.org/l.git", "vcs_info": "git"},
        {"url": ROOT.as_uri(), "dir_info": 5},
    ],
)
def test_where_it_is_not_known_words_are_said_that_fit_any(origin: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, origin) == "in a clone of livechat's repository: pip install '.[offline]'"


def test_a_program_that_is_not_installed_at_all_says_words_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", none)
    assert installed.speech_models() == "in a clone of livechat's repository: pip install '.[offline]'"


@pytest.mark.parametrize(
    ("mark", "command"),
    [("pipx_metadata.json", "pipx install --force"), ("uv-receipt.toml", "uv tool install --force")],
)
def test_who_keeps_programs_apart_is_asked_by_its_own_name(
    mark: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prefix" / mark).touch()
    place = clone(tmp_path)
    assert said(monkeypatch, {"url": place.as_uri(), "dir_info": {}}) == f"{command} '{place}[offline]'"


def test_an_environment_without_pip_is_named_to_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    place = clone(tmp_path)
    command = "uv pip install --python '/opt/my venv/bin/python'"
    assert said(monkeypatch, {"url": place.as_uri(), "dir_info": {}}) == f"{command} '{place}[offline]'"


def test_nothing_in_this_repository_says_to_install_livechat_by_its_name() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    files = [ROOT / name for name in listed.splitlines()] or [*ROOT.glob("livechat/**/*.py"), ROOT / "README.md"]
    by_name = re.compile(r"(pip|pipx|tool|uvx|add) (install )?(-\S+ )*['\"]?livechat\b(?! @)")
    texts = {file: file.read_text(errors="replace") for file in files if file.suffix in (".py", ".md", ".toml")}
    assert [file.name for file, text in texts.items() if by_name.search(text)] == []
    assert sys.modules["livechat.installed"] is installed
