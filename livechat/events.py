"""The vocabulary: what the machine is told, what it asks for, and what a person or a program is shown.

Four families of frozen dataclasses. Inputs and Actions are the session machine's two sides; Wire is what a
link hears; Outputs are what the screen, the plain lines and `--json` are made of. Times are seconds unless
the name says ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from livechat.errors import LivechatError

Rung = Literal["resumed", "previous", "seeded", "fresh"]  # the ladder, from the top
Replay = Literal["missing", "all", "none"]  # of what waits for an answer: what the handle does not hold, and so on

# A server's word on a question: it is at work, and more utterances may follow; or it has finished; or neither.
Interaction = Literal["working", "idle", ""]

Signal = Literal["start", "end", "stream end"]  # of the person's activity, and of the microphone for now
Command = Literal["mute", "talk", "press", "release", "interrupt"]  # what a key can ask for; "talk" toggles

# ----------------------------------------------------------------------------------------------- inputs
# What the machine is told. Those of a link carry its number; the machine ignores a link that is not its own.


@dataclass(frozen=True, slots=True)
class Resumption:
    """A handle that can be dialled with.

    `covers`: how many answered turns the server holds behind it. `expires`: on the loop's clock, None while
    the link that issued it lives (validity counts from that link's end). `stored`: by an earlier run.
    """

    handle: str
    covers: int
    expires: float | None = None
    stored: bool = False

    def __repr__(self) -> str:  # a handle is as good as a password: it never reaches a log
        return f"Resumption(covers={self.covers}, expires={self.expires})"


@dataclass(frozen=True, slots=True)
class Begin:
    """Dial the first link. `handles`: newest first, from an earlier run. `turns`: answered turns so far.

    `only_resume`: a session that cannot be resumed ends the conversation, unless it was resumed before.
    """

    handles: tuple[Resumption, ...] = ()
    turns: int = 0
    only_resume: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """setupComplete arrived."""

    link: int
    setup_ms: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A link is gone, or never came to be. Said exactly once for each link.

    `how`: "close" with the close frame's code and reason; "http" with the status of a refused upgrade in
    `code`; "dns", "tls", "network" and "timeout" with the system's words in `reason`; "token" where Vertex AI's
    could not be renewed for now, and "auth" where it was refused or there are no credentials; "proxy" where a proxy
    failed, and "bad" where the configuration is wrong or something on the way refuses: `reason` says in plain words
    what did, `hint` what to do about it, `code` is its HTTP status. `key_from`: where the key or the credentials
    are from.
    """

    link: int
    how: Literal["close", "http", "dns", "tls", "network", "timeout", "token", "auth", "proxy", "bad"]
    code: int | None = None
    reason: str = ""
    hint: str = ""
    key_from: str = ""


@dataclass(frozen=True, slots=True)
class HandleIn:
    """A sessionResumptionUpdate. `handle` is "" where the session cannot be resumed just now.

    `consumed`: the index, on this link, of the last of our messages that the handle holds; None where the
    server does not say (only Vertex does, with `transparent`).
    """

    link: int
    handle: str
    covers: int = 0
    consumed: int | None = None

    def __repr__(self) -> str:
        return f"HandleIn(link={self.link}, resumable={bool(self.handle)}, covers={self.covers})"


@dataclass(frozen=True, slots=True)
class GoAway:
    """The server will end this link; `time_left` seconds, 0 where it did not say."""

    link: int
    time_left: float


@dataclass(frozen=True, slots=True)
class Person:
    """The person started or stopped speaking, by our own ears."""

    speaking: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """Something typed went into the outbox."""


@dataclass(frozen=True, slots=True)
class Replying:
    """The first of an answer arrived."""

    link: int


@dataclass(frozen=True, slots=True)
class Replied:
    """The whole answer is here (generationComplete); the server may still count its playback."""

    link: int


@dataclass(frozen=True, slots=True)
class Reopened:
    """The last answer was not whole: the server says that it is still working on the question."""

    link: int


@dataclass(frozen=True, slots=True)
class Noticed:
    """The server heard the person (voiceActivity, a transcript): whatever it says next, its session is not deaf."""

    link: int


@dataclass(frozen=True, slots=True)
class TurnOver:
    """turnComplete or interrupted.

    `status`: what the server says with it of the whole interaction, "" where it says nothing. `reason`: its
    turnCompleteReason, "" where there is none.
    """

    link: int
    status: Interaction = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stuck:
    """An answer has begun, and for long nothing of it has come: the link is dead without saying so."""

    link: int


@dataclass(frozen=True, slots=True)
class Slept:
    """The computer, or this process, was away; `unseen` seconds of it the loop's clock did not count."""

    unseen: float


@dataclass(frozen=True, slots=True)
class Leave:
    """The conversation is to end. `hurry`: at once, without waiting for the last handle."""

    hurry: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """The machine's deadline has come."""


Input = (
    Begin
    | Opened
    | Ended
    | HandleIn
    | GoAway
    | Person
    | Asked
    | Replying
    | Replied
    | Reopened
    | Noticed
    | TurnOver
    | Stuck
    | Slept
    | Leave
    | Tick
)

# ------------------------------------------------------------------------------------------------- wire
# What a link hears that does not concern the machine: it goes straight to ear, eye and store.


@dataclass(frozen=True, slots=True)
class Audio:
    """Speech of the model: s16le mono at `rate` Hz, an even number of bytes."""

    link: int
    pcm: bytes
    rate: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A piece of the transcript of what the person said."""

    link: int
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the transcript of what the model says; pieces run ahead of the sound."""

    link: int
    text: str


@dataclass(frozen=True, slots=True)
class Written:
    """A piece of an answer that comes as text of its own. Some models give one in place of sound."""

    link: int
    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """The server is at work on a question, or has finished; said apart from any turnComplete."""

    link: int
    status: Interaction


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of what the model thinks, which is no part of its answer."""

    link: int
    text: str

    def __repr__(self) -> str:  # as private as speech: it never reaches a log
        return f"Thought(link={self.link}, {len(self.text)} characters)"


@dataclass(frozen=True, slots=True)
class CutIn:
    """The server noticed that the person cut in: what is not played yet must not be."""

    link: int


@dataclass(frozen=True, slots=True)
class Counted:
    """usageMetadata."""

    link: int
    prompt_tokens: int
    response_tokens: int
    total_tokens: int


Wire = (
    Opened
    | Ended
    | HandleIn
    | GoAway
    | Replied
    | Noticed
    | TurnOver
    | Status
    | Audio
    | Heard
    | Said
    | Written
    | Thought
    | CutIn
    | Counted
)

# ---------------------------------------------------------------------------------------------- actions
# What the machine asks of the runner.


@dataclass(frozen=True, slots=True)
class Dial:
    """Open link `n`, with this handle or none.

    `transparent`: it shall go on in the middle of what the person says, if the server can do so.
    """

    n: int
    resumption: Resumption | None
    transparent: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """From now on nothing is sent: what the person says waits in the outbox."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Close link `n`, reading on to its end."""

    n: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Link `n` takes input: first what the new session lacks, then the outbox, then live speech.

    `covers`: how many answered turns the server knows; those after it are given to it as context. `replay`
    "missing": of what waits for an answer, what the newest handle is not known to hold; "none": neither
    context nor old speech, because the last link died of it.
    """

    n: int
    covers: int
    replay: Replay
    cause: str  # "" on the first link: not a handover
    how: Rung
    gap_ms: float


@dataclass(frozen=True, slots=True)
class Forgo:
    """No answer will come to what was asked: it is not asked again. `heard`: the model chose to give none."""

    heard: bool = False


@dataclass(frozen=True, slots=True)
class Keep:
    """This is the handle to resume by: put it in the store."""

    resumption: Resumption


@dataclass(frozen=True, slots=True)
class Expire:
    """The link of the newest handle ended: its validity counts from now."""


@dataclass(frozen=True, slots=True)
class Show:
    """Tell the person."""

    output: Output


@dataclass(frozen=True, slots=True)
class Finish:
    """The conversation is over. `error` is None where it ended well."""

    error: LivechatError | None


Action = Dial | Hold | Hang | Flow | Forgo | Keep | Expire | Show | Finish

# ---------------------------------------------------------------------------------------------- outputs
# Each class below with a `type` is one line of `--json`: its fields are that line's keys.


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
    session was taken up by a handle; `setup_ms`: from dialling to the server's setupComplete. With "closed", `code`
    and `reason` are the close frame's, or those of who refused, perhaps a proxy; `why` is the cause in plain words.
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
    """A resumption handle arrived, or word that there is none just now (`resumable` false).

    `id` is a hash of it, for telling two apart; the handle itself is never shown. `expires_in_s`: how long it is
    valid, counted from the end of its link.
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

    `cut`: it did not get to its end. `restored`: it is of an earlier run.
    """

    text: str
    final: bool
    cut: bool = False
    restored: bool = False
    type: Literal["model"] = "model"


@dataclass(frozen=True, slots=True)
class ThoughtText:
    """With `--thoughts`: `text`, a piece of what the model thinks. It is no part of the answer, and never kept."""

    text: str
    type: Literal["thought"] = "thought"


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The person cut in; `unplayed_ms` of the answer were never heard."""

    unplayed_ms: float
    type: Literal["interrupted"] = "interrupted"


@dataclass(frozen=True, slots=True)
class Mic:
    """The microphone was opened or shut. `state`: "open", "muted", or "held" until the key to talk is pressed."""

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
class Usage:
    """The server's own count for the last turn.

    `prompt_tokens` is the size of the context, `response_tokens` that of the answer, `total_tokens` both and whatever
    else the server counts.
    """

    prompt_tokens: int
    response_tokens: int
    total_tokens: int
    type: Literal["usage"] = "usage"


@dataclass(frozen=True, slots=True)
class Spent:
    """What this run has used so far: `tokens`, where each turn counts its whole context and its answer.

    `cost` by the prices that were given, in their currency; None without them.
    """

    tokens: int
    cost: float | None
    type: Literal["spent"] = "spent"


@dataclass(frozen=True, slots=True)
class Compression:
    """The context was seen to shrink, from `before` to `after` tokens."""

    before: int
    after: int
    type: Literal["compression"] = "compression"


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the person should know, in one line, the `message`; the conversation goes on.

    `hint`: what to do about it, or "".
    """

    message: str
    hint: str = ""
    type: Literal["warning"] = "warning"


@dataclass(frozen=True, slots=True)
class Summary:
    """The end, in numbers; always the last line.

    `duration_s` from the first line; `turns` answered and `links` dialled in this run. Of the microphone's
    sound, silence and all, `captured_ms` were taken and `sent_ms` sent; of speech, `replayed_ms` were sent again and
    `dropped_ms` lost. `longest_gap_ms`: the longest time in which no link took input. `conversation`: its id.
    `resume`: the exact command that picks it up again, or "". `exit_code`: 0 done, 3 key or configuration, 4 audio
    device, 5 lost for good, 130 interrupted.
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
    Start
    | LinkState
    | HandleState
    | GoAwayNotice
    | Handover
    | UserText
    | ModelText
    | ThoughtText
    | Interrupted
    | Mic
    | Turn
    | Working
    | Usage
    | Spent
    | Compression
    | Warned
    | Summary
    | Levels
    | Speaking
)
