"""What a check finds, what checks are given, and how secrets are kept out of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from livechat.config_file import Config, load
from livechat.errors import LivechatError
from livechat.settings import Settings, bare, resolve

Status = Literal["ok", "warn", "fail", "skip"]

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")  # user and password in an address
_SHORTEST = 6  # characters of a secret; a shorter value may be a word


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    | status | meaning |
    |---|---|
    | ok | it works |
    | warn | it works, but not as well as it could, or only in part |
    | fail | it does not work |
    | skip | it could not be checked, or is optional and not there |

    `summary`: in a few words. `detail`: more of it. `remedy`: what to do; "" where nothing is to be done.
    """

    status: Status
    summary: str
    detail: str = ""
    remedy: str = ""
    id: str = ""

    def redacted(self, environ: Mapping[str, str]) -> "Finding":
        """Without the values of variables that hold secrets, and without logins in addresses."""
        secrets = [value for name, value in environ.items() if _SECRET.search(name) and len(value) >= _SHORTEST]

        def clear(text: str) -> str:
            for secret in (part for value in secrets for part in (value, bare(value)) if part):
                text = text.replace(secret, "[secret]")
            return _LOGIN.sub("[secret]@", text)

        return replace(self, summary=clear(self.summary), detail=clear(self.detail), remedy=clear(self.remedy))


@dataclass
class Subject:
    """What is checked: this process's environment, and what it asks for. What one check finds, others may use.

    `terminal`: whether keys and screen are a terminal.
    """

    environ: Mapping[str, str]
    terminal: bool
    failed: set[str] = field(default_factory=set)  # ids of checks
    greeting: Mapping[str, str] | None = None  # the headers that the server answered with

    @cached_property
    def config(self) -> Config:
        """Raises ConfigError."""
        return load(self.environ)

    @cached_property
    def settings(self) -> Settings:
        """Those of a conversation that is begun now. Raises ConfigError or UsageError."""
        return resolve(self.environ, **self.config.flags(self.environ))

    def settled(self) -> Settings | None:
        """The settings, or None where they cannot be used, which the check of them says."""
        try:
            return self.settings
        except LivechatError:
            return None


Check = Callable[[Subject], Finding]


def failed(error: LivechatError) -> Finding:
    return Finding("fail", error.message, remedy=error.hint)
