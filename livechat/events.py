"""What a person or a program is shown: the events that the screen, the plain lines and `--json` are made of.

Frozen dataclasses. Each with a `type` is one line of `--json`: its fields are that line's keys. Times are seconds
unless the name says ms. What only the session speaks is in session/events.py.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from livechat.errors import Notice

Rung = Literal["resumed", "previous", "seeded", "fresh"]  # the ladder, from the top
Command = Literal["mute", "talk", "press", "release", "interrupt", "video"]  # a key's; "talk" and "video" toggle


@dataclass(frozen=True, slots=True)
class Instruct:
    """The person gives the model a new system instruction."""

    text: str


@dataclass(frozen=True, slots=True)
class Tell:
    """The person tells the model something that it is to know and not to answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Watch:
    """The person shows the model `what` from now on: "screen", "camera", a file or a folder; "off" for nothing."""

    what: str


@dataclass(frozen=True, slots=True)
class Look:
    """The person shows the model one picture: a file, or for None what is being shown, or else the screen."""

    what: str | None


Typed = str | Instruct | Tell | Watch | Look  # what a line asks for; a plain text is a question


@dataclass(frozen=True, slots=True)
class Start:
    """The conversation begins, with `livechat` of this `version`.

    `backend`: "gemini", "vertex", "endpoint" or "offline". `model` as it was asked for; `voice`: None for its own.
    `input` and `output` name devices or files. `compression`: `trigger_tokens` and `target_tokens` as the server
    applies them, None where it is off. `conversation`: the id to resume by; `restored`: so many exchanges of an
    earlier run are known.
    """

    version: str
    backend: str
    model: str
    voice: str | None
    input: str
    output: str
    compression: dict[str, int] | None
    conversation: str
    restored: int
    type: Literal["start"] = "start"


@dataclass(frozen=True, slots=True)
class LinkState:
    """Link `n`, counted from 1, changed.

    `state`: "connecting", "open", "closing" and "closed" are its life; "waiting": there is none, and the next dial
    comes in `retry_in_s`; "resting": none is needed until the person speaks or types. With "open", `resumed`: the
    session was resumed by a handle; `setup_ms`: from dialling to the server's setupComplete. With "closed", `code`
    and `reason` are those of the close frame, or of the server or proxy that refused. `why` is the cause in plain
    words.
    """

    n: int
    state: Literal["connecting", "open", "closing", "closed", "waiting", "resting"]
    resumed: bool = False
    setup_ms: float | None = None
    code: int | None = None
    reason: str | None = None
    why: str = ""
    retry_in_s: float | None = None
    type: Literal["link"] = "link"


@dataclass(frozen=True, slots=True)
class HandleState:
    """A resumption handle came. With `resumable` false the session cannot be resumed just now.

    `id` is a hash of the handle: it tells two handles apart. The handle itself is never shown. `expires_in_s`: how
    long it is valid, counted from the end of its link.
    """

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
    """One link was left for the next, `n`, because of `cause`, in plain words.

    `how`: the session went on by its newest handle ("resumed") or the one before it ("previous"), or a new one was
    told the transcript ("seeded") or knows nothing ("fresh"). `gap_ms`: for how long no link took input.
    `replayed_ms`: speech sent again; `dropped_ms`: speech lost.
    """

    n: int
    cause: str
    how: Rung
    gap_ms: float
    replayed_ms: float
    dropped_ms: float
    type: Literal["handover"] = "handover"


@dataclass(frozen=True, slots=True)
class UserText:
    """What the person said or typed. `text` is the whole utterance so far; `final`: nothing more comes.

    `source`: "speech" as the server heard it, "text" as it was typed, "restored" from an earlier run.
    """

    text: str
    final: bool
    source: Literal["speech", "text", "restored"]
    type: Literal["user"] = "user"


@dataclass(frozen=True, slots=True)
class ModelText:
    """What the model says. `text` is the whole answer so far; `final`: nothing more comes.

    `cut`: the answer was cut off. `restored`: it is from an earlier run.
    """

    text: str
    final: bool
    cut: bool = False
    restored: bool = False
    type: Literal["model"] = "model"


@dataclass(frozen=True, slots=True)
class SystemText:
    """The system instruction is `text` from now on."""

    text: str
    type: Literal["system"] = "system"


@dataclass(frozen=True, slots=True)
class ContextText:
    """The model was told `text`, which asks for no answer."""

    text: str
    type: Literal["context"] = "context"


@dataclass(frozen=True, slots=True)
class ThoughtText:
    """With `--thoughts`: `text`, a piece of what the model thinks. It is no part of the answer, and never kept."""

    text: str
    type: Literal["thought"] = "thought"


@dataclass(frozen=True, slots=True)
class Seeing:
    """The model sees `source` from now on, or with `on` false no more, because of `why`.

    `tokens_s`: what that costs at most in a second. `holds_s`: for how many seconds of it the context has room before
    it is compressed; None where it is not compressed, and the session ends after two minutes.
    """

    source: str
    on: bool
    why: str = ""
    tokens_s: float = 0.0
    holds_s: int | None = None
    type: Literal["seeing"] = "seeing"


@dataclass(frozen=True, slots=True)
class PictureSent:
    """A picture of `source` was sent: JPEG, `width` and `height` in pixels, `size` in bytes, and its `tokens`."""

    source: str
    width: int
    height: int
    size: int
    tokens: int
    type: Literal["picture"] = "picture"


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The person cut in; `unplayed_ms` of the answer were never heard."""

    unplayed_ms: float
    type: Literal["interrupted"] = "interrupted"


@dataclass(frozen=True, slots=True)
class Mic:
    """The microphone changed. `state`: "open", "muted", or "held" until the push-to-talk key is pressed."""

    state: Literal["open", "muted", "held"]
    type: Literal["mic"] = "mic"


@dataclass(frozen=True, slots=True)
class Turn:
    """Question `n` is answered. `reply_ms`: end of speech (or of typing) to first sound; None if unknown."""

    n: int
    reply_ms: float | None
    type: Literal["turn"] = "turn"


@dataclass(frozen=True, slots=True)
class Working:
    """Whether the server is still working on the question, so that more of the answer is to come.

    `active` false: no more is awaited, also where the model gave no answer at all.
    """

    active: bool
    type: Literal["working"] = "working"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model calls the function `name` with these `arguments`, by their names."""

    name: str
    arguments: dict[str, Any]
    type: Literal["tool_call"] = "tool_call"


@dataclass(frozen=True, slots=True)
class Confirm:
    """The model wants to run the function `name` with these `arguments`. It runs when the person answers "yes"."""

    name: str
    arguments: dict[str, Any]
    type: Literal["confirm"] = "confirm"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of the function `name`: `text` is its result, or with `failed` why it has none.

    `took_ms`: how long it ran.
    """

    name: str
    text: str
    failed: bool
    took_ms: float
    type: Literal["tool_result"] = "tool_result"


@dataclass(frozen=True, slots=True)
class Sources:
    """What the answer rests on: the `queries` of a search, and its `sources`.

    Each of these is an object with `title` and `uri`.
    """

    queries: list[str]
    sources: list[dict[str, str]]
    type: Literal["sources"] = "sources"


@dataclass(frozen=True, slots=True)
class Usage:
    """The server's own count for the last turn.

    `prompt_tokens` is the size of the context, `response_tokens` that of the answer, `total_tokens` both and whatever
    else the server counts. `prompt_details` and `response_details` have the same by modality ("TEXT", "AUDIO",
    "IMAGE"), as far as the server says it; `thoughts`: tokens that were thought and not said.
    """

    prompt_tokens: int
    response_tokens: int
    total_tokens: int
    prompt_details: dict[str, int] = field(default_factory=dict)
    response_details: dict[str, int] = field(default_factory=dict)
    thoughts: int = 0
    type: Literal["usage"] = "usage"


@dataclass(frozen=True, slots=True)
class Spent:
    """What this run has used so far: `tokens`, where each turn counts its whole context and its answer.

    `cost` in dollars by the model's own prices, or in the currency of those that were given; None if unknown.
    """

    tokens: int
    cost: float | None
    type: Literal["spent"] = "spent"


@dataclass(frozen=True, slots=True)
class Compression:
    """The server compressed the context, from `before` to `after` tokens."""

    before: int
    after: int
    type: Literal["compression"] = "compression"


@dataclass(frozen=True, slots=True)
class Summary:
    """The end, in numbers; always the last line.

    `duration_s` from the first line; `turns` answered and `links` dialled in this run. Of the microphone's
    sound, silence and all, `captured_ms` were taken and `sent_ms` sent; of speech, `replayed_ms` were sent again and
    `dropped_ms` lost. `longest_gap_ms`: the longest time in which no link took input. `conversation`: its id.
    `resume`: the exact command that picks it up again, or "". `exit_code`: 0 done, 3 key or configuration, 4 audio
    device, 5 lost for good, 130 interrupted. `kept`: all that was said in this run is on disk.
    `cost`: as in `spent`.
    """

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
    kept: bool = True
    cost: float | None = None
    type: Literal["summary"] = "summary"


@dataclass(frozen=True, slots=True)
class Levels:
    """Loudness now, in dBFS (-90 to 0). At most ten a second; for the screen only."""

    mic: float
    speaker: float


@dataclass(frozen=True, slots=True)
class Preview:
    """The last picture that was sent, small: `width` times `height` pixels of three bytes. For the screen only."""

    width: int
    height: int
    rgb: bytes


@dataclass(frozen=True, slots=True)
class Speaking:
    """Who is speaking now. For the screen only."""

    person: bool
    model: bool


Output = (
    Start | LinkState | HandleState | GoAwayNotice | Handover | UserText | ModelText | SystemText | ContextText
    | ThoughtText | Interrupted | Mic | Turn | Working | ToolCall | Confirm | ToolResult | Sources | Usage | Spent
    | Compression | Notice | Summary | Seeing | PictureSent | Levels | Speaking | Preview
)  # fmt: skip
