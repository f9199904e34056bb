"""One link: its setup, what it is sent, what it hears, its handles and its end."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.genai import errors, types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from livechat.server.agent import AgentQuestion, AnswerPiece
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from tests.support.examples import examples
from tests.support.server_client import (
    MODEL,
    SETUP,
    Listening,
    Scripted,
    ask,
    closed,
    dial,
    ending,
    flags,
    handle,
    heard,
    quiet,
    raw,
    said,
    speak,
    tone,
    turn,
)
from tests.support.virtual_time import run


@pytest.mark.parametrize(
    "frame",
    ["", "nonsense", "[]", "5", '{"a": 1, "b": 2}', '{"setup": 5}', '{"setup": {}}', b"\xff\xfe", "[" * 100_000,
     '{"realtimeInput": {"text": "before setup"}}', '{"setup": {"model": "models/gemini-3.8-live", "x": 1}}'],
)  # fmt: skip
def test_a_bad_first_message_is_1007(frame: str | bytes) -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server, raw(server) as ws:
            await ws.send(frame)
            assert (await closed(ws))[0] == 1007

    run(main())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


FIELD = st.sampled_from(
    ["audio", "text", "media_chunks", "mediaChunks", "activityStart", "activity_end", "audioStreamEnd", "turns",
     "turnComplete", "data", "mimeType", "parts", "role", "systemInstruction", "video", "odd"]
)  # fmt: skip


FRAMES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40),
    JSON.map(json.dumps),
    st.builds(
        lambda top, inner: json.dumps({top: inner}),
        st.sampled_from(
            ["realtimeInput", "realtime_input", "clientContent", "toolResponse", "contextUpdate", "setup"]
        ),
        st.dictionaries(FIELD, JSON | st.dictionaries(FIELD, JSON, max_size=3), max_size=3),
    ),
)


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FRAMES, min_size=1, max_size=6))
def test_whatever_a_client_sends_the_server_stays_up(frames: list[str | bytes]) -> None:
    async def main() -> None:
        async with Server(Parrot(), tls=False) as server:
            async with raw(server) as ws:
                await ws.send(SETUP)
                try:
                    for frame in frames:
                        await ws.send(frame)
                    await asyncio.sleep(1)
                except ConnectionClosed:
                    pass
            await asyncio.sleep(5)
            record = server.links[0]
            assert record.code in (None, 1007)
            async with raw(server) as ws:  # another client is served as ever
                await ws.send(SETUP)
                assert b"setupComplete" in await ws.recv(decode=False)

    run(main())


def test_an_agent_that_fails_ends_its_link_only() -> None:
    class Broken(Parrot):
        async def reply(self, question: AgentQuestion) -> AsyncIterator[AnswerPiece]:
            yield AnswerPiece("I shall ", bytes(4800))
            raise RuntimeError("out of words")

    async def main() -> None:
        async with Server(Broken()) as server:
            async with dial(server) as session:
                await session.send_realtime_input(text="hello")
                assert (await ending(session))[0] == 1011
            async with dial(server):
                pass

    run(main())


def test_goaway_comes_on_time_and_a_client_that_stays_is_closed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        events: list[dict[str, Any]] = []
        async with Server(Parrot(), on_event=events.append) as server, dial(server) as session:
            opened = loop.time()
            talk = asyncio.create_task(speak(session, quiet(700), frame_ms=500))
            code, reason = await ending(session)
            talk.cancel()
            assert code == 1008
            assert "GoAway signal once the session durat" in reason
            assert loop.time() - opened == pytest.approx(590, abs=0.5)
            assert server.links[0].audio_bytes == pytest.approx(590 * 32_000, rel=0.01)
        told = [(event["t"], event["time_left"]) for event in events if event["type"] == "goaway"]
        assert told == [(540.0, "50s")]

    run(main())


def test_a_silent_client_is_closed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Server(Parrot()) as server, dial(server) as session:
            opened = loop.time()
            code, reason = await ending(session)
            assert code == 1008
            assert "The operation was aborted." in reason
            assert loop.time() - opened == pytest.approx(150, abs=0.5)

    run(main())


def test_a_handle_is_refused_in_the_real_ways() -> None:
    async def refused(server: Server, given: str, model: str = "gemini-3.8-live") -> tuple[int, str]:
        try:
            async with dial(server, model, session_resumption={"handle": given}) as session:
                return await ending(session)
        except errors.APIError as error:
            return error.code, str(error)

    async def main() -> None:
        async with Server(Parrot(), handle_ttl=60) as server:
            async with dial(server) as session:
                given = await handle(session)
                assert "Internal error encountered." in (await refused(server, given))[1]  # still open
            assert (await refused(server, "bogus"))[1].endswith("BidiGenerateContent session not found")
            code, reason = await refused(server, given, "gemini-3.1-flash-live-preview")
            assert (code, reason.endswith("Internal error occurred.")) == (1011, True)
            async with dial(server, session_resumption={"handle": given}):
                await asyncio.sleep(100)  # a handle does not age while its link is open
            await asyncio.sleep(59)
            async with dial(server, session_resumption={"handle": given}):
                pass
            await asyncio.sleep(61)
            assert (await refused(server, given))[0] == 1008

    run(main())


def test_content_is_context_until_it_is_complete() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server, dial(server) as session:
            earlier: list[types.Content | types.ContentDict] = [
                types.Content(role="user", parts=[types.Part(text="My name is Grace.")]),
                types.Content(role="model", parts=[types.Part(text="Hello, Grace.")]),
            ]
            await session.send_client_content(turns=earlier, turn_complete=False)
            question = types.Content(role="user", parts=[types.Part(text="What is my name?")])
            await session.send_client_content(turns=question, turn_complete=True)
            assert said(await turn(session)) == "Your name is Grace."
            (history,) = server.sessions.values()
            assert [t.role for t in history] == ["user", "model", "user", "model"]

    run(main())


def test_activity_marked_by_the_client() -> None:
    config = types.RealtimeInputConfig(automatic_activity_detection=types.AutomaticActivityDetection(disabled=True))

    async def main() -> None:
        async with Server(Parrot()) as server, dial(server, realtime_input_config=config) as session:
            await speak(session, tone(1))  # outside an activity: not heard
            await session.send_realtime_input(activity_start=types.ActivityStart())
            await speak(session, tone(1.5))
            await session.send_realtime_input(activity_start=types.ActivityStart())  # nested: ignored
            await session.send_realtime_input(activity_end=types.ActivityEnd())
            assert heard(await turn(session)) == "(speech, 1.5 s)"
            await session.send_realtime_input(activity_start=types.ActivityStart())
            await session.send_realtime_input(activity_end=types.ActivityEnd())
            assert flags(await turn(session)) == ["turn_complete"]
            with pytest.raises(Exception, match=r"1007.*Precondition check failed\."):
                await turn(session)

    run(main())


def test_the_end_of_the_stream_ends_the_utterance() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server, dial(server) as session:
            await speak(session, tone(1))
            await session.send_realtime_input(audio_stream_end=True)
            assert heard(await turn(session)) == "(speech, 1.0 s)"

    run(main())


def test_sound_at_another_rate_is_resampled() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server, dial(server) as session:
            pcm = tone(2)  # played at 32 kHz: half as long
            blob = types.Blob(data=pcm, mime_type="audio/pcm;rate=32000")
            await session.send_realtime_input(audio=blob)
            await session.send_realtime_input(audio_stream_end=True)
            assert heard(await turn(session)) == "(speech, 1.0 s)"

    run(main())


def test_a_handle_resumes_what_it_covers_and_an_older_one_branches() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server:
            async with dial(server) as session:
                await ask(session, "My name is Ada.")
                old = await handle(session)
                await asyncio.sleep(2)
                await ask(session, "My name is Bea.")
                new = await handle(session)
            for given, name in ((old, "Ada"), (new, "Bea"), (old, "Ada")):
                async with dial(server, session_resumption={"handle": given}) as session:
                    assert said(await ask(session, "What is my name?")) == f"Your name is {name}."
            assert len(server.sessions) == 1
            assert [record.resumed for record in server.links] == [False, True, True, True]

    run(main())


def test_a_handle_sent_while_the_answer_plays_covers_it() -> None:
    async def main() -> None:
        async with Server(Scripted()) as server:
            async with dial(server) as session:
                await session.send_realtime_input(text="one")
                async for message in session.receive():
                    if message.server_content and message.server_content.generation_complete:
                        break
                given = await handle(session)
            async with dial(server, session_resumption={"handle": given}):
                pass
            (history,) = server.sessions.values()
            assert [t.text for t in history] == ["one", "You said one"]

    run(main())


def test_handles_after_turns_on_2_5_and_never_for_transcription() -> None:
    async def updates(model: str) -> list[types.LiveServerSessionResumptionUpdate]:
        agent = Listening() if "transcribe" in model else Scripted("one", "two")
        async with Server(agent) as server, dial(server, model) as session:
            talk = asyncio.create_task(speak(session, quiet(5) + tone(1) + quiet(10)))
            found: list[types.LiveServerSessionResumptionUpdate] = []

            async def read() -> None:
                while True:
                    async for message in session.receive():
                        update = message.session_resumption_update
                        found.extend([update] if update else [])

            reader = asyncio.create_task(read())
            await talk
            reader.cancel()
        return found

    assert len(run(updates("gemini-2.5-flash-native-audio-latest"))) == 1
    assert run(updates("gemini-3.5-transcribe-live")) == []
    often = run(updates(MODEL))
    assert len(often) in (16, 17)
    assert {bool(update.resumable) for update in often} == {True, False}


def test_2_5_transcribes_word_by_word_and_transcription_models_do_not_answer() -> None:
    async def pieces(model: str) -> list[str]:
        agent = Listening() if "transcribe" in model else Scripted("one two")
        async with Server(agent) as server, dial(server, model) as session:
            talk = asyncio.create_task(speak(session, tone(1) + quiet(10)))
            found: list[str] = []
            while not found or found[-1].strip()[-3:] != "two":
                async for message in session.receive():
                    content = message.server_content
                    if content and content.input_transcription:
                        found.append(content.input_transcription.text or "")
                        break
            await talk
            assert len(next(iter(server.sessions.values()))) == (1 if "transcribe" in model else 2)
            return found

    assert run(pieces("gemini-2.5-flash-native-audio-latest")) == ["one ", "two "]
    assert run(pieces("gemini-3.5-transcribe-live")) == ["one two"]


def test_the_window_slides_and_the_count_falls() -> None:
    async def main() -> None:
        config = types.ContextWindowCompressionConfig(
            trigger_tokens=5000, sliding_window=types.SlidingWindow(target_tokens=2000)
        )
        events: list[dict[str, object]] = []
        server = Server(Parrot(), on_event=events.append)
        async with server, dial(server, context_window_compression=config) as session:
            counts = []
            for _ in range(8):
                await session.send_realtime_input(audio=types.Blob(data=bytes(640), mime_type="audio/pcm"))
                messages = await ask(session, "tell me a story")
                usage = messages[-1].usage_metadata
                assert usage is not None
                counts.append(usage.prompt_token_count or 0)
            assert max(counts) <= 5000
            falls = [b for a, b in itertools.pairwise(counts) if b < a]
            assert falls
            assert max(falls) <= 2000
            assert any(event["type"] == "compression" for event in events)
            (history,) = server.sessions.values()
            assert history[0].role == "user"

    run(main())


def test_vertex_speaks_its_own_dialect() -> None:

    async def main() -> None:
        async with Server(Parrot(), tls=False) as server:
            url = (
                f"ws://127.0.0.1:{server.port}/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
            )
            async with connect(url, additional_headers={"Authorization": "Bearer x"}) as ws:
                model = "projects/p/locations/l/publishers/google/models/gemini-3.8-live"
                await ws.send(json.dumps({"setup": {"model": model, "sessionResumption": {"transparent": True}}}))
                first = await ws.recv()
                assert isinstance(first, bytes)
                assert b'"sessionId"' in first
                await ws.send('{"realtimeInput": {"text": "hello"}}')
                frames: list[bytes | str] = []
                while not frames or b"turnComplete" not in frames[-1]:
                    frames.append(await ws.recv())
                everything = b"".join(f for f in frames if isinstance(f, bytes))
                assert b'"mimeType": "audio/pcm"' in everything
                assert b'"candidatesTokenCount"' in everything
                update = await ws.recv()
                assert isinstance(update, bytes)
                assert b'"newHandle"' in update

    run(main())


def test_the_server_takes_what_it_hears_byte_by_byte() -> None:
    async def main() -> None:
        got: list[bytes] = []
        server = Server(Parrot(), on_audio=lambda n, pcm: got.append(pcm))
        async with server, dial(server) as session:
            pcm = tone(0.5)
            await speak(session, pcm)
            await session.send_realtime_input(audio_stream_end=True)
            await turn(session)
            assert b"".join(got) == pcm
            assert server.links[0].audio_bytes == len(pcm)

    run(main())
