"""The token that Vertex AI wants, had with Google's credentials on this machine.

google-genai asks google-auth for it in a thread, which waits two minutes for a token endpoint that says nothing, and
reports a network that is away, a portal's page and a refused grant with the same exceptions. Here each exchange ends
in time, so that no thread outlives the dial that wants it, and each failure is one of two: refused, or passing.
"""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from livechat.session.proxy import Blocked, proxy_for

TOKEN_S = 8.0  # for all of one exchange; less than a dial takes
CONNECT_S = 2.0  # of that for one address: urllib3 tries a name's addresses in turn, and one may swallow packets
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)

_FAULTS = {
    "builtins.TimeoutError": "the token endpoint does not answer",
    "requests.Timeout": "the token endpoint does not answer",
    "requests.SSLError": "the token endpoint's certificate is not trusted",
    "requests.ProxyError": "the proxy does not let it through",
}


class TokenError(Exception):
    """There is no token; `args[0]` says why, in words that hold no secret. `refused`: and there will be none."""

    def __init__(self, why: str, *, refused: bool) -> None:
        super().__init__(why)
        self.refused = refused


class Token:
    """What google-genai takes for credentials: `token`, `expired` and `refresh` are all that it asks for.

    They are looked for with the first `refresh`: that may take a while, and a network.
    """

    def __init__(self) -> None:
        self._found: Any = None

    @property
    def token(self) -> str | None:
        """The newest, or None."""
        return self._found.token if self._found else None

    @property
    def expired(self) -> bool:
        """Whether it is time for another one."""
        return bool(self._found and self._found.expired)

    @property
    def quota_project_id(self) -> str | None:
        """The project that pays, where the credentials name one."""
        return getattr(self._found, "quota_project_id", None)

    def refresh(self, _: object = None) -> None:
        """Get another token. Blocks for TOKEN_S, and for as long as names are looked up.

        Raises TokenError, and Blocked for what cannot be a proxy's address.
        """
        import google.auth

        exchange: Any = _Exchange()
        try:
            found = self._found or google.auth.default(scopes=[_SCOPE], request=exchange)[0]
            found.refresh(exchange)
            if not found.token:
                raise ValueError("no token in the answer")
        except Blocked:
            raise
        except Exception as error:  # noqa: BLE001 - google-auth raises TypeError and ValueError for a portal's page
            refusal: TokenError = exchange.judge(error)
            raise refusal from None
        self._found = found


class _Exchange:
    """google-auth's transport, which ends in time and remembers the last answer."""

    def __init__(self) -> None:
        from google.auth.transport.requests import Request

        self._request: Any = Request()
        self.session = self._request.session  # what google-auth looks for
        self._until = time.monotonic() + TOKEN_S
        self._asked = False
        self._status: int | None = None
        self._answer = b""

    def __call__(
        self, url: str, method: str = "GET", body: Any = None, headers: Any = None, timeout: Any = None, **more: Any
    ) -> Any:
        from google.auth.exceptions import TransportError

        left = self._until - time.monotonic()
        self._asked, self._status = True, None
        if left <= 0:
            raise TransportError("out of time") from TimeoutError()  # type: ignore[no-untyped-call]
        wait = min(left, timeout) if isinstance(timeout, int | float) else left
        limits = min(wait, CONNECT_S), wait
        # A redirect would take the grant, which is as good as a password, wherever it says.
        more["allow_redirects"] = False
        place = urlsplit(url)
        if place.scheme == "https":  # else it is the metadata server of a machine in the cloud
            # The way the link takes: requests would look names up here for a SOCKS proxy, and knows no socks://.
            proxy = proxy_for(place.hostname or "", place.port or 443)
            more["proxies"] = {"https": proxy.address} if proxy else {"no_proxy": "*"}
        response = self._request(url=url, method=method, body=body, headers=headers, timeout=limits, **more)
        self._status, self._answer = response.status, response.data
        return response

    def judge(self, error: Exception) -> TokenError:
        """What `error` means, by what the endpoint said last: it alone can refuse, and it does so in JSON."""
        from google.auth.exceptions import DefaultCredentialsError

        if isinstance(error, DefaultCredentialsError) or not (self._asked or _retryable(error)):
            return TokenError(_missing(error), refused=True)
        if self._status is None:
            return TokenError(_network(error), refused=False)
        refusal = _refusal(self._answer)
        if refusal and 400 <= self._status < 500 and self._status not in _PASSING and not _retryable(error):
            return TokenError(f"Google refused the credentials for Vertex AI: {refusal}", refused=True)
        if self._status == HTTPStatus.OK:
            return TokenError("the answer was no token", refused=False)
        return TokenError(f"HTTP {self._status}", refused=False)


def _retryable(error: Exception) -> bool:
    return bool(getattr(error, "retryable", False))


def _missing(error: Exception) -> str:
    """The first sentence of google-auth's words: they name the file that is not there or cannot be read."""
    words = str(error.args[0] if error.args else error).partition("\n")[0]
    return f"no credentials for Vertex AI: {words.split('. ')[0].rstrip('.')[:200]}"


def _refusal(answer: bytes) -> str:
    """The error that an OAuth endpoint names (RFC 6749, 5.2), and its words; "" in anything else, such as a page."""
    try:
        said = json.loads(answer)
        code = said["error"]
        words = said.get("error_description") or ""
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f"{code} ({words})"[:200] if isinstance(code, str) and words else str(code)[:200]


def _network(error: BaseException) -> str:
    """Why nothing came back, without the addresses that the library's words hold."""
    cause: BaseException | None = error
    while cause is not None:
        kinds = type(cause).__mro__  # by name: `requests` is google-auth's own affair
        names = [f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in kinds]
        for name, words in _FAULTS.items():
            if name in names:
                return words
        cause = cause.__cause__ or cause.__context__
    return "the token endpoint cannot be reached"
