"""When a model may choose silence (docs/wire.md 12): words that are plainly meant for somebody else in the room."""

import re

# A greeting, a name, and then what that person is told: "Hey Bob, dinner is ready".
_CALLED = re.compile(
    r"^\W*(?:hey|hi|hello|listen|oh|psst|ok(?:ay)?)[\s,]+([A-Z][\w'-]+)\s*[,!.?]+\s*\w", re.IGNORECASE
)
_ME_OR_ALL = frozenset(
    re.findall(r"\w+", "gemini google livechat agent assistant computer there everybody everyone all world you")
)


def for_somebody_else(text: str, system: str) -> bool:
    """Whether `text` is addressed by name to somebody who is not the agent. `system` may give the agent a name."""
    called = _CALLED.match(text.strip())
    if called is None or not called[1][0].isupper():
        return False
    return called[1].lower() not in _ME_OR_ALL and called[1].lower() not in system.lower()
