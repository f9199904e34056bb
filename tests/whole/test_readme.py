"""Every command in the README works as it stands there; the two that install are run by .ci/run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import wave
from pathlib import Path

from PIL import Image

from livechat.ui.shortcuts import SHORTCUTS
from tests import ROOT
from tests.support.conversation import CLIPS
from tests.support.program import environment
from tests.support.proxies import free_port

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
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


def test_every_other_command_works(tmp_path: Path) -> None:
    """Without a terminal, in a folder with the files the commands name; a server runs until the next is done."""
    clip = CLIPS["Go forward ten meters."]
    shutil.copy(clip, tmp_path / "speech.wav")
    with wave.open(str(clip)) as speech:
        (tmp_path / "speech.raw").write_bytes(speech.readframes(speech.getnframes()))
    Image.new("RGB", (64, 48), "red").save(tmp_path / "wall.png")
    (tmp_path / "question.txt").write_text("what do you see\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "livechat").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m livechat "$@"\n')
    (programs / "livechat").chmod(0o755)
    (tmp_path / "edited.toml").write_text(CONFIG)
    env = environment(
        tmp_path,
        PATH=f"{programs}:{os.environ['PATH']}",
        LIVECHAT_CONFIG=str(tmp_path / "config.toml"),
        VISUAL=f"cp {tmp_path}/edited.toml",
    )
    (tmp_path / "config.toml").touch()
    port = str(free_port())  # 8765 may be another program's
    commands = [line.replace("8765", port) for block in BLOCKS[2:] for line in block.splitlines()]
    # Something to resume comes first; the rest in the README's order.
    commands.sort(key=lambda line: not line.startswith("echo"))
    assert len(commands) == 17
    server: subprocess.Popen[bytes] | None = None
    try:
        for command in commands:
            if "serve" in command:
                server = subprocess.Popen(
                    ["sh", "-c", f"exec {command}"], cwd=tmp_path, env=env, stderr=subprocess.PIPE
                )
                assert server.stderr is not None
                assert f"https://127.0.0.1:{port}".encode() in server.stderr.readline()
                while not (tmp_path / "ca.pem").exists():
                    server.stderr.readline()
                continue
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=tmp_path,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=60,
            )
            assert done.returncode == 0, (command, done.stderr.decode())
            if not re.match("livechat (sessions|config|transcribe|translate) ", command):
                said = done.stdout + done.stderr
                assert b"livechat resume" in said or b" 0 turns " in said, command  # nothing to resume
    finally:
        if server is not None:
            server.terminate()
            server.communicate()
    assert (tmp_path / "answer.wav").stat().st_size > 24_000
    assert (tmp_path / "german.wav").stat().st_size > 24_000
    assert (tmp_path / "words.txt").read_text().startswith("Go forward")
    assert "-->" in (tmp_path / "call.srt").read_text()
