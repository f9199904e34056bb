"""What the end of a link means, in plain words, and what the next dial is.

The text of the close reason decides, and the code only where the text is unknown: one code can mean a wrong key, a
dead handle or a passing fault. Each text below was seen (docs/wire.md 6.1). The wire cuts reasons at 123 bytes, so a
text here is never the end of a long reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from livechat.errors import KEY_PAGE
from livechat.session.events import Ended

STABLE_S = 8.0  # a link that was open this long, or brought output of the model, was a good one (6.1)
SLOW_S = (65.0, 300.0)  # quota: the first wait and the longest (6.1)


class Kind(Enum):
    """What the next dial is."""

    RESUME = "resume"  # the same session: at once, then after growing pauses
    FRESH = "fresh"  # this handle is dead: one rung down the ladder, at once
    SLOW = "slow"  # the server asks for patience: after a long pause
    AGAIN = "again"  # refused, though it was accepted before: the same after growing pauses, and the handle is kept
    FATAL = "fatal"  # none: no dial will help


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do next, and what to tell the person. `why` completes "the line was lost: …".

    `exit_code`: the program's, if the kind is FATAL.
    `vague`: the reason does not say what was refused. Most likely the setup; but it may be the handle or old speech.
    `idle`: the link ended because nobody spoke, so no other is needed until somebody does.
    `of_key`: the key or the credentials were refused, so the person is told where they come from.
    """

    kind: Kind
    why: str
    hint: str = ""
    exit_code: int = 5
    vague: bool = False
    idle: bool = False
    of_key: bool = False


_KEY = f"get a key at {KEY_PAGE} and set GEMINI_API_KEY, or add --offline"
_LOGIN = (
    "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the file of an account"
)
_REPORT = "change the option it names; please report it if you set none"

# (text in the reason, verdict). The first that fits counts.
_TEXTS: tuple[tuple[str, Verdict], ...] = (
    ("api key not valid", Verdict(Kind.FATAL, "the server does not know this API key", _KEY, 3, of_key=True)),
    ("api key expired", Verdict(Kind.FATAL, "the API key has expired", _KEY, 3, of_key=True)),
    ("unregistered callers", Verdict(Kind.FATAL, "no API key reached the server", _KEY, 3)),
    (
        "is not found for api version",
        Verdict(
            Kind.FATAL,
            "the server has no such Live model",
            "choose another with --model, such as gemini-3.8-live",
            3,
        ),
    ),
    ("cannot be read", Verdict(Kind.RESUME, "the server does not speak the protocol of the Live API")),
    ("code execution", Verdict(Kind.FATAL, "this model takes no code execution tool", _REPORT, 3)),
    ("session not found", Verdict(Kind.FRESH, "the server no longer has this session")),
    ("requested entity was not found", Verdict(Kind.FRESH, "the server no longer has this session")),
    ("invalid session handle", Verdict(Kind.FRESH, "the server no longer accepts this handle")),
    ("goaway", Verdict(Kind.RESUME, "the server's time limit for one connection")),
    ("the operation was aborted", Verdict(Kind.RESUME, "the server closed an idle connection", idle=True)),
    (
        "spending cap",
        Verdict(
            Kind.FATAL,
            "the project's monthly spending cap is reached",
            "raise it at https://ai.studio/spend, or add --offline",
            3,
        ),
    ),
    (
        "exceeded your current quota",
        Verdict(
            Kind.SLOW,
            "the project's quota is used up",
            "wait, or see https://ai.google.dev/gemini-api/docs/rate-limits",
        ),
    ),
    ("resource_exhausted", Verdict(Kind.SLOW, "the project has too many sessions open", "end another one")),
    ("resource has been exhausted", Verdict(Kind.SLOW, "the project's quota is used up", "wait a little")),
    (
        "user location is not supported",
        Verdict(
            Kind.FATAL,
            "the Live API is not offered where you are",
            "use Vertex AI in a region that has it, or add --offline",
            3,
        ),
    ),
    (
        "explicit activity control",
        Verdict(Kind.FATAL, "the server refused a manual activity signal", _REPORT, 3),
    ),
    ("unknown name", Verdict(Kind.FATAL, "the server does not know an option of the setup", _REPORT, 3)),
    (
        "thinking level",
        Verdict(Kind.FATAL, "this model and its thinking level do not fit", "choose another --model", 3),
    ),
    ("response modalities", Verdict(Kind.FATAL, "this model does not speak", "choose another --model", 3)),
    ("cannot extract voices", Verdict(Kind.FATAL, "this model does not speak", "choose another --model", 3)),
    (
        "no matching speaker voice",
        Verdict(Kind.FATAL, "this model has no such voice", "choose another --voice", 3),
    ),
    (
        "unsupported language code",
        Verdict(Kind.FATAL, "this model does not take a language code", _REPORT, 3),
    ),
    ("blocking function calls", Verdict(Kind.FATAL, "this model takes no blocking tools", _REPORT, 3)),
    ("deadline expired", Verdict(Kind.RESUME, "the server's time limit for one connection")),
    ("currently unavailable", Verdict(Kind.RESUME, "the service is unavailable just now")),
    ("internal error", Verdict(Kind.RESUME, "an error inside the server")),
    ("keepalive ping timeout", Verdict(Kind.RESUME, "the connection went silent")),
)

_HTTP = {
    401: Verdict(Kind.FATAL, "the server refused the credentials", _KEY, 3, of_key=True),
    403: Verdict(Kind.FATAL, "the server refused the credentials", _KEY, 3, of_key=True),
    429: Verdict(Kind.SLOW, "the server is turning connections away", "wait a little"),
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
        return Verdict(Kind.FATAL, end.reason, end.hint or "check the options and the environment", 3)
    if end.how == "proxy":
        return Verdict(Kind.RESUME, end.reason, end.hint)
    if end.how == "auth":
        return Verdict(Kind.FATAL, end.reason, _LOGIN, 3, of_key=True)
    if end.how == "token":
        return Verdict(
            Kind.RESUME, f"no token for Vertex AI is available just now ({end.reason})", "check the network"
        )
    if end.how == "http":
        return _http(end.code or 0)
    if end.how == "timeout":
        return Verdict(Kind.RESUME, "the server did not answer in time")
    if end.how == "dns":
        return Verdict(Kind.RESUME, "the server's name cannot be looked up", "check the network")
    if end.how == "tls":
        why, hint = _tls(end.reason)
        return Verdict(Kind.FATAL if setting_up else Kind.RESUME, why, hint, 3)
    if end.how == "network":
        why = f"the server cannot be reached ({end.reason})" if end.reason else "the connection was cut"
        return Verdict(Kind.RESUME, why, "check the network")
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
        return Verdict(Kind.FATAL, f"the server refused the connection (HTTP {status})", "check --endpoint", 3)
    return Verdict(Kind.RESUME, f"the service is unavailable just now (HTTP {status})")


def _close(code: int | None, words: str, *, young: bool, setting_up: bool) -> Verdict:
    reason = words.lower()
    # A server says these of a wrong setup, and also of a session that was fine for minutes. Only the age tells which.
    unsupported = "not implemented" in reason
    if unsupported or "invalid argument" in reason or "precondition check failed" in reason:
        if young:
            why = "the server refused the setup of this conversation"
            return Verdict(Kind.FATAL, why, _REPORT, 3, vague=True)
        return Verdict(Kind.RESUME if unsupported else Kind.FRESH, "the server gave up this session")
    for text, verdict in _TEXTS:
        if text in reason:
            return verdict
    if code in (1007, 1008) and setting_up:
        why = f"the server refused the conversation: {words or code}"
        return Verdict(Kind.FATAL, why, _REPORT, 3, vague=True)
    return Verdict(Kind.RESUME, "the connection was cut", vague=code == 1007 and young)
