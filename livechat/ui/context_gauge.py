"""How full the context is: the server's count, and until its next one a prediction from what was said since.

A second of sound is 25 tokens, whoever speaks; four characters of text are about one token (docs/wire.md 4).
"""

from livechat import events as ev

TOKENS_PER_S = 25
CHARACTERS = 4  # of typed text, to a token


class ContextGauge:
    """Follows one conversation. `now` is monotonic seconds, the same clock in every call."""

    def __init__(self) -> None:
        self._counted: float | None = None  # tokens at `_at`, the predicted ones among them
        self._at = 0.0
        self._speaking = ev.Speaking(person=False, model=False)
        self._answering = False  # no count has the answer yet. A counted answer may still be heard

    def apply(self, event: ev.Output, now: float) -> None:
        """Take in one event that happened at `now`."""
        self._counted, self._at = self.tokens(now), now
        match event:
            case ev.Usage():
                self._counted = event.prompt_tokens + event.response_tokens
                self._answering = False
            case ev.Compression():
                self._counted = event.after
            case ev.Handover(how="seeded" | "fresh"):
                self._counted = 0
            case ev.UserText(source="text") if self._counted is not None:
                self._counted += len(event.text) / CHARACTERS
            case ev.PictureSent() if self._counted is not None:
                self._counted += event.tokens
            case ev.ModelText(final=False):
                self._answering = True
            case ev.Speaking():
                self._speaking = event
            case _:
                pass

    def tokens(self, now: float) -> float | None:
        """The size of the context at `now`; None before the server has said one."""
        if self._counted is None:
            return None
        voices = self._speaking.person + (self._speaking.model and self._answering)
        return self._counted + voices * TOKENS_PER_S * (now - self._at)
