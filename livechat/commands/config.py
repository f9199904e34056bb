"""`livechat config`: shows the settings and their sources, names the configuration file, and opens it."""

import contextlib
import os
import shlex
import subprocess
import sys
from typing import Any

from livechat.audio.device_choice import Kind
from livechat.commands.remember_devices import Choices, open_store
from livechat.config_file import Config, config_path, layered, load, read
from livechat.errors import ConfigError, UsageError, reason
from livechat.flags import FLAGS
from livechat.settings import Settings, resolve
from livechat.ui.display import tolerant
from livechat.ui.safe_text import clean

KINDS: dict[str, Kind] = {"mic": "input", "speaker": "output"}
EXAMPLE = """\
# What `livechat talk` does unless a flag or the environment says otherwise. Each of its flags can be set here
# by its name; file names count from this folder. Keys belong into the environment.

# model = "gemini-3.8-live"
# voice = "Puck"
# trigger_tokens = 20000
# target_tokens = 5000

# For `livechat talk --profile pair`, instead of what is above:
# [profiles.pair]
# system = "You are a pair programmer. Be brief."
# ptt = true
"""


def show(profile: str | None) -> int:
    """Print the settings of a conversation begun now, and the source of each. Returns the exit code."""
    config = load(os.environ, profile)
    config.check(os.environ)
    flags = layered(config.flags(os.environ), {})
    settings = resolve(os.environ, **flags)
    rows: list[tuple[str, str, str]] = [("server", settings.backend, _server_source(config, flags, settings))]
    rows += [(name, *_setting(name, config, flags, settings)) for name in FLAGS if name not in KINDS]
    with contextlib.closing(open_store(lambda *_: None)) as store:
        choices = Choices(store, config)
        for name, kind in KINDS.items():
            known = choices.remembered(kind)
            rows.append((name, clean(known), "remembered") if known else (name, *_plain(name, config)))
    tolerant(sys.stdout)
    name_width, value_width = (min(40, max(len(row[n]) for row in rows)) for n in (0, 1))
    for name, value, source in rows:
        print(f"{name:{name_width}}  {value:{value_width}}  {source}".rstrip())  # noqa: T201
    return 0


def path() -> int:
    """Print the file's name, even if the file does not exist. Returns the exit code."""
    tolerant(sys.stdout)
    print(clean(str(config_path(os.environ))))  # noqa: T201
    return 0


def edit() -> int:
    """Open the file in the person's editor, then check it. A new file begins as an example. Returns the exit code."""
    file = config_path(os.environ)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text(EXAMPLE, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be made: {reason(error)}", "LIVECHAT_CONFIG names another file") from None
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise UsageError("neither VISUAL nor EDITOR names an editor", f"set one of them, or open {file} yourself")
    try:
        code = subprocess.call([*shlex.split(editor), str(file)])  # noqa: S603 - the person's own
    except (OSError, ValueError):
        raise UsageError(f"the editor {editor} cannot be started", "set VISUAL or EDITOR to another") from None
    if code != 0:
        raise UsageError(f"the editor {editor} ended with {code}", f"{file} is as it left it")
    for profile in read(file):
        load(os.environ, profile or None).check(os.environ)
    return 0


def _setting(name: str, config: Config, flags: dict[str, Any], settings: Settings) -> tuple[str, str]:
    """(value, source) of one setting."""
    if name in flags:
        return _plain(name, config)
    if name == "model" and os.environ.get("LIVECHAT_MODEL"):
        return clean(settings.model), "LIVECHAT_MODEL"
    if name == "endpoint" and settings.endpoint:
        return clean(settings.endpoint), "GOOGLE_GEMINI_BASE_URL"
    compression = settings.applied_compression
    if name in ("trigger_tokens", "target_tokens") and compression:
        return str(compression[name == "target_tokens"]), "default"
    default = getattr(settings, name)
    return "-" if default in (None, "") else _written(default), "default"


def _plain(name: str, config: Config) -> tuple[str, str]:
    if name in config.values:
        return clean(_written(config.values[name])), config.sources[name]
    return "-", "default"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _server_source(config: Config, flags: dict[str, Any], settings: Settings) -> str:
    """What chose the server. Of a variable only the name is shown: its value may be a key."""
    for name in ("offline", "endpoint"):
        if flags.get(name):
            return config.sources[name]
    variables = {
        "endpoint": ("GOOGLE_GEMINI_BASE_URL",),
        "vertex": ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI"),
        "gemini": (settings.key_from,),
    }
    return next((name for name in variables.get(settings.backend, ()) if os.environ.get(name)), "default")
