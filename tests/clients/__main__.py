"""Runs each client in an environment of its own, which is made in FOLDER: python -m tests.clients FOLDER."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.testing import LiveServer

HERE = Path(__file__).parent
PYTHON = ("genai-processors==2.0.*", "pipecat-ai[google]==1.14.*", "pydantic-ai-slim[google-realtime]==2.68.*")

MINUTE = 60.0  # a link that is shorter ends while a program runs


@dataclass(frozen=True, slots=True)
class Run:
    """One program with one family of models. `lifetime`: of a link, in seconds."""

    program: str
    model: str
    lifetime: float = 590.0


RUNS = (
    Run("use_genai_processors.py", "gemini-2.5-flash-native-audio-latest"),
    Run("use_pipecat.py", "gemini-2.5-flash-native-audio-latest", lifetime=10.0),
    Run("use_pipecat.py", "gemini-3.1-flash-live-preview"),
    Run("use_pydantic_ai.py", "gemini-3.8-live", lifetime=12.0),
    Run("use_pydantic_ai.py", "gemini-2.5-flash-native-audio-latest"),
)


async def run(*command: str | Path, folder: Path, **variables: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env={**os.environ, **variables})
    if code := await process.wait():
        raise SystemExit(f"{command[0]} ended with {code}")


async def javascript(folder: Path) -> None:
    """What the SDK for JavaScript does, over plain WebSockets."""
    shutil.copytree(HERE / "javascript", folder, dirs_exist_ok=True)
    await run("npm", "install", "--silent", "--no-audit", "--no-fund", folder=folder)
    short = Server(Parrot(), tls=False, lifetime=12.0, notice=5.0)
    async with short, Server(Parrot(), tls=False, as_model="gemini-live-2.5-flash-preview") as half:
        await run("node", "live.mjs", folder=folder, LIVE_URL=short.url, LIVE_URL_HALF_CASCADE=half.url)


async def python(folder: Path) -> None:
    """What frameworks in Python do, over TLS."""
    await run(sys.executable, "-m", "venv", folder, folder=HERE)
    await run(folder / "bin" / "pip", "install", "-q", *PYTHON, folder=HERE)
    for it in RUNS:
        async with LiveServer(lifetime=it.lifetime, notice=min(50.0, it.lifetime / 2)) as server:
            variables = {**server.environment, "LIVE_MODEL": it.model, "LINK_S": str(it.lifetime)}
            await run(folder / "bin" / "python", it.program, folder=HERE, **variables)
            if it.lifetime < MINUTE and not any(link.resumed for link in server.links):
                raise SystemExit(f"{it.program} has not resumed its session")


async def main(folder: Path) -> None:
    for kind in (javascript, python):
        (folder / kind.__name__).mkdir(parents=True, exist_ok=True)
        await kind(folder / kind.__name__)


if len(sys.argv) != 2:
    raise SystemExit("usage: python -m tests.clients FOLDER")
asyncio.run(main(Path(sys.argv[1]).resolve()))
