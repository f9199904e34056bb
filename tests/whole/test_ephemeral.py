"""A token is made for each link, and a server that makes none is named."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from livechat.errors import UsageError
from livechat.server.http_requests import HttpRequests
from livechat.settings import resolve
from livechat.testing import LiveServer
from tests.support.program import environment, livechat


def test_each_link_has_a_token_of_its_own_and_the_key_stays_out_of_them(tmp_path: Path) -> None:
    with LiveServer(faults="#1: drop@2s") as server:
        flags = ["--endpoint", server.url, "--ca-file", str(server.ca_file), "--ephemeral", "--lines"]
        env = environment(tmp_path, GEMINI_API_KEY="a-key")
        done = livechat("talk", *flags, stdin="hello\nhow much is 2 plus 2\ntell me a story\n", env=env)
        assert done.returncode == 0, done.stderr
        assert "2 plus 2 is 4." in done.stdout
        assert len(server.links) >= 2
        assert "a-key" not in done.stdout + done.stderr


def test_a_server_that_refuses_to_make_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: HttpRequests, method: str, request: Any, body: bytes) -> Any:
        return HTTPStatus.FORBIDDEN, {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}

    monkeypatch.setattr(HttpRequests, "other", refuse)
    with LiveServer() as server:
        flags = ["--endpoint", server.url, "--ca-file", str(server.ca_file), "--ephemeral"]
        done = livechat("talk", *flags, stdin="hello\n", env=environment(tmp_path, GEMINI_API_KEY="a-key"))
        assert done.returncode in (3, 5)
        assert "error: " in done.stderr
        assert "hint: " in done.stderr


def test_what_has_no_tokens_says_so() -> None:
    vertex = {"GOOGLE_GENAI_USE_VERTEXAI": "1", "GOOGLE_CLOUD_PROJECT": "p"}
    with pytest.raises(UsageError, match="no ephemeral tokens"):
        resolve(vertex, ephemeral=True)
    assert resolve({"GEMINI_API_KEY": "k"}, ephemeral=True).api_version == "v1alpha"
