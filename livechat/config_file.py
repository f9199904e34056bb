"""The configuration file: the flags of `talk` that count unless a flag or the environment says otherwise.

It is TOML. The settings at the top always count. Those of `[profiles.NAME]` replace them for `--profile NAME`.
File names in it count from its own folder. API keys are neither read from it nor written to it.
"""

import difflib
import math
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from livechat.errors import ConfigError, UsageError, reason
from livechat.flags import FLAGS, replaced_by, waits_for
from livechat.paths import decoded, look
from livechat.settings import resolve

_TAKES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text, in quotes"}
_DEVICES = ("mic", "speaker")  # a device of the file that is not there is no error, as with a flag it would be


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says for one profile. `values`: flags by name; `sources`: for each, the table it stands in."""

    path: Path
    profile: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def flags(self, environ: Mapping[str, str]) -> dict[str, Any]:
        """The flags for `settings.resolve`, without those that a variable of the environment replaces."""
        passed_over = {*_DEVICES, *(name for name, flag in FLAGS.items() if environ.get(flag.variable))}
        if "endpoint" in passed_over:
            passed_over.add("ca_file")  # another server has another certificate
        return {name: value for name, value in self.values.items() if name not in passed_over}

    def check(self, environ: Mapping[str, str]) -> None:
        """Raises ConfigError if a conversation would be refused because of the file."""
        try:
            resolve(environ, **layered(self.flags(environ), {}))
        except UsageError as error:
            where = f"{self.path}, profile {self.profile}" if self.profile else str(self.path)
            raise ConfigError(f"{where}: {error.message}", error.hint) from None


def config_path(environ: Mapping[str, str]) -> Path:
    """The file: LIVECHAT_CONFIG, or config.toml in the platform's folder for the configuration of applications."""
    from platformdirs import user_config_path

    chosen = environ.get("LIVECHAT_CONFIG")
    return Path(chosen) if chosen else user_config_path("livechat", appauthor=False) / "config.toml"


def load(environ: Mapping[str, str], profile: str | None = None) -> Config:
    """What the file says for this profile; nothing where there is no file and none was asked for.

    Raises ConfigError, which names the file and what is wrong in it.
    """
    path = config_path(environ)
    there = look(path, "the configuration", "LIVECHAT_CONFIG names another file", ConfigError)
    tables = read(path) if there or environ.get("LIVECHAT_CONFIG") else {}
    if profile is not None and profile not in tables:
        raise ConfigError(f"{path}: there is no profile {profile}", _nearest(profile, [*filter(None, tables)]))
    layers = [("top level", tables.get("", {}))]
    if profile is not None:
        layers.append((f"profile {profile}", tables[profile]))
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, table in layers:
        values = _over(values, table)
        sources = {name: source if name in table else sources[name] for name in values}
    return Config(path, profile, values, sources)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The tables of the file: each profile by its name, the top level as "". Names with _, file names in full.

    Raises ConfigError.
    """
    try:
        document = tomllib.loads(decoded(path.read_bytes()))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}", "`livechat config edit` opens it") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text", "`livechat config edit` opens it") from None
    except OSError as error:
        raise ConfigError(
            f"the configuration {path} cannot be read: {reason(error)}", "`livechat config edit` makes one"
        ) from None
    except (ValueError, RecursionError):  # Python's own limits, which the parser does not catch
        raise ConfigError(
            f"{path}: a number or a list in it goes on for too long", "`livechat config edit` opens it"
        ) from None
    profiles = document.pop("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(table, dict) for table in profiles.values()):
        raise ConfigError(f"{path}: profiles are not written so", "begin each with a line such as [profiles.pair]")
    if "" in profiles:
        raise ConfigError(f"{path}: a profile has no name", "begin each with a line such as [profiles.pair]")
    return {name: _table(path, table, name) for name, table in ({"": document} | profiles).items()}


def layered(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Flags by name. A later layer wins, and leaves out what it excludes in the layers before.

    A flag that needs another one is left out if that is not there, unless the last layer asks for it.
    """
    flags: dict[str, Any] = {}
    for layer in layers:
        flags = _over(flags, layer)
    last = layers[-1]
    return {
        name: value
        for name, value in flags.items()
        if value is not False and (name in last or not (needed := waits_for(name)) or needed & flags.keys())
    }


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    gone = {name for flag, value in above.items() if value is not False for name in replaced_by(flag)}
    return {name: value for name, value in below.items() if name not in gone} | dict(above)


def _table(path: Path, table: dict[str, Any], profile: str) -> dict[str, Any]:
    where = f"{path}, profile {profile}" if profile else str(path)
    flags: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in FLAGS:
            raise _unknown(where, key, value)
        kind = FLAGS[name].kind
        if name in flags:
            raise ConfigError(f"{where}: {name} is set twice, with - and with _", "leave one of them out")
        if kind is float and type(value) is int:
            # TOML tells 3 from 3.0, people do not. No float has so many digits, and none is of use.
            value = float(value) if abs(value) < 10**300 else math.inf  # noqa: PLW2901
        if type(value) is not kind or "\0" in str(value):  # a bool is an int, but not here
            raise ConfigError(f"{where}: {key} is of the wrong type", f"{key} takes {_TAKES[kind]}")
        if isinstance(value, str) and not value.strip():
            raise ConfigError(f"{where}: {key} is empty", "give it a value, or leave it out")
        flags[name] = _in_full(path, name, value)
    return flags


def _unknown(where: str, key: str, value: object) -> ConfigError:
    """The error for a key that is none of ours. Its value is never shown: it may be a secret."""
    if re.search("key|secret|password|credential", key, re.IGNORECASE):
        return ConfigError(
            f"{where}: {key} is not read from a file", "set GEMINI_API_KEY in the environment, and take it out here"
        )
    if isinstance(value, dict):
        return ConfigError(f"{where}: there is no table {key}", f"a profile begins with [profiles.{key}]")
    return ConfigError(f"{where}: there is no setting {key}", _nearest(key.replace("-", "_"), FLAGS))


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"the nearest is {near[0]}"
    return f"there are {', '.join(known)}" if known else "there are none: `livechat config edit` opens the file"


def _in_full(path: Path, name: str, value: Any) -> Any:
    file = FLAGS[name].file
    if file == "after @" and value.startswith("@") and not value.startswith("@@"):
        return "@" + _beside(path, value[1:])
    if file == "yes" and value and value != "-":
        return _beside(path, value)
    return value


def _beside(path: Path, name: str) -> str:
    return str(path.parent / os.path.expanduser(name))  # noqa: PTH111 - Path's raises where nobody has that name
