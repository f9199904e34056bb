"""The server's pages and its POST requests, over real HTTP."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from livechat.testing import LiveServer

TOKENS = "/v1alpha/auth_tokens?key=any"


@pytest.fixture(scope="module")
def server() -> Any:
    with LiveServer() as running:
        yield running


def fetch(server: LiveServer, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, server.url + path, verify=str(server.ca_file), timeout=10, **options)


def test_the_page_is_html_and_takes_nothing_from_a_client(server: LiveServer) -> None:
    page = fetch(server, "GET", "/")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert "innerHTML" not in page.text


def test_events_are_the_links_the_sessions_and_what_happened(server: LiveServer) -> None:
    async def talk() -> None:
        from google import genai

        client = genai.Client(api_key="any", http_options=server.http_options())
        async with client.aio.live.connect(model="gemini-3.8-live") as session:
            await session.send_realtime_input(text="<b>hello</b>")
            async for _ in session.receive():
                pass

    asyncio.run(talk())
    shown = fetch(server, "GET", "/events").json()
    assert shown["links"][-1]["model"] == "gemini-3.8-live"
    assert shown["sessions"][-1]["turns"][0]["text"] == "<b>hello</b>"
    assert {"link", "setup", "question", "user", "model"} <= {event["type"] for event in shown["events"]}


def test_models_are_listed_as_the_sdk_reads_them(server: LiveServer) -> None:
    named = [model["name"] for model in fetch(server, "GET", "/v1beta/models?pageSize=5&key=any").json()["models"]]
    assert "models/gemini-3.8-live" in named


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (TOKENS, "{}", 200),
        (TOKENS, "", 200),
        ("//v1alpha/auth_tokens/?key=any", '{"uses": 3}', 200),
        ("/v1alpha/auth_tokens", "{}", 403),
        ("/v1beta/auth_tokens?key=any", "{}", 404),
        (TOKENS, "{", 400),
        (TOKENS, "[]", 400),
        (TOKENS, '{"uses": -1}', 400),
        pytest.param(TOKENS, "[" * 100_000, 400, id="deep"),
        pytest.param(TOKENS, "x" * 2_000_000, 413, id="large"),
    ],
)
def test_tokens_are_posted_for(server: LiveServer, path: str, body: str, status: int) -> None:
    answer = fetch(server, "POST", path, data=body)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["name"].startswith("auth_tokens/")
    elif status != 413:
        assert answer.json()["error"]["code"] == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/events", 405),
        ("DELETE", "/v1beta/models", 405),
        ("POST", "/", 405),
        ("PATCH", TOKENS, 405),
        ("HEAD", "/", 405),
        ("PUT", "/nowhere", 404),
    ],
)
def test_another_method_is_not_allowed(server: LiveServer, method: str, path: str, status: int) -> None:
    assert fetch(server, method, path, data="{}").status_code == status


def test_a_strange_page_gets_no_token(server: LiveServer) -> None:
    answer = fetch(server, "POST", TOKENS, data="{}", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert fetch(server, "GET", "/events", headers={"Host": "evil.example"}).status_code == 403


PIECES: list[Callable[[bytes], list[bytes]]] = [
    lambda whole: [whole],
    lambda whole: [whole[:2], whole[2:7], whole[7:]],
    lambda whole: [bytes([one]) for one in whole],
]


@pytest.mark.parametrize("cut", PIECES)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_is_read_however_it_is_cut(cut: Callable[[bytes], list[bytes]], chunked: bool) -> None:
    body = b'{"uses": 1}'
    head = b"POST /v1alpha/auth_tokens?key=any HTTP/1.1\r\nHost: localhost\r\n"
    whole = head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    if chunked:
        whole = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)

    async def main() -> bytes:
        from livechat.server.parrot import Parrot
        from livechat.server.serve import Server

        async with Server(Parrot(), tls=False) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            for piece in cut(whole):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            answer = await reader.read()
            writer.close()
            return answer

    head_of, _, said = asyncio.run(main()).partition(b"\r\n\r\n")
    assert head_of.startswith(b"HTTP/1.1 200 OK")
    assert json.loads(said)["name"].startswith("auth_tokens/")


@pytest.mark.parametrize("sent", [b"POST / HTTP/9\r\n\r\n", b"POST\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"PO", b""])
def test_what_is_no_request_is_hung_up_on(sent: bytes) -> None:
    async def main() -> bytes:
        from livechat.server.parrot import Parrot
        from livechat.server.serve import Server

        async with Server(Parrot(), tls=False) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(sent)
            writer.write_eof()
            answer = b""
            with contextlib.suppress(ConnectionError):
                answer = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            return answer

    assert b"200" not in asyncio.run(main())
