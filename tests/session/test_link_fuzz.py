"""Whatever a server sends, a link neither crashes nor hangs: it says Ended once, and what could be read was heard."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from livechat.models import api_version
from livechat.server.tls import server_context
from livechat.session.events import Audio, Dial, Ended, Opened, Said, Wire
from livechat.session.link import Dialler
from livechat.settings import Settings
from tests.support.examples import examples
from tests.support.scripted_link import content, frames, link_against
from tests.support.virtual_time import run

# Where a name may stand does not matter here: the fuzz puts each of them anywhere.
NAMES = (
    "setupComplete", "sessionId", "serverContent", "modelTurn", "parts", "role", "text", "thought", "inlineData",
    "mimeType", "data", "inputTranscription", "outputTranscription", "finished", "generationComplete", "turnComplete",
    "interrupted", "interactionStatus", "groundingMetadata", "toolCall", "functionCalls", "id", "name", "args",
    "toolCallCancellation", "ids", "usageMetadata", "promptTokenCount", "responseTokenCount", "totalTokenCount",
    "promptTokensDetails", "modality", "tokenCount", "goAway", "timeLeft", "sessionResumptionUpdate", "newHandle",
    "resumable", "lastConsumedClientMessageIndex", "voiceActivity", "type", "audioOffset", "error", "server_content",
)  # fmt: skip
TOP = (
    "serverContent",
    "usageMetadata",
    "goAway",
    "sessionResumptionUpdate",
    "toolCall",
    "voiceActivity",
    "setupComplete",
)
VALUES = st.sampled_from(
    ["", "50s", "-1s", "h", "AUDIO", "IDLE", "audio/pcm;rate=24000", "AAAA", "A", "42", "\ud7ff\x1b[2J", "x" * 5_000]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | VALUES | st.text(max_size=8)
TREES = st.recursive(
    LEAVES,
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), below, max_size=5)
    ),
    max_leaves=25,
)
MESSAGES = st.dictionaries(st.sampled_from(TOP), TREES, min_size=1, max_size=4) | TREES
WRITTEN = MESSAGES.map(lambda tree: json.dumps(tree).encode())
OBJECTS = st.dictionaries(st.sampled_from(NAMES), TREES, max_size=4).map(lambda tree: json.dumps(tree).encode())
ANYTHING = (
    WRITTEN
    | WRITTEN.map(bytes.decode)
    | st.binary(max_size=60)
    | st.text(max_size=60)
    | WRITTEN.map(lambda b: b[:-1])
)

# The SDK warns of enum values it does not know. Elsewhere a warning is an error, which would hide what follows it.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
FUZZ = settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FUZZ
@given(st.lists(ANYTHING, min_size=1, max_size=12))
def test_arbitrary_frames(sent: list[bytes | str]) -> None:
    seen = link_against(frames(*sent, content(outputTranscription={"text": "still here"})))
    assert isinstance(seen.posted[0], Opened)
    assert seen.posted[-2:] == [Said(7, "still here"), Ended(7, "close", 1000, "")]
    assert all(event.link == 7 for event in seen.posted)
    assert all(len(event.pcm) % 2 == 0 for event in seen.posted if isinstance(event, Audio))
    assert sum(isinstance(event, Opened | Ended) for event in seen.posted) == 2


@settings(FUZZ, max_examples=examples(20))
@given(OBJECTS, st.integers(3000, 4999), st.text(max_size=30))
def test_an_arbitrary_first_object_and_close(first: bytes, code: int, reason: str) -> None:
    """The SDK takes whatever comes first for setupComplete: the link opens on it, or ends of it."""
    posted: list[Wire] = []

    async def handler(ws: ServerConnection) -> None:
        await ws.recv()
        await ws.send(first)
        await ws.close(code, reason)

    async def main() -> None:
        context, ca = server_context()
        async with serve(handler, "127.0.0.1", 0, ssl=context, compression=None) as server:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            version = api_version("gemini-3.8-live")
            chosen = Settings(backend="endpoint", endpoint=url, key="k", api_version=version)
            async with asyncio.timeout(30):
                await Dialler(chosen, ca_pem=ca.decode()).dial(Dial(1, None, transparent=False), posted.append).run()

    run(main())
    assert isinstance(posted[-1], Ended)
    assert sum(isinstance(event, Ended) for event in posted) == 1
    if isinstance(posted[0], Opened):
        assert posted[-1] == Ended(1, "close", code, reason)


def nested(depth: int) -> Any:
    tree: Any = "x"
    for _ in range(depth):
        tree = {"serverContent": tree}
    return tree


@pytest.mark.parametrize("bomb", [nested(400), [[]] * 10_000, {"usageMetadata": {"promptTokenCount": "9" * 5_000}}])
def test_frames_made_to_break_a_parser(bomb: Any) -> None:
    seen = link_against(frames(bomb, b"[" * 50_000, b'{"a":' * 50_000, content(outputTranscription={"text": "on"})))
    assert seen.posted[1:] == [Said(7, "on"), Ended(7, "close", 1000, "")]
