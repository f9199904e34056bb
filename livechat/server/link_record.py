"""What a link and its server know of each other."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

from livechat.server.agent import Agent
from livechat.server.auth_tokens import TokenMint
from livechat.server.deadlines import ServerTimes
from livechat.server.live_session import LiveSession
from livechat.server.session_memory import SessionMemory


@dataclass(slots=True)
class LinkRecord:
    """What happened on one link. `code` and `reason`: how the server closed it, if it did."""

    n: int
    session: str = ""
    model: str = ""
    resumed: bool = False
    audio_bytes: int = 0  # of sound received, as it was sent
    code: int | None = None
    reason: str = ""
    faults: list[str] = field(default_factory=list)  # those that struck
    open: bool = False


class LinkHost(Protocol):
    """What a link needs of its server."""

    agent: Agent
    memory: SessionMemory
    times: ServerTimes
    tokens: TokenMint
    as_model: str | None

    @property
    def links(self) -> Collection[LinkRecord]:
        """The newest links, this one among them."""

    def event(self, **event: Any) -> None:
        """Tell whoever watches the server."""

    def audio(self, n: int, pcm: bytes) -> None:
        """Sound as it was received on link `n`."""

    def remember(self, session: str, live: LiveSession) -> None:
        """The history of `session` has changed."""
