"""The programs that are compared, and how each is installed and started."""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from livechat import __version__

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Program:
    """`arguments` go behind a Python that has `packages`; the first of these gives the version."""

    name: str
    arguments: tuple[str, ...]
    packages: tuple[str, ...] = ()

    def python(self, folder: Path) -> str:
        """The Python that runs it. Installs its packages where they are not there yet. Raises CalledProcessError."""
        if not self.packages:
            return sys.executable
        home = folder / self.packages[0].partition("[")[0]
        python = home / "bin" / "python"
        if not (home / "complete").exists():
            venv.create(home, with_pip=True, clear=True)
            subprocess.run([python, "-m", "pip", "install", "-q", *self.packages], check=True)
            (home / "complete").touch()
        return str(python)

    def version(self, python: str) -> str:
        """That of the first package."""
        if not self.packages:
            return __version__
        name = self.packages[0].partition("[")[0]
        ask = f"from importlib.metadata import version; print(version({name!r}))"
        return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def programs(cookbook: Path | None, examples: Path | None) -> list[Program]:
    """All that can be run: Google's scripts only where they are given."""
    talk = ("-m", "livechat", "talk")
    found = [
        Program("livechat", talk),
        Program("livechat --echo off --plain", (*talk, "--echo", "off", "--plain")),
    ]
    google = ("google-genai", "pyaudio", "opencv-python-headless", "pillow", "mss")
    if cookbook:
        found.append(Program("cookbook script", (str(cookbook), "--mode", "none"), google))
    if examples:
        found.append(Program("live-api examples", (str(examples),), google))
    found.append(
        Program(
            "livekit console",
            (str(HERE / "livekit_agent.py"), "console"),
            ("livekit-agents", "livekit-plugins-google"),
        )
    )
    found.append(Program("pipecat local", (str(HERE / "pipecat_bot.py"),), ("pipecat-ai[google,local]",)))
    return found


def sdk_version() -> str:
    return metadata.version("google-genai")
