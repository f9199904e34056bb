"""What the end of a link means, in plain words, and what the next dial is.

The text of the close reason decides, and the code only where the text is unknown: one code can mean a wrong key, a
dead handle or a passing fault. Each text below was seen (docs/wire.md 6.1). The wire cuts reasons at 123 bytes, so a
text here is never the end of a long reason.
"""

from dataclasses import dataclass, replace
from enum import Enum

from livechat.errors import KEY_PAGE
from livechat.models import DEFAULT_MODEL
from livechat.session.events import Ended

STABLE_S = 8.0  # a link that was open this long, or brought output of the model, was a good one (6.1)
SLOW_S = (65.0, 300.0)  # quota: the first wait and the longest (6.1)


class Kind(Enum):
    """What the next dial is."""

    RESUME = "resume"  # the same session: at once, then after growing pauses
    FRESH = "fresh"  # this handle is dead: one rung down the ladder, at once
    SLOW = "slow"  # the server asks for patience: after a long pause
    AGAIN = "again"  # refused, though it was accepted before: the same after growing pauses, and the handle is kept
    FATAL = "fatal"  # none: no dial will help, and the program ends with the exit code of ConfigError


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do next, and what to tell the person. `why` completes "the line was lost: …".

    `vague`: the reason does not say what was refused. Most likely the setup; but it may be the handle or old speech.
    `idle`: the link ended because nobody spoke, so no other is needed until somebody does.
    `of_key`: the key or the credentials were refused, so the person is told where they come from.
    """

    kind: Kind
    why: str
    hint: str = ""
    vague: bool = False
    idle: bool = False
    of_key: bool = False


_KEY = f"get a key at {KEY_PAGE} and set GEMINI_API_KEY, or add --offline"
_LOGIN = (
    "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the file of an account"
)
_REPORT = "change the option it names; please report it if you set none"
_MODEL = "choose another --model"
_SPEND = "raise it at https://ai.studio/spend, or add --offline"
_QUOTA = "wait, or see https://ai.google.dev/gemini-api/docs/rate-limits"
_REGION = "use Vertex AI in a region that has it, or add --offline"

_FATAL, _FRESH, _SLOW, _RESUME = Kind.FATAL, Kind.FRESH, Kind.SLOW, Kind.RESUME

# (text in the reason, verdict). The first that fits counts.
_TEXTS: tuple[tuple[str, Verdict], ...] = (
    ("api key not valid", Verdict(_FATAL, "the server does not know this API key", _KEY, of_key=True)),
    ("api key expired", Verdict(_FATAL, "the API key has expired", _KEY, of_key=True)),
    ("unregistered callers", Verdict(_FATAL, "no API key reached the server", _KEY)),
    (
        "is not found for api version",
        Verdict(_FATAL, "the server has no such Live model", f"{_MODEL}, such as {DEFAULT_MODEL}"),
    ),
    ("cannot be read", Verdict(_RESUME, "the server does not speak the protocol of the Live API")),
    ("code execution", Verdict(_FATAL, "this model takes no code execution tool", _REPORT)),
    ("session not found", Verdict(_FRESH, "the server no longer has this session")),
    ("requested entity was not found", Verdict(_FRESH, "the server no longer has this session")),
    ("invalid session handle", Verdict(_FRESH, "the server no longer accepts this handle")),
    ("goaway", Verdict(_RESUME, "the server's time limit for one connection")),
    ("the operation was aborted", Verdict(_RESUME, "the server closed an idle connection", idle=True)),
    ("spending cap", Verdict(_FATAL, "the project's monthly spending cap is reached", _SPEND)),
    ("exceeded your current quota", Verdict(_SLOW, "the project's quota is used up", _QUOTA)),
    ("resource_exhausted", Verdict(_SLOW, "the project has too many sessions open", "end another one")),
    ("resource has been exhausted", Verdict(_SLOW, "the project's quota is used up", "wait a little")),
    ("user location is not supported", Verdict(_FATAL, "the Live API is not offered where you are", _REGION)),
    ("explicit activity control", Verdict(_FATAL, "the server refused a manual activity signal", _REPORT)),
    ("unknown name", Verdict(_FATAL, "the server does not know an option of the setup", _REPORT)),
    ("thinking level", Verdict(_FATAL, "this model and its thinking level do not fit", _MODEL)),
    ("response modalities", Verdict(_FATAL, "this model does not speak", _MODEL)),
    ("cannot extract voices", Verdict(_FATAL, "this model does not speak", _MODEL)),
    ("no matching speaker voice", Verdict(_FATAL, "this model has no such voice", "choose another --voice")),
    ("unsupported language code", Verdict(_FATAL, "this model does not take a language code", _REPORT)),
    ("blocking function calls", Verdict(_FATAL, "this model takes no blocking tools", _REPORT)),
    ("deadline expired", Verdict(_RESUME, "the server's time limit for one connection")),
    ("currently unavailable", Verdict(_RESUME, "the service is unavailable just now")),
    ("internal error", Verdict(_RESUME, "an error inside the server")),
    ("keepalive ping timeout", Verdict(_RESUME, "the connection went silent")),
)

_HTTP = {
    401: Verdict(_FATAL, "the server refused the credentials", _KEY, of_key=True),
    403: Verdict(_FATAL, "the server refused the credentials", _KEY, of_key=True),
    429: Verdict(_SLOW, "the server is turning connections away", "wait a little"),
}


def judge(end: Ended, *, setting_up: bool, age_s: float) -> Verdict:
    """What a link's end means. `setting_up`: it never opened. `age_s`: for how many seconds it was open."""
    verdict = _judge(end, setting_up=setting_up, age_s=age_s)
    if not verdict.of_key or not end.key_from:
        return verdict
    hint = verdict.hint if end.key_from.endswith("_KEY") else _LOGIN
    return replace(verdict, why=f"{verdict.why} (from {end.key_from})", hint=hint)


def _judge(end: Ended, *, setting_up: bool, age_s: float) -> Verdict:
    if end.how == "bad":
        return Verdict(_FATAL, end.reason, end.hint or "check the options and the environment")
    if end.how == "proxy":
        return Verdict(_RESUME, end.reason, end.hint)
    if end.how == "auth":
        return Verdict(_FATAL, end.reason, _LOGIN, of_key=True)
    if end.how == "token":
        return Verdict(_RESUME, f"no token for Vertex AI is available just now ({end.reason})", "check the network")
    if end.how == "http":
        return _http(end.code or 0)
    if end.how == "timeout":
        return Verdict(_RESUME, "the server did not answer in time")
    if end.how == "dns":
        return Verdict(_RESUME, "the server's name cannot be looked up", "check the network")
    if end.how == "tls":
        why, hint = _tls(end.reason)
        return Verdict(_FATAL if setting_up else _RESUME, why, hint)
    if end.how == "network":
        why = f"the server cannot be reached ({end.reason})" if end.reason else "the connection was cut"
        return Verdict(_RESUME, why, "check the network")
    return _close(end.code, end.reason, young=setting_up or age_s < STABLE_S, setting_up=setting_up)


def _tls(words: str) -> tuple[str, str]:
    """(why, hint) for OpenSSL's words about a certificate, or for its NAME_IN_CAPITALS of any other failure."""
    if words.isupper():
        said = words.lower().replace("_", " ")
        return f"no TLS connection to the server is possible ({said})", "check the address and the port"
    if "expired" in words or "not yet valid" in words:
        why = f"the server's certificate is {'out of date' if 'expired' in words else 'not valid yet'}"
        return why, "look at the clock of this computer; if it is right, the server needs a new certificate"
    if "mismatch" in words:
        why = f"the server's certificate is for another name ({words.rstrip('.')})"
        return why, "check the name in --endpoint, or whether this network sends you to somebody else"
    return f"the server's certificate is not trusted ({words})", "give its CA with --ca-file"


def _http(status: int) -> Verdict:
    if status in _HTTP:
        return _HTTP[status]
    if 400 <= status < 500 and status != 408:
        return Verdict(_FATAL, f"the server refused the connection (HTTP {status})", "check --endpoint")
    return Verdict(_RESUME, f"the service is unavailable just now (HTTP {status})")


def _close(code: int | None, words: str, *, young: bool, setting_up: bool) -> Verdict:
    reason = words.lower()
    # A server says these of a wrong setup, and also of a session that was fine for minutes. Only the age tells which.
    unsupported = "not implemented" in reason
    if unsupported or "invalid argument" in reason or "precondition check failed" in reason:
        if young:
            why = "the server refused the setup of this conversation"
            return Verdict(_FATAL, why, _REPORT, vague=True)
        return Verdict(_RESUME if unsupported else _FRESH, "the server gave up this session")
    for text, verdict in _TEXTS:
        if text in reason:
            return verdict
    if code in (1007, 1008) and setting_up:
        why = f"the server refused the conversation: {words or code}"
        return Verdict(_FATAL, why, _REPORT, vague=True)
    return Verdict(_RESUME, "the connection was cut", vague=code == 1007 and young)
