"""What a client may ask for in its setup, and what is refused (docs/wire.md 0.3, 4 and 6.1)."""

from dataclasses import dataclass
from typing import Any

from livechat.server.close_reasons import closed
from livechat.server.history import TOKENS_IF_LOW, TOKENS_PER_FRAME
from livechat.server.models import LANGUAGES_2_5, MODELS, PROFILES, VERTEX_MODELS, VOICES, WINDOW, Cadence, Traits
from livechat.server.tool_calls import Function, declared, searches
from livechat.server.translation import target
from livechat.server.wire import Json, snake, text_of, unknown

TRIGGER = (5_000, 128_000)  # tokens, what contextWindowCompression may ask for
TARGET = (0, 128_000)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What the address says: the API version, such as "v1beta", and whether it is that of Vertex AI.

    `constrained`: it takes an ephemeral token instead of a key.
    """

    version: str
    vertex: bool
    constrained: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed for one link. `trigger`: None without compression. `silence_ms`: None for the default."""

    model: str
    traits: Traits
    vertex: bool
    system: str
    handle: str | None
    handles: Cadence
    transparent: bool  # a handle says which of the client's messages it holds (docs/wire.md 2.8)
    input_text: bool
    output_text: bool
    proactive: bool  # it may choose to say nothing
    in_text: bool  # answers are text instead of sound
    thinks: bool  # thoughts come before an answer
    trigger: int | None
    target: int
    manual: bool  # the client marks activity itself
    interrupts: bool
    silence_ms: int | None
    functions: tuple[Function, ...]  # that the client declared
    searches: bool  # the client declared Google Search
    frame_tokens: int  # of a picture
    translate_to: str  # a language, for a model that translates; else ""
    seeded: bool  # the first complete clientContent is history and no question (docs/wire.md 12)


def _leaves(names: str) -> Json:
    """Fields of which only the names are checked."""
    return dict.fromkeys(names.split())


_GENERATION = _leaves("""
    modelSelectionConfig responseJsonSchema audioTimestamp candidateCount enableAffectiveDialog frequencyPenalty
    logprobs maxOutputTokens mediaResolution presencePenalty responseLogprobs responseMimeType responseModalities
    responseSchema routingConfig seed stopSequences temperature topK topP enableEnhancedCivicAnswers
    responseFormat translationConfig audioTranscriptionConfig
""")
_DETECTION = _leaves("""
    disabled startOfSpeechSensitivity endOfSpeechSensitivity prefixPaddingMs silenceDurationMs
""")
_FIELDS: Json = {
    **_leaves("model tools explicitVadSignal avatarConfig safetySettings labels systemInstruction"),
    **_leaves("inputAudioTranscription outputAudioTranscription"),
    "generationConfig": {
        **_GENERATION,
        "speechConfig": _leaves("voiceConfig languageCode multiSpeakerVoiceConfig"),
        "thinkingConfig": _leaves("thinkingBudget thinkingLevel includeThoughts"),
    },
    "sessionResumption": _leaves("handle"),
    "contextWindowCompression": {"triggerTokens": None, "slidingWindow": _leaves("targetTokens")},
    "historyConfig": _leaves("initialHistoryInClientContent"),
    "realtimeInputConfig": {
        **_leaves("activityHandling turnCoverage interimTranscriptTimestampEnabled"),
        "automaticActivityDetection": _DETECTION,
    },
}


def agree(body: Json, route: Endpoint, as_model: str | None = None) -> Terms:
    """The terms of a link whose setup is `body`. `as_model`: accept any model's name and behave as this model.

    Raises Rejected.
    """
    named = body.get("model")
    if not isinstance(named, str):
        raise closed("invalid")
    model, family = _model(named, route, as_model)
    _known(body, _fields(family, route.vertex), "setup")
    generation = _part(body, "generationConfig")
    alpha = route.vertex or route.version == "v1alpha"
    if family.native_2_5 and "enableAffectiveDialog" in generation and not alpha:
        raise unknown("enable_affective_dialog", "setup.generation_config")
    _check_generation(generation, model, family, route.vertex)
    if family.translates and (body.get("tools") or body.get("systemInstruction")):
        raise closed("invalid")
    if family.thinking == "required" and _blocking(body.get("tools")):
        raise closed("blocking")
    resumption = _part(body, "sessionResumption")
    handle = resumption.get("handle")
    if handle is not None and not (isinstance(handle, str) and handle):
        raise closed("bad-handle")
    transparent = resumption.get("transparent") is True
    realtime = _part(body, "realtimeInputConfig")
    detection = _part(realtime, "automaticActivityDetection")
    trigger, target = _compression(body)
    return Terms(
        model=model,
        traits=family,
        vertex=route.vertex,
        system=text_of(body.get("systemInstruction")),
        handle=handle,
        handles="every second" if transparent else _cadence(family, route.vertex, "sessionResumption" in body),
        transparent=transparent,
        input_text="inputAudioTranscription" in body,
        output_text="outputAudioTranscription" in body,
        proactive=family.proactive or _part(body, "proactivity").get("proactiveAudio") is True,
        in_text=family.texts and generation.get("responseModalities") == ["TEXT"],
        thinks=family.native_2_5 and _part(generation, "thinkingConfig").get("thinkingBudget") != 0,
        trigger=trigger,
        target=target,
        manual=detection.get("disabled") is True,
        interrupts=realtime.get("activityHandling") != "NO_INTERRUPTION" and not family.translates,
        silence_ms=_duration_ms(detection.get("silenceDurationMs")),
        functions=declared(body.get("tools"), family.calls),
        searches=searches(body.get("tools")),
        frame_tokens=TOKENS_IF_LOW if "LOW" in str(generation.get("mediaResolution")) else TOKENS_PER_FRAME,
        translate_to=_target(generation) if family.translates else "",
        seeded=_part(body, "historyConfig").get("initialHistoryInClientContent") is True,
    )


def _target(generation: Json) -> str:
    try:
        return target(generation)
    except ValueError:
        raise closed("invalid") from None


def _cadence(family: Traits, vertex: bool, requested: bool) -> Cadence:
    """When handles come. The 3.x models send them even if the client did not ask (docs/wire.md 2.2)."""
    if family.handles == "every second" and not vertex:
        return "every second"
    return "after turns" if requested and family.handles != "never" else "never"


def _model(named: str, route: Endpoint, as_model: str | None) -> tuple[str, Traits]:
    models = VERTEX_MODELS if route.vertex else MODELS
    name = named.rpartition("/")[2]
    if as_model:
        return name, PROFILES[as_model]
    # Previews and aliases exist on v1beta and v1alpha only (docs/wire.md 0.4).
    if name not in models or (route.version == "v1" and name.endswith(("-preview", "-latest"))):
        raise closed("no-model", model=named if "/" in named else f"models/{named}", version=route.version)
    return name, models[name]


def _fields(family: Traits, vertex: bool) -> Json:
    fields = dict(_FIELDS)
    if family.native_2_5:
        fields["proactivity"] = _leaves("proactiveAudio proactiveVideo")
    if vertex:
        fields["sessionResumption"] = _leaves("handle transparent")
        del fields["historyConfig"]
    return fields


def _known(body: Json, fields: Json, path: str) -> None:
    for name, value in body.items():
        if name not in fields:
            raise unknown(name, path)
        inner = fields[name]
        if inner is not None:
            if not isinstance(value, dict):
                raise closed("invalid")
            _known(value, inner, f"{path}.{snake(name)}")


def _part(body: Json, name: str) -> Json:
    """The message `name` in `body`; empty if it is absent."""
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise closed("invalid")
    return value


def _integer(value: Any) -> int:
    """An integer of a protobuf: a JSON number or a decimal string."""
    try:
        if isinstance(value, (int, str)) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise closed("invalid")


def _duration_ms(value: Any) -> int | None:
    if value is not None and _integer(value) < 0:
        raise closed("invalid")
    return None if value is None else _integer(value)


def _check_generation(config: Json, model: str, family: Traits, vertex: bool) -> None:
    thinking = _part(config, "thinkingConfig")
    if family.thinking == "none" and "thinkingConfig" in config:
        raise closed("thinking")
    level = thinking.get("thinkingLevel")
    if family.thinking == "required":
        if level is None:
            raise closed("no-thinking")
        if str(level).upper() not in ("LOW", "MEDIUM", "HIGH"):
            raise closed("thinking")
    if family.thinking == "budget" and level is not None:
        raise closed("thinking")
    modalities = config.get("responseModalities")
    known = [["AUDIO"], ["TEXT"]] if family.texts else [["AUDIO"]]
    if family.answers and modalities is not None and modalities not in known:
        names = ", ".join(map(str, modalities)) if isinstance(modalities, list) else str(modalities)
        raise closed("modality", modalities=names)
    if config.get("enableAffectiveDialog") is not None and not family.native_2_5:
        raise closed("invalid")
    speech = _part(config, "speechConfig")
    language = speech.get("languageCode")
    if family.native_2_5 and not vertex and language is not None and language not in LANGUAGES_2_5:
        raise closed("language", language=str(language), model=f"models/{model}")
    name = _part(_part(speech, "voiceConfig"), "prebuiltVoiceConfig").get("voiceName")
    if name is not None and (not isinstance(name, str) or name not in VOICES):
        raise closed("no-voice")


def _blocking(tools: Any) -> bool:
    """Whether any function among `tools` is declared BLOCKING."""
    declared = [
        function
        for tool in (tools if isinstance(tools, list) else [])
        if isinstance(tool, dict) and isinstance(tool.get("functionDeclarations"), list)
        for function in tool["functionDeclarations"]
    ]
    return any(isinstance(function, dict) and function.get("behavior") == "BLOCKING" for function in declared)


def _compression(body: Json) -> tuple[int | None, int]:
    if "contextWindowCompression" not in body:
        return None, 0
    config = _part(body, "contextWindowCompression")
    trigger = _integer(config.get("triggerTokens", WINDOW * 8 // 10))
    target = _integer(_part(config, "slidingWindow").get("targetTokens", trigger // 2))
    in_range = TRIGGER[0] <= trigger <= TRIGGER[1] and TARGET[0] <= target <= TARGET[1]
    if "slidingWindow" not in config or not in_range or target >= trigger:
        raise closed("invalid")
    return trigger, target
