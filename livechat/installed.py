"""How this copy of livechat was installed, and so the command that installs the packages it lacks.

The command never names livechat alone: the package index has a stranger's program of that name.
"""

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

# Where each package of the extra has wheels: (sys.platform, machine), as the markers in pyproject.toml say it.
_HAVE_WHEELS = {("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")}


def speech_models() -> str:
    """What to do so that the offline agent understands speech."""
    if not have_wheels(sys.platform, platform.machine(), musl=_is_musl()):
        return "type to it: its speech models do not run on this kind of computer"
    return extra("offline")


def extra(name: str) -> str:
    """The command that installs livechat's optional packages of this name."""
    try:
        source = _source(_origin(), name)
    except (AttributeError, KeyError, TypeError, ValueError):  # the installer did not keep to PEP 610
        source = ""
    return f"{_installer()} {source}" if source else f"in a clone of livechat's repository: pip install '.[{name}]'"


def have_wheels(system: str, machine: str, *, musl: bool) -> bool:
    """Whether the packages of the extra can be installed on such a computer."""
    return (system, machine) in _HAVE_WHEELS and not musl


def _is_musl() -> bool:
    return any("musl" in str(sysconfig.get_config_var(name)) for name in ("HOST_GNU_TYPE", "SOABI"))  # as setup.py


def _origin() -> dict[str, Any]:
    """Where the installer got this copy from (PEP 610); empty if it did not write that down."""
    try:
        found = json.loads(metadata.distribution("livechat").read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError, OSError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("url"), str) else {}


def _source(origin: dict[str, Any], extra: str) -> str:
    """What the installer must be given, quoted; "" if that is not known, or no longer there."""
    url = urlsplit(origin.get("url", ""))
    if url.scheme == "file":
        path = Path(url2pathname(url.path))
        if not (path / "pyproject.toml" if "dir_info" in origin else path).is_file():
            return ""
        editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
        return editable + _quoted(f"{path}[{extra}]")
    if not url.scheme or "@" in url.netloc:  # it may be a password
        return ""
    control = origin.get("vcs_info", {})
    prefix, suffix = (f"{control['vcs']}+", f"@{control['commit_id']}") if control else ("", "")
    if folder := origin.get("subdirectory"):
        suffix += f"#subdirectory={folder}"
    return _quoted(f"livechat[{extra}] @ {prefix}{origin['url']}{suffix}")


def _quoted(word: str) -> str:
    """Quote one word for this system's shell. Windows' shell does not know single quotes."""
    return subprocess.list2cmdline([word]) if sys.platform == "win32" else shlex.quote(word)


def _installer() -> str:
    """The command that installs into the environment of this process."""
    if Path(sys.prefix, "pipx_metadata.json").exists():
        return "pipx install --force"
    if Path(sys.prefix, "uv-receipt.toml").exists():
        return "uv tool install --force"
    python = _quoted(sys.executable)
    return f"{python} -m pip install" if util.find_spec("pip") else f"uv pip install --python {python}"
