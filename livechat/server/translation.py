"""What a model that translates says here: a stand-in that is marked as one.

No translator of this size is worth its download. The stand-in says the same words and names the language that was
asked for, so that nobody takes it for a translation.
"""

from livechat.server.wire import Json

ENGLISH = "en"  # where the setup names no language; a guess, for the documentation does not say


def target(generation: Json) -> str:
    """The language that the setup asks for, as a BCP-47 code. Raises ValueError where it is none."""
    config = generation.get("translationConfig", {})
    code = config.get("targetLanguageCode", ENGLISH) if isinstance(config, dict) else None
    if not isinstance(code, str) or not code.replace("-", "").isalnum():
        raise ValueError("no language code")
    return code


def stand_in(text: str, code: str) -> str:
    """`text` in place of its translation into the language `code`."""
    return f"[{code}] {text}"
