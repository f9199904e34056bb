"""The setup that a link sends, and the client that sends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from livechat.errors import UsageError
from livechat.session.events import HandleUpdate
from livechat.session.link import Dialler
from livechat.settings import Settings
from tests.support.scripted_link import frames, link_against


def test_the_setup_asks_for_handles_transcripts_and_compression() -> None:
    setup = link_against(frames()).setup
    assert setup["model"] == "models/gemini-3.8-live"
    assert setup["generationConfig"] == {"responseModalities": ["AUDIO"]}
    assert setup["sessionResumption"] == {}
    assert setup["inputAudioTranscription"] == setup["outputAudioTranscription"] == {}
    assert setup["contextWindowCompression"] == {"sliding_window": {}}


def test_the_setup_says_what_the_person_chose() -> None:
    setup = link_against(
        frames(), handle="H", voice="Puck", system="Be brief.", trigger_tokens=9000, target_tokens=0
    ).setup
    assert setup["sessionResumption"] == {"handle": "H"}
    assert setup["contextWindowCompression"] == {"trigger_tokens": 9000, "sliding_window": {"target_tokens": 0}}
    assert setup["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    voice = setup["generationConfig"]["speechConfig"]["voice_config"]["prebuilt_voice_config"]
    assert voice == {"voice_name": "Puck"}
    assert "contextWindowCompression" not in link_against(frames(), no_compression=True).setup


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, {"transparent": True}),
        ({"handle": "H"}, {"handle": "H", "transparent": True}),
        ({"handle": "H", "transparent": False}, {"handle": "H"}),
    ],
)
def test_vertex_is_asked_which_messages_a_handle_holds(given: dict[str, Any], asked: dict[str, Any]) -> None:
    update = {"newHandle": "h", "resumable": True, "lastConsumedClientMessageIndex": "42"}
    seen = link_against(frames({"sessionResumptionUpdate": update}), backend="vertex", **given)
    assert seen.setup["sessionResumption"] == asked
    assert HandleUpdate(7, "h", consumed=42) in seen.posted


@pytest.mark.parametrize(
    ("model", "version", "thinking"),
    [
        ("gemini-3.8-live", "v1", None),
        ("gemini-3.8-live-extended-thinking", "v1", "LOW"),
        ("gemini-3.1-flash-live-preview", "v1beta", None),
        ("gemini-2.5-flash-native-audio-latest", "v1beta", None),
    ],
)
@pytest.mark.parametrize("thoughts", [True, False])
def test_each_family_gets_the_setup_it_accepts(
    model: str, version: str, thinking: str | None, thoughts: bool
) -> None:
    seen = link_against(frames(), model=model, thoughts=thoughts)
    assert f"generativelanguage.{version}.GenerativeService" in seen.paths[0]
    config = seen.setup["generationConfig"].get("thinkingConfig", {})
    assert config.get("thinking_level", config.get("thinkingLevel")) == thinking
    told = config.get("include_thoughts", config.get("includeThoughts"))
    assert told == (True if thoughts and model != "gemini-3.8-live" else None)


def test_an_unreadable_certificate_is_a_usage_error(tmp_path: Path) -> None:
    bad = tmp_path / "ca.pem"
    bad.write_text("nothing")
    with pytest.raises(UsageError):
        Dialler(Settings(backend="endpoint", endpoint="https://127.0.0.1:1", key="k", ca_file=str(bad)))


def test_the_setup_says_how_speech_is_to_be_found() -> None:
    seen = link_against(frames(), start_sensitivity="low", end_sensitivity="high", prefix_ms=0, silence_ms=300)
    assert seen.setup["realtimeInputConfig"] == {
        "automatic_activity_detection": {
            "start_of_speech_sensitivity": "START_SENSITIVITY_LOW",
            "end_of_speech_sensitivity": "END_SENSITIVITY_HIGH",
            "prefix_padding_ms": 0,
            "silence_duration_ms": 300,
        }
    }
    seen = link_against(frames(), ptt=True)
    assert seen.setup["realtimeInputConfig"] == {"automatic_activity_detection": {"disabled": True}}
    assert "realtimeInputConfig" not in link_against(frames()).setup
