"""How a WebSocket is opened: past a dead address, through a proxy, and nowhere but where it was asked to.

The SDK opens its sockets with websockets' `connect`, and passes on to it only what it knows itself. So link.load_sdk
puts `Connect` in its place.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Generator
from typing import Any
from urllib.parse import urljoin, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidProxyMessage, InvalidProxyStatus, InvalidStatus, ProxyError

from livechat.session.dialect import readable
from livechat.session.proxy import Blocked, Proxy, number_of, plain, proxy_for

# A name with several addresses: the next is tried beside the one before that does not answer so soon (RFC 8305).
NEXT_ADDRESS_S = 0.15
OPEN_S = 9.0  # less than a link waits for its setup, so that a silent proxy is known from a silent server

_NOT_ALLOWED = 2  # what a SOCKS5 proxy answers by its rules (RFC 1928)
_WRONG_USER = 0x5D  # and a SOCKS4 proxy


class Connection(ClientConnection):
    """A connection whose messages the SDK can read."""

    async def recv(self, decode: bool | None = None) -> Any:  # the kind of its three overloads
        raw = await super().recv(decode)
        return readable(raw) if isinstance(raw, bytes) else readable(raw.encode()).decode()


class Connect(connect):
    """websockets' `connect` with happy eyeballs, proxies and without redirects. Raises Blocked, too."""

    def __init__(self, uri: str, **kwargs: Any) -> None:
        parts = urlsplit(uri)
        self._server = plain(parts.hostname or "")
        self._proxy = proxy_for(parts.hostname or "", parts.port or 443)
        self._past_proxy = self._proxy is None
        if self._proxy is not None and self._proxy.scheme == "https":
            kwargs["proxy_ssl"] = kwargs.get("ssl")  # the same certificates are trusted
        dialled = urlsplit(self._proxy.address if self._proxy else uri).hostname or ""
        # Only where there is something to race: asyncio's race, when it is cancelled, forgets to close what has won.
        if number_of(dialled) is None:
            kwargs["happy_eyeballs_delay"] = NEXT_ADDRESS_S
        super().__init__(
            uri,
            proxy=self._proxy.address if self._proxy else None,
            create_connection=self._begin,  # type: ignore[arg-type] # any factory will do, its documentation says
            open_timeout=OPEN_S,
            **kwargs,
        )

    def _begin(self, *args: Any, **kwargs: Any) -> ClientConnection:
        """It is called once there is a way to the server: what fails from now on is the server's."""
        self._past_proxy = True
        return Connection(*args, **kwargs)

    def __await__(self) -> Generator[Any, None, ClientConnection]:
        try:
            return (yield from super().__await__())
        except Exception as e:
            if self._proxy is None:
                raise
            if not self._past_proxy:
                raise _fault(self._proxy, e, self._server) from e
            if isinstance(
                e, ConnectionError | ssl.SSLEOFError
            ):  # as of one that says yes to what it does not let through
                raise self._proxy.fails(f"cut the connection to {self._server}") from e
            raise

    def process_redirect(self, exc: Exception) -> Exception | str:
        """No redirect is followed: the key would go with it."""
        if not isinstance(exc, InvalidStatus) or not 300 <= exc.response.status_code < 400:
            return exc
        status = exc.response.status_code
        where = _origin(self.uri, next(iter(exc.response.headers.get_all("Location")), ""))
        why = f"the server sent the connection on{f' to {where}' if where else ''} (HTTP {status})"
        hint = "check --endpoint; if this network asks you to sign in, open a web page first"
        return Blocked("bad", f"{why}, and the key does not follow", hint, status)


def words(error: OSError) -> str:
    """What the system says of it, without addresses; "" if nothing."""
    return os.strerror(error.errno).lower() if error.errno else ""


def _origin(base: str, location: str) -> str:
    """The host a redirect leads to, and the port where that alone differs; "" where neither does."""
    try:
        old, new = urlsplit(base), urlsplit(urljoin(base, location))
        ports = old.port or 443, new.port or (80 if new.scheme in ("http", "ws") else 443)
    except ValueError:
        return "an address that is none"
    if not new.hostname or (new.hostname == old.hostname and ports[0] == ports[1]):
        return ""
    return plain(new.hostname if new.hostname != old.hostname else f"{new.hostname}:{ports[1]}")


def _fault(proxy: Proxy, error: Exception, server: str) -> Blocked:
    """What is said of a proxy that leads nowhere."""
    if isinstance(error, InvalidProxyStatus):
        return proxy.answered(error.response.status_code, server)
    if isinstance(error, InvalidProxyMessage):
        cause = error.__cause__
        if isinstance(cause, EOFError) and "CRLF" not in str(cause.__cause__):  # else it said something
            return proxy.fails("closed the connection without an answer")
        return proxy.refuses(
            "does not speak HTTP", f"{proxy.source} says {proxy.scheme}://; it may be of another kind"
        )
    if isinstance(error, ProxyError):
        return _socks_fault(proxy, error, server)
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "add its CA to the file of SSL_CERT_FILE or --ca-file"
        return proxy.refuses(f"has a certificate that is not trusted ({error.verify_message})", hint)
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        hint = f"{proxy.source} says https://; most proxies are spoken to with http://"
        return proxy.refuses("does not speak TLS", hint)
    if isinstance(error, TimeoutError) and not error.errno:
        return proxy.fails("does not answer")
    if isinstance(error, socket.gaierror) and proxy.scheme == "socks4":
        return proxy.fails(f"needs the number of {server}, which cannot be looked up", "use socks4a:// or socks5://")
    if isinstance(error, socket.gaierror) or isinstance(error.__cause__, socket.gaierror):
        return proxy.fails("cannot be found: its name cannot be looked up")
    if isinstance(error, OSError):
        said = words(error)
        return proxy.fails(f"cannot be reached ({said})" if said else "cannot be reached")
    return proxy.refuses(f"cannot be used ({type(error).__name__})", f"check {proxy.source}")


def _socks_fault(proxy: Proxy, error: ProxyError, server: str) -> Blocked:
    cause = error.__cause__
    code, said = getattr(cause, "error_code", None), str(cause or "")
    if code == _WRONG_USER or "uthentication" in said:
        return proxy.wants_login()
    if code == _NOT_ALLOWED:
        hint = "ask those who run the proxy, or name the server in NO_PROXY"
        return proxy.refuses(f"refused to connect to {server}", hint)
    if code is not None:
        return proxy.fails(f"does not get through to {server} ({said.lower()})")
    if cause is not None and type(cause.__cause__).__name__ == "IncompleteReadError":
        return proxy.fails("closed the connection without an answer")
    return proxy.refuses("does not speak SOCKS", f"{proxy.source} says {proxy.scheme}://; it may be of another kind")
