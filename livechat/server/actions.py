"""What a session asks its link to do. live_session.py decides it, and link.py does it, in order."""

from dataclasses import dataclass

from livechat.server.history import HistoryTurn
from livechat.server.wire import Json


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send `frame`."""

    frame: Json


@dataclass(frozen=True, slots=True)
class AskAgent:
    """Have the agent answer the last turn of the history. Its answer comes back through `said`."""


@dataclass(frozen=True, slots=True)
class StopAgent:
    """Stop the answer under way."""


@dataclass(frozen=True, slots=True)
class OfferHandle:
    """Send a handle for the turns that are covered now; if not `resumable`, an update without a handle."""

    resumable: bool


@dataclass(frozen=True, slots=True)
class ForgetHandles:
    """The session has used up its time: no handle resumes it any more."""


@dataclass(frozen=True, slots=True)
class TurnKept:
    """`turn` is in the history now. If it is `cut`, it replaces the whole answer that was there."""

    turn: HistoryTurn


@dataclass(frozen=True, slots=True)
class HistoryTrimmed:
    """Old turns were dropped. `before` and `after`: the tokens of the context."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class CloseLink:
    """Close the link with `code` and `reason`."""

    code: int
    reason: str


Action = SendFrame | AskAgent | StopAgent | OfferHandle | ForgetHandles | TurnKept | HistoryTrimmed | CloseLink
