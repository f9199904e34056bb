"""Addresses as the SDKs write them, and who may not come in."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request

from livechat.server.addresses import endpoint, key_of, path_of, refused
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from tests.support.virtual_time import run

GEMINI = "ws/google.ai.generativelanguage.{}.GenerativeService{}BidiGenerateContent"
VERTEX = "ws/google.cloud.aiplatform.{}.LlmBidiService/BidiGenerateContent"
FIREBASE = "ws/google.firebase.vertexai.v1beta.{}/BidiGenerateContent{}"


def asked(path: str, **headers: str) -> Request:
    return Request(path, Headers(headers))


@pytest.mark.parametrize("slashes", ["/", "//", "///"])
@pytest.mark.parametrize("end", ["", "Constrained", "/"])
@pytest.mark.parametrize("dot", [".", "/"])
@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
@pytest.mark.parametrize("query", ["", "?key=k"])
def test_every_address_of_the_gemini_api(slashes: str, end: str, dot: str, version: str, query: str) -> None:
    found = endpoint(path_of(asked(slashes + GEMINI.format(version, dot) + end + query)))
    assert found is not None
    assert (found.version, found.vertex) == (version, False)


@pytest.mark.parametrize("slashes", ["/", "//", "////"])
@pytest.mark.parametrize(
    ("path", "vertex"),
    [
        (VERTEX.format("v1"), True),
        (VERTEX.format("v1beta1"), True),
        (FIREBASE.format("GenerativeService", ""), False),
        (FIREBASE.format("LlmBidiService", "/locations/us-central1"), True),
        (FIREBASE.format("LlmBidiService", "/locations/global"), True),
    ],
)
def test_addresses_of_vertex_and_firebase(slashes: str, path: str, vertex: bool) -> None:
    found = endpoint(path_of(asked(slashes + path + "?key=k")))
    assert found is not None
    assert found.vertex is vertex


@pytest.mark.parametrize("path", ["", "/", "/nothing", "//nothing", "/" + VERTEX.format("v2"), "//[", "/x/" + VERTEX])
def test_others_are_none(path: str) -> None:
    assert endpoint(path_of(asked(path))) is None


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_the_key_is_found_behind_any_path(slashes: str) -> None:
    path = slashes + GEMINI.format("v1beta", ".")
    assert key_of(asked(f"{path}?alt=json&key=a")) == "a"
    assert key_of(asked(f"{path}?access_token=b")) == "b"
    assert key_of(asked(path, **{"x-goog-api-key": "c"})) == "c"
    assert key_of(asked(f"{path}?key=")) == ""


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost:1", "LOCALHOST", "[::1]:9"])
@pytest.mark.parametrize("origin", ["", "http://localhost:3000", "https://127.0.0.1"])
def test_this_machine_and_its_own_pages_come_in(host: str, origin: str) -> None:
    assert refused(asked("/", **{"Host": host} | ({"Origin": origin} if origin else {})), ()) == ""


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Host": "evil.example:80"}, "evil.example"),
        ({"Host": "127.0.0.1.evil.example"}, "127.0.0.1.evil.example"),
        ({"Host": "127.0.0.1@evil.example"}, "evil.example"),
        ({"Host": "localhost", "Origin": "https://evil.example"}, "evil.example"),
        ({"Host": "localhost", "Origin": "null"}, "null"),
        ({"Host": "localhost", "Origin": "https://localhost.evil.example"}, "localhost.evil.example"),
        ({"Host": "[::1"}, "null"),
    ],
)
def test_strangers_do_not_unless_they_are_named(headers: dict[str, str], named: str) -> None:
    assert named in refused(asked("/", **headers), ())
    assert refused(asked("/", **headers), ("*",)) == ""
    if named != "null":
        assert refused(asked("/", **headers), (named,)) == ""


def test_a_page_of_a_stranger_gets_403_and_no_link() -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server:
            url = f"ws://127.0.0.1:{server.port}//{GEMINI.format('v1beta', '.')}?key=k"
            with pytest.raises(InvalidStatus) as caught:
                await connect(url, origin="https://evil.example")  # type: ignore[arg-type]
            assert caught.value.response.status_code == 403
            assert len(server.links) == 0
            async with connect(url, origin="http://localhost:8000"):  # type: ignore[arg-type]
                await asyncio.sleep(0.1)
            assert len(server.links) == 1

    run(main())
