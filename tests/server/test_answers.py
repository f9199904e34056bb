"""Whole turns through the unmodified SDK over TLS, in virtual time: how questions are answered."""

from __future__ import annotations

import asyncio
import contextlib
import warnings

import pytest
from google.genai import types

from livechat.server.fault_plan import parse
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from tests.support.server_client import (
    Scripted,
    ask,
    dial,
    flags,
    heard,
    quiet,
    said,
    sound,
    speak,
    tone,
    turn,
)
from tests.support.virtual_time import run


def test_a_spoken_turn_is_heard_answered_and_ends_when_it_has_been_played() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with Server(Parrot()) as server, dial(server) as session:
            talk = asyncio.create_task(speak(session, quiet(0.5) + tone(2.0) + quiet(60)))
            messages = await turn(session)
            talk.cancel()
            assert heard(messages) == "(speech, 2.5 s)"
            assert said(messages) == "(your own words, 2.5 s)"
            assert len(sound(messages)) == 2.5 * 48_000
            assert flags(messages) == ["generation_complete", "turn_complete"]
            usage = messages[-1].usage_metadata
            assert usage is not None
            assert (usage.prompt_token_count, usage.response_token_count, usage.total_token_count) == (62, 62, 124)
            # Half a second, two of speech, 0.6 to be sure, then the answer's own length.
            assert loop.time() - began == pytest.approx(0.13 + 0.5 + 2.0 + 0.6 + 2.5, abs=0.1)
            offsets = [m.voice_activity.audio_offset for m in messages if m.voice_activity]
            assert offsets == ["0.500s", "3.100s"]

    run(main())


def test_what_is_said_in_a_burst_is_heard_as_if_said_slowly() -> None:
    async def main() -> None:
        async with Server(Scripted("one", "two")) as server, dial(server) as session:
            await speak(session, tone(1) + quiet(1) + tone(2) + quiet(1), pace=0.01)
            messages = await turn(session)
            if "interrupted" in flags(messages):
                messages += await turn(session)
            assert heard(messages) == "onetwo"
            assert said(messages).endswith("You said two")
            (history,) = server.sessions.values()
            assert [t.text for t in history if t.role == "user"] == ["one", "two"]

    run(main())


def test_speech_interrupts_and_the_history_keeps_what_was_said() -> None:
    async def main() -> None:
        async with Server(Scripted("one", "two")) as server, dial(server) as session:
            talk = asyncio.create_task(speak(session, tone(1) + quiet(2.6) + tone(1) + quiet(60)))
            first = await turn(session)
            # Sent in one second, so generated to its end before the person cut in.
            assert flags(first) == ["generation_complete", "interrupted", "turn_complete"]
            second = await turn(session)
            talk.cancel()
            assert said(second) == "You said two"
            (history,) = server.sessions.values()
            assert [t.text for t in history] == ["one", "You", "two", "You said two"]
            assert [t.cut for t in history] == [False, True, False, False]
            assert history[1].seconds == pytest.approx(2.0, abs=0.1)

    run(main())


def test_without_interruption_the_answer_is_finished_first() -> None:
    async def main() -> None:
        config = types.RealtimeInputConfig(activity_handling=types.ActivityHandling.NO_INTERRUPTION)
        async with Server(Scripted("one", "two")) as server, dial(server, realtime_input_config=config) as session:
            talk = asyncio.create_task(speak(session, tone(1) + quiet(2) + tone(1) + quiet(60)))
            first, second = await turn(session), await turn(session)
            talk.cancel()
            assert flags(first) == flags(second) == ["generation_complete", "turn_complete"]
            assert (said(first), said(second)) == ("You said one", "You said two")

    run(main())


def test_typed_text_is_answered_and_cuts_in() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server, dial(server) as session:
            assert said(await ask(session, "My name is Ada.")) == "Pleased to meet you, Ada."
            await session.send_realtime_input(text="tell me a story")
            await asyncio.sleep(3)
            await session.send_realtime_input(text="What is my name?")
            story = await turn(session)
            assert flags(story) == ["interrupted", "turn_complete"]
            assert said(await turn(session)) == "Your name is Ada."
            (history,) = server.sessions.values()
            assert history[3].text.startswith("Here is a story. An old lighthouse")
            assert history[3].cut
            assert history[3].seconds == pytest.approx(3, abs=0.3)

    run(main())


THINKING = "gemini-3.8-live-extended-thinking"


LEVEL = types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW)


async def frames_of(plan: str) -> tuple[list[types.LiveServerMessage], float]:
    """All messages in the 15 s after "one" was typed; and seconds until the last turnComplete, to a tenth."""
    loop = asyncio.get_running_loop()
    got: list[types.LiveServerMessage] = []
    async with Server(Scripted(), faults=parse(plan)) as server, dial(server) as session:
        began, over = loop.time(), 0.0
        await session.send_realtime_input(text="one")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(15):
                while True:
                    async for message in session.receive():
                        got.append(message)
                        if message.server_content and message.server_content.turn_complete:
                            over = loop.time() - began
    return got, round(over, 1)


def test_an_interaction_has_two_utterances_and_is_over_when_it_is_idle() -> None:
    async def main() -> None:
        async with Server(Scripted()) as server, dial(server, THINKING, thinking_config=LEVEL) as session:
            loop = asyncio.get_running_loop()
            await session.send_realtime_input(text="one")
            began = loop.time()
            messages = await turn(session)  # the SDK, too, reads on until IDLE
            assert said(messages) == "Let me check that for you. You said one"
            assert flags(messages) == ["generation_complete", "turn_complete"] * 2
            statuses = [m.server_content.interaction_status for m in messages if m.server_content]
            assert [status.value for status in statuses if status] == ["IN_PROGRESS", "IDLE"]
            # Six words of 0.3 s, the thinking, and the answer's own length.
            assert loop.time() - began == pytest.approx(1.8 + 3.0 + 4.0, abs=0.1)
            updates = [m.session_resumption_update for m in messages if m.session_resumption_update]
            # No handle leads to the middle of an interaction.
            assert [bool(update.resumable) for update in updates] == [True, *[False] * 5, *[True] * 3]
            (history,) = server.sessions.values()
            assert [t.text for t in history] == ["one", "Let me check that for you.", "You said one"]

    run(main())


def test_a_question_asked_meanwhile_ends_the_interaction() -> None:
    async def main() -> None:
        async with Server(Scripted()) as server, dial(server, THINKING, thinking_config=LEVEL) as session:
            await session.send_realtime_input(text="one")
            await asyncio.sleep(3.5)
            await session.send_realtime_input(text="two")
            first, second = await turn(session), await turn(session)
            assert flags(first) == ["generation_complete", "turn_complete", "interrupted", "turn_complete"]
            assert said(second).endswith("You said two")
            (history,) = server.sessions.values()
            assert [t.text for t in history if t.role == "user"] == ["one", "two"]

    run(main())


@pytest.mark.parametrize("reason", ["PROHIBITED_INPUT_CONTENT", "NEED_MORE_INPUT", "OUT_OF_PATIENCE"])
def test_a_turn_with_nothing_in_it_but_a_reason(reason: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's, of a value it does not know
        messages, over = run(frames_of(f"reason:{reason},1"))
    assert (flags(messages), said(messages), over) == (["turn_complete"], "", 0.5)
    reasons = [m.server_content.turn_complete_reason for m in messages if m.server_content]
    assert [found.value for found in reasons if found] == [reason]


def test_an_empty_turn_a_written_answer_and_none_at_all() -> None:
    messages, over = run(frames_of("empty-turn"))
    assert (flags(messages), said(messages), over) == (["turn_complete"], "", 0.5)
    messages, over = run(frames_of("text-answer"))
    assert flags(messages) == ["generation_complete", "turn_complete"]
    assert (said(messages), sound(messages), over) == ("", b"", 0.0)
    turns = [m.server_content.model_turn for m in messages if m.server_content and m.server_content.model_turn]
    assert "".join(part.text or "" for t in turns for part in t.parts or ()) == "You said one "
    messages, over = run(frames_of("silence"))
    assert (flags(messages), over) == ([], 0)
    handles = [m.session_resumption_update for m in messages if m.session_resumption_update]
    assert all(update.resumable for update in handles[1:])


def test_what_strikes_one_question_spares_the_next() -> None:
    async def main(plan: str) -> list[str]:
        async with Server(Scripted(), faults=parse(plan)) as server, dial(server) as session:
            return [said(await ask(session, text)) for text in ("one", "two", "three")]

    assert run(main("empty-turn:2")) == ["You said one", "", "You said three"]
    assert run(main("reason:RESPONSE_REJECTED,1")) == ["", "You said two", "You said three"]
    assert run(main("text-answer:3")) == ["You said one", "You said two", ""]


def test_a_silent_session_goes_on_and_remembers_the_question() -> None:
    async def main() -> None:
        plan = parse("silence:1; unheard")
        async with Server(Scripted("one", "two"), faults=plan) as server, dial(server) as session:
            talk = asyncio.create_task(speak(session, tone(1) + quiet(5) + tone(1) + quiet(60)))
            messages = await turn(session)
            talk.cancel()
            assert (heard(messages), said(messages)) == ("", "You said two")
            assert not any(m.voice_activity for m in messages)
            (history,) = server.sessions.values()
            assert [t.text for t in history] == ["one", "two", "You said two"]

    run(main())


def test_words_for_somebody_else_get_no_answer_where_the_model_may_be_silent() -> None:
    async def main() -> list[str]:
        async with Server(Parrot()) as server, dial(server) as session:
            await session.send_realtime_input(text="Hey Bob, dinner is ready.")
            await asyncio.sleep(5)
            told = said(await ask(session, "say cheese"))
            (history,) = server.sessions.values()
            return [told, *(turn.text for turn in history)]

    assert run(main()) == ["cheese", "Hey Bob, dinner is ready.", "", "say cheese", "cheese"]
