"""`livechat models`: what is known, what the server lists, and a server that does not say."""

from __future__ import annotations

import json
from pathlib import Path

from livechat.testing import LiveServer
from tests.support.program import environment, livechat


def test_the_embedded_server_lists_its_models(tmp_path: Path) -> None:
    done = livechat("models", env=environment(tmp_path))
    head, default, thinking, *rest = done.stdout.splitlines()
    assert head.split() == ["MODEL", "THINKING", "AFFECTIVE", "HERE"]
    assert default.split() == ["gemini-3.8-live", "-", "-", "yes"]
    assert "low, medium, high" in thinking
    assert any(line.startswith("gemini-live-2.5-flash-native-audio") and line.endswith("no") for line in rest)
    assert any("holds no conversation" in line for line in rest)


def test_another_server_is_asked_and_a_key_is_never_shown(tmp_path: Path) -> None:
    with LiveServer() as server:
        env = environment(tmp_path, GEMINI_API_KEY="secret", **{
            name: value for name, value in server.environment.items() if name != "GEMINI_API_KEY"
        })  # fmt: skip
        done = livechat("models", "--json", env=env)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["name"]: row["here"] for row in rows}["gemini-3.8-live"] is True
    done = livechat(
        "models", env=environment(tmp_path, GOOGLE_GEMINI_BASE_URL="https://127.0.0.1:9/?k", GEMINI_API_KEY="k")
    )
    assert done.returncode == 3
    done = livechat(
        "models", env=environment(tmp_path, GOOGLE_GEMINI_BASE_URL="https://127.0.0.1:9", GEMINI_API_KEY="secret")
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].endswith("?")
    assert "does not list its models" in done.stderr
    assert "secret" not in done.stdout + done.stderr
