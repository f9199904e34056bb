"""Settings of speech, thinking and turns: each family is sent what it takes, and not what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from livechat.errors import UsageError
from livechat.events import ModelText
from livechat.models import api_version
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.settings import resolve
from tests.support.conversation import talk
from tests.support.scripted_link import frames, link_against
from tests.support.virtual_time import run

MODELS = [
    "gemini-3.8-live", "gemini-3.8-live-extended-thinking", "gemini-3.1-flash-live-preview",
    "gemini-2.5-flash-native-audio-latest",
]  # fmt: skip
FLAGS: list[dict[str, Any]] = [
    {}, {"language": "de, en-US"}, {"vocabulary": "Xanthippe,Oslo"}, {"temperature": 0.0}, {"temperature": 2.0},
    {"max_output_tokens": 100}, {"no_interrupt": True}, {"voice": "Puck"}, {"thinking": "minimal"},
    {"thinking": "low"}, {"thinking": "medium"}, {"thinking": "high"}, {"affective": True}, {"proactive": True},
]  # fmt: skip


def named(flags: dict[str, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in flags.items()) or "nothing"


def answered(folder: Path, model: str, version: str | None, **flags: Any) -> bool:
    """Whether the embedded server takes this setup, and answers."""

    async def main() -> bool:
        async with Server(Parrot()) as server:
            code, display = await talk(
                server, folder, typed=((0, "hello"),), model=model, api_version=version, **flags
            )
            return code == 0 and any(text.final for text in display.of(ModelText))

    return run(main())


@pytest.mark.parametrize("flags", FLAGS, ids=named)
@pytest.mark.parametrize("model", MODELS)
def test_what_is_sent_is_taken_and_what_is_refused_would_be(
    model: str, flags: dict[str, Any], tmp_path: Path
) -> None:
    try:
        settings = resolve({}, model=model, **flags)
    except UsageError:
        if not ("thinking" in flags and "2.5" in model):  # it takes a budget, for which there is no word
            assert not answered(tmp_path, model, api_version(model, alpha="affective" in flags), **flags)
        return
    sent = {name: getattr(settings, name) for name in flags}
    assert answered(tmp_path, model, settings.api_version, **sent)


def test_the_setup_holds_them(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("Xanthippe\nOslo, Bergen\n")
    settings = resolve({}, language="de,en", vocabulary=f"@{tmp_path}/words", no_interrupt=True)
    assert settings.barge_in == "server"
    setup = link_against(
        frames(), language=settings.language, vocabulary=settings.vocabulary, no_interrupt=True, temperature=0.5,
        max_output_tokens=100, thinking="high", model="gemini-3.8-live-extended-thinking",
    ).setup  # fmt: skip
    heard = setup["inputAudioTranscription"]
    assert heard == {"language_codes": ["de", "en"], "custom_vocabulary": ["Xanthippe", "Oslo", "Bergen"]}
    assert setup["generationConfig"]["temperature"] == 0.5
    assert setup["generationConfig"]["maxOutputTokens"] == 100
    assert setup["generationConfig"]["thinkingConfig"] == {"thinking_level": "HIGH"}
    assert "NO_INTERRUPTION" in str(setup["realtimeInputConfig"])


def test_only_v1alpha_has_affective_dialogue() -> None:
    model = "gemini-2.5-flash-native-audio-latest"
    assert resolve({}, model=model, affective=True).api_version == "v1alpha"
    assert resolve({}, model=model).api_version == "v1beta"
