"""Every command in the README and in docs/ works as it stands there; those that install are run by .ci/run."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from PIL import Image

from livechat.ui.shortcuts import SHORTCUTS
from tests import ROOT
from tests.support.conversation import CLIPS
from tests.support.program import environment
from tests.support.proxies import free_port

README = (ROOT / "README.md").read_text()
SHELL = r"^```sh\n(.*?)^```"
BLOCKS = re.findall(SHELL, README, re.DOTALL | re.MULTILINE)
PAGES = ["README.md", *(f"docs/{name}.md" for name in ("scripting", "serving", "sessions", "sound", "tools"))]
(CONFIG,) = re.findall(r"^```toml\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_ci_runs_the_test_command_of_the_readme() -> None:
    (install, test, *_) = BLOCKS
    assert install.strip() == "pip install '.[offline]' && livechat talk"
    assert "\npip install -q -e '.[dev]'\n.ci/check\n" in (ROOT / ".ci/run").read_text()
    assert "\npytest " in (ROOT / ".ci/check").read_text()
    assert test.strip() == "pip install -e '.[dev]' && pytest"


def test_its_table_of_keys_is_the_one_of_the_program() -> None:
    rows = re.findall(r"^\| ([^|`]*?) ?\| `/(\w+)` \|", README, re.MULTILINE)
    assert rows == [(shortcut.label, shortcut.wish) for shortcut in SHORTCUTS]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_works(page: str, tmp_path: Path) -> None:
    """Without a terminal, in a folder with the files the commands name; a server runs until the next is done."""
    blocks = re.findall(SHELL, (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    commands = [line for block in blocks for line in block.splitlines() if not line.startswith("pip install")]
    assert commands
    env = _prepared(tmp_path)
    port = str(free_port())  # 8765 may be another program's
    if any(re.match("livechat (resume|sessions)", command) for command in commands):
        commands.insert(0, 'echo "what time is it" | livechat talk')
    with contextlib.ExitStack() as stack:
        for command in (command.replace("8765", port) for command in commands):
            if "livechat serve" in command:
                _served(command, port, tmp_path, env, stack)
                continue
            done = subprocess.run(
                ["sh", "-c", command], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                check=False, timeout=60,
            )  # fmt: skip
            assert done.returncode == 0, (command, done.stderr.decode())
            if re.match("(echo .*)?livechat (talk|resume)", command):
                said = done.stdout + done.stderr
                assert b"livechat resume" in said or b" 0 turns " in said, command  # nothing to resume
    _left(commands, tmp_path)


def _prepared(folder: Path) -> dict[str, str]:
    """An environment in which `livechat` is this one, and a folder with what commands read."""
    clip = CLIPS["Go forward ten meters."]
    shutil.copy(clip, folder / "speech.wav")
    with wave.open(str(clip)) as speech:
        (folder / "speech.raw").write_bytes(speech.readframes(speech.getnframes()))
    Image.new("RGB", (64, 48), "red").save(folder / "wall.png")
    (folder / "question.txt").write_text("what do you see\n")
    (folder / "notes.txt").write_text("The meeting is on Friday.\n")
    weather = 'def get_weather(city: str) -> str:\n    """Tell the weather."""\n    return f"rain in {city}"\n'
    (folder / "weather.py").write_text(weather)
    programs = folder / "bin"
    programs.mkdir()
    (programs / "livechat").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m livechat "$@"\n')
    (programs / "livechat").chmod(0o755)
    (folder / "edited.toml").write_text(CONFIG)
    (folder / "config.toml").touch()
    return environment(
        folder,
        PATH=f"{programs}:{os.environ['PATH']}",
        LIVECHAT_CONFIG=str(folder / "config.toml"),
        VISUAL=f"cp {folder}/edited.toml",
    )


def _served(command: str, port: str, folder: Path, env: dict[str, str], stack: contextlib.ExitStack) -> None:
    server = subprocess.Popen(["sh", "-c", f"exec {command}"], cwd=folder, env=env, stderr=subprocess.PIPE)
    stack.callback(server.communicate)
    stack.callback(server.terminate)
    assert server.stderr is not None
    assert f"https://127.0.0.1:{port}".encode() in server.stderr.readline()
    while not (folder / "ca.pem").exists():
        server.stderr.readline()


def _left(commands: list[str], folder: Path) -> None:
    """The files that the commands write hold what they promise."""
    written = " ".join(commands)
    for name in ("answer.wav", "german.wav", "call.wav"):
        assert name not in written or (folder / name).stat().st_size > 24_000
    assert "words.txt" not in written or (folder / "words.txt").read_text().startswith("Go forward")
    assert "call.srt" not in written or "-->" in (folder / "call.srt").read_text()
