"""`livechat serve` as a process, with an unmodified SDK as its client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import livechat

CLIENT = """\
import asyncio
from google import genai

async def main():
    config = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}}
    async with genai.Client().aio.live.connect(model="gemini-3.8-live", config=config) as session:
        await session.send_realtime_input(text="thanks")
        async for message in session.receive():
            said = message.server_content and message.server_content.output_transcription
            print(said.text if said else "", end="")

asyncio.run(main())
"""


def test_an_unmodified_client_is_served_until_the_command_is_told_to_stop(
    env: dict[str, str], tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    command = [sys.executable, "-m", "livechat", "serve", "--ca-out", str(ca), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as server:
        assert server.stderr is not None
        lines = [server.stderr.readline() for _ in range(5)]
        url = lines[2].partition("=")[2].strip()
        told = {"GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "any", "SSL_CERT_FILE": str(ca)}
        answer = subprocess.run(
            [sys.executable, "-c", CLIENT], env={**os.environ, **told}, capture_output=True, text=True, check=True
        )
        assert answer.stdout.strip() == "You are welcome."
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=20)
        assert (server.returncode, err) == (0, "")
        events = [json.loads(line) for line in out.splitlines()]
        assert [e["text"] for e in events if e["type"] in ("user", "model")] == ["thanks", "You are welcome."]
        assert events[-1]["type"] == "close"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--ca-out", "/dev/null/ca.pem"], "cannot write /dev/null/ca.pem"),
        (["--no-tls", "--ca-out", "ca.pem"], "--ca-out has nothing to write: with --no-tls there is no certificate"),
        (["--lifetime", "0s"], "--lifetime 0s leaves no time to talk"),
        (["--goaway", "soon"], "not a duration: 'soon'"),
        (["--as", "gemini-1.0"], "no such model: gemini-1.0"),
        (["--faults", "nope"], "not a fault: 'nope'"),
    ],
)
def test_a_wrong_option_is_one_line_and_a_hint(arguments: list[str], error: str, env: dict[str, str]) -> None:
    done = livechat("serve", *arguments, env=env)
    first, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert error in first
    assert hint.startswith("hint: ")
