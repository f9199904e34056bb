"""Where a growing text can be cut into lines."""

import re

# A sentence's end, and a space behind it where the script has any. More must follow: "3." may become "3.5".
_END = re.compile(r"[.!?…]+[\"'”’)]*\s+(?=\S)|[。！？]+[」』”]*(?=\S)")


def whole_sentences(text: str) -> tuple[list[str], str]:
    """(the sentences of `text` that are complete, what is left of it)."""
    lines, begin = [], 0
    for found in _END.finditer(text):
        lines.append(text[begin : found.end()].strip())
        begin = found.end()
    return [line for line in lines if line], text[begin:]
