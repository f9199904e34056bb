"""Nine platforms, and the table of the wheels that an installation of livechat takes on each (data/wheels.json).

    python -m tests.support.wheels  # resolves anew and writes the table. Takes uv, the network, five minutes

The table says, for each platform and Python, which version of each package was chosen, and for each version which
wheels there are. The test (test_wheels.py) needs no network.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms

from tests import ROOT

TABLE = ROOT / "tests" / "data" / "wheels.json"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@dataclass(frozen=True)
class Platform:
    """`system` and `machine` as the markers have them; `uv` as uv calls it; `wheels`: the tags of its wheels."""

    system: str
    machine: str
    uv: str
    wheels: tuple[str, ...]
    macos: str = ""
    musl: bool = False

    def tags(self, python: str) -> frozenset[Tag]:
        """Every tag of a wheel that can be installed here."""
        version = tuple(map(int, python.split(".")))
        interpreter = f"cp{python.replace('.', '')}"
        own = cpython_tags(version, platforms=self.wheels)
        return frozenset([*own, *compatible_tags(version, interpreter, self.wheels)])

    def environment(self, python: str, extra: str = "") -> dict[str, Any]:
        """What markers see."""
        names = {"linux": ("Linux", "posix"), "darwin": ("Darwin", "posix"), "win32": ("Windows", "nt")}
        system, name = names[self.system]
        return {
            **default_environment(),
            "sys_platform": self.system,
            "platform_system": system,
            "os_name": name,
            "platform_machine": self.machine,
            "platform_release": "",
            "platform_version": "",
            "python_version": python,
            "python_full_version": f"{python}.0",
            "extra": extra,
        }


def _glibc(minor: int, machine: str) -> tuple[str, ...]:
    tags = [f"manylinux_2_{m}_{machine}" for m in range(minor, 16, -1)]
    return (*tags, f"manylinux2014_{machine}", *(f"manylinux_2_{m}_{machine}" for m in range(16, 4, -1)))


def _macos(major: int, machine: str) -> tuple[str, ...]:
    return tuple(mac_platforms((major, 0), machine))


PLATFORMS = {
    "macOS 14, Apple": Platform("darwin", "arm64", "aarch64-apple-darwin", _macos(14, "arm64"), "14.0"),
    "macOS 14, Intel": Platform("darwin", "x86_64", "x86_64-apple-darwin", _macos(14, "x86_64"), "14.0"),
    "macOS 13, Intel": Platform("darwin", "x86_64", "x86_64-apple-darwin", _macos(13, "x86_64"), "13.0"),
    "Windows, x64": Platform("win32", "AMD64", "x86_64-pc-windows-msvc", ("win_amd64",)),
    "Windows, ARM": Platform("win32", "ARM64", "aarch64-pc-windows-msvc", ("win_arm64",)),
    "glibc 2.31, x86-64": Platform("linux", "x86_64", "x86_64-manylinux_2_31", _glibc(31, "x86_64")),
    "glibc 2.36, x86-64": Platform("linux", "x86_64", "x86_64-manylinux_2_36", _glibc(36, "x86_64")),
    "glibc 2.36, ARM": Platform("linux", "aarch64", "aarch64-manylinux_2_36", _glibc(36, "aarch64")),
    "musl, x86-64": Platform(
        "linux", "x86_64", "x86_64-unknown-linux-musl",
        ("musllinux_1_2_x86_64", "musllinux_1_1_x86_64", "musllinux_1_0_x86_64"), musl=True,
    ),
}  # fmt: skip


def targets() -> Iterator[tuple[str, str]]:
    """Each platform with each Python."""
    return ((name, python) for name in PLATFORMS for python in PYTHONS)


def _resolved(platform: Platform, python: str, lock: Path) -> dict[str, Any]:
    command = ["uv", "pip", "compile", "-q", str(ROOT / "pyproject.toml"), "--only-binary", ":all:", "--no-header"]
    command += [
        "--python-version",
        python,
        "--python-platform",
        platform.uv,
        "--format",
        "pylock.toml",
        "-o",
        str(lock),
    ]
    command += [] if platform.musl else ["--extra", "offline"]  # setup.py
    settings = {"MACOSX_DEPLOYMENT_TARGET": platform.macos} if platform.macos else {}
    subprocess.run(command, check=True, env=os.environ | settings, stdout=subprocess.DEVNULL)
    return tomllib.loads(lock.read_text())


def refresh() -> None:
    """Resolve for each target, and write the table."""
    chosen: dict[str, list[str]] = {}
    wheels: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, python in targets():
            found = _resolved(PLATFORMS[name], python, Path(folder, "pylock.toml"))
            packages = {f"{package['name']}=={package['version']}": package for package in found["packages"]}
            chosen[f"{name}, {python}"] = sorted(packages)
            for package, details in packages.items():
                for wheel in details["wheels"]:
                    _, tag = re.split("-(?=[^-]+-[^-]+-[^-]+$)", Path(wheel.get("url") or wheel["path"]).stem)
                    wheels.setdefault(package, set()).add(tag)
            sys.stdout.write(f"{name}, {python}: {len(packages)} packages\n")
    table = {"chosen": chosen, "wheels": {package: sorted(tags) for package, tags in sorted(wheels.items())}}
    TABLE.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    refresh()
