"""Why a link ended: the exception that ended it, read as an `Ended`. verdicts.py decides what follows from it."""

from __future__ import annotations

import os
import re
import socket
import ssl
from typing import TYPE_CHECKING

from livechat.session import proxy
from livechat.session.credentials import TokenError
from livechat.session.events import Ended

if TYPE_CHECKING:
    from google.genai import errors
    from websockets.exceptions import ConnectionClosed

_ERRNO = re.compile(r"\[Errno (\d+)\]")


def ended(link: int, error: Exception) -> Ended:
    """What `error`, which came while the link was opened or used, says about its end."""
    from google.genai import errors
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

    match error:
        case errors.APIError() if (error.code or 1000) < 1000:  # of a request over HTTP, for a token
            return Ended(link, "http", error.code)
        case errors.APIError() | ConnectionClosed():  # the second where the server closes before our setup is sent
            return _closed(link, error)
        case proxy.Blocked():
            return _blocked(link, error)
        case InvalidStatus():
            return Ended(link, "http", error.response.status_code)
        case TimeoutError():
            return Ended(link, "timeout")
        case socket.gaierror():
            return Ended(link, "dns", reason=error.strerror or "")
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():  # a cut in the middle of TLS, and no refusal
            return Ended(link, "network")
        case ssl.SSLError():
            return Ended(link, "tls", reason=str(getattr(error, "verify_message", "") or error.reason or "TLS"))
        case OSError() | InvalidHandshake() | WebSocketException():
            return Ended(link, "network", reason=system_words(error))
    if blocked := proxy.blamed(error):  # before TokenError, which is raised where a proxy keeps the token away
        return _blocked(link, blocked)
    if isinstance(error, TokenError):
        return Ended(link, "auth" if error.refused else "token", reason=str(error))
    words = (str(error).splitlines() or [""])[0]
    if type(error) in (ValueError, TypeError) and not words.startswith("Failed to parse response"):
        return Ended(link, "bad", reason=words)  # the SDK refuses the configuration
    return Ended(link, "close", reason="the first message cannot be read")


def _blocked(link: int, by: proxy.Blocked) -> Ended:
    return Ended(link, by.how, by.code, by.why, by.hint)


def _closed(link: int, error: errors.APIError | ConnectionClosed) -> Ended:
    """The code and reason of the close frame. The SDK says 1006 for a connection that broke without one.

    websockets' own exception knows more. It is somewhere in the chain of contexts.
    """
    from google.genai import errors
    from websockets.exceptions import ConnectionClosed

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ConnectionClosed):
        cause = cause.__context__
    if cause is not None and cause.rcvd is not None:
        return Ended(link, "close", cause.rcvd.code, cause.rcvd.reason)
    if cause is None and isinstance(error, errors.APIError) and error.code not in (None, 1006):
        return Ended(link, "close", error.code, str(error.message or ""))
    return Ended(link, "network", 1006, cause.sent.reason if cause is not None and cause.sent else "")


def system_words(error: Exception) -> str:
    """The system's words for a connection that failed, or "". They hold no address; asyncio's own words do."""
    errno = getattr(error, "errno", None)
    found = _ERRNO.search(str(error))  # asyncio lists the failures of a name's addresses in one text
    number = errno or (int(found[1]) if found else 0)
    return os.strerror(number).lower() if number else ""
