"""The language model of `--brain` and `--brain-model`, for `talk` and for `serve`."""

import importlib.util
from collections.abc import Mapping
from urllib.parse import urlsplit

from livechat.errors import UsageError
from livechat.installed import extra
from livechat.server.brain import KEY, Brain


def brain(url: str | None, model: str | None, environ: Mapping[str, str]) -> Brain | None:
    """What `--brain` and `--brain-model` ask for; None if they ask for nothing. Raises UsageError."""
    if not url and not model:
        return None
    if not url or not model:
        raise UsageError("--brain and --brain-model go together", "give the URL of an endpoint and one of its models")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good:
        raise UsageError(
            "--brain is not the address of an endpoint", f"give it as http://HOST:PORT/v1, and a key as {KEY}"
        )
    if importlib.util.find_spec("openai") is None:
        raise UsageError("--brain needs the package openai, which is not installed", extra("brain"))
    return Brain(url, model, environ.get(KEY, "").strip() or "none")
