"""What of an answer is spoken, and in which pieces.

A synthesiser takes memory with the square of a sentence's length, and cannot be stopped within one. So nothing longer
than a short sentence is given to it at once, whatever a client made the agent say.
"""

import re
from collections.abc import Iterator

ANSWER = 4_000  # letters of one answer; some five minutes of speech
PIECE = 120  # letters that are spoken at once
WORD = 40  # letters of one word; a longer one is spoken in parts
DIGITS = 12  # of a number that is read as one; a longer one is read digit by digit

_LONG_WORD = re.compile(rf"(\S{{{WORD}}})(?=\S)")
_LONG_NUMBER = re.compile(rf"\d{{{DIGITS + 1},}}")
_PAUSES = ("; ", ": ", ", ", " ")  # where a long sentence is divided, the best place first


def limited(text: str) -> str:
    """The beginning of `text` that is said, with an ellipsis where that is not all."""
    return text if len(text) <= ANSWER else f"{text[:ANSWER].rsplit(' ', 1)[0][:ANSWER]} …"


def parts(sentence: str) -> Iterator[str]:
    """`sentence` in pieces that can be spoken at once. Together they have all of its words."""
    rest = _LONG_WORD.sub(r"\1 ", sentence.strip())
    while len(rest) > PIECE:
        found = (rest.rfind(pause, 0, PIECE) + len(pause.rstrip()) for pause in _PAUSES if pause in rest[1:PIECE])
        end = next(found, PIECE)
        yield rest[:end].strip()
        rest = rest[end:].strip()
    if rest:
        yield rest


def pronounceable(part: str) -> str:
    """`part` as a synthesiser can read it. Those of long numbers fail on more digits than numbers have names for."""
    return _LONG_NUMBER.sub(lambda number: " ".join(number[0]), part)
