"""Who notices that the server compressed the context: a count of tokens that is lower than the one before."""

from livechat.events import Compression


class ContextCount:
    """The tokens of one session, by the server's last count."""

    def __init__(self) -> None:
        self._tokens = 0

    def counted(self, tokens: int) -> Compression | None:
        """The server counts so many now. What it dropped of them, if it did."""
        before, self._tokens = self._tokens, tokens
        return Compression(before, tokens) if tokens < before else None

    def new_session(self) -> None:
        """Another session begins with less: that is no compression."""
        self._tokens = 0
