"""What one conversation is made with: a flag wins over the environment, the environment over the default."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from livechat import models
from livechat.errors import KEY_PAGE, ConfigError, UsageError, reason
from livechat.paths import decoded, look, same

Backend = Literal["gemini", "vertex", "endpoint", "offline"]
ECHO = ("cancel", "duck", "off")
BARGE_IN = ("local", "server")
KEYS = ("GOOGLE_API_KEY", "GEMINI_API_KEY")  # the first that is set counts, as in the SDK
_VERTEX = ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI")
_COPIED = (*KEYS, *_VERTEX, "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION")  # what stands in env files


@dataclass(frozen=True, slots=True)
class Settings:
    """Checked and complete: nothing here can still be refused by our own rules.

    `trigger_tokens` and `target_tokens` are what the person asked for, None for the server's defaults.
    `input`: a file, "-" for sound on stdin, or None for the microphone; `fast`: faster than it sounds.
    `output`: a file, or None for the speaker; `compact`: without its silence. `text`: neither microphone nor
    speaker. `plain`: lines where there could be a screen; `quiet`: those of what was said alone.
    `thoughts`: show what the model thinks. `price_in`, `price_out`: of a million tokens; `max_cost` in the same.
    `record`: a file for both voices. `echo`: one of ECHO. `barge_in`: one of BARGE_IN, who decides that the
    person cuts in. `vad`: of the server's voice detection, what was asked for: start and end ("LOW", "HIGH"),
    prefix_ms and silence_ms.
    """

    backend: Backend = "offline"
    model: str = models.DEFAULT_MODEL
    voice: str | None = None
    system: str | None = None
    compression: bool = True
    trigger_tokens: int | None = None
    target_tokens: int | None = None
    input: str | None = None
    fast: bool = False
    output: str | None = None
    compact: bool = False
    record: str | None = None
    text: bool = False
    json: bool = False
    plain: bool = False
    quiet: bool = False
    thoughts: bool = False
    price_in: float | None = None
    price_out: float | None = None
    max_tokens_total: int | None = None
    max_cost: float | None = None
    mic: str | None = None
    speaker: str | None = None
    ptt: bool = False
    vad: Mapping[str, Any] = field(default_factory=dict)
    echo: str = "cancel"
    barge_in: str = "local"
    endpoint: str | None = None
    ca_file: str | None = None
    key: str = field(default="", repr=False)
    key_from: str = (
        ""  # the variable of the key or of the credentials, or what else they are; "" where there are none
    )
    api_version: str | None = None
    project: str | None = None
    location: str | None = None
    faults: str = ""
    trace: str | None = None
    warnings: tuple[tuple[str, str], ...] = ()  # (message, hint): worth a word, not worth refusing

    @property
    def applied_compression(self) -> tuple[int, int] | None:
        """(trigger, target) in tokens as the server applies them; None where compression is off."""
        return models.compression(self.trigger_tokens, self.target_tokens) if self.compression else None

    @property
    def handle_ttl_s(self) -> float:
        """How long a handle outlives its link on this backend, in seconds."""
        return models.HANDLE_TTL_S.get(self.backend, models.DEFAULT_HANDLE_TTL_S)


def resolve(
    environ: Mapping[str, str],
    *,
    model: str | None = None,
    voice: str | None = None,
    system: str | None = None,
    trigger_tokens: int | None = None,
    target_tokens: int | None = None,
    no_compression: bool = False,
    input: str | None = None,  # noqa: A002, the flag's name
    fast: bool = False,
    output: str | None = None,
    compact: bool = False,
    record: str | None = None,
    text: bool = False,
    json: bool = False,
    plain: bool = False,
    quiet: bool = False,
    thoughts: bool = False,
    price_in: float | None = None,
    price_out: float | None = None,
    max_tokens_total: int | None = None,
    max_cost: float | None = None,
    mic: str | None = None,
    speaker: str | None = None,
    ptt: bool = False,
    start_sensitivity: str | None = None,
    end_sensitivity: str | None = None,
    prefix_ms: int | None = None,
    silence_ms: int | None = None,
    echo: str = "cancel",
    barge_in: str = "local",
    offline: bool = False,
    endpoint: str | None = None,
    ca_file: str | None = None,
    faults: str | None = None,
    trace: str | None = None,
) -> Settings:
    """Settings from flags (None or False where not given) and the environment.

    Raises UsageError for flags that are wrong or do not go together, ConfigError for the environment.
    """
    environ = {name: _bare(value) if name in _COPIED else value for name, value in environ.items()}
    _check_compression(trigger_tokens, target_tokens, off=no_compression)
    if text and (input or mic):
        raise UsageError("--text does not go with --input or --mic", "leave one of them out")
    for flag, number in (
        ("--price-in", price_in),
        ("--price-out", price_out),
        ("--max-tokens-total", max_tokens_total),
        ("--max-cost", max_cost),
    ):
        if number is not None and not 0 <= number < math.inf:
            raise UsageError(f"{flag} {number} is out of range", "give 0 or more")
    if (price_in is None) != (price_out is None) or (max_cost is not None and price_in is None):
        raise UsageError("a cost needs both prices", "give --price-in and --price-out, each for a million tokens")
    if json and (plain or quiet):
        raise UsageError(f"--json does not go with {'--plain' if plain else '--quiet'}", "leave one of them out")
    for flag, given, known in (("--echo", echo, ECHO), ("--barge-in", barge_in, BARGE_IN)):
        if given not in known:
            raise UsageError(f"{flag} does not know {given!r}", f"it takes {', '.join(known[:-1])} or {known[-1]}")
    if offline and endpoint:
        raise UsageError("--offline does not go with --endpoint", "leave one of them out")
    vad = _vad(start_sensitivity, end_sensitivity, prefix_ms, silence_ms)
    if ptt and (input or text or vad):
        wrong = "--input" if input else "--text" if text else "the server's voice detection"
        raise UsageError(f"--ptt does not go with {wrong}", "leave one of them out")
    old, read = output and look(output, "--output"), input and look(input, "--input")
    if old and read and os.path.samestat(old, read):
        raise UsageError(f"--output {output} would overwrite the --input", "give it another name")
    if fast and not input:
        raise UsageError("--fast hurries through an --input", "name an --input FILE, or leave it out")
    if fast and record:
        raise UsageError("--fast does not go with --record, which keeps time", "leave one of them out")
    if compact and not output:
        raise UsageError("--compact leaves silence out of the --output", "name an --output FILE, or leave it out")
    if record and look(record, "--record"):
        raise UsageError(f"--record {record} is there already, and is not written over", "give it another name")
    if record and output and same(record, output):
        raise UsageError(f"--record and --output are both {record}", "give one of them another name")
    if ca_file:
        found = look(ca_file, "--ca-file", "--ca-file takes a PEM file")
        if found is None or stat.S_ISDIR(found.st_mode):
            raise UsageError(f"there is no file {ca_file}", "--ca-file takes a PEM file")
    backend, url, (key, key_from) = _backend(environ, offline=offline, endpoint=endpoint)
    if fast and backend in ("gemini", "vertex"):
        raise UsageError(
            "--fast is not for Gemini, which asks for sound at the pace of speech", "leave it out, or add --offline"
        )
    if faults and backend != "offline":
        raise UsageError(
            "--faults breaks the embedded server only", "add --offline, or use `livechat serve --faults`"
        )
    notes: list[tuple[str, str]] = []
    if key_from in KEYS and len({environ.get(name) or None for name in KEYS} - {None}) > 1:
        notes.append((f"{' and '.join(KEYS)} are both set: {key_from} is used", "unset the one you do not mean"))
    chosen = model or environ.get("LIVECHAT_MODEL") or models.DEFAULT_MODEL
    if trouble := _no_model(chosen):
        raise UsageError(*trouble) if model else ConfigError(f"LIVECHAT_MODEL: {trouble[0]}", trouble[1])
    if voice:
        voice, near = models.voice(voice)
        if near:
            notes.append((f"{voice} is not a voice livechat knows", f"the nearest it knows is {near}"))
    if thoughts and not models.family(chosen).thoughts:
        notes.append((f"{models.bare(chosen)} does not tell what it thinks", f"use --model {models.THINKING_MODEL}"))
    return Settings(
        backend=backend,
        model=chosen,
        voice=voice,
        system=_system(system),
        compression=not no_compression,
        trigger_tokens=trigger_tokens,
        target_tokens=target_tokens,
        input=input,
        fast=fast,
        output=output,
        compact=compact,
        record=record,
        text=text,
        json=json,
        plain=plain,
        quiet=quiet,
        thoughts=thoughts,
        price_in=price_in,
        price_out=price_out,
        max_tokens_total=max_tokens_total,
        max_cost=max_cost,
        mic=mic,
        speaker=speaker,
        ptt=ptt,
        vad=vad,
        echo=echo,
        barge_in=barge_in,
        endpoint=url,
        ca_file=ca_file,
        key=key,
        key_from=key_from,
        api_version=_api_version(environ, backend, chosen, key),
        project=environ.get("GOOGLE_CLOUD_PROJECT"),
        location=environ.get("GOOGLE_CLOUD_LOCATION") or ("us-central1" if backend == "vertex" else None),
        faults=faults or "",
        trace=trace,
        warnings=tuple(notes),
    )


def _backend(
    environ: Mapping[str, str], *, offline: bool, endpoint: str | None
) -> tuple[Backend, str | None, tuple[str, str]]:
    """Which server, its URL where it is not the SDK's own, and the key with where that is from."""
    if offline:
        return "offline", None, ("offline", "")
    if endpoint:
        if not _is_address(endpoint):
            shown = "--endpoint" if any(c in endpoint for c in "@?") else endpoint  # it may hold a password
            raise UsageError(f"{shown} is not the address of a Live server", "give it as https://HOST:PORT")
        return "endpoint", endpoint, _key(environ) or ("local", "")
    if url := environ.get("GOOGLE_GEMINI_BASE_URL"):
        if not _is_address(url):
            raise ConfigError("GOOGLE_GEMINI_BASE_URL is not the address of a Live server", "set https://HOST:PORT")
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


def _key(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The key and its variable; None if there is none. Raises ConfigError for what would break a header."""
    for name in KEYS:
        if key := environ.get(name):
            if not key.isascii() or not key.isprintable() or " " in key:
                raise ConfigError(f"{name} holds a character that no key has", f"copy it again from {KEY_PAGE}")
            return key, name
    return None


def _bare(value: str) -> str:
    """A variable's value without what an env file, an editor or a copy leaves around it: quotes, line ends, a BOM."""
    return value.strip("\"' \t\r\n\v\f\xa0\ufeff\u200b")


def _api_version(environ: Mapping[str, str], backend: Backend, model: str, key: str) -> str | None:
    """None leaves it to the SDK, which knows Vertex's and reads the variable itself."""
    if backend == "vertex" or environ.get("GOOGLE_GENAI_API_VERSION"):
        return None
    return models.api_version(model, token=key.startswith("auth_tokens/"))


def _true(value: str | None) -> bool:
    return (value or "").strip().lower() in ("1", "true")


def _is_address(url: str) -> bool:
    """Scheme, host, port and maybe a path. No password and no query: the SDK would lose it, and we show the URL."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        served = parts.scheme in ("https", "wss") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return served and url.isprintable() and not any(c in url for c in " @?#")


def _system(wanted: str | None) -> str | None:
    if wanted is None or not wanted.startswith("@"):
        return wanted
    if wanted.startswith("@@"):
        return wanted[1:]  # a text that begins with one
    name = wanted[1:]
    try:
        return decoded(Path(name).read_bytes())
    except UnicodeDecodeError:
        why = "it is not UTF-8 text"
    except (OSError, ValueError) as e:
        why = reason(e)
    raise UsageError(f"cannot read {name}: {why}", "--system takes a text, or @FILE")


def _no_model(name: str) -> tuple[str, str] | None:
    """(message, hint) where this cannot be the model of a conversation."""
    if not name.isascii() or not name.isprintable() or " " in name:
        return f"{name!r} is not a model's name", f"the default is {models.DEFAULT_MODEL}"
    if models.is_gone(name):
        return f"{name} has been switched off", f"use --model {models.DEFAULT_MODEL}"
    if not models.family(name).converses:
        return f"{name} does not hold conversations", f"use --model {models.DEFAULT_MODEL}"
    return None


def _check_compression(trigger: int | None, target: int | None, *, off: bool) -> None:
    if off and (trigger is not None or target is not None):
        raise UsageError("--no-compression does not go with --trigger-tokens or --target-tokens", "leave one out")
    (low, high), (_, most) = models.TRIGGER_RANGE, models.TARGET_RANGE
    if trigger is not None and not low <= trigger <= high:
        raise UsageError(f"--trigger-tokens {trigger} is out of range", f"give {low} to {high}")
    if target is not None and not 0 <= target <= most:
        raise UsageError(f"--target-tokens {target} is out of range", f"give 0 to {most}")
    applied = models.compression(trigger, target)
    if applied[1] >= applied[0]:
        raise UsageError(
            f"--target-tokens {applied[1]} is not below the trigger of {applied[0]}",
            "the context is cut down to the target when it reaches the trigger",
        )


def _vad(start: str | None, end: str | None, prefix_ms: int | None, silence_ms: int | None) -> dict[str, Any]:
    """What was asked for of the server's voice detection."""
    asked: dict[str, Any] = {}
    for name, value in (("start", start), ("end", end)):
        if value is not None:
            if value.upper() not in ("LOW", "HIGH"):
                raise UsageError(f"--{name}-sensitivity {value} is neither low nor high", "give low or high")
            asked[name] = value.upper()
    for name, ms in (("prefix_ms", prefix_ms), ("silence_ms", silence_ms)):
        if ms is not None:
            if not 0 <= ms <= models.MAX_VAD_MS:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} {ms} is out of range", f"give 0 to {models.MAX_VAD_MS} milliseconds")
            asked[name] = ms
    return asked
