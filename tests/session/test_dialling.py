"""A name with dead addresses is connected to all the same, and no redirect takes the key to another origin."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from livechat.session.events import Ended, Opened, Wire
from livechat.session.verdicts import Kind, judge
from tests.support.proxies import NAME, dial, end_of, free_port, http_proxy, live_server
from tests.support.virtual_time import run

GOOD = "127.0.0.1"
DEAD = ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3"]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("https", "all", "no", "wss", "socks"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind}_proxy".upper(), raising=False)


def resolve(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    """Let every name have these addresses, in this order."""

    async def getaddrinfo(_: object, host: str, port: int, **__: object) -> list[Any]:
        found = []
        for address in addresses:
            v6 = ipaddress.ip_address(address).version == 6
            place = (address, port, 0, 0) if v6 else (address, port)
            family = socket.AF_INET6 if v6 else socket.AF_INET
            found.append((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place))
        return found

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)


def swallow(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let what is sent to DEAD vanish. Returns where connections are tried."""
    tried: list[str] = []
    real = asyncio.SelectorEventLoop.sock_connect

    async def sock_connect(loop: Any, sock: socket.socket, address: Any) -> None:
        tried.append(address[0])
        if address[0] in DEAD:
            await asyncio.sleep(3600)
        await real(loop, sock, address)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", sock_connect)
    return tried


@pytest.mark.parametrize(
    "addresses",
    [
        ["2001:db8::1", GOOD],
        ["192.0.2.1", GOOD],
        ["192.0.2.1", "192.0.2.2", "192.0.2.3", GOOD],
        ["2001:db8::1", "2001:db8::2", GOOD],
        ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", GOOD],
        [GOOD, *DEAD],
    ],
)
def test_an_address_that_swallows_packets_costs_less_than_a_second(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> list[Wire]:
        async with live_server(NAME) as live:
            return await dial(NAME, live.ca, live.port)

    swallow(monkeypatch)
    resolve(monkeypatch, addresses)
    opened = run(main())[0]
    assert isinstance(opened, Opened)
    assert opened.setup_ms < 1000


def test_a_black_hole_of_ipv4_is_passed_by_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real address stands in for one of IPv6, which this machine may not have."""

    async def main() -> list[Wire]:
        async with live_server(NAME) as live:
            return await dial(NAME, live.ca, live.port)

    tried = swallow(monkeypatch)
    resolve(monkeypatch, ["192.0.2.1", "192.0.2.2", "::ffff:127.0.0.1"])
    posted = run(main())
    assert tried == ["192.0.2.1", "::ffff:127.0.0.1"]  # the families take turns
    assert isinstance(posted[0], Opened)


def test_a_server_whose_queue_is_full_is_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own black hole: it drops what asks for a place in a full queue."""

    async def main() -> list[Wire]:
        with contextlib.ExitStack() as stack:
            full = stack.enter_context(socket.socket())
            full.bind(("127.0.0.2", 0))
            port = full.getsockname()[1]
            full.listen(0)
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.2", port))
            async with live_server(NAME, port=port) as live:
                return await dial(NAME, live.ca, live.port)

    resolve(monkeypatch, ["127.0.0.2", GOOD])
    opened = run(main())[0]
    assert isinstance(opened, Opened)
    assert opened.setup_ms < 1000


def test_a_proxy_whose_name_has_a_dead_address_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[Wire]:
        async with live_server(NAME) as live, http_proxy({NAME: live.port}) as running:
            monkeypatch.setenv("HTTPS_PROXY", f"http://proxy.test:{running.port}")
            return await dial(NAME, live.ca)

    swallow(monkeypatch)
    resolve(monkeypatch, ["2001:db8::1", GOOD])
    assert isinstance(run(main())[0], Opened)


def test_a_name_whose_addresses_all_refuse_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, ["127.0.0.2", GOOD])
    end = end_of(run(dial(NAME, None, free_port())))
    assert end == Ended(1, "network", reason="connection refused")


# ------------------------------------------------------------------------------------------ redirects


def redirected(status: int, location: str | None, *, name: str = GOOD) -> tuple[Ended, list[str]]:
    """How a link ends that is sent on, and the keys the other server was shown."""

    async def main() -> tuple[Ended, list[str]]:
        async with live_server(name) as other:

            def refuse(ws: ServerConnection, _: Request) -> Response:
                response = ws.respond(HTTPStatus(status), "elsewhere\n")
                if location is not None:
                    response.headers["Location"] = location.replace("OTHER", str(other.port))
                return response

            async with live_server(name, refuse=refuse) as first:
                ca = first.ca + other.ca
                end = end_of(await dial(name, ca, first.port))
                assert first.keys == ["k"]  # asked once
                return end, other.keys

    return run(main())


def sent_on(status: int, *locations: str) -> tuple[Wire, list[str]]:
    """What becomes of a link whose server sends it from one location to the next, and the paths it was asked for."""
    paths: list[str] = []

    def refuse(ws: ServerConnection, request: Request) -> Response | None:
        paths.append(request.path)
        if len(paths) > len(locations):
            return None
        response = ws.respond(HTTPStatus(status), "elsewhere\n")
        response.headers["Location"] = locations[len(paths) - 1].replace("HERE", request.headers["Host"])
        return response

    async def main() -> Wire:
        async with live_server(GOOD, refuse=refuse) as live:
            posted = await dial(GOOD, live.ca, live.port)
            assert live.keys == ["k"] * len(paths)
            return posted[0]

    return run(main()), paths[1:]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["/new?x=1", "https://HERE/new?x=1", "wss://alice:s3cret@HERE/new?x=1#y", "//HERE/new?x=1"]
)
def test_a_redirect_within_the_origin_is_followed(status: int, location: str) -> None:
    first, paths = sent_on(status, location)
    assert isinstance(first, Opened)
    assert paths == ["/new?x=1"]


def test_a_few_redirects_are_followed_and_no_circle() -> None:
    first, paths = sent_on(307, "/1", "/2", "/3")
    assert (type(first), paths) == (Opened, ["/1", "/2", "/3"])
    first, paths = sent_on(307, *["/1", "/2"] * 5)
    assert isinstance(first, Ended)
    assert (first.how, first.code, paths) == ("bad", 307, ["/1", "/2", "/1"])
    assert first.reason == "the server redirects the connection again and again (HTTP 307)"


def test_a_redirect_is_followed_through_the_same_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(ws: ServerConnection, request: Request) -> Response | None:
        response = ws.respond(HTTPStatus.TEMPORARY_REDIRECT, "elsewhere\n")
        response.headers["Location"] = "/new"
        return None if request.path == "/new" else response

    async def main() -> tuple[Wire, int]:
        async with live_server(NAME, refuse=refuse) as live, http_proxy({NAME: live.port}) as running:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{running.port}")
            return (await dial(NAME, live.ca))[0], len(running.asked.targets)

    first, asked = run(main())
    assert isinstance(first, Opened)
    assert asked == 2


@pytest.mark.parametrize("location", ["http://HERE/", "ws://HERE/"])
def test_no_redirect_leads_out_of_tls(location: str) -> None:
    first, paths = sent_on(302, location)
    assert isinstance(first, Ended)
    assert (first.how, paths) == ("bad", [])


@pytest.mark.parametrize("status", [304, 305])
def test_a_status_that_is_no_redirect_is_not_followed(status: int) -> None:
    first, paths = sent_on(status, "/new")
    assert isinstance(first, Ended)
    assert (first.code, paths) == (status, [])


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_the_key_follows_no_redirect_to_another_origin(status: int) -> None:
    end, keys = redirected(status, "wss://127.0.0.1:OTHER/ws")
    assert keys == []
    said = judge(end, setting_up=True, age_s=0.0)
    assert (end.code, said.kind) == (status, Kind.FATAL)
    assert f"(HTTP {status})" in said.why
    assert "127.0.0.1:" in said.why
    assert said.hint


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://login.portal.test/?user=alice&s3cret", " to login.portal.test (HTTP 302)"),
        ("http://portal.test", " to portal.test (HTTP 302)"),
        ("ws://127.0.0.1/", " to 127.0.0.1:80 (HTTP 302)"),
        ("//evil.test/x", " to evil.test (HTTP 302)"),
        ("wss://alice:s3cret@evil.test", " to evil.test (HTTP 302)"),
        ("https://evil\x9b31m.test/", " to evil\\x9b31m.test (HTTP 302)"),
        ("https://[::1/", " to an invalid address (HTTP 302)"),
        ("https://b\xfccher.test", "(HTTP 302)"),
        ("", "redirects the connection (HTTP 302)"),
        ("javascript:alert(1)", " to an invalid address (HTTP 302)"),
        (None, "redirects the connection (HTTP 302)"),
    ],
)
def test_a_redirect_says_where_it_leads_and_no_more(location: str | None, words: str) -> None:
    end, _ = redirected(302, location)
    assert (end.how, end.code) == ("bad", 302)
    assert words in end.reason
    assert end.reason.isprintable()
    assert "s3cret" not in end.reason
    assert "alice" not in end.reason
