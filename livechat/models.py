"""What each family of models accepts, and the limits of the API.

Numbers in parentheses are sections of docs/wire.md, which names the sources.
"""

import difflib
import re
from dataclasses import dataclass
from typing import Literal

Purpose = Literal["converse", "transcribe", "translate"]

DEFAULT_MODEL = "gemini-3.8-live"
_CAPTIONS: dict[Purpose, str] = {
    "transcribe": "gemini-3.5-transcribe-live", "translate": "gemini-3.5-live-translate-preview",
}  # fmt: skip

THINKING_MODEL = "gemini-3.8-live-extended-thinking"

CONTEXT_WINDOW = 131_072  # tokens, input (0.1)
FRAME_TOKENS = {"low": 66, "medium": 258, "high": 258}  # of a picture, by its resolution (4)
TRIGGER_RANGE = (5_000, 128_000)  # tokens (4)
TARGET_RANGE = (0, 128_000)  # tokens (4)
DEFAULT_TRIGGER = CONTEXT_WINDOW * 8 // 10  # the server's own default (4)

MAX_VAD_MS = 10_000  # our own limit, since the API names none: with longer pauses there is no conversation

LINK_LIFETIME_S = 590.0  # GoAway at 540 s, the end 50 s later (3.1)
ROTATE_AFTER_S = 570.0  # our own limit, for servers that never send GoAway (6.2)
HANDLE_TTL_S = {"vertex": 24 * 3600.0}  # how long a handle is valid after its link has ended (2.8)
DEFAULT_HANDLE_TTL_S = 2 * 3600.0

LEVELS = ("minimal", "low", "medium", "high")  # of thinking (0.3); "minimal" is no budget at all for 2.5

# The prebuilt voices in Gemini's documentation of speech generation.
VOICES = (
    "Achernar", "Achird", "Algenib", "Algieba", "Alnilam", "Aoede", "Autonoe", "Callirrhoe", "Charon", "Despina",
    "Enceladus", "Erinome", "Fenrir", "Gacrux", "Iapetus", "Kore", "Laomedeia", "Leda", "Orus", "Puck",
    "Pulcherrima", "Rasalgethi", "Sadachbia", "Sadaltager", "Schedar", "Sulafat", "Umbriel", "Vindemiatrix",
    "Zephyr", "Zubenelgenubi",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Family:
    """What differs between the generations of Live models (docs/wire.md 0.3).

    `prefix`: how the names of its models begin.
    `thinking_level`: what the setup must contain; None where none is needed, or any is refused.
    `levels`: what `--thinking` may be; empty where the model takes none.
    `budget`: it takes a budget of tokens for thinking in place of a level.
    `affective`: it takes affective dialogue and proactive audio.
    `text`: how typed text is sent. "realtime" gets a spoken answer on every 3.x, "content" is the way of 2.5.
    `answer_s`: seconds after a question in which an answer must begin, or the session counts as deaf (5).
    `thoughts`: the model tells its thoughts if the setup asks for them.
    `interactions`: an answer may have several turns, and the question is open until the server says IDLE (12).
    `silent`: the model may choose to say nothing, so silence alone does not prove a deaf session (12).
    `goes_on`: it ends its turn while a function runs, and speaks the result in another (0.3).
    `purpose`: what its models are for. Those that transcribe or translate never answer.
    """

    prefix: str
    thinking_level: Literal["LOW"] | None = None
    levels: tuple[str, ...] = ()
    budget: bool = False
    affective: bool = False
    text: Literal["realtime", "content"] = "realtime"
    answer_s: float = 10.0
    thoughts: bool = False
    interactions: bool = False
    silent: bool = False
    goes_on: bool = False
    purpose: Purpose = "converse"

    @property
    def converses(self) -> bool:
        return self.purpose == "converse"


_FAMILIES = (  # the first whose prefix fits counts
    Family(
        THINKING_MODEL, thinking_level="LOW", levels=("low", "medium", "high"), answer_s=30.0, thoughts=True,
        interactions=True, silent=True,
    ),
    Family("gemini-3.8-live", silent=True, goes_on=True),
    Family("gemini-3.5-transcribe", purpose="transcribe"),
    Family("gemini-3.5-live-translate", purpose="translate"),
    Family("gemini-3.1-flash-live", levels=LEVELS, thoughts=True),
    Family("gemini-live-2.5-flash", levels=("minimal",), budget=True, affective=True, text="content", thoughts=True),
    Family(
        "gemini-2.5-flash-native-audio", levels=("minimal",), budget=True, affective=True, text="content",
        thoughts=True,
    ),
)  # fmt: skip
# One of each family that converses, the newest first.
NAMED = (
    DEFAULT_MODEL, THINKING_MODEL, "gemini-3.1-flash-live-preview", "gemini-2.5-flash-native-audio-latest",
    "gemini-live-2.5-flash-native-audio",
)  # fmt: skip
_GONE = ("gemini-2.0-flash-live", "gemini-live-2.5-flash-preview")  # closed with 1008 "not found" (0.1)
# Newer than this table, so it may do what the newest known models do.
_UNKNOWN = Family("", levels=LEVELS, affective=True, silent=True)


def bare(model: str) -> str:
    """The model's own name, without `models/` or a Vertex resource path."""
    return model.rsplit("/", 1)[-1]


def family(model: str) -> Family:
    """The family of a model. A model that is not known here gets one that needs nothing special."""
    return next((f for f in _FAMILIES if bare(model).startswith(f.prefix)), _UNKNOWN)


def usual(purpose: Purpose, *, vertex: bool = False) -> str:
    """The model for this purpose. Vertex AI has only the preview of the one that transcribes (0.1)."""
    name = _CAPTIONS.get(purpose, DEFAULT_MODEL)
    return f"{name}-preview" if vertex and purpose == "transcribe" else name


def is_gone(model: str) -> bool:
    """Whether this model is known to have been switched off."""
    return bare(model).startswith(_GONE)


def api_version(model: str, *, alpha: bool = False) -> str:
    """The version of the API that has this model.

    Preview models and `-latest` aliases exist only on v1beta (0.4). `alpha`: something is asked for that only v1alpha
    has: ephemeral tokens (8.1), affective dialogue (0.3).
    """
    if alpha:
        return "v1alpha"
    return "v1beta" if "preview" in model or model.endswith("-latest") else "v1"


def can_be_handle(text: str) -> bool:
    """Whether this has the form of a session handle (2.3), and not that of a name, a path or a mistyped id.

    A handle is a UUID (3.x and the embedded server) or base64 (2.x, 56 characters). The base64 is long, mixes
    capitals, small letters and digits, and has a long run without a sign. Words with dashes and paths have none.
    """
    if re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text.lower()):
        return True
    digits = text.rstrip("=")
    if not re.fullmatch("[A-Za-z0-9+/_-]{40,}={0,2}", text) or len(digits) % 4 == 1:
        return False
    mixed = all(re.search(kind, text) for kind in ("[A-Z]", "[a-z]", "[0-9]"))
    return mixed and max(map(len, re.split("[+/_-]", digits))) >= 16


def voice(name: str) -> tuple[str, str]:
    """(the voice as the API spells it, ""). For a voice that is not known: (`name`, the most similar known voice)."""
    known = {v.lower(): v for v in VOICES}
    if name.lower() in known:
        return known[name.lower()], ""
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.0)
    return name, known[near[0]]


def compression(trigger: int | None, target: int | None) -> tuple[int, int]:
    """(trigger, target) in tokens, with the server's defaults for None: 80 % of the window, half the trigger (4)."""
    used = trigger if trigger is not None else DEFAULT_TRIGGER
    return used, target if target is not None else used // 2
