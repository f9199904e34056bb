"""Which proxy leads to a server, by the environment or the system's settings, and what is said of a proxy that fails.

The embedded server, and anything else on loopback, is always dialled directly. For other servers the order is that of
websockets (wss_proxy, socks_proxy, https_proxy), and then ALL_PROXY, which websockets does not read. NO_PROXY is read
as curl, Go and requests read it: they know more forms than urllib. A proxy's address may hold a password, so only its
host and port are ever shown.
"""

import ipaddress
import os
import re
import socket
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, quote, urlsplit
from urllib.request import getproxies, proxy_bypass

SYSTEM = "the system's settings"
PORTS = {"http": 80, "https": 443, "socks": 1080, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
TOKENS = "oauth2.googleapis.com"  # where google.auth fetches tokens, through the same proxy

_SCHEMES = ("wss", "socks", "https", "all")
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
_MAX_SHOWN = 100  # characters of a name from outside


class Blocked(Exception):  # noqa: N818 - it says what is in the way, and is not always an error of ours
    """Something between us and the server stops the link. `how`, `why` (its reason), `hint`, `code`: as in Ended."""

    def __init__(self, how: Literal["proxy", "bad"], why: str, hint: str, code: int | None = None) -> None:
        super().__init__(why)
        self.how: Literal["proxy", "bad"] = how
        self.why, self.hint, self.code = why, hint, code


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that is set. Its methods make the Blocked to raise when it fails.

    `address`: what websockets is given; it may hold a password. `scheme`: the kind, as it was set.
    `shown`: HOST:PORT. `source`: the variable that it comes from, or SYSTEM.
    """

    address: str = field(repr=False)
    scheme: str
    shown: str
    source: str
    login: bool  # whether the address holds a user and a password

    def fails(self, what: str, hint: str = "", code: int | None = None) -> Blocked:
        """A failure that may pass. `what` follows the proxy's name in the sentence."""
        return Blocked(
            "proxy", f"the proxy {self.shown} {what}", hint or f"check the network and {self.source}", code
        )

    def refuses(self, what: str, hint: str, code: int | None = None) -> Blocked:
        """A failure that lasts until somebody changes something."""
        return Blocked("bad", f"the proxy {self.shown} {what}", hint, code)

    def wants_login(self, code: int | None = None) -> Blocked:
        status = f" (HTTP {code})" if code else ""
        if self.login:
            return self.refuses(f"refused the user name and password{status}", f"correct them in {self.source}", code)
        hint = f"set {_variable(self.source)} to {self.scheme}://USER:PASSWORD@{self.shown}"
        return self.refuses(f"wants a user name and password{status}", hint, code)

    def answered(self, status: int, server: str) -> Blocked:
        """A failure by the HTTP status that the proxy answers to CONNECT."""
        if status == 407:
            return self.wants_login(status)
        if 300 <= status < 500 and status not in (408, 429):
            hint = "ask those who run the proxy, or name the server in NO_PROXY"
            return self.refuses(f"refused to connect to {server} (HTTP {status})", hint, status)
        return self.fails(f"does not get through to {server} (HTTP {status})", code=status)


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine by its name or IP address, without a look-up."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    ip = ip_address(name)
    return ip is not None and (ip.is_loopback or ip.is_unspecified)


def ip_address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that `name` is, in any notation; None for a name."""
    try:
        ip = ipaddress.ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(name))  # such as 127.1, which resolvers accept
        except OSError:
            return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


def proxy_for(host: str, port: int) -> Proxy | None:
    """The proxy for this server, or None to dial it directly. Raises Blocked for an invalid address of a proxy."""
    proxies = getproxies()
    scheme = next((scheme for scheme in _SCHEMES if proxies.get(scheme)), None)
    if (
        scheme is None
        or is_loopback(host)
        or proxy_bypass(f"{host}:{port}")
        or _listed(proxies.get("no", ""), host, port)
    ):
        return None
    value = proxies[scheme].strip()
    if scheme == "socks" and value.startswith("http://"):  # as some systems write it
        value = value.replace("http", "socks5", 1)
    # As in urllib the name in small letters wins. Capitals sort before small letters.
    names = [name for name, text in os.environ.items() if text and name.lower() == f"{scheme}_proxy"]
    return _parse(value, max(names, default=SYSTEM))


def blamed(error: BaseException) -> Blocked | None:
    """The proxy's failure behind google-auth's failure to fetch a token with requests; None if there is none."""
    chain = list(_causes(error))
    if not any(type(e).__module__.split(".")[0] in ("requests", "urllib3", "socks") for e in chain):
        return None
    try:
        proxy = proxy_for(TOKENS, 443)
    except Blocked as e:
        return e
    named = any("Proxy" in type(e).__name__ or type(e).__module__.startswith("socks") for e in chain)
    if proxy is None or not named:
        return None
    status = next((found[1] for e in chain if (found := _TUNNEL.search(str(e)))), None)
    return proxy.answered(int(status), TOKENS) if status else proxy.fails("cannot be reached")


def plain(name: str) -> str:
    """A name from outside, made safe for one line of a terminal."""
    safe = name.encode("ascii", "backslashreplace").decode()
    return "".join(c if c.isprintable() and c != " " else "?" for c in safe)[:_MAX_SHOWN]


def _variable(source: str) -> str:
    return "HTTPS_PROXY" if source == SYSTEM else source


def _parse(value: str, source: str) -> Proxy:
    hint = f"set {_variable(source)} to http://HOST:PORT or socks5://HOST:PORT"
    # A password may hold any of @/?#, so the host begins after the last @.
    scheme, slashes, rest = value.partition("://")
    login, at, place = rest.rpartition("@") if slashes else value.rpartition("@")
    place = re.split(r"[/?#]", place)[0]
    parts = _split(place)
    shown = plain(place if parts and _port(parts, 1) else (parts and parts.hostname) or "")
    named = f"the proxy {shown}" if shown else "a proxy"
    if not slashes:
        raise Blocked("bad", f"{source} names {named} without its kind, such as http://", hint)
    scheme = scheme.lower()
    if scheme not in PORTS:
        raise Blocked("bad", f"{source} names a proxy of an unknown kind, {plain(scheme)}://{shown}", hint)
    if parts is None or not parts.hostname:
        raise Blocked("bad", f"{source} does not name a proxy", hint)
    port = _port(parts, PORTS[scheme])
    if not port:
        raise Blocked("bad", f"{source} names {named} with an invalid port", hint)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    user, _, password = login.partition(":")
    # The proxy looks names up, as with Go and httpx: inside its network only local names may be known. GNOME writes
    # socks:// into ALL_PROXY and means SOCKS5, as browsers do.
    dialled = "socks5h" if scheme in ("socks", "socks5") else scheme
    held = f"{_quoted(user)}:{_quoted(password)}@" if at and (user or password) else ""
    place = f"{host}:{port}"
    return Proxy(f"{dialled}://{held}{place}", scheme, plain(place), source, login=bool(held))


def _quoted(text: str) -> str:
    """A user or password for a URL: what is escaped stays so, and what would end it is escaped."""
    return quote(text, safe="%!$&'()*+,;=~")


def _split(place: str) -> SplitResult | None:
    try:
        return urlsplit(f"//{place}")
    except ValueError:  # brackets in the wrong place
        return None


def _port(parts: SplitResult, default: int) -> int:
    """The port, or 0 for an invalid one."""
    try:
        return default if parts.port is None else parts.port
    except ValueError:
        return 0


def _listed(no_proxy: str, host: str, port: int) -> bool:
    """Whether NO_PROXY names this server: by *, a domain, an IP address or a network, each with a port or without."""
    name, ip = host.lower().rstrip("."), ip_address(host)
    for entry in re.split(r"[\s,]+", no_proxy.lower()):
        if entry == "*":
            return True
        # An IPv6 address needs brackets where a port follows.
        found = re.fullmatch(r"(\[.*\]|[^:]*):(\d+)", entry)
        if found and int(found[2]) != port:
            continue
        place = found[1] if found else entry
        if ip is None:
            suffix = place.removeprefix("*").strip(".")
            if suffix and (name == suffix or name.endswith(f".{suffix}")):
                return True
        elif _within(ip, place):
            return True
    return False


def _within(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, place: str) -> bool:
    try:
        return ip in ipaddress.ip_network(re.sub(r"[\[\]]", "", place), strict=False)
    except ValueError:
        return False


def _causes(error: BaseException) -> list[BaseException]:
    """`error` and every exception that led to it."""
    found: list[BaseException] = []
    stack: list[BaseException | None] = [error]
    while stack:
        e = stack.pop()
        if e is not None and e not in found:
            found.append(e)
            held = (*e.args, getattr(e, "reason", None))  # requests and urllib3 keep the cause in their arguments
            stack += [e.__cause__, e.__context__, *(a for a in held if isinstance(a, BaseException))]
    return found
