"""The usageMetadata that ends a turn: the tokens of the context and of the answer, by modality (docs/wire.md 4)."""

from typing import NamedTuple

from livechat.server.history import HistoryTurn
from livechat.server.wire import Json


class Asked(NamedTuple):
    """Tokens in the context when an answer began."""

    text: int = 0
    sound: int = 0
    pictures: int = 0


def usage(asked: Asked, answer: HistoryTurn, *, thoughts: int, vertex: bool) -> Json:
    """As it is sent. `thoughts`: tokens that were thought and not said."""
    responded = "candidates" if vertex else "response"
    prompt = {"TEXT": asked.text, "AUDIO": asked.sound, "IMAGE": asked.pictures}
    response = {"modality": "AUDIO" if answer.seconds else "TEXT", "tokenCount": answer.tokens}
    return {
        "promptTokenCount": sum(asked),
        f"{responded}TokenCount": answer.tokens,
        "totalTokenCount": sum(asked) + answer.tokens + thoughts,
        "promptTokensDetails": [{"modality": name, "tokenCount": n} for name, n in prompt.items() if n],
        f"{responded}TokensDetails": [response] if answer.tokens else None,
        "thoughtsTokenCount": thoughts,
    }
