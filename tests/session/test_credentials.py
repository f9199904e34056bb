"""Vertex AI's token, from google-auth as it is and a token endpoint on loopback that says what a test tells it to."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.session import credentials
from livechat.session.credentials import TokenError, VertexCredentials
from livechat.session.events import Dial, Ended, Opened, Wire
from livechat.session.link import Dialler
from livechat.session.proxy import Blocked
from livechat.settings import Settings

GOOD = (200, '{"access_token": "t", "expires_in": 3600}')
REVOKED = '{"error": "invalid_grant", "error_description": "Token has been expired or revoked."}'
PAGE = "<!DOCTYPE html><title>Welcome to the hotel</title>"


class Endpoint:
    """Answers each request with the next of `answers`, and with the last of them from then on.

    `location`: where a redirect leads to.
    """

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = [GOOD]
        self.asked = 0
        self.location = ""
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, body = endpoint.answers[min(endpoint.asked, len(endpoint.answers) - 1)]
                endpoint.asked += 1
                self.send_response(status)
                if endpoint.location:
                    self.send_header("Location", endpoint.location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST  # noqa: N815 - the metadata server's

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    import google.auth._exponential_backoff as backoff

    monkeypatch.setattr(backoff, "time", SimpleNamespace(sleep=lambda _: None))
    made = Endpoint()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="session")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private_key: str) -> Callable[[str], None]:
    """Writes the file of a service account whose tokens come from there."""

    def write(token_uri: str) -> None:
        file = tmp_path / "account.json"
        file.write_text(
            json.dumps(
                {
                    "type": "service_account", "project_id": "p", "private_key_id": "k", "private_key": private_key,
                    "client_email": "shh@p.iam.gserviceaccount.com", "client_id": "1", "token_uri": token_uri,
                }
            )
        )  # fmt: skip
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))

    return write


@pytest.fixture
def token(endpoint: Endpoint, account: Callable[[str], None]) -> VertexCredentials:
    account(f"http://{endpoint.address}/token")
    return VertexCredentials()


def failure(token: VertexCredentials) -> TokenError:
    with pytest.raises(TokenError) as caught:
        token.refresh()
    assert "shh" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    return caught.value


def test_a_token_is_had_once_and_again_when_it_has_expired(token: VertexCredentials, endpoint: Endpoint) -> None:
    assert (token.token, token.expired) == (None, False)
    endpoint.answers = [(200, '{"access_token": "old", "expires_in": 10}'), (503, PAGE), GOOD]
    token.refresh()
    assert (token.token, token.expired, token.quota_project_id) == ("old", True, None)
    token.refresh()  # google-auth asks again by itself
    assert (token.token, token.expired) == ("t", False)


@pytest.mark.parametrize(
    "answer",
    [
        (500, PAGE), (502, PAGE), (503, PAGE), (503, '{"error": "temporarily_unavailable"}'), (504, ""),
        (429, '{"error": "rate_limit_exceeded"}'), (408, ""), (400, '{"error": "internal_failure"}'),
        (200, PAGE), (200, "{}"), (200, "[1]"), (200, '{"access_token": ""}'), (403, PAGE), (404, PAGE), (511, PAGE),
    ],
)  # fmt: skip
def test_what_a_network_or_a_server_in_trouble_says_is_passing(
    token: VertexCredentials, endpoint: Endpoint, answer: tuple[int, str]
) -> None:
    endpoint.answers = [answer]
    error = failure(token)
    assert not error.refused
    assert str(error) in (f"HTTP {answer[0]}", "the answer was no token")
    endpoint.answers = [GOOD]
    token.refresh()
    assert token.token == GOOD[1][18:19]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, REVOKED, "invalid_grant (Token has been expired or revoked.)"),
        (401, '{"error": "invalid_client"}', "invalid_client"),
        (403, '{"error": "access_denied", "error_description": "Account restricted"}', "access_denied"),
        (400, '{"error": "invalid_grant", "error_subtype": "invalid_rapt"}', "invalid_grant"),
    ],
)
def test_a_refused_grant_is_refused(
    token: VertexCredentials, endpoint: Endpoint, status: int, body: str, words: str
) -> None:
    endpoint.answers = [(status, body)]
    error = failure(token)
    assert error.refused
    assert words in str(error)


def test_a_grant_that_is_taken_back_after_an_hour_is_refused_then(
    token: VertexCredentials, endpoint: Endpoint
) -> None:
    endpoint.answers = [(200, '{"access_token": "old", "expires_in": 10}'), (400, REVOKED)]
    token.refresh()
    assert failure(token).refused


def test_a_token_endpoint_that_accepts_and_says_nothing_is_left_in_time(
    token: VertexCredentials, account: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "TOKEN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        account(f"http://127.0.0.1:{silent.getsockname()[1]}/token")
        began = time.monotonic()
        error = failure(token)
    assert (str(error), error.refused) == ("the token endpoint does not answer", False)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_grant_follows_no_redirect(token: VertexCredentials, endpoint: Endpoint, status: int) -> None:
    stranger = Endpoint()
    endpoint.answers, endpoint.location = [(status, "")], f"http://localhost:{stranger.server.server_port}/token"
    error = failure(token)
    stranger.server.shutdown()
    stranger.server.server_close()
    assert (str(error), error.refused, stranger.asked) == (f"HTTP {status}", False, 0)


def test_an_address_of_the_token_endpoint_that_swallows_packets_is_passed_by(
    token: VertexCredentials, account: Callable[[str], None], endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "CONNECT_S", 0.05)
    tried: list[tuple[str, Any]] = []
    port, real = endpoint.server.server_port, socket.socket.connect

    class Swallowing(socket.socket):
        def connect(self, address: Any) -> None:
            tried.append((address[0], self.gettimeout()))
            if address[0] != "127.0.0.1":
                raise TimeoutError
            real(self, address)

    places = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("192.0.2.1", "192.0.2.2", "127.0.0.1")
    ]
    monkeypatch.setattr(socket, "socket", Swallowing)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
    account(f"http://token.test:{port}/token")
    token.refresh()
    assert (token.token, token.expired) == ("t", False)
    assert tried == [("192.0.2.1", 0.05), ("192.0.2.2", 0.05), ("127.0.0.1", 0.05)]


@pytest.mark.parametrize(
    ("uri", "value", "taken"),
    [
        ("https://token.test/", "http://proxy:1", {"https": "http://proxy:1"}),
        ("https://token.test/", "socks5://proxy:1", {"https": "socks5h://proxy:1"}),
        ("https://token.test/", "socks://proxy:1/", {"https": "socks5h://proxy:1"}),
        ("https://127.0.0.1/", "http://proxy:1", {"no_proxy": "*"}),
        ("http://169.254.169.254/", "http://proxy:1", None),
    ],
)
def test_a_token_is_fetched_the_way_that_the_link_takes(
    uri: str,
    value: str,
    taken: dict[str, str] | None,
    account: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A network with a SOCKS proxy may know its own names only."""
    asked: list[Any] = []

    def request(_: object, **more: Any) -> Any:
        asked.append(more.get("proxies"))
        return SimpleNamespace(status=200, data=GOOD[1].encode())

    monkeypatch.setattr("google.auth.transport.requests.Request.__call__", request)
    monkeypatch.setenv("ALL_PROXY", value)
    account(uri)
    VertexCredentials().refresh()
    assert asked == [taken]


def test_a_proxy_that_cannot_be_is_named_where_a_token_is_wanted(
    account: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy:3128")
    account("https://token.test/")
    with pytest.raises(Blocked, match="ALL_PROXY names the proxy proxy:3128 without its kind"):
        VertexCredentials().refresh()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1/token", "http://token.invalid/", "https://127.0.0.1:1/token"])
def test_a_token_endpoint_that_cannot_be_reached_is_passing(
    token: VertexCredentials, account: Callable[[str], None], uri: str
) -> None:
    account(uri)
    assert not failure(token).refused


def test_the_metadata_server_of_a_machine_in_the_cloud_may_be_away_for_a_while(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.auth import compute_engine

    monkeypatch.setenv("GCE_METADATA_HOST", endpoint.address)
    monkeypatch.setattr("google.auth.default", lambda **_: (compute_engine.Credentials(), "p"))  # type: ignore[no-untyped-call]
    for answer in ((503, ""), (404, PAGE), (200, PAGE)):
        endpoint.answers = [answer]
        assert not failure(VertexCredentials()).refused


def test_a_machine_without_credentials_has_none_though_no_metadata_server_answers(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setattr(credentials, "TOKEN_S", 0.2)
    from google.auth.compute_engine import _metadata

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(_metadata, "_get_metadata_ip_root", lambda *_: address)
        error = failure(VertexCredentials())
    assert error.refused
    assert str(error).startswith("no credentials for Vertex AI: ")


@pytest.mark.parametrize(
    "content", [None, "", "not json", "{}", '{"type": "unheard of"}', '{"type": "service_account"}']
)
def test_credentials_that_are_not_there_or_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "account.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    error = failure(VertexCredentials())
    assert error.refused
    assert str(error).startswith("no credentials for Vertex AI: ")
    assert "account.json" in str(error)


# ------------------------------------------------------------------------------------------------- a whole dial


async def outcome(dialler: Dialler) -> Wire:
    """What becomes of a dial: it opens, or says why not."""
    posted: asyncio.Queue[Wire] = asyncio.Queue()
    link = dialler.dial(Dial(1, None, transparent=True), posted.put_nowait)
    running = asyncio.create_task(link.run())
    first = await posted.get()
    await link.close()
    await running
    return first


def vertex(server: Server) -> Dialler:
    made = Settings(backend="vertex", project="p", location="l", key_from="GOOGLE_APPLICATION_CREDENTIALS")
    return Dialler(made, url=server.url, ca_pem=server.ca_pem.decode())


def test_a_dial_without_a_token_is_a_dropped_line_and_the_next_one_opens(
    token: VertexCredentials, endpoint: Endpoint
) -> None:
    async def main() -> list[Wire]:
        async with Server(Parrot()) as server:
            dialler, ends = vertex(server), []
            for answer in ((503, PAGE), (400, REVOKED), GOOD):
                endpoint.answers, endpoint.asked = [answer], 0
                ends.append(await outcome(dialler))
        return ends

    passing, refused, opened = asyncio.run(main())
    assert passing == Ended(1, "token", reason="HTTP 503", key_from="GOOGLE_APPLICATION_CREDENTIALS")
    assert isinstance(refused, Ended)
    assert (refused.how, refused.key_from) == ("auth", "GOOGLE_APPLICATION_CREDENTIALS")
    assert isinstance(opened, Opened)


def test_no_dial_waits_for_the_token_of_the_one_before(
    account: Callable[[str], None], endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled while its token endpoint says nothing, a dial leaves no lock behind."""
    monkeypatch.setattr(credentials, "TOKEN_S", 2.0)

    async def main() -> Wire:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            async with Server(Parrot()) as server:
                dialler = vertex(server)
                account(f"http://127.0.0.1:{silent.getsockname()[1]}/token")
                first = asyncio.create_task(dialler.dial(Dial(1, None, transparent=True), print).run())
                connection, _ = await asyncio.to_thread(silent.accept)
                with connection:
                    first.cancel()
                    await asyncio.gather(first, return_exceptions=True)
                    account(f"http://{endpoint.address}/token")
                    return await outcome(dialler)

    assert isinstance(asyncio.run(main()), Opened)
