"""The settings of one conversation. A flag wins over the environment, and the environment over the default."""

import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from livechat import models
from livechat.errors import KEY_PAGE, ConfigError, Notice, UsageError
from livechat.flags import FLAGS, Flags, check
from livechat.paths import given_text, look, same
from livechat.prices import prices

Backend = Literal["gemini", "vertex", "endpoint", "offline"]
KEYS = ("GOOGLE_API_KEY", "GEMINI_API_KEY")  # the first that is set counts, as in the SDK
_VERTEX = ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI")
_COPIED = (*KEYS, *_VERTEX, "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION")  # what stands in env files


@dataclass(frozen=True, slots=True)
class Settings(Flags):
    """The flags, checked and complete: none of our own rules can refuse them any more.

    `model` is the one that is used, `voice` as the API spells it, `system` the text itself, and `endpoint` the URL of
    the server, None where it is the SDK's own. `offline` is what was asked for; `backend` says what is used.
    `key_from`: the variable of the key or of the credentials, or what else they are; "" where there are none.
    `warnings`: what the person should know, though it is allowed. `purpose`: what the model is for.
    `to`: the language of a translation, as a BCP-47 code. `smart`: a transcript without false starts and fillers.
    """

    model: str = models.DEFAULT_MODEL
    backend: Backend = "offline"
    key: str = field(default="", repr=False)
    key_from: str = ""
    api_version: str | None = None
    project: str | None = None
    location: str | None = None
    warnings: tuple[Notice, ...] = ()
    purpose: models.Purpose = "converse"
    to: str = ""
    smart: bool = False

    @property
    def compression(self) -> bool:
        """Whether the server is to compress the context."""
        return not self.no_compression

    @property
    def vad(self) -> dict[str, Any]:
        """What was asked for of the server's voice detection: start, end ("LOW", "HIGH"), prefix_ms, silence_ms."""
        asked = {
            "start": self.start_sensitivity and self.start_sensitivity.upper(),
            "end": self.end_sensitivity and self.end_sensitivity.upper(),
            "prefix_ms": self.prefix_ms,
            "silence_ms": self.silence_ms,
        }
        return {name: value for name, value in asked.items() if value is not None}

    @property
    def applied_compression(self) -> tuple[int, int] | None:
        """(trigger, target) in tokens as the server applies them; None where compression is off."""
        return models.compression(self.trigger_tokens, self.target_tokens) if self.compression else None

    @property
    def handle_ttl_s(self) -> float:
        """How long a handle outlives its link on this backend, in seconds."""
        return models.HANDLE_TTL_S.get(self.backend, models.DEFAULT_HANDLE_TTL_S)


def resolve(environ: Mapping[str, str], purpose: models.Purpose = "converse", /, **given: Any) -> Settings:
    """Settings from flags, by the names in flags.Flags (None or False where not given), and the environment.

    LIVECHAT_MODEL is for conversations.

    Raises UsageError for flags that are wrong or do not go together, ConfigError for the environment.
    """
    environ = {name: bare(value) if name in _COPIED else value for name, value in environ.items()}
    given = {name: value.lower() if FLAGS[name].choices and value else value for name, value in given.items()}
    flags = Flags(**given)
    backend, url, (key, key_from) = _backend(environ, offline=flags.offline, endpoint=flags.endpoint)
    check(flags, backend)
    if flags.ephemeral and backend == "vertex":
        raise UsageError("Vertex AI has no ephemeral tokens", "leave --ephemeral out")
    _check_compression(flags)
    _check_files(flags)
    notes: list[Notice] = []
    if key_from in KEYS and len({environ.get(name) or None for name in KEYS} - {None}) > 1:
        both = " and ".join(KEYS)
        notes.append(Notice(f"{both} are both set: {key_from} is used", "unset the one you do not mean"))
    chosen = environ.get("LIVECHAT_MODEL") if purpose == "converse" else None
    model = flags.model or chosen or models.usual(purpose, vertex=backend == "vertex")
    if trouble := _no_model(model, purpose):
        raise trouble if flags.model else ConfigError(f"LIVECHAT_MODEL: {trouble.message}", trouble.hint)
    _check_family(flags, model)
    alpha = flags.affective or flags.proactive or flags.ephemeral
    if flags.max_cost is not None and prices(model, backend, flags.price_in, flags.price_out) is None:
        raise UsageError(f"the prices of {models.bare(model)} are not known", "give --price-in and --price-out")
    voice, near = models.voice(flags.voice) if flags.voice else (None, "")
    if near and models.family(model).prefix:
        raise UsageError(f"{models.bare(model)} has no voice {voice}", f"the nearest it has is {near}")
    if near:
        notes.append(Notice(f"{voice} is not a voice livechat knows", f"the nearest it knows is {near}"))
    for name, flag in FLAGS.items():
        if flag.trait and getattr(flags, name) and not getattr(models.family(model), flag.trait.name):
            notes.append(Notice(f"{models.bare(model)} {flag.trait.lack}", f"use --model {flag.trait.found}"))
    complete = {
        "backend": backend,
        "purpose": purpose,
        "model": model,
        "voice": voice,
        "barge_in": "server" if flags.no_interrupt else flags.barge_in,
        "vocabulary": given_text(flags.vocabulary, "--vocabulary") if flags.vocabulary else None,
        "system": given_text(flags.system, "--system") if flags.system else flags.system,
        "endpoint": url,
        "key": key,
        "key_from": key_from,
        "api_version": _api_version(environ, backend, model, key, alpha=alpha),
        "project": environ.get("GOOGLE_CLOUD_PROJECT"),
        "location": environ.get("GOOGLE_CLOUD_LOCATION") or ("us-central1" if backend == "vertex" else None),
        "warnings": tuple(notes),
    }
    return Settings(**asdict(flags) | complete)


def _backend(
    environ: Mapping[str, str], *, offline: bool, endpoint: str | None
) -> tuple[Backend, str | None, tuple[str, str]]:
    """Which server, its URL where it is not the SDK's own, and the key with where that is from."""
    if offline:
        return "offline", None, ("offline", "")
    if endpoint:
        if not _is_address(endpoint):
            shown = "--endpoint" if any(c in endpoint for c in "@?") else endpoint  # it may hold a password
            raise UsageError(
                f"{shown} is not the address of a Live server", _hint(endpoint, "give it as https://HOST:PORT")
            )
        return "endpoint", endpoint, _key(environ) or ("local", "")
    if url := environ.get("GOOGLE_GEMINI_BASE_URL"):
        if not _is_address(url):
            wrong = "GOOGLE_GEMINI_BASE_URL is not the address of a Live server"
            raise ConfigError(wrong, _hint(url, "set https://HOST:PORT"))
        return "endpoint", url, _key(environ) or ("local", "")
    if any(_true(environ.get(name)) for name in _VERTEX):
        if environ.get("GOOGLE_CLOUD_PROJECT"):
            file = "GOOGLE_APPLICATION_CREDENTIALS"
            return "vertex", None, ("", file if environ.get(file) else "the application default credentials")
        if not environ.get("GOOGLE_API_KEY"):
            raise ConfigError("Vertex AI is asked for, but no project", "set GOOGLE_CLOUD_PROJECT")
        return "vertex", None, _key(environ) or ("", "")  # express mode
    if key := _key(environ):
        return "gemini", None, key
    return "offline", None, ("offline", "")


def _hint(url: str, usual: str) -> str:
    if url.startswith(("http://", "ws://")):
        return f"{usual}: the SDK always uses TLS, so start `livechat serve` without --no-tls"
    return usual


def _key(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The key and its variable; None if there is none. Raises ConfigError for what would break a header."""
    for name in KEYS:
        if key := environ.get(name):
            if not could_be_key(key):
                raise ConfigError(f"{name} holds a character that no key has", f"copy it again from {KEY_PAGE}")
            return key, name
    return None


def could_be_key(text: str) -> bool:
    """Whether it holds nothing that would break a header."""
    return text.isascii() and text.isprintable() and " " not in text


def bare(value: str) -> str:
    """A variable's value without what an env file, an editor or a copy leaves around it: quotes, line ends, a BOM."""
    return value.strip("\"' \t\r\n\v\f\xa0\ufeff\u200b")


def _api_version(environ: Mapping[str, str], backend: Backend, model: str, key: str, *, alpha: bool) -> str | None:
    """None leaves it to the SDK, which knows Vertex's and reads the variable itself."""
    if backend == "vertex" or environ.get("GOOGLE_GENAI_API_VERSION"):
        return None
    return models.api_version(model, alpha=alpha or key.startswith("auth_tokens/"))


def _true(value: str | None) -> bool:
    return (value or "").strip().lower() in ("1", "true")


def _is_address(url: str) -> bool:
    """Whether it is scheme, host, port and maybe a path. The SDK loses a query, and we would show a password."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        served = parts.scheme in ("https", "wss") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return served and url.isprintable() and not any(c in url for c in " @?#")


def _check_family(flags: Flags, model: str) -> None:
    """Raises UsageError for what the model's family refuses (docs/wire.md 0.3)."""
    name, known = models.bare(model), models.family(model)
    if flags.thinking and flags.thinking not in known.levels:
        takes = f"it takes {', '.join(known.levels)}" if known.levels else f"use --model {models.THINKING_MODEL}"
        raise UsageError(f"{name} does not take --thinking {flags.thinking}", takes)
    for option in ("affective", "proactive"):
        if getattr(flags, option) and not known.affective:
            raise UsageError(f"{name} does not take --{option}", "use --model gemini-2.5-flash-native-audio-latest")


def _no_model(name: str, purpose: models.Purpose) -> UsageError | None:
    """The error where this cannot be a model for this purpose."""
    usual, found = models.usual(purpose), models.family(name)
    if not name.isascii() or not name.isprintable() or " " in name:
        return UsageError(f"{name!r} is not a model's name", f"the default is {usual}")
    if models.is_gone(name):
        return UsageError(f"{name} has been switched off", f"use --model {usual}")
    if found.purpose == purpose or not (found.prefix or purpose == "converse"):
        return None
    does = "hold conversations" if purpose == "converse" else purpose
    fits = f"; for this model there is `livechat {found.purpose}`" if found.purpose != "converse" else ""
    return UsageError(f"{name} does not {does}", f"use --model {usual}{fits}")


def _check_compression(flags: Flags) -> None:
    trigger, target = models.compression(flags.trigger_tokens, flags.target_tokens)
    if target >= trigger:
        raise UsageError(
            f"--target-tokens {target} is not below the trigger of {trigger}",
            "the context is cut down to the target when it reaches the trigger",
        )


def _check_files(flags: Flags) -> None:
    """Raises UsageError where a file is not there, or would be written over."""
    read, written, recorded = flags.input, flags.output, flags.record
    old, heard = written and look(written, "--output"), read and look(read, "--input")
    if old and heard and os.path.samestat(old, heard):
        raise UsageError(f"--output {written} would overwrite the --input", "give it another name")
    if recorded and look(recorded, "--record"):
        raise UsageError(f"--record {recorded} is there already, and is not written over", "give it another name")
    if recorded and written and same(recorded, written):
        raise UsageError(f"--record and --output are both {recorded}", "give one of them another name")
    if flags.ca_file:
        found = look(flags.ca_file, "--ca-file", "--ca-file takes a PEM file")
        if found is None or stat.S_ISDIR(found.st_mode):
            raise UsageError(f"there is no file {flags.ca_file}", "--ca-file takes a PEM file")
