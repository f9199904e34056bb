"""The flags of `talk` and `resume` in one table. The commands, the configuration file and the settings read it.

A new flag is two edits: a field of Flags, and its use as a field of Settings.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from types import NoneType
from typing import get_args, get_type_hints

from livechat import models
from livechat.errors import UsageError
from livechat.flag import Flag, Trait, flag, option_of, switch

# The parts of --help.
_VOICE, _PICTURES, _MODEL, _SESSION = "Voice and sound", "Pictures", "Model", "Session and resumption"
_SCREEN, _COST, _SERVER, _DEBUGGING = "Screen and output", "Cost", "Server", "Debugging"

_THINKS = Trait("thoughts", "does not tell what it thinks", models.THINKING_MODEL)
_TRIGGER, _TARGET = models.TRIGGER_RANGE, models.TARGET_RANGE
_MS = (0, models.MAX_VAD_MS)
_ANY = (0, math.inf)
_LEVELS = ("low", "high")


@dataclass(frozen=True, slots=True)
class Flags:
    """A value for each flag: None, False or its usual one where it is not given.

    The order is that of --help and of `livechat config show`.
    """

    voice: str | None = flag(
        _VOICE, "Let the model speak with this voice, such as Puck or Kore.", metavar="NAME", kept=True
    )
    language: str | None = flag(
        _VOICE,
        "Say which languages you speak, such as en or de-DE, with commas between.",
        metavar="CODE[,...]",
        kept=True,
    )
    vocabulary: str | None = flag(
        _VOICE,
        "Help the server to understand these names and words, with commas or line ends between.",
        metavar="WORD[,...]|@FILE",
        file="after @",
        kept=True,
    )
    mic: str | None = flag(
        _VOICE,
        "Use this microphone: part of its name, or its number. It is used from now on; `default` goes back.",
        metavar="NAME|ID",
    )
    speaker: str | None = flag(
        _VOICE,
        "Use this speaker: part of its name, or its number. It is used from now on; `default` goes back.",
        metavar="NAME|ID",
    )
    echo: str = flag(
        _VOICE,
        "What to do with the model's voice in the microphone: cancel it, mute you while the model speaks, or nothing"
        " (with headphones).",
        choices=("cancel", "duck", "off"),
        usual="cancel",
    )
    barge_in: str = flag(
        _VOICE,
        "Pause the model as soon as you speak over it, or when the server says so.",
        choices=("local", "server"),
        usual="local",
    )
    no_interrupt: bool = switch(_VOICE, "Let the model finish when you speak over it.", kept=True)
    ptt: bool = switch(_VOICE, "Push to talk: the microphone is open while you hold the space bar.")
    text: bool = switch(_VOICE, "Type and read, without microphone and speaker.")
    start_sensitivity: str | None = flag(_VOICE, "How easily the server hears that you begin.", choices=_LEVELS)
    end_sensitivity: str | None = flag(_VOICE, "How easily the server hears that you have finished.", choices=_LEVELS)
    prefix_ms: int | None = flag(
        _VOICE, "Speech begins when you have spoken for N milliseconds.", metavar="N", within=_MS
    )
    silence_ms: int | None = flag(
        _VOICE, "Speech ends when you have been silent for N milliseconds.", metavar="N", within=_MS
    )
    input: str | None = flag(
        _VOICE,
        "Read a sound file instead of the microphone; - is stdin: a file, or raw 16 kHz s16le.",
        metavar="FILE|-",
        file="yes",
    )
    lines: bool = switch(_VOICE, "Ask each line of a pipe as a question. Without it the whole pipe is one question.")
    fast: bool = switch(_VOICE, "Read --input up to ten times faster than speech. The answers are the same.")
    output: str | None = flag(
        _VOICE, "Write the answers to this WAV or FLAC file instead of the speaker.", metavar="FILE", file="yes"
    )
    compact: bool = switch(_VOICE, "Leave out the silence between answers in --output.")
    record: str | None = flag(
        _VOICE,
        "Record both voices to this WAV or FLAC file: you on the left, the model on the right.",
        metavar="FILE",
        file="yes",
    )
    video: str | None = flag(
        _PICTURES,
        "Show the model the screen, a camera, a picture, or a folder of pictures. /video does the same.",
        metavar="screen|camera|FILE|DIR",
    )
    fps: float = flag(
        _PICTURES,
        "Send at most X pictures a second, and only those that differ (0.05 to 1).",
        usual=1.0,
        metavar="X",
        within=(0.05, 1),
    )
    media_resolution: str = flag(
        _PICTURES,
        "How closely the model looks. Low costs a quarter of the tokens.",
        choices=("medium", "low", "high"),
        usual="medium",
    )
    model: str | None = flag(
        _MODEL,
        "Talk to this Live model. `livechat models` lists them.",
        metavar="NAME",
        kept=True,
        variable="LIVECHAT_MODEL",
        shown=models.DEFAULT_MODEL,
    )
    system: str | None = flag(
        _MODEL, "Tell the model how to behave.", metavar="TEXT|@FILE", file="after @", kept=True
    )
    thinking: str | None = flag(
        _MODEL, "How much the model thinks before it answers.", choices=models.LEVELS, kept=True
    )
    temperature: float | None = flag(
        _MODEL, "How freely the model chooses its words (0 to 2).", metavar="X", within=(0, 2), kept=True
    )
    max_output_tokens: int | None = flag(
        _MODEL, "Let no answer be longer than N tokens.", metavar="N", within=(1, 65_536), kept=True
    )
    affective: bool = switch(_MODEL, "Let a model of 2.5 answer to the tone of your voice.", kept=True)
    proactive: bool = switch(_MODEL, "Let a model of 2.5 stay silent when you do not talk to it.", kept=True)
    search: bool = switch(_MODEL, "Let the model search with Google. Its sources are shown.", kept=True)
    tool: str | None = flag(
        _MODEL,
        "Let the model call these Python functions, with commas between.",
        metavar="MODULE:FUNCTION",
        kept=True,
    )
    mcp: str | None = flag(
        _MODEL,
        "Let the model call the functions of these MCP servers, with semicolons between.",
        metavar='"COMMAND ..."|URL',
        kept=True,
    )
    mcp_functions: str | None = flag(
        _MODEL, "Take only these functions of the MCP servers, with commas between.", metavar="NAME[,...]", kept=True
    )
    confirm: str = flag(
        _MODEL,
        "Which functions run only when you say yes: those that may change something, all, or none.",
        choices=("risky", "always", "never"),
        usual="risky",
    )
    context: str | None = flag(
        _SESSION,
        "Let the model know these text files, or exported conversations, with commas between.",
        metavar="FILE[,...]",
    )
    history_from: str | None = flag(_SESSION, "Let the model know another conversation, by its id.", metavar="ID")
    trigger_tokens: int | None = flag(
        _SESSION,
        f"Compress the context when it reaches N tokens ({_TRIGGER[0]} to {_TRIGGER[1]}).",
        metavar="N",
        within=_TRIGGER,
        kept=True,
        shown=str(models.DEFAULT_TRIGGER),
    )
    target_tokens: int | None = flag(
        _SESSION,
        f"Compress the context down to N tokens ({_TARGET[0]} to {_TARGET[1]}, less than the trigger).",
        metavar="N",
        within=_TARGET,
        kept=True,
        shown="half of the trigger",
    )
    no_compression: bool = switch(_SESSION, "End the session when its context is full.", kept=True)
    json: bool = switch(_SCREEN, "Write one JSON object a line to stdout.")
    plain: bool = switch(_SCREEN, "Write lines instead of a screen, for screen readers.")
    quiet: bool = switch(_SCREEN, "Show only what was said, and errors.")
    thoughts: bool = switch(_SCREEN, "Show the thoughts of models that tell them. They are not kept.", trait=_THINKS)
    price_in: float | None = flag(
        _COST, "The price of a million tokens of what the model hears and reads.", metavar="X", within=_ANY
    )
    price_out: float | None = flag(_COST, "The price of a million tokens of answers.", metavar="X", within=_ANY)
    max_tokens_total: int | None = flag(
        _COST, "End the conversation when it has used N tokens; it can be resumed.", metavar="N", within=_ANY
    )
    max_cost: float | None = flag(
        _COST, "End the conversation when it has cost X; it can be resumed.", metavar="X", within=_ANY
    )
    offline: bool = switch(_SERVER, "Talk to the server inside livechat, without a network or a key.", kept=True)
    endpoint: str | None = flag(
        _SERVER,
        "Talk to another Live server, as https://HOST:PORT.",
        metavar="URL",
        kept=True,
        variable="GOOGLE_GEMINI_BASE_URL",
    )
    brain: str | None = flag(
        _SERVER,
        "Let the language model of this OpenAI-compatible endpoint answer, not the offline agent.",
        metavar="URL",
        kept=True,
    )
    brain_model: str | None = flag(_SERVER, "Use this language model of --brain.", metavar="NAME", kept=True)
    ephemeral: bool = switch(_SERVER, "Use the key only to make a short-lived token for each connection.", kept=True)
    ca_file: str | None = flag(
        _SERVER,
        "Trust this certificate for --endpoint.",
        metavar="PEM",
        file="yes",
        kept=True,
    )
    log_file: str | None = flag(
        _DEBUGGING, "Write a log to this file, without speech, keys or handles.", metavar="FILE", file="yes"
    )
    trace: str | None = flag(
        _DEBUGGING, "Write each step of the session to this file, without speech or keys.", metavar="FILE", file="yes"
    )
    faults: str | None = flag(
        _DEBUGGING, "With --offline, break the server's connections, as in 'drop@12s'.", metavar="PLAN"
    )


def _table() -> dict[str, Flag]:
    hints = get_type_hints(Flags)
    kinds = {
        name: next(kind for kind in get_args(hint) or (hint,) if kind is not NoneType) for name, hint in hints.items()
    }
    return {made.name: Flag(made.name, kinds[made.name], **made.metadata) for made in fields(Flags)}


FLAGS = _table()
SERVER = ("offline", "endpoint", "ca_file")  # they say together which server it is
_REPLACES = {"offline": {"ca_file"}, "endpoint": {"ca_file"}}  # another server has another certificate
_VOICE_DETECTION = ("start_sensitivity", "end_sensitivity", "prefix_ms", "silence_ms")


@dataclass(frozen=True, slots=True)
class Excludes:
    """`flag` goes with none of `others`. `called`: what an error calls these; "" for the name of the one given."""

    flag: str
    others: tuple[str, ...]
    called: str = ""

    def trouble(self, given: Collection[str]) -> UsageError | None:
        """The error where flags of these names break it."""
        other = next((other for other in self.others if other in given), None)
        if self.flag not in given or other is None:
            return None
        return UsageError(
            f"{option_of(self.flag)} does not go with {self.called or option_of(other)}", "leave one of them out"
        )


@dataclass(frozen=True, slots=True)
class Needs:
    """`flag` goes only with one of `others`, which are flags or kinds of server (settings.Backend).

    `waits`: it may stand in the configuration file without them, and counts in a conversation that has one.
    """

    flag: str
    others: tuple[str, ...]
    message: str
    hint: str
    waits: bool = False

    def trouble(self, given: Collection[str]) -> UsageError | None:
        """The error where flags, and the kind of server, of these names break it."""
        broken = self.flag in given and not any(other in given for other in self.others)
        return UsageError(self.message, self.hint) if broken else None


_PRICES = ("a cost needs both prices", "give --price-in and --price-out, each for a million tokens")
RULES: tuple[Excludes | Needs, ...] = (
    Excludes("no_compression", ("trigger_tokens", "target_tokens")),
    Excludes("text", ("input", "mic")),
    Excludes("json", ("plain", "quiet")),
    Excludes("offline", ("endpoint",)),
    Excludes("ptt", ("input", "text")),
    Excludes("ptt", ("no_interrupt",)),
    Excludes("ptt", _VOICE_DETECTION, "the server's voice detection"),
    Excludes("fast", ("record",), "--record, which keeps time"),
    Needs("price_in", ("price_out",), *_PRICES),
    Needs("price_out", ("price_in",), *_PRICES),
    Needs(
        "fast", ("input",), "--fast hurries through an --input", "name an --input FILE, or leave it out", waits=True
    ),
    Needs(
        "compact", ("output",), "--compact leaves silence out of the --output",
        "name an --output FILE, or leave it out", waits=True,
    ),
    Needs(
        "fast", ("offline", "endpoint"), "--fast is not for Gemini, which asks for sound at the pace of speech",
        "leave it out, or add --offline",
    ),
    Needs(
        "mcp_functions", ("mcp",), "--mcp-functions chooses among those of --mcp",
        "name an --mcp server, or leave it out", waits=True,
    ),
    Needs("brain", ("offline",), "--brain answers for the embedded server only", "add --offline, or leave it out"),
    Needs(
        "faults", ("offline",), "--faults breaks the embedded server only",
        "add --offline, or use `livechat serve --faults`",
    ),
)  # fmt: skip


def check(flags: Flags, server: str) -> None:
    """Raises UsageError for the first value that its flag does not take, and the first rule that is broken.

    `server`: the kind of server the conversation has, by its name in settings.Backend.
    """
    given = {
        name: value for name in FLAGS if (value := getattr(flags, name)) not in (None, "") and value is not False
    }
    values = (FLAGS[name].trouble(value) for name, value in given.items())
    rules = (rule.trouble({*given, server}) for rule in RULES)
    for trouble in (*values, *rules):
        if trouble:
            raise trouble


def replaced_by(name: str) -> set[str]:
    """The flags that a later layer leaves out when it names `name`. An earlier layer may have asked for them."""
    gone = set(_REPLACES.get(name, ()))
    for rule in RULES:
        if isinstance(rule, Excludes):
            if rule.flag == name:
                gone |= set(rule.others)
            elif name in rule.others:
                gone.add(rule.flag)
    return gone


def waits_for(name: str) -> set[str]:
    """The flags of which `name` needs one in order to count. Most flags need none."""
    return {
        other
        for rule in RULES
        if isinstance(rule, Needs) and rule.waits and rule.flag == name
        for other in rule.others
    }
