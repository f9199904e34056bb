"""Lengths of time as a person writes them: `30d`, `1.5s`, `500ms`."""

import re

from livechat.errors import UsageError

_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(text: str) -> float:
    """Seconds in `8s`, `1.5s`, `500ms`, `2m`, `2h`, `30d` or a plain number of seconds. Raises UsageError."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|d|)", text.strip())
    if not match:
        raise UsageError(f"not a duration: {text!r}", "write 8s, 1.5s, 500ms, 2m, 2h or 30d")
    return float(match[1]) * _UNITS[match[2]]
