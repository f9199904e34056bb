"""What is recorded of a session, and that a client has the same session again from it."""

import asyncio
import json
import stat
from pathlib import Path

import pytest
from google.genai import errors
from websockets.exceptions import ConnectionClosedError

from livechat.errors import UsageError
from livechat.server.fault_plan import parse
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.server.wire_recording import Recorder, Replay, load
from tests.support.server_client import ask, dial, flags, quiet, raw, said, sound, speak, tone, turn
from tests.support.virtual_time import run


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_recorded_session_is_had_again_with_its_sound_its_times_and_its_close(tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl"

    async def session(server: Server) -> list[tuple[object, ...]]:
        told: list[tuple[object, ...]] = []
        begun = asyncio.get_running_loop().time()
        for text in ("hello", "say cheese"):
            async with dial(server) as one:
                messages = await ask(one, text)
                took = asyncio.get_running_loop().time() - begun
                told.append((said(messages), flags(messages), sound(messages), round(took)))
                talk = asyncio.create_task(speak(one, tone(1) + quiet(30)))
                spoken = await turn(one)
                talk.cancel()
                told.append((said(spoken), sound(spoken)))
        return told

    async def recorded() -> list[tuple[object, ...]]:
        recorder = Recorder(str(path))
        async with Server(Parrot(), recorder=recorder) as server:
            told = await session(server)
        recorder.close()
        return told

    async def replayed() -> list[tuple[object, ...]]:
        async with Server(Parrot(), replay=Replay(str(path))) as server:
            told = await session(server)
            with pytest.raises((errors.APIError, ConnectionClosedError), match="1011"):
                async with dial(server):
                    pass
            return told

    first = run(recorded())
    assert run(replayed()) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {line["link"] for line in lines(path)} == {1, 2}
    assert {line["from"] for line in lines(path)} == {"client", "server"}


@pytest.mark.parametrize("plan", ["noise", "text-frames", "fragments", "close:quota@3s", "drop@3s"])
def test_odd_frames_and_ends_are_kept(plan: str, tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl"

    async def frames(server: Server) -> list[object]:
        async with raw(server) as ws:
            await ws.send('{"setup": {"model": "models/gemini-3.8-live"}}')
            await ws.send('{"realtimeInput": {"text": "hello"}}')
            got: list[object] = []
            try:
                while True:
                    got.append(await asyncio.wait_for(ws.recv(), 20))
            except TimeoutError:
                return [got, None]
            except Exception:  # noqa: BLE001 - the end is what is compared
                return [got, ws.close_code, ws.close_reason]

    async def recorded() -> list[object]:
        recorder = Recorder(str(path))
        async with Server(Parrot(), tls=False, faults=parse(plan), recorder=recorder) as server:
            got = await frames(server)
        recorder.close()
        return got

    async def replayed() -> list[object]:
        async with Server(Parrot(), tls=False, replay=Replay(str(path))) as server:
            return await frames(server)

    def meaning(got: list[object]) -> list[object]:
        found, *end = got
        assert isinstance(found, list)
        plain = [(type(frame), json.loads(frame) if b"\xff" not in frame and frame[:4] != b"this" else frame)
                 for frame in found if isinstance(frame, bytes)]  # fmt: skip
        return [plain, [frame for frame in found if isinstance(frame, str)], end]

    first = run(recorded())
    assert meaning(run(replayed())) == meaning(first)


def test_no_key_is_in_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl"

    async def main() -> None:
        recorder = Recorder(str(path))
        async with Server(Parrot(), recorder=recorder) as server, dial(server, key="secret-key") as session:
            await ask(session, "hello")
        recorder.close()

    run(main())
    assert "secret-key" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", '{"link": 1}', '{"link": 1, "t": "x", "from": "server", "message": {}}',
             '{"link": 1, "t": 1, "from": "server"}', '{"link": 1, "t": 1, "from": "server", "base64": "!"}',
             '{"link": 1, "t": 1, "from": "server", "close": "x"}', "\x00"]
)  # fmt: skip
def test_what_is_no_recording_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="no recording"):
        load(str(path))


def test_files_that_cannot_be_opened_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        Recorder(str(tmp_path / "nowhere" / "wire.jsonl"))
    with pytest.raises(UsageError, match="cannot read"):
        Replay(str(tmp_path))
