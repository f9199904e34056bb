"""`livechat models`: the Live models that livechat knows, what each takes, and which of them the server lists."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from livechat import models
from livechat.config_file import load
from livechat.errors import LivechatError
from livechat.settings import Settings, resolve
from livechat.ui.safe_text import clean

_LIVE = "bidiGenerateContent"


def list_models(*, profile: str | None, as_json: bool) -> int:
    """Print the table. Returns the exit code; raises ConfigError or UsageError for settings that cannot be used."""
    settings = resolve(os.environ, **load(os.environ, profile).flags(os.environ))
    listed = _listed(settings)
    names = [*models.NAMED, *sorted((listed or set()) - set(models.NAMED))]
    rows = [_row(name, None if listed is None else name in listed) for name in names]
    if as_json:
        for row in rows:
            print(json.dumps({"type": "model"} | row))  # noqa: T201, it is what was asked for
        return 0
    table = [("MODEL", "THINKING", "AFFECTIVE", "HERE"), *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        print(line)  # noqa: T201, as above
    return 0


def _row(name: str, here: bool | None) -> dict[str, Any]:
    family = models.family(name)
    return {
        "name": name,
        "converses": family.converses,
        "purpose": family.purpose,
        "thinking": list(family.levels),
        "affective": family.affective,
        "here": here,
        "default": name == models.DEFAULT_MODEL,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    thinking = ", ".join(row["thinking"]) if row["converses"] else f"holds no conversation: livechat {row['purpose']}"
    here = {True: "yes", False: "no", None: "?"}[row["here"]]
    return clean(row["name"]), thinking or "-", "yes" if row["affective"] else "-", here


def _listed(settings: Settings) -> set[str] | None:
    """The names of the Live models that the server lists; None where it does not say."""
    if settings.backend == "offline":
        from livechat.server.models import MODELS

        return set(MODELS)
    from livechat.session import live_config

    try:
        client = live_config.client(settings, settings.endpoint, None)
        found = [model for model in client.models.list() if _LIVE in (model.supported_actions or ())]
        return {models.bare(model.name or "") for model in found}
    except LivechatError:
        raise
    except Exception as error:  # noqa: BLE001 - a network, a proxy, a server or the SDK
        why = clean(str(error).splitlines()[0][:200] if str(error) else type(error).__name__)
        sys.stderr.write(f"Note: the server does not list its models ({why}).\n")
        return None
