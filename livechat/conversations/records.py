"""PURE. What the store keeps of a conversation, as it is read back: to be listed, shown and written out.

All times are seconds since the epoch. Texts are as they were said: `ui.text.clean` comes before a terminal.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A conversation at a glance. `duration_s`: how long livechat was open on it, in seconds.

    `resumable_until`: when its newest handle expires, None where it has none. `gist`: what the person said first.
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


@dataclass(frozen=True, slots=True)
class Spoken:
    """One exchange. `began` and `answered`: the first word of each side; None where the store has no time of it.

    `ended`: the last word of either.
    """

    user: str
    model: str
    began: float | None
    answered: float | None
    ended: float


@dataclass(frozen=True, slots=True)
class Run:
    """How continuous one run of livechat on the conversation was, in milliseconds of speech. As in `Summary`."""

    began: float
    ended: float
    links: int
    captured_ms: float
    sent_ms: float
    replayed_ms: float
    dropped_ms: float
    longest_gap_ms: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """All of it: exchanges in their order, and runs, oldest first."""

    entry: Entry
    turns: tuple[Spoken, ...]
    runs: tuple[Run, ...]
