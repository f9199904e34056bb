"""Functions of MCP servers (Model Context Protocol), which the model may call like those of --tool.

A server is a command, which runs as long as the conversation and is spoken to over its standard input and output, or
a URL. What it gives back is text for the model: it is neither run nor rendered.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shlex
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livechat.errors import LivechatError, UsageError
from livechat.session.tools import Tools

if TYPE_CHECKING:
    from mcp import Client, Tool

START_S = 30.0  # for a server to start and to say what it can do; some install themselves first
_HINT = 'write it as "COMMAND ARGUMENTS" or https://HOST/PATH; several are parted by semicolons'


async def with_mcp(tools: Tools, named: str | None, allowed: str | None, remedy: str, stack: AsyncExitStack) -> Tools:
    """`tools`, and the functions of the servers that --mcp names. They end with `stack`, in the task that runs now.

    `allowed`: the names of the functions that may be called, parted by commas; None for all. `remedy`: what installs
    the package that this needs. Raises UsageError.
    """
    servers = [part.strip() for part in (named or "").split(";") if part.strip()]
    if not servers:
        return tools
    if importlib.util.find_spec("mcp") is None:
        raise UsageError("--mcp needs the package mcp, which is not installed", remedy)
    wanted = {name.strip() for name in allowed.split(",")} if allowed else None
    functions, declared, risky = dict(tools.functions), dict(tools.declared), set(tools.risky)
    offered: set[str] = set()
    for server in servers:
        client = await _connect(server, stack)
        for tool in await _listed(client):
            offered.add(tool.name)
            if wanted is not None and tool.name not in wanted:
                continue
            if tool.name in functions:
                raise UsageError(f"two functions are called {tool.name}", "choose others with --mcp-functions")
            functions[tool.name] = _function(client, tool.name)
            declared[tool.name] = (tool.description or "", tool.input_schema)
            if not (tool.annotations and tool.annotations.read_only_hint):
                risky.add(tool.name)
    if wanted is not None and (unknown := wanted - offered):
        raise UsageError(f"no MCP server has a function {min(unknown)}", f"there are {', '.join(sorted(offered))}")
    return Tools(functions, tools.search, declared, frozenset(risky))


async def _listed(client: Client) -> list[Tool]:
    found = await client.list_tools()
    tools = list(found.tools)
    while found.next_cursor:
        found = await client.list_tools(cursor=found.next_cursor)
        tools += found.tools
    return tools


async def _connect(server: str, stack: AsyncExitStack) -> Client:
    from mcp import Client, StdioServerParameters, stdio_client

    try:
        transport: Any = server
        if "://" not in server:
            command, *arguments = shlex.split(server)
            # What it prints beside the protocol would tear the screen.
            log = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115, ASYNC230
            transport = stdio_client(StdioServerParameters(command=command, args=arguments), errlog=log)
        async with asyncio.timeout(START_S):
            return await stack.enter_async_context(Client(transport))
    except LivechatError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a command, a network or a library raises
        why = f"no answer within {START_S:.0f} s" if isinstance(error, TimeoutError) else _first(error)
        shown = server.partition("?")[0].split("@")[-1]  # a URL may hold a key
        raise UsageError(f"the MCP server {shown} cannot be used ({why})", _HINT) from None


def _function(client: Client, name: str) -> Callable[..., Awaitable[str]]:
    async def call(**arguments: Any) -> str:
        result = await client.call_tool(name, arguments)
        text = "\n".join(block.text for block in result.content if block.type == "text")
        if result.is_error:
            raise RuntimeError(text or "it failed")
        return text

    return call


def _first(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (str(error) or type(error).__name__).splitlines()[0]
