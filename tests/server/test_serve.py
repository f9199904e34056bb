"""The server: addresses, keys, ports, many clients, and its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from livechat.errors import UsageError
from livechat.server.parrot import Parrot
from livechat.server.serve import Server, endpoint, run_serve
from tests import ROOT
from tests.support.server_client import (
    ask,
    closed,
    dial,
    raw,
    said,
)
from tests.support.virtual_time import run


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
@pytest.mark.parametrize("slashes", ["/", "//"])
@pytest.mark.parametrize("end", ["BidiGenerateContent", "BidiGenerateContentConstrained"])
def test_every_address_of_the_real_service(version: str, slashes: str, end: str) -> None:
    found = endpoint(f"{slashes}ws/google.ai.generativelanguage.{version}.GenerativeService.{end}")
    assert found is not None
    assert (found.version, found.vertex) == (version, False)


def test_other_addresses_are_not_found() -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server:
            with pytest.raises(InvalidStatus) as caught:
                await connect(f"ws://127.0.0.1:{server.port}/nothing")
            assert caught.value.response.status_code == 404

    run(main())


@pytest.mark.parametrize(
    ("query", "code", "reason"),
    [
        ("", 1008, "Method doesn't allow unregistered callers"),
        ("?key=", 1008, "Method doesn't allow unregistered callers"),
        ("?key=invalid", 1007, "API key not valid. Please pass a valid API key."),
    ],
)
def test_keys_are_refused_with_a_close_frame(query: str, code: int, reason: str) -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server, raw(server, query) as ws:
            got = await closed(ws)
            assert got[0] == code
            assert got[1].startswith(reason)
            assert len(got[1].encode()) <= 123

    run(main())


def test_many_clients_at_once() -> None:
    async def one(server: Server, name: str) -> str:
        async with dial(server) as session:
            await ask(session, f"My name is {name}.")
            return said(await ask(session, "What is my name?"))

    async def main() -> None:
        names = [f"Guest{chr(97 + n)}" for n in range(12)]
        async with Server(Parrot()) as server:
            answers = await asyncio.gather(*(one(server, name) for name in names))
        assert answers == [f"Your name is {name}." for name in names]

    run(main())


def test_a_port_in_use_and_an_unknown_model_are_usage_errors() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server:
            with pytest.raises(UsageError, match=str(server.port)):
                async with Server(Parrot(), port=server.port):
                    pass
        with pytest.raises(UsageError, match="no such model"):
            Server(Parrot(), as_model="gemini-1.0")

    run(main())


def test_the_command_serves_an_unmodified_client_until_it_is_told_to_stop(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    code = (
        "import asyncio, sys; from pathlib import Path; from livechat.server.serve import run_serve; "
        f"sys.exit(asyncio.run(run_serve(ca_out=Path({str(ca)!r}), json_lines=True)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stderr is not None
        lines = [server.stderr.readline() for _ in range(5)]
        url = lines[2].partition("=")[2].strip()
        client = (
            "import asyncio; from google import genai\n"
            "async def main():\n"
            "  async with genai.Client().aio.live.connect(model='gemini-3.8-live', "
            "config={'response_modalities': ['AUDIO'], 'output_audio_transcription': {}}) as s:\n"
            "    await s.send_realtime_input(text='thanks')\n"
            "    async for m in s.receive():\n"
            "      t = m.server_content and m.server_content.output_transcription\n"
            "      print(t.text if t else '', end='')\n"
            "asyncio.run(main())\n"
        )
        told = {"GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "any", "SSL_CERT_FILE": str(ca)}
        answer = subprocess.run(
            [sys.executable, "-c", client], env={**os.environ, **told}, capture_output=True, text=True, check=True
        )
        assert answer.stdout.strip() == "You are welcome."
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=20)
        assert (server.returncode, err) == (0, "")
        events = [json.loads(line) for line in out.splitlines()]
        assert [e["text"] for e in events if e["type"] in ("user", "model")] == ["thanks", "You are welcome."]
        assert events[-1]["type"] == "close"


def test_a_ca_file_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        asyncio.run(run_serve(ca_out=tmp_path / "none" / "ca.pem"))


def test_a_client_that_dials_as_the_server_ends_leaves_no_traceback() -> None:
    async def main() -> None:
        unhandled: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: unhandled.append(context))
        for steps in range(8):
            server = Server(Parrot())
            await server.__aenter__()
            with socket.socket() as client:
                client.setblocking(False)
                dialling = loop.create_task(loop.sock_connect(client, ("127.0.0.1", server.port)))
                for _ in range(steps):
                    await asyncio.sleep(0)
                await server.__aexit__(None, None, None)
                await asyncio.gather(dialling, return_exceptions=True)
        assert unhandled == []

    run(main())
