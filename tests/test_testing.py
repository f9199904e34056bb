"""The server for other people's tests: by itself, and as pytest's fixtures in a run of its own."""

from __future__ import annotations

import asyncio
import re
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google import genai

from livechat.errors import UsageError
from livechat.testing import LiveServer
from tests import ROOT

PAGE = (ROOT / "docs/testing.md").read_text()
TESTS, PROGRAM = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


async def resumed(server: LiveServer) -> bool:
    """Whether a client can take its session up on a second connection."""
    client = genai.Client(api_key="any", http_options=server.http_options())
    config: Any = {"session_resumption": {}}
    async with client.aio.live.connect(model="gemini-3.8-live", config=config) as session:
        async for message in session.receive():
            if message.session_resumption_update and message.session_resumption_update.new_handle:
                config = {"session_resumption": {"handle": message.session_resumption_update.new_handle}}
                break
    async with client.aio.live.connect(model="gemini-3.8-live", config=config):
        return server.links[-1].resumed


def test_it_serves_an_asynchronous_test() -> None:
    async def main() -> None:
        async with LiveServer() as server:
            assert await resumed(server)
            assert [event["type"] for event in server.events if event["type"] == "setup"] == ["setup"] * 2

    asyncio.run(main())


def test_it_serves_a_synchronous_test_and_leaves_nothing_behind() -> None:
    with LiveServer(lifetime=5.0, notice=1.0) as server:
        assert asyncio.run(resumed(server))
        assert server.environment["GOOGLE_GEMINI_BASE_URL"] == server.url
        file = server.ca_file
        ssl.create_default_context(cafile=str(file))
    assert not file.exists()
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(resumed(server))


def test_what_it_records_it_replays(tmp_path: Path) -> None:
    file = str(tmp_path / "wire.jsonl")
    with LiveServer(record=file) as server:
        assert asyncio.run(resumed(server))
    with LiveServer(replay=file) as server:
        asyncio.run(resumed(server))
        assert len(server.links) == 2
    assert '"from": "server"' in Path(file).read_text()


@pytest.mark.parametrize(
    "options", [{"faults": "nonsense"}, {"as_model": "nobody"}, {"record": "/no/such/file"}, {"replay": "/no/such"}]
)
def test_a_wrong_option_is_raised_where_it_was_given(options: dict[str, str]) -> None:
    with pytest.raises(UsageError), LiveServer(**options):  # type: ignore[arg-type]
        pass


def test_outside_its_with_it_says_what_is_wrong() -> None:
    with pytest.raises(RuntimeError, match="with LiveServer"):
        _ = LiveServer().url


def test_what_the_page_shows_works(tmp_path: Path) -> None:
    """In a run of its own, as somebody else's: the plugin is found, and no warning comes of it."""
    (tmp_path / "test_mine.py").write_text(TESTS)
    (tmp_path / "program.py").write_text(PROGRAM)
    plugin = [] if _installed() else ["-p", "livechat.pytest_plugin"]
    ours = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "--strict-markers",
        "-p",
        "no:cacheprovider",
        *plugin,
    ]
    done = subprocess.run([*ours, "test_mine.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, check=True, capture_output=True)


def _installed() -> bool:
    from importlib.metadata import entry_points

    return any(point.value == "livechat.pytest_plugin" for point in entry_points(group="pytest11"))
