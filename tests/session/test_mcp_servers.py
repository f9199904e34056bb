"""Functions of MCP servers: those of a package that others made, and those of a server over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from livechat.errors import UsageError
from livechat.session.live_config import check_tools
from livechat.session.mcp_servers import with_mcp
from livechat.session.tools import NO_TOOLS, Tools
from tests.support.program import environment, livechat

CLOCK = f"{sys.executable} -m mcp_server_time"
OWN = """
from mcp.server import MCPServer
from mcp.types import ToolAnnotations

server = MCPServer("own")


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def define_word(word: str) -> str:
    "Look up a word."
    return f"{word} means {word}"


@server.tool()
def erase(word: str) -> str:
    "Erase a word."
    raise ValueError(f"no such word: {word}")


server.run()
"""


def connected(
    servers: str, job: Callable[[Tools], Awaitable[Any]], *, allowed: str | None = None, tools: Tools = NO_TOOLS
) -> None:
    async def main() -> None:
        failure: Exception | None = None
        async with contextlib.AsyncExitStack() as stack:
            try:
                await job(await with_mcp(tools, servers, allowed, "install it", stack))
            except Exception as error:  # noqa: BLE001 - through the stack it would be a group of exceptions
                failure = error
        if failure:
            raise failure

    asyncio.run(main())


@pytest.fixture
def own(tmp_path: Path) -> str:
    (tmp_path / "own.py").write_text(OWN)
    return f"{sys.executable} {tmp_path}/own.py"


def test_a_server_of_somebody_else_is_declared_and_called() -> None:
    async def job(tools: Tools) -> None:
        check_tools(tools)
        assert set(tools.functions) == {"get_current_time", "convert_time"}
        assert "timezone" in tools.declared["get_current_time"][1]["properties"]
        assert "Europe/Oslo" in await tools.functions["get_current_time"](timezone="Europe/Oslo")
        with pytest.raises(RuntimeError, match="timezone"):
            await tools.functions["get_current_time"](timezone="Nowhere")

    connected(CLOCK, job)


def test_several_servers_and_only_what_is_allowed(own: str) -> None:
    async def job(tools: Tools) -> None:
        assert set(tools.functions) == {"get_current_time", "define_word", "erase"}
        assert await tools.functions["define_word"](word="tea") == "tea means tea"
        assert "define_word" not in tools.risky
        assert "erase" in tools.risky
        with pytest.raises(RuntimeError, match="erase"):
            await tools.functions["erase"](word="tea")

    connected(f"{CLOCK}; {own}", job, allowed="get_current_time, define_word,erase")


@pytest.mark.parametrize(
    ("servers", "allowed", "why"),
    [
        ("nosuchprogram", None, "nosuchprogram"),
        (f"{sys.executable} -c 1", None, "cannot be used"),
        ("https://user:secret@127.0.0.1:9/mcp?key=secret", None, "cannot be used"),
        ('"', None, "cannot be used"),
        (CLOCK, "get_news", "no MCP server has a function get_news"),
        (f"{CLOCK};{CLOCK}", None, "two functions"),
    ],
)
def test_what_cannot_be_used_is_one_line(servers: str, allowed: str | None, why: str) -> None:
    async def job(tools: Tools) -> None:
        raise AssertionError(tools)

    with pytest.raises(UsageError, match=why) as refused:
        connected(servers, job, allowed=allowed)
    assert refused.value.hint
    assert "secret" not in refused.value.message


def test_without_the_package_it_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as refused:
        connected(CLOCK, check)
    assert refused.value.hint == "install it"


async def check(tools: Tools) -> None:
    check_tools(tools)


def test_no_server_changes_nothing() -> None:
    async def job(tools: Tools) -> None:
        assert tools is NO_TOOLS

    connected(" ; ", job)


def test_the_program_asks_before_it_calls(own: str, tmp_path: Path) -> None:
    env = environment(tmp_path)
    asked = "define the word tea\nerase the word tea\nyes\n"
    done = livechat("talk", "--offline", "--lines", "--mcp", own, stdin=asked, env=env)
    assert "tea means tea" in done.stdout
    assert "The function erase failed" in done.stdout
    assert done.stderr.count("Answer yes or no") == 1
    done = livechat("talk", "--offline", "--mcp", own, stdin="erase the word tea\n", env=env)
    assert "nobody can be asked" in done.stdout
