"""Why a server ended a turn, in plain words: its turnCompleteReason (google-genai, TurnCompleteReason).

New models bring new reasons. One that is not known here is named as the server spells it.
"""

import re

ASK_AGAIN = "ask again, or in other words"

# (part of the reason's name, what happened). The first that fits counts.
_WORDS: tuple[tuple[str, str], ...] = (
    ("NEED_MORE_INPUT", "the model waits for you to say more"),
    ("MALFORMED_FUNCTION_CALL", "the model made a mistake and gave no answer"),
    ("RESPONSE_REJECTED", "the server rejected the model's answer"),
    ("MAX_REGENERATION_REACHED", "the model found no answer that the server accepts"),
    ("IMAGE_PROHIBITED_INPUT", "the server does not accept the picture it was shown"),
    ("INPUT_IMAGE", "the server does not accept the picture it was shown"),
    ("PROHIBITED_INPUT_CONTENT", "the server does not accept what was asked"),
    ("BLOCKLIST", "the server blocks a word in what was said"),
    ("INPUT", "the server does not accept what was asked"),
    ("UNSAFE_PROMPT", "the server does not accept what was asked"),
    ("GENERATED", "the server held back the model's answer"),
    ("OUTPUT", "the server held back the model's answer"),
)
_NAME = re.compile(r"\w{1,80}", re.ASCII)


def explained(reason: str) -> str:
    """What happened, in words for a person, and the server's own word for it."""
    name = reason.upper()
    word = reason if _NAME.fullmatch(reason) else "a reason that cannot be read"
    what = next((words for part, words in _WORDS if part in name), "the server ended the turn")
    return f"{what} ({word})"
