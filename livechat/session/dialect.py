"""Messages of the server that the SDK would misread, changed into the form that it reads (docs/wire.md 6.5, 12).

Seen in google-genai 3.6.1:
 - it drops an interactionStatus at the root of a message, and cannot read a message that holds nothing else
 - it cannot read an enum whose value is a number, which is how protobuf writes a value that the writer does not know
 - it reads the token count of an answer only by the name that its own backend uses
"""

import json

_STATUS, _REASON = "interactionStatus", "turnCompleteReason"
_ANSWER = (("responseTokenCount", "candidatesTokenCount"), ("responseTokensDetails", "candidatesTokensDetails"))
_MARKS = (b'"interactionStatus"', b'"turnCompleteReason"', b'"candidatesTokenCount"', b'"responseTokenCount"')


def readable(raw: bytes) -> bytes:
    """One message in the form that the SDK reads. What is no JSON object is returned unchanged."""
    if not any(mark in raw for mark in _MARKS):
        return raw  # nearly all messages, and all with sound: they are not parsed twice
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
