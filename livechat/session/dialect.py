"""Messages of the server that the SDK would misread, put into the form it reads (docs/wire.md 6.5, 12).

Pure. Seen in google-genai 3.6.1: it drops an interactionStatus at the root of a message, cannot read a message
that holds nothing else, or in which an enum's value is a number (as protobuf writes one that is newer than the
writer), and reads the token count of an answer by the name of its own backend alone.
"""

from __future__ import annotations

import json

_STATUS, _REASON = "interactionStatus", "turnCompleteReason"
_ANSWER = (("responseTokenCount", "candidatesTokenCount"), ("responseTokensDetails", "candidatesTokensDetails"))
_MARKS = (b'"interactionStatus"', b'"turnCompleteReason"', b'"candidatesTokenCount"', b'"responseTokenCount"')


def readable(raw: bytes) -> bytes:
    """One message, as the SDK reads it. What is no JSON object is left as it is."""
    if not any(mark in raw for mark in _MARKS):
        return raw  # nearly all, and sound among them: not parsed twice
    try:
        message = json.loads(raw)
    except ValueError:
        return raw
    if not isinstance(message, dict):
        return raw
    content = message.get("serverContent")
    if _STATUS in message:
        if not isinstance(content, dict):
            content = {}
        message["serverContent"] = content = {_STATUS: message.pop(_STATUS)} | content
    if isinstance(content, dict):
        content |= {name: str(content[name]) for name in (_STATUS, _REASON) if content.get(name) is not None}
    usage = message.get("usageMetadata")
    if isinstance(usage, dict):
        for names in _ANSWER:
            said = [usage[name] for name in names if name in usage]
            usage |= dict.fromkeys(names, said[0]) if said else {}
    return json.dumps(message).encode()
