"""Python, the packages of livechat, and the speech models of the offline agent."""

import importlib
import platform
import re
import sys
from importlib import metadata

from livechat import __version__
from livechat.commands.doctor.finding import Finding, Subject
from livechat.installed import extra
from livechat.installed import speech_models as speech_models_remedy

_OLDEST, _NEWEST = (3, 11), (3, 14)  # as in pyproject.toml
# Packages with compiled parts, which may be there and not load.
_COMPILED = ("cryptography", "numpy", "soundfile")
_NAME = re.compile(r"[\w.-]+")


def python(_: Subject) -> Finding:
    version = sys.version_info[:2]
    summary = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, livechat {__version__}"
    if _OLDEST <= version <= _NEWEST:
        return Finding("ok", summary, sys.executable)
    span = f"{_OLDEST[0]}.{_OLDEST[1]} to {_NEWEST[0]}.{_NEWEST[1]}"
    return Finding("warn", f"{summary}: livechat is tested with {span}", sys.executable, f"install one of {span}")


def packages(_: Subject) -> Finding:
    try:
        needed = [line for line in metadata.requires("livechat") or () if "extra ==" not in line]
    except metadata.PackageNotFoundError:
        return Finding("skip", "livechat is not installed: it runs from its sources")
    lacking = [
        found[0] for line in needed if (found := _NAME.match(line)) and ";" not in line and not _there(found[0])
    ]
    broken = []
    for name in _COMPILED:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - a package that does not load may raise anything
            broken.append(f"{name}: {error}")
    if not lacking and not broken:
        return Finding("ok", f"all {len(needed)} are there, and load")
    again = f"install livechat again: {extra('offline')}"
    detail = "; ".join([*(f"{name} is missing" for name in lacking), *broken])
    return Finding("fail", f"{len(lacking) + len(broken)} packages are missing or do not load", detail, again)


def speech_models(_: Subject) -> Finding:
    from livechat.server.agent_choice import make_agent

    lacking = make_agent()[1]
    if lacking:
        return Finding("warn", lacking, "only --offline needs them", speech_models_remedy())
    return Finding("ok", "the offline agent hears and speaks")


def _there(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False
