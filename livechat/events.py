"""The vocabulary: what the machine is told, what it asks for, and what a person or a program is shown.

Three families of frozen dataclasses. Inputs and Actions are the session machine's two sides; Outputs are
what the screen, the plain lines and `--json` are made of. Times are seconds unless the name says ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# ---------------------------------------------------------------------------------------------- outputs
# Each class below with a `type` is one line of `--json`: its fields are that line's keys.


@dataclass(frozen=True, slots=True)
class Start:
    """The conversation begins. `input` and `output` name devices or files; compression may be off (None)."""

    version: str
    backend: str  # "gemini", "vertex", "endpoint" or "offline"
    model: str
    voice: str | None
    input: str
    output: str
    compression: dict[str, int] | None  # {"trigger_tokens": …, "target_tokens": …}
    conversation: str
    restored: int  # turns shown again from an earlier run; 0 for a new conversation
    type: Literal["start"] = "start"


@dataclass(frozen=True, slots=True)
class LinkState:
    """A link changed. `why` is the cause in plain words, for the person; code and reason are the wire's."""

    n: int
    state: Literal["connecting", "open", "closing", "closed", "waiting"]
    resumed: bool = False
    setup_ms: float | None = None
    code: int | None = None
    reason: str | None = None
    why: str = ""
    retry_in_s: float | None = None
    type: Literal["link"] = "link"


@dataclass(frozen=True, slots=True)
class HandleState:
    """A resumption handle arrived. `id` is a hash of it; the handle itself is never shown or logged."""

    id: str
    resumable: bool
    expires_in_s: float
    type: Literal["handle"] = "handle"


@dataclass(frozen=True, slots=True)
class GoAwayNotice:
    """The server will end this link in `time_left_s`."""

    time_left_s: float
    type: Literal["go_away"] = "go_away"


@dataclass(frozen=True, slots=True)
class Handover:
    """One link was left for the next. `how` is the rung of the ladder that held."""

    n: int
    cause: str
    how: Literal["resumed", "previous", "seeded", "fresh"]
    gap_ms: float
    replayed_ms: float
    dropped_ms: float
    type: Literal["handover"] = "handover"


@dataclass(frozen=True, slots=True)
class UserText:
    """What the person said or typed. `text` is the whole utterance so far."""

    text: str
    final: bool
    source: Literal["speech", "text", "restored"]
    type: Literal["user"] = "user"


@dataclass(frozen=True, slots=True)
class ModelText:
    """What the model says. `text` is the whole answer so far; `cut`: it did not get to its end."""

    text: str
    final: bool
    cut: bool = False
    restored: bool = False
    type: Literal["model"] = "model"


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The person cut in; `unplayed_ms` of the answer were never heard."""

    unplayed_ms: float
    type: Literal["interrupted"] = "interrupted"


@dataclass(frozen=True, slots=True)
class Turn:
    """Question `n` is answered. `reply_ms`: end of speech (or of typing) to first sound; None if unknown."""

    n: int
    reply_ms: float | None
    type: Literal["turn"] = "turn"


@dataclass(frozen=True, slots=True)
class Usage:
    """The server's own count for the last turn; prompt_tokens is the size of the context."""

    prompt_tokens: int
    response_tokens: int
    total_tokens: int
    type: Literal["usage"] = "usage"


@dataclass(frozen=True, slots=True)
class Compression:
    """The context was seen to shrink, in tokens."""

    before: int
    after: int
    type: Literal["compression"] = "compression"


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the person should know; the conversation goes on."""

    message: str
    hint: str = ""
    type: Literal["warning"] = "warning"


@dataclass(frozen=True, slots=True)
class Summary:
    """The end, in numbers. `resume` is the exact command that picks the conversation up again, or ""."""

    duration_s: float
    turns: int
    links: int
    captured_ms: float
    sent_ms: float
    replayed_ms: float
    dropped_ms: float
    longest_gap_ms: float
    conversation: str
    resume: str
    exit_code: int
    type: Literal["summary"] = "summary"


@dataclass(frozen=True, slots=True)
class Levels:
    """Loudness now, in dBFS (-90 to 0). At most ten a second; for the screen only."""

    mic: float
    speaker: float


@dataclass(frozen=True, slots=True)
class Speaking:
    """Who is speaking now. For the screen only."""

    person: bool
    model: bool


Output = (
    Start | LinkState | HandleState | GoAwayNotice | Handover | UserText | ModelText | Interrupted | Turn
    | Usage | Compression | Warned | Summary | Levels | Speaking
)
