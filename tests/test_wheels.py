"""`pip install '.[offline]'` finds a wheel of everything on nine platforms, each with four Pythons.

Against a table of the wheels there are (wheels.py, which also makes it anew): no network is needed.
"""

from __future__ import annotations

import json
import runpy
import sys
import sysconfig
import tomllib
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.tags import parse_tag
from packaging.utils import canonicalize_name

from livechat.installed import have_wheels, speech_models
from tests import ROOT
from tests.support.wheels import PLATFORMS, PYTHONS, TABLE, targets

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CHOSEN: dict[str, list[str]] = json.loads(TABLE.read_text())["chosen"]
WHEELS: dict[str, list[str]] = json.loads(TABLE.read_text())["wheels"]


def asked(name: str, python: str, extra: str) -> list[Requirement]:
    """What of the extra, or without it ("") of livechat itself, is asked for on this platform."""
    platform = PLATFORMS[name]
    if extra and platform.musl:
        return []  # see test_an_installation_on_musl_asks_for_no_speech_models
    written = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    environment = platform.environment(python, extra)
    return [r for r in map(Requirement, written) if r.marker is None or r.marker.evaluate(environment)]


@pytest.mark.parametrize(("name", "python"), list(targets()))
def test_everything_asked_for_has_a_wheel(name: str, python: str) -> None:
    tags = PLATFORMS[name].tags(python)
    chosen = dict(package.split("==") for package in CHOSEN[f"{name}, {python}"])
    for requirement in asked(name, python, "") + asked(name, python, "offline"):
        version = chosen.get(canonicalize_name(requirement.name))
        assert version is not None, (
            f"{requirement.name} is new: make the table anew with `python -m tests.support.wheels`"
        )
        assert requirement.specifier.contains(version), f"{requirement}: `python -m tests.support.wheels`"
    for package, version in chosen.items():
        found = {tag for wheel in WHEELS[f"{package}=={version}"] for tag in parse_tag(wheel)}
        assert found & tags, f"{package} {version} has no wheel here"


@pytest.mark.parametrize("name", list(PLATFORMS))
def test_the_speech_models_come_together_or_not_at_all_and_livechat_knows_where(name: str) -> None:
    """A part of them is of no use."""
    platform = PLATFORMS[name]
    sizes = {len(asked(name, python, "offline")) for python in PYTHONS}
    there = have_wheels(platform.system, platform.machine, musl=platform.musl)
    assert sizes == {4 if there else 0}


@pytest.mark.parametrize(("host", "left"), [("x86_64-alpine-linux-musl", []), ("x86_64-pc-linux-gnu", ["a"])])
def test_an_installation_on_musl_asks_for_no_speech_models(
    host: str, left: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No marker knows musl, so setup.py does."""
    made: list[Any] = []

    class Distribution:
        """Setuptools' own, when it has read pyproject.toml."""

        def parse_config_files(self) -> None:
            self.extras_require = {"offline": ["a"], "dev": ["b"]}

    fake = ModuleType("setuptools")
    vars(fake).update(Distribution=Distribution, setup=lambda *, distclass: made.append(distclass()))
    monkeypatch.setitem(sys.modules, "setuptools", fake)
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: host if name == "HOST_GNU_TYPE" else "cpython")
    runpy.run_path(str(ROOT / "setup.py"))
    made[0].parse_config_files()
    assert made[0].extras_require == {"offline": left, "dev": ["b"]}
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert ("do not run on this kind of computer" in speech_models()) == (not left)
