"""What an upgrade request asks for: which endpoint, with which key, and whether it may come from where it comes."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import parse_qs, urlsplit

from websockets.http11 import Request

from livechat.server.terms import Endpoint

# Any number of slashes goes before them: a base URL may end with one, and the JavaScript SDK writes two.
_GEMINI = re.compile(
    r"/+ws/google\.(?:ai\.generativelanguage|firebase\.vertexai)\.(v1|v1beta|v1alpha)\.GenerativeService[./]"
    r"BidiGenerateContent(Constrained)?/*"
)
_VERTEX = re.compile(
    r"/+ws/google\.(?:cloud\.aiplatform|firebase\.vertexai)\.(v1|v1beta1|v1beta)\.LlmBidiService/BidiGenerateContent"
    r"(?:/locations/[\w-]+)?/*"
)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ANY = "*"


def path_of(request: Request) -> str:
    """The path, without its query. It is no URL: `urlsplit` would take what follows two slashes for a host."""
    return request.path.partition("?")[0]


def endpoint(path: str) -> Endpoint | None:
    """The endpoint at `path`, without its query; None if there is none."""
    if match := _GEMINI.fullmatch(path):
        constrained = match[2] is not None and match[1] == "v1alpha"  # the only one that takes tokens
        return Endpoint(match[1], vertex=False, constrained=constrained)
    if match := _VERTEX.fullmatch(path):
        return Endpoint(match[1], vertex=True)
    return None


def key_of(request: Request) -> str:
    """The API key or token in `request`; "" if there is none."""
    query = parse_qs(request.path.partition("?")[2])
    shown = query.get("key", []) + query.get("access_token", [])
    shown += request.headers.get_all("x-goog-api-key") + request.headers.get_all("Authorization")
    # JavaScript clients show a token as if it were a key.
    return next(filter(None, (value.removeprefix("Token ").strip() for value in shown)), "")


def refused(request: Request, allowed: Collection[str]) -> str:
    """Why a request is not served, or "". `allowed`: names of hosts besides this machine's own; "*" for any.

    Any web page can open a WebSocket to this machine, and by DNS rebinding under a name of its own. A browser tells
    both: the page in Origin, the name in Host.
    """
    if ANY in allowed:
        return ""
    hosts = [_name(f"//{host}") for host in request.headers.get_all("Host")]
    pages = [_name(page) for page in request.headers.get_all("Origin")]
    for kind, names in (("Host", hosts), ("Origin", pages)):
        for name in names:
            if name not in LOOPBACK and name not in allowed:
                return f"{kind} {name or 'null'} is not allowed here; `livechat serve --allow-host` allows it"
    return ""


def _name(url: str) -> str:
    """The host's name in small letters; "" if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
