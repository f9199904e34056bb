"""How a WebSocket is opened: past dead addresses, through a proxy, and to no other server than the one asked for.

The SDK opens its sockets with websockets' `connect`, and gives it only the options that the SDK knows. So
link.load_sdk puts `Connect` in its place.
"""

import socket
import ssl
from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidProxyMessage, InvalidProxyStatus, InvalidStatus, ProxyError

from livechat.session.dialect import readable
from livechat.session.link_end import system_words
from livechat.session.proxy import Blocked, Proxy, ip_address, plain, proxy_for

# A name may have several addresses. One that does not answer in this time has the next tried beside it (RFC 8305).
NEXT_ADDRESS_S = 0.15
OPEN_S = 9.0  # shorter than a link's limit for its setup: so a silent proxy is known from a silent server
MAX_REDIRECTS = 3  # of one dial

_NOT_ALLOWED = 2  # a SOCKS5 proxy's answer where its rules forbid the connection (RFC 1928)
_WRONG_USER = 0x5D  # a SOCKS4 proxy's answer where it does not accept the user
_REDIRECTS = {300, 301, 302, 303, 307, 308}


class Connection(ClientConnection):
    """A connection whose messages the SDK can read."""

    async def recv(self, decode: bool | None = None) -> Any:  # the library has an overload for each kind of result
        raw = await super().recv(decode)
        return readable(raw) if isinstance(raw, bytes) else readable(raw.encode()).decode()


class Connect(connect):
    """websockets' `connect`, with happy eyeballs and our choice of a proxy. Redirects stay within the origin.

    Raises Blocked where a proxy or a redirect is in the way, besides what `connect` raises.
    """

    def __init__(self, uri: str, **kwargs: Any) -> None:
        parts = urlsplit(uri)
        self._server = plain(parts.hostname or "")
        self._proxy = proxy_for(parts.hostname or "", parts.port or 443)
        self._past_proxy = self._proxy is None
        self._redirects = 0
        if self._proxy is not None and self._proxy.scheme == "https":
            kwargs["proxy_ssl"] = kwargs.get("ssl")  # the proxy's certificate is checked like the server's
        dialled = urlsplit(self._proxy.address if self._proxy else uri).hostname or ""
        # Only for a name. asyncio's race of several addresses, if cancelled, does not close the one that has won.
        if ip_address(dialled) is None:
            kwargs["happy_eyeballs_delay"] = NEXT_ADDRESS_S
        super().__init__(
            uri,
            proxy=self._proxy.address if self._proxy else None,
            create_connection=self._begin,  # type: ignore[arg-type] # its documentation allows any factory
            open_timeout=OPEN_S,
            **kwargs,
        )

    def _begin(self, *args: Any, **kwargs: Any) -> ClientConnection:
        """Called once the way to the server is open: a fault from now on is the server's."""
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
            if isinstance(e, ConnectionError | ssl.SSLEOFError):  # it says yes first, and lets nothing through
                raise self._proxy.fails(f"cut the connection to {self._server}") from e
            raise

    def process_redirect(self, exc: Exception) -> Exception | str:
        """The address to dial next, or what to raise. The key is sent there, so it must be of the same origin."""
        if not isinstance(exc, InvalidStatus) or not 300 <= exc.response.status_code < 400:
            return exc
        status = exc.response.status_code
        location = next(iter(exc.response.headers.get_all("Location")), "")
        where = ""
        try:
            target = urlsplit(urljoin(self.uri, location))
            ours, theirs = _origin(urlsplit(self.uri)), _origin(target)
        except ValueError:
            where = " to an invalid address"
        else:
            if theirs != ours:
                _, host, port = theirs
                where = f" to {plain(host if host != ours[1] else f'{host}:{port}')}"
            elif location and status in _REDIRECTS:
                return self._follow(target, status)
        why = f"the server redirects the connection{where} (HTTP {status}), and the key is not sent there"
        hint = "check --endpoint; if this network asks you to sign in, open a web page first"
        return Blocked("bad", why, hint, status)

    def _follow(self, target: SplitResult, status: int) -> Exception | str:
        if self._redirects == MAX_REDIRECTS:
            why = f"the server redirects the connection again and again (HTTP {status})"
            return Blocked("bad", why, "check --endpoint", status)
        self._redirects += 1
        self._past_proxy = self._proxy is None
        scheme, place, *_ = urlsplit(self.uri)
        return urlunsplit((scheme, place, target.path, target.query, ""))


async def greeting(host: str, port: int, context: ssl.SSLContext | None) -> Mapping[str, str]:
    """The headers with which a server answers, or refuses, a WebSocket on its root. Raises what a link would meet."""
    try:
        connection = await Connect(f"wss://{host}:{port}/", ssl=context or True)
    except InvalidStatus as refusal:
        return refusal.response.headers
    await connection.close()
    return connection.response.headers if connection.response else {}


def _origin(uri: SplitResult) -> tuple[bool, str, int]:
    """(whether it has TLS, host, port). Raises ValueError for what is no address of a server."""
    tls = uri.scheme in ("https", "wss")
    if not uri.hostname or not (tls or uri.scheme in ("http", "ws")):
        raise ValueError("no server")
    return tls, uri.hostname, uri.port or (443 if tls else 80)


def _fault(proxy: Proxy, error: Exception, server: str) -> Blocked:
    """What a person is told of a proxy that does not lead to `server`."""
    if isinstance(error, InvalidProxyStatus):
        return proxy.answered(error.response.status_code, server)
    if isinstance(error, InvalidProxyMessage):
        cause = error.__cause__
        if isinstance(cause, EOFError) and "CRLF" not in str(cause.__cause__):  # with CRLF it did say something
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
        return proxy.fails(
            f"needs the IP address of {server}, which cannot be looked up", "use socks4a:// or socks5://"
        )
    if isinstance(error, socket.gaierror) or isinstance(error.__cause__, socket.gaierror):
        return proxy.fails("cannot be found: its name cannot be looked up")
    if isinstance(error, OSError):
        said = system_words(error)
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
