"""I/O. How this copy of livechat was installed, and so how it gets the packages it lacks.

Never by its name alone: the package index has another program of that name, by somebody else.
"""

from __future__ import annotations

import json
import platform
import shlex
import subprocess
import sys
import sysconfig
from importlib import metadata, util
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

_ANYWHERE = "in a clone of livechat's repository: pip install '.[offline]'"
# Where each package of the extra has wheels: (sys.platform, machine), as the markers in pyproject.toml say it.
_HAVE_WHEELS = {("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")}


def speech_models() -> str:
    """What to do to have the offline agent understand speech."""
    if not have_wheels(sys.platform, platform.machine(), musl=_is_musl()):
        return "type to it: its speech models do not run on this kind of computer"
    try:
        source = _source(_origin())
    except (AttributeError, KeyError, TypeError, ValueError):  # what an installer wrote is not as PEP 610 has it
        source = ""
    return f"{_installer()} {source}" if source else _ANYWHERE


def have_wheels(system: str, machine: str, *, musl: bool) -> bool:
    """Whether the packages of the extra can be installed on such a computer."""
    return (system, machine) in _HAVE_WHEELS and not musl


def _is_musl() -> bool:
    return any("musl" in str(sysconfig.get_config_var(name)) for name in ("HOST_GNU_TYPE", "SOABI"))  # as setup.py


def _origin() -> dict[str, Any]:
    """Where the installer had it from (PEP 610); empty where it does not say."""
    try:
        found = json.loads(metadata.distribution("livechat").read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError, OSError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("url"), str) else {}


def _source(origin: dict[str, Any]) -> str:
    """What to name to the installer, quoted; "" where that is not known, or is gone."""
    url = urlsplit(origin.get("url", ""))
    if url.scheme == "file":
        path = Path(url2pathname(url.path))
        if not (path / "pyproject.toml" if "dir_info" in origin else path).is_file():
            return ""
        editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
        return editable + _quoted(f"{path}[offline]")
    if not url.scheme or "@" in url.netloc:  # it may be a password
        return ""
    control = origin.get("vcs_info", {})
    prefix, suffix = (f"{control['vcs']}+", f"@{control['commit_id']}") if control else ("", "")
    if folder := origin.get("subdirectory"):
        suffix += f"#subdirectory={folder}"
    return _quoted(f"livechat[offline] @ {prefix}{origin['url']}{suffix}")


def _quoted(word: str) -> str:
    """One word for the shell of this system. Windows' own takes '…' for part of the word."""
    return subprocess.list2cmdline([word]) if sys.platform == "win32" else shlex.quote(word)


def _installer() -> str:
    """The command that installs into the environment this runs in."""
    if Path(sys.prefix, "pipx_metadata.json").exists():
        return "pipx install --force"
    if Path(sys.prefix, "uv-receipt.toml").exists():
        return "uv tool install --force"
    python = _quoted(sys.executable)
    return f"{python} -m pip install" if util.find_spec("pip") else f"uv pip install --python {python}"
