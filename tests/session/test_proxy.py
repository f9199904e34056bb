"""Which proxy leads where, real ones on the way to a server that only they know, and what is said of broken ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import requests
from google.auth.exceptions import TransportError

from livechat.server import tls
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.session.events import Ended, Opened, Wire
from livechat.session.proxy import Blocked, blamed, is_loopback, proxy_for
from livechat.session.verdicts import Kind, Verdict, judge
from tests.support.program import environment, livechat
from tests.support.proxies import (
    NAME,
    Handler,
    certified,
    dial,
    end_of,
    free_port,
    http_proxy,
    listening,
    live_server,
    serving,
    socks4_proxy,
    socks5_proxy,
)
from tests.support.virtual_time import run

VARIABLES = [
    name
    for kind in ("http", "https", "all", "no", "ws", "wss", "socks")
    for name in (f"{kind}_proxy", f"{kind}_PROXY".upper())
]
SECRETS = ("s3cret", "alice", "pa/ss")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever proxy the machine has is not the test's."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def verdict(end: Ended) -> Verdict:
    return judge(end, setting_up=True, age_s=0.0)


# ------------------------------------------------------------------------------------------ which one


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.8.9.1", "127.1", "::1", "::", "::ffff:127.0.0.1", "localhost",
        "LOCALHOST", "localhost.", "live.localhost",
    ],
)  # fmt: skip
def test_nothing_on_this_machine_is_behind_a_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        if "no" not in name.lower():
            monkeypatch.setenv(name, "no address at all")
    assert is_loopback(host)
    assert proxy_for(host, 8765) is None


@pytest.mark.parametrize("host", ["live.test", "10.0.0.1", "fe80::1", "localhost.test", "128.0.0.1", "1270.0.0.1"])
def test_what_is_elsewhere_is_behind_it(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    found = proxy_for(host, 443)
    assert found is not None
    assert (found.address, found.shown, found.source) == ("http://proxy:3128", "proxy:3128", "HTTPS_PROXY")


@pytest.mark.parametrize(
    ("variables", "source"),
    [
        ({"HTTPS_PROXY": "http://a:1"}, "HTTPS_PROXY"),
        ({"https_proxy": "http://a:1"}, "https_proxy"),
        ({"ALL_PROXY": "socks5://a:1"}, "ALL_PROXY"),
        ({"all_proxy": "http://a:1"}, "all_proxy"),
        ({"HTTPS_PROXY": "http://a:1", "ALL_PROXY": "http://b:1"}, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://b:1", "https_proxy": "http://a:1"}, "https_proxy"),
        ({"HTTPS_PROXY": "", "ALL_PROXY": "http://b:1"}, "ALL_PROXY"),
        ({"HTTPS_PROXY": "http://b:1", "https_proxy": ""}, None),
        ({"HTTP_PROXY": "http://a:1"}, None),  # of another kind of address than ours
        ({}, None),
    ],
)
def test_each_variable_counts_in_its_turn(
    variables: dict[str, str], source: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = proxy_for("live.test", 443)
    assert (found.source if found else None) == source


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("*", NAME), ("other, *", NAME), (NAME, NAME), ("test", NAME), (".test", NAME), ("*.test", NAME),
        ("LIVE.TEST", NAME), ("live.test:443", NAME), (".test:443", NAME), ("a,b  live.test", NAME),
        ("live.test.", NAME), (NAME, "live.test."), ("10.0.0.1", "10.0.0.1"), ("10.0.0.0/8", "10.0.0.1"),
        ("10.0.0.1:443", "10.0.0.1"), ("fe80::1", "fe80::1"), ("[fe80::1]", "fe80::1"), ("[fe80::1]:443", "fe80::1"),
        ("fe80::/10", "fe80::1"), ("FE80:0::1", "fe80::1"),
    ],
)  # fmt: skip
def test_no_proxy_keeps_a_server_out(no_proxy: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy:1")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(host, 443) is None


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("", NAME), ("ive.test", NAME), ("live.test:8443", NAME), ("x.live.test", NAME), ("10.0.0.0/8", "11.0.0.1"),
        ("[fe80::1]:80", "fe80::1"), ("[", NAME), ("::::", "fe80::1"), (",,", NAME), (":443", NAME), (".", NAME),
    ],
)  # fmt: skip
def test_no_proxy_names_no_other(no_proxy: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy:1")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(host, 443) is not None


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("http://proxy", "http://proxy:80"),
        ("https://proxy/", "https://proxy:443"),
        ("SOCKS5://proxy", "socks5h://proxy:1080"),
        ("socks://proxy:1080/", "socks5h://proxy:1080"),
        ("socks4://proxy:9", "socks4://proxy:9"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("http://alice:s3cret@proxy:1", "http://alice:s3cret@proxy:1"),
        ("http://alice@proxy:1", "http://alice:@proxy:1"),
        ("http://alice:pa/ss?w#d@x@proxy:1", "http://alice:pa%2Fss%3Fw%23d%40x@proxy:1"),
        ("http://alice:p%40ss@proxy:1", "http://alice:p%40ss@proxy:1"),
        (" http://proxy:1 ", "http://proxy:1"),
    ],
)
def test_an_address_is_read_with_all_that_it_may_hold(
    value: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    found = proxy_for(NAME, 443)
    assert found is not None
    assert found.address == address
    assert not any(secret in repr(found) for secret in SECRETS)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("proxy:3128", "proxy:3128"),
        ("alice:s3cret@proxy:3128", "proxy:3128"),
        ("http://proxy:99999", "proxy"),
        ("http://proxy:port", "proxy"),
        ("http://proxy:0", "proxy"),
        ("http://alice:s3cret@proxy:31x28", "proxy"),
        ("http://alice:pa/ss@proxy:x", "proxy"),
        ("ftp://alice:s3cret@proxy:3128", "proxy:3128"),
        ("socks6://proxy:1", "proxy:1"),
        ("http://", ""),
        ("http://[::1:3128", ""),
        ("nonsense \x1b2J", "nonsense"),
        ("nonsense \x1b[2J", "a proxy"),
    ],
)
def test_what_cannot_be_an_address_ends_at_once_and_names_the_variable_and_no_password(
    value: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    end = end_of(run(dial(NAME, None)))
    said = verdict(end)
    assert said.kind is Kind.FATAL
    assert "HTTPS_PROXY" in said.why
    assert "HTTPS_PROXY" in said.hint
    assert shown in said.why
    assert (said.why + said.hint).isprintable()
    assert not any(secret in said.why + said.hint for secret in SECRETS)


# ------------------------------------------------------------------------------------------ real ones


@pytest.mark.parametrize(
    ("scheme", "proxy", "login"),
    [
        ("http", http_proxy, ""),
        ("http", http_proxy, "alice:s3cret"),
        ("http", http_proxy, "alice:pa/ss?@"),
        ("socks5", socks5_proxy, ""),
        ("socks5", socks5_proxy, "alice:s3cret"),
        ("socks5h", socks5_proxy, "alice:s3cret"),
        ("socks4a", socks4_proxy, ""),
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
def test_a_server_behind_a_proxy_is_reached(
    scheme: str, proxy: Callable[..., Any], login: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        options = {"login": login} if login else {}
        async with live_server(NAME) as live, proxy({NAME: live.port}, **options) as running:
            at = f"{login}@" if login else ""
            monkeypatch.setenv(variable, f"{scheme}://{at}127.0.0.1:{running.port}")
            posted = await dial(NAME, live.ca)
            assert isinstance(posted[0], Opened)
            assert running.asked.targets == [(NAME, 443)]
            assert running.asked.logins == ([login] if login else [])
            assert live.keys == ["k"]

    run(main())


def test_a_server_is_reached_through_a_proxy_with_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It may have another certificate than the server: all that are trusted count for both."""
    bundle = tmp_path / "ca.pem"

    async def main() -> None:
        certificate, key = certified("127.0.0.1")
        async with (
            live_server(NAME) as live,
            http_proxy({NAME: live.port}, login="alice:s3cret", context=serving(certificate, key)) as running,
        ):
            bundle.write_text(live.ca + certificate.decode())
            monkeypatch.setenv("HTTPS_PROXY", f"https://alice:s3cret@127.0.0.1:{running.port}")
            posted = await dial(NAME, None, ca_file=str(bundle))
            assert isinstance(posted[0], Opened)
            assert running.asked.targets == [(NAME, 443)]
            only = tmp_path / "only.pem"
            only.write_text(live.ca)
            said = verdict(end_of(await dial(NAME, None, ca_file=str(only))))
            assert said.kind is Kind.FATAL
            assert f"the proxy 127.0.0.1:{running.port} has a certificate that is not trusted" in said.why

    run(main())


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "https_proxy"])
@pytest.mark.parametrize(
    "value", ["http://127.0.0.1:1", "socks5://127.0.0.1:1", "socks4://x", "quic://?", "nonsense"]
)
@pytest.mark.parametrize("no_proxy", [None, "*", "[::1]", "::1,localhost", "[", "http://["])
def test_a_server_on_this_machine_is_dialled_directly_whatever_the_environment_says(
    variable: str, value: str, no_proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> list[Wire]:
        async with live_server("127.0.0.1") as live:
            return await dial("127.0.0.1", live.ca, live.port)

    monkeypatch.setenv(variable, value)
    if no_proxy is not None:
        monkeypatch.setenv("NO_PROXY", no_proxy)
    assert isinstance(run(main())[0], Opened)


# ------------------------------------------------------------------------------------------ broken ones


def saying(answer: bytes, *, after: int = 1) -> Handler:
    """Read something, say this, close."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(after):
            await reader.read(4096)
        writer.write(answer)

    return handler


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        pass


def through(handler: Handler, scheme: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Ended, str]:
    """How a link ends whose proxy is this; and the proxy's place."""

    async def main() -> tuple[Ended, str]:
        async with listening(handler) as port:
            place = f"127.0.0.1:{port}"
            monkeypatch.setenv("ALL_PROXY", f"{scheme}://alice:s3cret@{place}")
            return end_of(await dial(NAME, None)), place

    return run(main())


BROKEN: list[tuple[str, Handler, Kind, str]] = [
    ("http", saying(b"HTTP/1.1 407 Who\r\n\r\n"), Kind.FATAL, "refused the user name and password (HTTP 407)"),
    ("http", saying(b"HTTP/1.1 403 No\r\n\r\n"), Kind.FATAL, "refused to connect to live.test (HTTP 403)"),
    ("http", saying(b"HTTP/1.1 404 No\r\n\r\n"), Kind.FATAL, "refused to connect to live.test (HTTP 404)"),
    ("http", saying(b"HTTP/1.1 302 No\r\nLocation: http://x/\r\n\r\n"), Kind.FATAL, "(HTTP 302)"),
    ("http", saying(b"HTTP/1.1 502 No\r\n\r\n"), Kind.RESUME, "does not get through to live.test (HTTP 502)"),
    ("http", saying(b"HTTP/1.1 503 No\r\n\r\n"), Kind.RESUME, "does not get through to live.test (HTTP 503)"),
    ("http", saying(b"HTTP/1.0 504 No\r\n\r\n"), Kind.RESUME, "does not get through to live.test (HTTP 504)"),
    ("http", saying(b"HTTP/1.1 429 No\r\n\r\n"), Kind.RESUME, "does not get through to live.test (HTTP 429)"),
    ("http", saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), Kind.FATAL, "does not speak HTTP"),
    ("http", saying(bytes(range(256)) + b"\r\n"), Kind.FATAL, "does not speak HTTP"),
    ("http", saying(b"", after=0), Kind.RESUME, "closed the connection without an answer"),
    ("http", saying(b""), Kind.RESUME, "closed the connection without an answer"),
    ("http", silent, Kind.RESUME, "does not answer"),
    ("http", saying(b"HTTP/1.1 200 OK\r\n\r\n"), Kind.RESUME, "cut the connection to live.test"),
    ("socks4a", saying(b"\x00\x5a" + bytes(6)), Kind.RESUME, "cut the connection to live.test"),
    ("https", saying(b"HTTP/1.1 400 No\r\n\r\n"), Kind.FATAL, "does not speak TLS"),
    ("https", silent, Kind.RESUME, "does not answer"),
    ("socks5", silent, Kind.RESUME, "does not answer"),
    ("socks5", saying(b""), Kind.RESUME, "closed the connection without an answer"),
    ("socks5", saying(b"HTTP/1.1 400 Bad\r\n\r\n"), Kind.FATAL, "does not speak SOCKS"),
    ("socks5", saying(b"\x05\xff"), Kind.FATAL, "refused the user name and password"),
    ("socks4a", saying(b"\x00\x5d" + bytes(6)), Kind.FATAL, "refused the user name and password"),
    ("socks4a", saying(b"\x00\x5b" + bytes(6)), Kind.RESUME, "does not get through to live.test"),
]


@pytest.mark.parametrize(
    ("scheme", "handler", "kind", "words"), BROKEN, ids=lambda value: getattr(value, "__name__", str(value))[:30]
)
def test_a_proxy_that_fails_is_named_as_the_proxy(
    scheme: str, handler: Handler, kind: Kind, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    end, place = through(handler, scheme, monkeypatch)
    said = verdict(end)
    assert said.why.startswith(f"the proxy {place} ")
    assert words in said.why
    assert said.kind is kind
    assert said.hint
    assert not any(secret in repr(end) for secret in SECRETS)


@pytest.mark.parametrize(
    ("login", "given", "reply", "kind", "words"),
    [
        ("alice:s3cret", "", 0, Kind.FATAL, "wants a user name and password"),
        ("alice:s3cret", "alice:wrong@", 0, Kind.FATAL, "refused the user name and password"),
        ("", "", 1, Kind.RESUME, "general"),
        ("", "", 2, Kind.FATAL, "refused to connect to live.test"),
        ("", "", 4, Kind.RESUME, "host unreachable"),
        ("", "", 5, Kind.RESUME, "connection refused"),
    ],
)
def test_what_a_socks_proxy_answers_is_said(
    login: str, given: str, reply: int, kind: Kind, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> Ended:
        async with socks5_proxy({}, login=login, reply=reply) as running:
            monkeypatch.setenv("ALL_PROXY", f"socks5://{given}127.0.0.1:{running.port}")
            return end_of(await dial(NAME, None))

    said = verdict(run(main()))
    assert words in said.why
    assert said.kind is kind


def test_a_proxy_that_wants_a_password_says_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> Ended:
        async with http_proxy({}, login="alice:s3cret") as running:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{running.port}")
            return end_of(await dial(NAME, None))

    end = run(main())
    said = verdict(end)
    assert (end.code, said.kind) == (407, Kind.FATAL)
    assert "https_proxy" in said.hint
    assert "http://USER:PASSWORD@127.0.0.1:" in said.hint


@pytest.mark.parametrize("scheme", ["http", "https", "socks4a", "socks5"])
def test_a_proxy_that_is_not_there_is_dialled_again(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{port}")
    said = verdict(end_of(run(dial(NAME, None))))
    assert said == Verdict(
        Kind.RESUME,
        f"the proxy 127.0.0.1:{port} cannot be reached (connection refused)",
        "check the network and ALL_PROXY",
    )


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_whose_name_is_unknown_is_named(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://proxy.invalid:3128")
    said = verdict(end_of(asyncio.run(dial(NAME, None))))
    assert said.why == "the proxy proxy.invalid:3128 cannot be found: its name cannot be looked up"
    assert said.kind is Kind.RESUME


def test_a_proxy_that_takes_numbers_alone_is_not_blamed_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> Ended:
        async with socks4_proxy({}) as running:
            monkeypatch.setenv("ALL_PROXY", f"socks4://127.0.0.1:{running.port}")
            return end_of(await dial("live.invalid", None))

    said = verdict(asyncio.run(main()))
    assert "needs the IP address of live.invalid" in said.why
    assert "socks4a://" in said.hint


def test_a_server_that_fails_behind_a_proxy_is_not_the_proxys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> Ended:
        async with live_server("other.test") as live, http_proxy({NAME: live.port}) as running:
            monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{running.port}")
            return end_of(await dial(NAME, live.ca))

    end = run(main())
    assert end.how == "tls"
    assert "proxy" not in verdict(end).why


# ------------------------------------------------------------------------------------------ tokens


def fetch_token() -> TransportError:
    """What google.auth makes of the proxy, when it wants a token."""
    from google.auth.transport.requests import Request

    with pytest.raises(TransportError) as raised:
        Request(requests.Session())("https://oauth2.googleapis.com/token", timeout=5)
    return raised.value


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_token_that_a_proxy_keeps_from_us_is_its_fault(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{port}")
    blocked = blamed(fetch_token())
    assert blocked is not None
    assert (blocked.how, blocked.why) == ("proxy", f"the proxy 127.0.0.1:{port} cannot be reached")


def test_a_proxy_that_wants_a_password_for_a_token_is_told_from_one_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> Blocked | None:
        async with http_proxy({}, login="alice:s3cret") as running:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{running.port}")
            return blamed(await asyncio.to_thread(fetch_token))

    blocked = asyncio.run(main())
    assert blocked is not None
    assert (blocked.how, blocked.code) == ("bad", 407)


def test_no_proxy_is_blamed_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    away = requests.exceptions.ConnectionError("no")
    assert blamed(away) is None
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    assert blamed(away) is None
    assert blamed(ValueError("Project ID is missing")) is None


# ------------------------------------------------------------------------------------------ the program


async def talk(folder: Path, *args: str, **variables: str) -> tuple[int, str, str]:
    """`livechat talk` with these variables; exit code, stdout, stderr."""
    done = await asyncio.to_thread(livechat, "talk", *args, env=environment(folder, **variables), stdin="hello\n")
    return done.returncode, done.stdout, done.stderr


def program(main: Coroutine[Any, Any, tuple[int, str, str]]) -> tuple[int, str, str]:
    code, out, err = asyncio.run(main)
    assert "Traceback" not in err
    assert "has a bug" not in err
    assert "s3cret" not in out + err
    return code, out, err


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("value", ["http://alice:s3cret@127.0.0.1:1", "socks5://alice:s3cret@127.0.0.1:1"])
def test_the_embedded_server_answers_whatever_proxy_is_set(variable: str, value: str, tmp_path: Path) -> None:
    code, out, _ = program(talk(tmp_path, "--offline", **{variable: value}))
    assert code == 0
    assert out.count("\n") >= 1


@pytest.mark.parametrize(("scheme", "proxy"), [("http", http_proxy), ("socks5", socks5_proxy)])
def test_a_conversation_is_held_through_a_proxy(
    scheme: str, proxy: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded server, which has a name here that only the proxy knows."""
    certificate, key = certified(NAME)
    monkeypatch.setattr(tls, "server_context", lambda: (serving(certificate, key), certificate))
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificate)

    async def main() -> tuple[int, str, str]:
        async with (
            Server(Parrot(), allowed=[NAME]) as server,
            proxy({NAME: server.port}, login="alice:s3cret") as running,
        ):
            at = f"{scheme}://alice:s3cret@127.0.0.1:{running.port}"
            said = await talk(tmp_path, "--endpoint", f"https://{NAME}", "--ca-file", str(ca), ALL_PROXY=at)
            assert running.asked.targets == [(NAME, 443)]
            return said

    code, out, _ = program(main())
    assert code == 0
    assert "hello" in out


def test_a_proxy_without_its_kind_ends_the_program_at_once(tmp_path: Path) -> None:
    code, _, err = program(talk(tmp_path, "--endpoint", "https://live.test", HTTPS_PROXY="alice:s3cret@proxy:3128"))
    assert code == 3
    assert "error: HTTPS_PROXY names the proxy proxy:3128 without its kind, such as http://" in err
    assert "hint: set HTTPS_PROXY to http://HOST:PORT" in err


def test_a_proxy_that_is_away_ends_the_program_by_its_name(tmp_path: Path) -> None:
    port = free_port()
    code, _, err = program(
        talk(tmp_path, "--endpoint", "https://live.test", ALL_PROXY=f"http://alice:s3cret@127.0.0.1:{port}")
    )
    assert code == 5
    assert f"error: no connection: the proxy 127.0.0.1:{port} cannot be reached (connection refused)" in err
