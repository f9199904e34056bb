"""What the session speaks within itself: what the machine is told, what it asks for, and what a link hears.

Three families of frozen dataclasses. Inputs go into the machine, and Actions come out. Wire is what a link hears: the
runner takes all of it, and some of it is Input too. Times are seconds unless the name says ms. What a person or a
program is shown is in events.py.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from livechat.errors import LivechatError
from livechat.events import Output, Rung

Replay = Literal["missing", "all", "none"]  # which questions without an answer a new link is given

# What a server says of a question: it is at work and more utterances may follow, it has finished, or nothing.
Interaction = Literal["working", "idle", ""]

# An activity of the person begins or ends, or the microphone stops for a while.
Signal = Literal["start", "end", "stream end"]


@dataclass(frozen=True, slots=True)
class OfLink:
    """What happened on a link, which has this number. What comes of a link that is not the newest is stale."""

    link: int


@dataclass(frozen=True, slots=True)
class Piece(OfLink):
    """A piece of what somebody says on a link, as text."""

    text: str


# ----------------------------------------------------------------------------------------------- inputs
# What the machine is told.


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

    @property
    def name(self) -> str:
        """The handle's name for people and programs: eight hex digits that say nothing of it."""
        return hashlib.sha256(self.handle.encode()).hexdigest()[:8]

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
class Opened(OfLink):
    """setupComplete arrived."""

    setup_ms: float


@dataclass(frozen=True, slots=True)
class Ended(OfLink):
    """A link has ended, or could not be opened. Each link says this exactly once.

    | how | meaning |
    |---|---|
    | close | a close frame, with its `code` and `reason` |
    | http | the upgrade was refused with the HTTP status `code` |
    | dns, tls, network, timeout | the system's words are in `reason` |
    | token | Vertex AI's token could not be renewed for now |
    | auth | the token was refused, or there are no credentials |
    | proxy | a proxy failed |
    | bad | the configuration is wrong, or something on the way refuses |

    For the last two, `reason` says in plain words what failed and `code` is its HTTP status. `hint` says what to do.
    `key_from` says where the key or the credentials come from.
    """

    how: Literal["close", "http", "dns", "tls", "network", "timeout", "token", "auth", "proxy", "bad"]
    code: int | None = None
    reason: str = ""
    hint: str = ""
    key_from: str = ""


@dataclass(frozen=True, slots=True)
class HandleIn(OfLink):
    """A handle came. With `handle` "" the server says that the session cannot be resumed just now.

    `covers`: how many answered turns the server holds behind it.
    """

    handle: str
    covers: int

    def __repr__(self) -> str:
        return f"HandleIn(link={self.link}, resumable={bool(self.handle)}, covers={self.covers})"


@dataclass(frozen=True, slots=True)
class GoAway(OfLink):
    """The server will end this link; `time_left` seconds, 0 where it did not say."""

    time_left: float


@dataclass(frozen=True, slots=True)
class Person:
    """The person began or stopped to speak, by our own voice detection."""

    speaking: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """Something typed went into the outbox."""


class Replying(OfLink):
    """The first piece of an answer came."""


class Replied(OfLink):
    """The whole answer is here (generationComplete); the server may still count its playback."""


class Reopened(OfLink):
    """The last answer was not whole: the server says that it is still working on the question."""


@dataclass(frozen=True, slots=True)
class Noticed(OfLink):
    """The server showed that it heard the person (voiceActivity, a transcript).

    `whole`: also that what they said is over. A link that dies in between has not heard the question.
    """

    whole: bool = True


@dataclass(frozen=True, slots=True)
class TurnOver(OfLink):
    """turnComplete or interrupted.

    `status`: what the server says with it of the whole interaction, "" where it says nothing. `reason`: its
    turnCompleteReason, "" where there is none.
    """

    status: Interaction = ""
    reason: str = ""


class Stuck(OfLink):
    """An answer began, and then nothing of it came for a long time: the link is dead without saying so."""


@dataclass(frozen=True, slots=True)
class Slept:
    """The computer slept. The loop's clock did not count `unseen` seconds of it."""

    unseen: float


@dataclass(frozen=True, slots=True)
class Leave:
    """The conversation is to end. `hurry`: at once, without waiting for the last handle."""

    hurry: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """The machine's deadline has come."""


Input = (
    Begin | Opened | Ended | HandleIn | GoAway | Person | Asked | Replying | Replied | Reopened
    | Noticed | TurnOver | Stuck | Slept | Leave | Tick
)  # fmt: skip

# ------------------------------------------------------------------------------------------------- wire
# What a link hears that the machine need not know: it goes to the sound, the screen and the store.


@dataclass(frozen=True, slots=True)
class Audio(OfLink):
    """Speech of the model: s16le mono at `rate` Hz, an even number of bytes."""

    pcm: bytes
    rate: int


class Interim(Piece):
    """The transcript so far of what the person is still saying, in place of the one before."""


class Heard(Piece):
    """A piece of the transcript of what the person said."""


class Said(Piece):
    """A piece of the transcript of what the model says; pieces run ahead of the sound."""


class Written(Piece):
    """A piece of an answer that comes as text of its own. Some models give one in place of sound."""


@dataclass(frozen=True, slots=True)
class Status(OfLink):
    """The server is at work on a question, or has finished. It says so apart from any turnComplete."""

    status: Interaction


class Thought(Piece):
    """A piece of what the model thinks, which is no part of its answer."""

    def __repr__(self) -> str:  # as private as speech: it never reaches a log
        return f"Thought(link={self.link}, {len(self.text)} characters)"


@dataclass(frozen=True, slots=True)
class Called(OfLink):
    """The model calls a function, and waits for its result under this `id`."""

    id: str
    name: str
    arguments: dict[str, Any]

    def __repr__(self) -> str:  # arguments are as private as speech
        return f"Called(link={self.link}, name={self.name!r})"


@dataclass(frozen=True, slots=True)
class CallsCancelled(OfLink):
    """The server does not wait for the results of these calls any more."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grounded(OfLink):
    """The answer rests on a search: what was searched for, and the title and address of each source."""

    queries: tuple[str, ...]
    sources: tuple[tuple[str, str], ...]


class CutIn(OfLink):
    """The server says `interrupted`: what is not played yet must not be played."""


@dataclass(frozen=True, slots=True)
class HandleUpdate(OfLink):
    """A sessionResumptionUpdate. `handle` is "" where the session cannot be resumed just now.

    `consumed`: the index, on this link, of the last of our messages that the handle holds; None where the
    server does not say (only Vertex does, with `transparent`).
    """

    handle: str
    consumed: int | None = None

    def __repr__(self) -> str:
        return f"HandleUpdate(link={self.link}, resumable={bool(self.handle)}, consumed={self.consumed})"


@dataclass(frozen=True, slots=True)
class Counted(OfLink):
    """usageMetadata. The details: (modality, tokens) of each. `thoughts`: tokens."""

    prompt_tokens: int
    response_tokens: int
    total_tokens: int
    prompt_details: tuple[tuple[str, int], ...] = ()
    response_details: tuple[tuple[str, int], ...] = ()
    thoughts: int = 0


# What a link says of questions and answers.
Told = (
    Audio | Said | Written | Thought | Interim | Heard | Noticed | Called | CallsCancelled | Grounded | CutIn
    | Replied | Status | TurnOver
)  # fmt: skip
Wire = Opened | Ended | HandleUpdate | GoAway | Counted | Told

# ---------------------------------------------------------------------------------------------- actions
# What the machine asks of the runner.


@dataclass(frozen=True, slots=True)
class Dial:
    """Open link `n`, with this handle or none.

    `transparent`: the session goes on in the middle of what the person says, if the server can do so.
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

    `covers`: how many answered turns the server knows. The others are given to it as context.
    `replay` "all": it is given every question that waits for an answer; "missing": only what the newest handle is
    not known to hold; "none": neither context nor old speech, because the last link died of it.
    """

    n: int
    covers: int
    replay: Replay
    cause: str  # "" on the first link: not a handover
    how: Rung
    gap_ms: float


@dataclass(frozen=True, slots=True)
class Forgo:
    """No answer will come to what was asked, and it is not asked again. `heard`: the model chose silence."""

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
