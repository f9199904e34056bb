"""Ephemeral tokens: as the SDK makes and uses them, and by the clock."""

import asyncio
import json
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from google import genai
from google.genai import errors

from livechat.server.auth_tokens import TokenMint, WrongRequestError
from livechat.server.close_reasons import Rejected
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.testing import LiveServer
from tests.support.server_client import SETUP, closed, raw
from tests.support.virtual_time import run


def test_the_sdk_makes_a_token_and_opens_one_session_with_it_whose_model_it_decides() -> None:
    async def connect(server: LiveServer, token: str) -> None:
        client = genai.Client(api_key=token, http_options=server.http_options("v1alpha"))
        async with client.aio.live.connect(model="gemini-0"):
            pass

    async def main() -> None:
        async with LiveServer() as server:
            client = genai.Client(api_key="any", http_options=server.http_options("v1alpha"))
            decided = {"model": "gemini-3.8-live", "config": {"system_instruction": "Be brief."}}
            asked = {"uses": 1, "live_connect_constraints": decided}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tokens are experimental
                token = await asyncio.to_thread(lambda: client.auth_tokens.create(config=asked))
                assert token.name
                await connect(server, token.name)
                with pytest.raises(errors.APIError, match="unavailable"):
                    await connect(server, token.name)
            assert server.links[0].model == "gemini-3.8-live"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "shown", "reason"),
    [
        ("v1beta.GenerativeService.BidiGenerateContent", "?key={}", "Method doesn't allow unregistered callers"),
        ("v1beta.GenerativeService.BidiGenerateContentConstrained", "?access_token={}", "Method doesn't allow"),
        ("v1alpha.GenerativeService.BidiGenerateContentConstrained", "?access_token=any", "Method doesn't allow"),
        ("v1alpha.GenerativeService.BidiGenerateContentConstrained", "?access_token=auth_tokens/0", "API key not"),
        ("v1alpha.GenerativeService.BidiGenerateContentConstrained", "?access_token={}", ""),
    ],
)
def test_only_the_constrained_path_of_v1alpha_takes_a_token(path: str, shown: str, reason: str) -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server:
            token = server.tokens.mint({})["name"]
            async with raw(server, shown.format(token), f"/ws/google.ai.generativelanguage.{path}") as ws:
                if reason:
                    assert (await closed(ws))[1].startswith(reason)
                else:
                    await ws.send(SETUP)
                    assert "setupComplete" in json.loads(await ws.recv())

    run(main())


def in_s(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def test_a_token_opens_its_sessions_in_time_and_resumes_without_a_use() -> None:
    now = [0.0]
    mint = TokenMint(lambda: now[0])
    token = mint.mint({"uses": 2, "newSessionExpireTime": in_s(100), "expireTime": in_s(200)})["name"]
    for resumes in (False, True, True, False):
        assert mint.admit(token, {"model": "m"}, resumes=resumes) == {"model": "m"}
    with pytest.raises(Rejected, match="unavailable"):
        mint.admit(token, {}, resumes=False)
    many = mint.mint({"uses": 0, "newSessionExpireTime": in_s(100), "expireTime": in_s(200)})["name"]
    mint.admit(many, {}, resumes=False)
    now[0] = 101.0
    with pytest.raises(Rejected, match="unavailable"):
        mint.admit(many, {}, resumes=False)
    mint.admit(many, {}, resumes=True)
    assert mint.left(many) == pytest.approx(99, abs=1)
    now[0] = 201.0
    with pytest.raises(Rejected, match="unavailable"):
        mint.left(many)


def test_what_a_token_decides_takes_the_place_of_what_is_asked() -> None:
    mint = TokenMint(lambda: 0.0)
    decided = {"model": "models/a", "generationConfig": {"temperature": 0.5}}
    token = mint.mint({"bidiGenerateContentSetup": decided})["name"]
    asked = {"model": "models/b", "generationConfig": {"temperature": 1, "topK": 3}, "tools": []}
    assert mint.admit(token, asked, resumes=False) == {
        "model": "models/a", "generationConfig": {"temperature": 0.5, "topK": 3}, "tools": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "request_",
    [{"uses": -1}, {"uses": True}, {"uses": "2"}, {"bidiGenerateContentSetup": []}, {"expireTime": "soon"},
     {"expireTime": 5}, {"expireTime": "2020-01-01T00:00:00Z"}, {"newSessionExpireTime": in_s(80_000)}],
)  # fmt: skip
def test_wrong_requests_are_refused(request_: dict[str, object]) -> None:
    with pytest.raises(WrongRequestError):
        TokenMint(lambda: 0.0).mint(request_)


def test_a_link_ends_when_its_token_does() -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server:
            token = server.tokens.mint({"expireTime": in_s(3600)})["name"]
            server.tokens._tokens[token].lives_until = server.tokens._clock() + 7.0
            path = "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained"
            async with raw(server, f"?access_token={token}", path) as ws:
                await ws.send(SETUP)
                begun = asyncio.get_running_loop().time()
                assert (await closed(ws))[1] == "The service is currently unavailable."
                assert asyncio.get_running_loop().time() - begun == pytest.approx(7.0, abs=0.5)

    run(main())
