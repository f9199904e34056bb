"""What the first message may ask for, per family of models."""

from __future__ import annotations

from typing import Any

import pytest

from livechat.server.close_reasons import Rejected
from livechat.server.models import MODELS
from livechat.server.terms import Endpoint, Terms, agree

BETA = Endpoint("v1beta", vertex=False)
VERTEX = Endpoint("v1beta1", vertex=True)
INVALID = "Request contains an invalid argument."


def agreed(model: str = "gemini-3.8-live", route: Endpoint = BETA, **body: Any) -> Terms:
    return agree({"model": f"models/{model}", **body}, route)


def refused(model: str, route: Endpoint = BETA, **body: Any) -> tuple[int, str]:
    with pytest.raises(Rejected) as caught:
        agreed(model, route, **body)
    return caught.value.code, caught.value.reason


def test_the_terms_are_what_was_asked_for() -> None:
    terms = agreed(
        systemInstruction={"parts": [{"text": "Be brief."}]},
        sessionResumption={"handle": "h"},
        inputAudioTranscription={},
        contextWindowCompression={"triggerTokens": "10000", "slidingWindow": {"targetTokens": 2000}},
        realtimeInputConfig={
            "activityHandling": "NO_INTERRUPTION",
            "automaticActivityDetection": {"disabled": True, "silenceDurationMs": 300},
        },
        historyConfig={"initialHistoryInClientContent": True},
    )
    assert (terms.system, terms.handle, terms.input_text, terms.output_text) == ("Be brief.", "h", True, False)
    assert (terms.trigger, terms.target, terms.manual, terms.interrupts) == (10_000, 2_000, True, False)
    assert (terms.silence_ms, terms.seeded, terms.handles) == (300, True, "every second")


def test_compression_defaults() -> None:
    terms = agreed(contextWindowCompression={"slidingWindow": {}})
    assert (terms.trigger, terms.target) == (104_857, 52_428)
    assert agreed().trigger is None


@pytest.mark.parametrize(
    "compression",
    [{}, {"triggerTokens": 10_000}, {"triggerTokens": 4_999, "slidingWindow": {"targetTokens": 0}},
     {"triggerTokens": 128_001, "slidingWindow": {}},
     {"triggerTokens": 5_000, "slidingWindow": {"targetTokens": 5_000}},
     {"triggerTokens": "x", "slidingWindow": {}}, {"triggerTokens": True, "slidingWindow": {}},
     {"slidingWindow": {"targetTokens": -1}}, {"slidingWindow": 3}, 7],
)  # fmt: skip
def test_compression_out_of_range(compression: Any) -> None:
    assert refused("gemini-3.8-live", contextWindowCompression=compression) == (1007, INVALID)


@pytest.mark.parametrize(
    ("model", "body", "code", "reason"),
    [
        ("gemini-3.8-live", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}, 1007,
         "Thinking level is not supported for this model"),
        ("gemini-3.8-live-extended-thinking", {}, 1007, "Thinking level must be specified for this model"),
        ("gemini-3.8-live-extended-thinking", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}},
         1007, "Thinking level is not supported"),
        ("gemini-3.8-live", {"generationConfig": {"responseModalities": ["TEXT"]}}, 1007,
         "The requested combination of response modalities (TEXT) is not supported"),
        ("gemini-3.8-live", {"proactivity": {"proactiveAudio": True}}, 1007,
         'Invalid JSON payload received. Unknown name "proactivity" at \'setup\': Cannot find field.'),
        ("gemini-3.8-live", {"generationConfig": {"enableAffectiveDialog": True}}, 1007, INVALID),
        ("gemini-3.8-live", {"sessionResumption": {"transparent": True}}, 1007,
         'Invalid JSON payload received. Unknown name "transparent" at \'setup.session_resumption\''),
        ("gemini-3.8-live", {"generationConfig": {"inputAudioTranscription": {}}}, 1007,
         'Invalid JSON payload received. Unknown name "inputAudioTranscription" at \'setup.generation_config\''),
        ("gemini-3.8-live", {"sessionResumption": {"handle": ""}}, 1007, "Invalid session handle"),
        ("gemini-3.8-live",
         {"generationConfig": {"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Bob"}}}}},
         1007, "No matching speaker voice found"),
        ("gemini-2.5-flash-native-audio-latest", {"generationConfig": {"speechConfig": {"languageCode": "es"}}}, 1007,
         "Unsupported language code 'es'"),
        ("gemini-2.0-flash-live-001", {}, 1008,
         "models/gemini-2.0-flash-live-001 is not found for API version v1beta, or is not supported"),
    ],
)  # fmt: skip
def test_refusals_in_google_s_words(model: str, body: dict[str, Any], code: int, reason: str) -> None:
    got = refused(model, **body)
    assert got[0] == code
    assert got[1].startswith(reason)


def test_what_one_model_takes_and_another_refuses() -> None:
    affective = {"enableAffectiveDialog": True, "thinkingConfig": {"thinkingBudget": 0}}
    old, alpha = "gemini-2.5-flash-native-audio-latest", Endpoint("v1alpha", vertex=False)
    agreed(old, alpha, generationConfig=affective, proactivity={"proactiveAudio": True})
    assert "enable_affective_dialog" in refused(old, generationConfig=affective)[1]  # v1beta does not know it
    thinking = {"thinkingConfig": {"thinkingLevel": "LOW"}}
    agreed("gemini-3.8-live-extended-thinking", generationConfig=thinking)
    agreed("gemini-3.1-flash-live-preview", generationConfig=thinking)
    agreed("gemini-3.8-live", VERTEX, sessionResumption={"transparent": True})
    blocking = [{"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]}]
    agreed("gemini-3.8-live", tools=blocking)
    body: dict[str, Any] = {"generationConfig": thinking, "tools": blocking}
    assert "BLOCKING" in refused("gemini-3.8-live-extended-thinking", **body)[1]


def test_previews_are_not_on_v1() -> None:
    assert refused("gemini-3.1-flash-live-preview", Endpoint("v1", vertex=False))[0] == 1008
    assert agreed("gemini-3.8-live", Endpoint("v1", vertex=False)).model == "gemini-3.8-live"


@pytest.mark.parametrize("model", [*MODELS, "gemini-live-2.5-flash-native-audio"])
def test_any_name_is_taken_as_another_model(model: str) -> None:
    terms = agree({"model": "models/whatever"}, BETA, model) if "thinking" not in model else None
    assert terms is None or terms.model == "whatever"


def test_handles_come_as_they_do_there() -> None:
    assert agreed("gemini-2.5-flash-native-audio-latest").handles == "never"
    assert agreed("gemini-2.5-flash-native-audio-latest", sessionResumption={}).handles == "after turns"
    assert agreed("gemini-3.8-live", VERTEX, sessionResumption={}).handles == "after turns"
    assert agreed("gemini-3.5-transcribe-live", sessionResumption={}).handles == "never"
    assert agreed().handles == "every second"
