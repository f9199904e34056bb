"""Ephemeral tokens, as `POST v1alpha/auth_tokens` makes them (docs/wire.md 8.1)."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from livechat.server.close_reasons import closed
from livechat.server.wire import Json

PREFIX = "auth_tokens/"
LIFE_S = 1800.0  # until messages are refused, unless the request says otherwise
OPENING_S = 60.0  # until new sessions are refused, unless the request says otherwise
LONGEST_S = 20 * 3600.0
MOST = 10_000  # tokens that are kept; the oldest goes first


class WrongRequestError(Exception):
    """The request for a token is not one; `str()` says why."""


@dataclass(slots=True)
class Token:
    """One token. `uses`: how many sessions it may still open, None for any. Moments are on the mint's clock."""

    uses: int | None
    opens_until: float
    lives_until: float
    setup: Json  # what of a setup it decides, with camelCase keys


class TokenMint:
    """All tokens of one server. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tokens: dict[str, Token] = {}

    def mint(self, request: Json) -> Json:
        """A new token, as the service answers with it. `request` has camelCase keys. Raises WrongRequestError."""
        now, uses, setup = self._clock(), request.get("uses", 1), request.get("bidiGenerateContentSetup", {})
        if isinstance(uses, bool) or not isinstance(uses, int) or uses < 0 or not isinstance(setup, dict):
            raise WrongRequestError("uses must be a whole number of at least 0, bidiGenerateContentSetup an object")
        name = PREFIX + secrets.token_hex(32)
        self._tokens[name] = Token(
            uses=uses or None,
            opens_until=now + _left(request, "newSessionExpireTime", OPENING_S),
            lives_until=now + _left(request, "expireTime", LIFE_S),
            setup=setup,
        )
        while len(self._tokens) > MOST:
            del self._tokens[next(iter(self._tokens))]
        return {"name": name}

    def left(self, name: str) -> float:
        """How many seconds messages are still taken for this token. Raises Rejected if it is none, or no more."""
        token = self._tokens.get(name)
        if token is None:
            raise closed("bad-key")
        if self._clock() >= token.lives_until:
            raise closed("unavailable")
        return token.lives_until - self._clock()

    def admit(self, name: str, setup: Json, *, resumes: bool) -> Json:
        """The setup that is in force for a link which shows this token and asks for `setup`.

        To resume a session is no use of the token. Raises Rejected.
        """
        self.left(name)
        token = self._tokens[name]
        if not resumes:
            if token.uses == 0 or self._clock() >= token.opens_until:
                raise closed("unavailable")
            token.uses = token.uses if token.uses is None else token.uses - 1
        merged: Json = _merged(setup, token.setup)
        return merged


def _left(request: Json, name: str, default: float) -> float:
    """Seconds from now to the moment `name` of the request, in RFC 3339."""
    if name not in request:
        return default
    try:
        until = datetime.fromisoformat(request[name])
    except (ValueError, TypeError):
        raise WrongRequestError(f"{name} must be a time such as 2026-11-21T15:00:00Z") from None
    left = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    if not 0 < left <= LONGEST_S:
        raise WrongRequestError(f"{name} must lie in the next 20 hours")
    return left


def _merged(setup: Any, decided: Any) -> Any:
    """`setup` with what is `decided` instead of the same fields in it."""
    if not isinstance(setup, dict) or not isinstance(decided, dict):
        return decided
    return {**setup, **{name: _merged(setup.get(name), value) for name, value in decided.items()}}
