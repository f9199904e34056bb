"""The models that hold no conversation: one transcribes, one translates. See also test_terms.py and test_link.py."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.genai import errors, types

from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.server.translation import stand_in, target
from tests.support.server_client import Listening, dial, quiet, speak, tone
from tests.support.virtual_time import run

TRANSCRIBE, TRANSLATE = "gemini-3.5-transcribe-live", "gemini-3.5-live-translate-preview"
GERMAN = types.TranslationConfig(target_language_code="de")


async def contents(model: str, pcm: bytes, *, manual: bool = False, **config: Any) -> list[types.LiveServerContent]:
    """What comes of one utterance, up to the end of its turn."""
    found: list[types.LiveServerContent] = []
    if manual:
        detection = types.AutomaticActivityDetection(disabled=True)
        config["realtime_input_config"] = types.RealtimeInputConfig(automatic_activity_detection=detection)
    async with Server(Listening()) as server, dial(server, model, **config) as session:

        async def send() -> None:
            if manual:
                await session.send_realtime_input(activity_start=types.ActivityStart())
            await speak(session, pcm)
            if manual:
                await session.send_realtime_input(activity_end=types.ActivityEnd())

        sending = asyncio.create_task(send())
        while not (found and found[-1].turn_complete):
            async for message in session.receive():
                found += [message.server_content] if message.server_content else []
        await sending
    return found


@pytest.mark.parametrize("manual", [False, True])
def test_words_come_while_they_are_spoken_then_the_whole_then_the_end_of_the_turn(manual: bool) -> None:
    sound = tone(1.9) if manual else tone(1.9) + quiet(1)
    found = run(contents(TRANSCRIBE, sound, manual=manual, response_modalities=["TEXT"]))
    interim = [it.interim_input_transcription.text for it in found if it.interim_input_transcription]
    (final,) = [it.input_transcription.text for it in found if it.input_transcription]
    assert interim[:2] == ["one", "one two"]
    assert final == "one two three four"
    assert [bool(it.generation_complete) for it in found][-2:] == [True, False]
    assert not any(it.model_turn for it in found)


def test_a_translation_is_marked_as_the_stand_in_that_it_is() -> None:
    found = run(contents(TRANSLATE, tone(1) + quiet(8), translation_config=GERMAN))
    said = "".join(it.output_transcription.text or "" for it in found if it.output_transcription)
    assert said.strip() == "[de] one two"
    assert any(it.model_turn for it in found)


def test_what_is_said_during_a_translation_is_translated_after_it() -> None:
    async def main() -> list[str]:
        said: list[str] = []
        async with Server(Listening()) as server, dial(server, TRANSLATE, translation_config=GERMAN) as session:
            talk = asyncio.create_task(speak(session, (tone(1) + quiet(1)) * 3 + quiet(20)))
            text = ""
            while sum(line.count("one") for line in said) < 3:
                async for message in session.receive():
                    content = message.server_content
                    assert not (content and content.interrupted)
                    if content and content.output_transcription:
                        text += content.output_transcription.text or ""
                    if content and content.turn_complete:
                        said, text = [*said, text.strip()], ""
            talk.cancel()
        return said

    assert " ".join(run(main())).count("one two") == 3


@pytest.mark.parametrize(
    "config",
    [
        {"tools": [{"function_declarations": [{"name": "look"}]}]},
        {"system_instruction": "Be brief."},
        {"translation_config": types.TranslationConfig(target_language_code="no language")},
    ],
)
def test_a_translator_takes_neither_tools_nor_instructions(config: dict[str, Any]) -> None:
    async def main() -> None:
        async with Server(Parrot()) as server, dial(server, TRANSLATE, **config) as session:
            async for _ in session.receive():
                pass

    with pytest.raises(errors.APIError) as caught:
        run(main())
    assert caught.value.code == 1007


def test_a_translator_takes_no_text() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server, dial(server, TRANSLATE) as session:
            await session.send_realtime_input(text="hello")
            async for _ in session.receive():
                pass

    with pytest.raises(errors.APIError) as caught:
        run(main())
    assert caught.value.code == 1007


def test_the_language_is_english_where_none_is_named() -> None:
    assert target({}) == "en"
    assert stand_in("hello", target({"translationConfig": {"targetLanguageCode": "pt-BR"}})) == "[pt-BR] hello"
