"""Tokens for Vertex AI, from Google's credentials on this machine.

google-genai has google-auth fetch a token in a thread. google-auth alone waits two minutes for a token endpoint that
does not answer, and raises the same exceptions for a missing network, a portal's page and a refused grant. Here each
fetch has a limit, so that no thread outlives the dial that wants the token, and each failure is either refused for
good or passing. google-auth repeats what failed in passing itself, and the machine dials again later.
"""

import json
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from livechat.session.proxy import Blocked, proxy_for

TOKEN_S = 8.0  # for a token, with all repetitions; shorter than a link's limit for its setup
CONNECT_S = 2.0  # for one address: urllib3 tries a name's addresses in turn, and the first may never answer
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)

_FAULTS = {
    "builtins.TimeoutError": "the token endpoint does not answer",
    "requests.Timeout": "the token endpoint does not answer",
    "requests.SSLError": "the token endpoint's certificate is not trusted",
    "requests.ProxyError": "the proxy does not let it through",
}


class TokenError(Exception):
    """There is no token. `args[0]` says why, without a secret. `refused`: trying again will not help."""

    def __init__(self, why: str, *, refused: bool) -> None:
        super().__init__(why)
        self.refused = refused


class VertexCredentials:
    """What google-genai takes for google-auth's credentials: it uses only the members below.

    The first `refresh` looks for the real ones, since that may take a while and need the network.
    """

    def __init__(self) -> None:
        self._found: Any = None

    @property
    def token(self) -> str | None:
        return self._found.token if self._found else None

    @property
    def expired(self) -> bool:
        return bool(self._found and self._found.expired)

    @property
    def quota_project_id(self) -> str | None:
        """The project that is billed, where the credentials name one."""
        return getattr(self._found, "quota_project_id", None)

    def refresh(self, _: object = None) -> None:
        """Fetch a token. Blocks for TOKEN_S at most, and while names are looked up.

        Raises TokenError, and Blocked where the proxy that is set has no valid address.
        """
        import google.auth

        transport: Any = _TimedTransport()
        try:
            found = self._found or google.auth.default(scopes=[_SCOPE], request=transport)[0]
            found.refresh(transport)
            if not found.token:
                raise ValueError("no token in the answer")
        except Blocked:
            raise
        except Exception as error:  # noqa: BLE001 - google-auth raises TypeError and ValueError for a portal's page
            refusal: TokenError = transport.judge(error)
            raise refusal from None
        self._found = found


class _TimedTransport:
    """google-auth's transport with a limit for all requests together. It remembers the last answer."""

    def __init__(self) -> None:
        from google.auth.transport.requests import Request

        self._request: Any = Request()
        self.session = self._request.session  # google-auth looks for this name
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
        # A redirect would send the grant, which is as good as a password, to any server that it names.
        more["allow_redirects"] = False
        place = urlsplit(url)
        if place.scheme == "https":  # plain http is the metadata server of a machine in the cloud
            # The same proxy as the link's. requests itself would look names up here for a SOCKS proxy, and does not
            # know socks://.
            proxy = proxy_for(place.hostname or "", place.port or 443)
            more["proxies"] = {"https": proxy.address} if proxy else {"no_proxy": "*"}
        response = self._request(url=url, method=method, body=body, headers=headers, timeout=limits, **more)
        self._status, self._answer = response.status, response.data
        return response

    def judge(self, error: Exception) -> TokenError:
        """What `error` means. Only the token endpoint can refuse, and it does so in JSON (RFC 6749, 5.2)."""
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
    """google-auth's first sentence, which names the file that is missing or cannot be read."""
    words = str(error.args[0] if error.args else error).partition("\n")[0]
    return f"no credentials for Vertex AI: {words.split('. ')[0].rstrip('.')[:200]}"


def _refusal(answer: bytes) -> str:
    """The error that an OAuth endpoint names, and its description; "" for anything else, such as a page."""
    try:
        said = json.loads(answer)
        code = said["error"]
        words = said.get("error_description") or ""
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f"{code} ({words})"[:200] if isinstance(code, str) and words else str(code)[:200]


def _network(error: BaseException) -> str:
    """Why no answer came. The library's own words are not used, since they hold addresses."""
    cause: BaseException | None = error
    while cause is not None:
        kinds = type(cause).__mro__  # compared by name, so that `requests` is not imported here
        names = [f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in kinds]
        for name, words in _FAULTS.items():
            if name in names:
                return words
        cause = cause.__cause__ or cause.__context__
    return "the token endpoint cannot be reached"
