"""What is kept of a conversation, as it is read back: to be listed, shown, written out and gone on with.

All times are seconds since the epoch. Texts are as they were said: `safe_text.clean` comes before a terminal.
"""

from dataclasses import dataclass
from typing import Any

from livechat.session.context_replay import Exchange


@dataclass(frozen=True, slots=True)
class Entry:
    """A conversation at a glance. `duration_s`: how long livechat was open on it, in seconds.

    `resumable_until`: when its newest handle expires, None where it has none. `gist`: what the person said first.
    `cost`: of its runs whose cost is known, None where no cost is.
    """

    id: str
    started: float
    seen: float
    duration_s: float
    backend: str
    model: str
    turns: int
    resumable_until: float | None
    gist: str
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """One exchange. `began` and `answered`: the first word of each side; None where no time of it is kept.

    `ended`: the last word of either.
    """

    user: str
    model: str
    began: float | None
    answered: float | None
    ended: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one side said in exchange `number` of a conversation, at `at` (epoch seconds). `who`: "you" or "model"."""

    conversation: str
    number: int
    who: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """How continuous one run of livechat on the conversation was, in milliseconds of speech. As in `Summary`.

    `cost`: None where it is not known.
    """

    began: float
    ended: float
    links: int
    captured_ms: float
    sent_ms: float
    replayed_ms: float
    dropped_ms: float
    longest_gap_ms: float
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """All of it: exchanges in their order, and runs, oldest first."""

    entry: Entry
    turns: tuple[KeptTurn, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Resumable:
    """What it takes to go on with a conversation.

    `options`: what it was made with, as `settings.resolve` takes it. `handles`: newest first, at most two,
    each with the number of turns it covers and its expiry. `numbers`: those of the turns that are kept, and the next
    one: a row that cannot be read keeps its number.
    """

    id: str
    backend: str
    model: str
    options: dict[str, Any]
    turns: list[Exchange]
    handles: list[tuple[str, int, float]]
    numbers: tuple[int, ...] = (0,)
