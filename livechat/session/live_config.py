"""What google-genai is configured with: its client, and the setup that each link sends first."""

from __future__ import annotations

import asyncio
import inspect
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from livechat.errors import ConfigError, UsageError
from livechat.models import family
from livechat.session import trust
from livechat.session.credentials import VertexCredentials
from livechat.session.events import Dial
from livechat.session.tools import NO_TOOLS, Tools

if TYPE_CHECKING:
    from google.genai import Client, types

    from livechat.settings import Settings

CLOSE_S = 1.0  # the close handshake with a peer that may be dead; a live one needs a few round trips
PING_S = 20.0  # keeps NAT entries alive; a missing pong proves nothing (docs/wire.md 6.4)
MAX_MESSAGE = 64 * 2**20  # bytes; a burst of audio is larger than the library's own limit of 1 MiB


def client(settings: Settings, url: str | None, ca_pem: str | None) -> Client:
    """The SDK's client for the server at `url`, or for the backend's own server where that is None.

    `ca_pem`: the only certificates to trust. Raises ConfigError for settings or an environment that cannot be used,
    UsageError for an unreadable CA file.
    """
    from google import genai
    from google.genai import types

    # The SDK also creates HTTP clients, which nothing here uses. Without `trust_env` they ignore the environment:
    # they would fail on proxies and certificates that matter only to the WebSocket.
    unused: dict[str, Any] = {"trust_env": False}
    args: dict[str, Any] = unused | {
        "ping_interval": PING_S,
        "ping_timeout": None,
        "close_timeout": CLOSE_S,
        "max_size": MAX_MESSAGE,
        # Everything that has arrived is read at once. Sending to a server that has left throws away what is unread.
        "max_queue": None,
    }
    if context := trust.context(ca_pem, settings.ca_file):
        args["ssl"] = args["verify"] = unused["verify"] = context
    else:
        trust.check_environment(os.environ)
    vertex = settings.backend == "vertex"
    account: dict[str, Any] = {"api_key": settings.key}
    if vertex and not settings.key:
        trust.check_credentials(os.environ)
        account = {"credentials": VertexCredentials(), "project": settings.project, "location": settings.location}
    version = settings.api_version
    options = types.HttpOptions(base_url=url, api_version=version, client_args=unused, async_client_args=args)
    try:
        return genai.Client(vertexai=vertex, http_options=options, **account)
    except (ValueError, OSError, ImportError) as e:  # the last: a variable asks for a library that is not installed
        raise ConfigError(
            f"the configuration was refused: {str(e).splitlines()[0]}", "see `livechat talk --help`"
        ) from None


async def with_token(settings: Settings, url: str | None, ca_pem: str | None) -> Client:
    """The client of one link, whose key is an ephemeral token that was just made (docs/wire.md 8.1).

    Raises the SDK's APIError where the server refuses, ConnectionError where it cannot be reached.
    """
    from google.genai import errors, types

    maker = client(settings, url, ca_pem)  # it is kept: the SDK closes the connections of one that nobody has
    once = types.CreateAuthTokenConfig(uses=1)
    try:
        token = (await asyncio.to_thread(lambda: maker.auth_tokens.create(config=once))).name or ""
    except errors.APIError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the HTTP library raises
        raise ConnectionError(f"no ephemeral token: {type(error).__name__}") from None
    return client(replace(settings, key=token), url, ca_pem)


def setup(settings: Settings, how: Dial, tools: Tools = NO_TOOLS) -> types.LiveConnectConfig:
    """The setup that the model's family accepts (models.py). Without a handle it still asks the server for handles.

    Only Vertex AI has transparent resumption. The Gemini API refuses the field (docs/wire.md 2.8).
    """
    from google.genai import types

    if settings.purpose != "converse":
        return _captions(settings)
    handle = how.resumption.handle if how.resumption else None
    transparent = how.transparent and settings.backend == "vertex" and not settings.ptt
    config = types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        session_resumption=types.SessionResumptionConfig(handle=handle, transparent=transparent or None),
        input_audio_transcription=_transcription(settings),
        temperature=settings.temperature,
        max_output_tokens=settings.max_output_tokens,
        enable_affective_dialog=settings.affective or None,
        proactivity=types.ProactivityConfig(proactive_audio=True) if settings.proactive else None,
        output_audio_transcription=types.AudioTranscriptionConfig(),
    )
    if settings.voice:
        config.speech_config = types.SpeechConfig(
            voice_config=types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name=settings.voice))
        )
    if settings.system:
        config.system_instruction = types.Content(role="user", parts=[types.Part(text=settings.system)])
    if settings.compression:
        config.context_window_compression = types.ContextWindowCompressionConfig(
            trigger_tokens=settings.trigger_tokens,
            sliding_window=types.SlidingWindow(target_tokens=settings.target_tokens),
        )
    if settings.ptt or settings.vad or settings.no_interrupt:
        config.realtime_input_config = types.RealtimeInputConfig(
            automatic_activity_detection=_detection(settings) if settings.ptt or settings.vad else None,
            activity_handling=types.ActivityHandling.NO_INTERRUPTION if settings.no_interrupt else None,
        )
    if settings.media_resolution != "medium":
        config.media_resolution = types.MediaResolution(f"MEDIA_RESOLUTION_{settings.media_resolution.upper()}")
    if declared := _tools(tools):
        config.tools = list(declared)
    known = family(settings.model)
    thoughts = settings.thoughts and known.thoughts
    asked = (settings.thinking or "").upper() or known.thinking_level
    if asked or thoughts:
        level = types.ThinkingLevel(asked) if asked and not known.budget else None
        none = 0 if asked and known.budget else None  # "minimal" is all that can be said of a budget
        config.thinking_config = types.ThinkingConfig(
            thinking_level=level, thinking_budget=none, include_thoughts=thoughts or None
        )
    return config


def _captions(settings: Settings) -> types.LiveConnectConfig:
    """The setup of a model that transcribes or translates. It takes little else (docs/wire.md 13)."""
    from google.genai import types

    heard = _transcription(settings)
    if settings.purpose == "translate":
        return types.LiveConnectConfig(
            response_modalities=[types.Modality.AUDIO],
            input_audio_transcription=heard,
            output_audio_transcription=types.AudioTranscriptionConfig(),
            translation_config=types.TranslationConfig(target_language_code=settings.to),
        )
    heard.mode = types.AudioTranscriptionConfigMode.SMART if settings.smart else None
    return types.LiveConnectConfig(
        response_modalities=[types.Modality.TEXT],
        input_audio_transcription=heard,
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=types.AutomaticActivityDetection(disabled=True)
        ),
    )


def _transcription(settings: Settings) -> types.AudioTranscriptionConfig:
    """Of what the person says."""
    from google.genai import types

    codes, words = _listed(settings.language), _listed(settings.vocabulary)
    return types.AudioTranscriptionConfig(language_codes=codes or None, custom_vocabulary=words or None)


def _listed(given: str | None) -> list[str]:
    """What is parted by commas or line ends."""
    return [item.strip() for line in (given or "").splitlines() for item in line.split(",") if item.strip()]


def _tools(tools: Tools) -> list[types.Tool]:
    """Google Search, and the functions with their docstrings and the JSON schemas of their parameters.

    Raises UsageError for a signature that has no schema.
    """
    from google.genai import types
    from pydantic import PydanticUserError, TypeAdapter

    declared = [types.Tool(google_search=types.GoogleSearch())] if tools.search else []
    functions = []
    for name, function in tools.functions.items():
        if name in tools.declared:
            told, parameters = tools.declared[name]
            made = types.FunctionDeclaration(name=name, description=told, parameters_json_schema=parameters)
            functions.append(made)
            continue
        try:
            schema = TypeAdapter(cast(Any, function)).json_schema()
        except (PydanticUserError, NameError, TypeError) as error:
            raise UsageError(
                f"--tool: {name} cannot be declared to the model ({str(error).splitlines()[0]})",
                "give each parameter a simple type, such as str, int, float, bool or list[str]",
            ) from None
        about = inspect.getdoc(function) or None
        functions.append(types.FunctionDeclaration(name=name, description=about, parameters_json_schema=schema))
    return [*declared, types.Tool(function_declarations=functions)] if functions else declared


def check_tools(tools: Tools) -> None:
    """Raises UsageError for functions that cannot be declared to the model."""
    _tools(tools)


def _detection(settings: Settings) -> types.AutomaticActivityDetection:
    """How the server finds speech. With push-to-talk it does not look for it."""
    from google.genai import types

    if settings.ptt:
        return types.AutomaticActivityDetection(disabled=True)
    detection = types.AutomaticActivityDetection(
        prefix_padding_ms=settings.vad.get("prefix_ms"), silence_duration_ms=settings.vad.get("silence_ms")
    )
    if start := settings.vad.get("start"):
        detection.start_of_speech_sensitivity = types.StartSensitivity(f"START_SENSITIVITY_{start}")
    if end := settings.vad.get("end"):
        detection.end_of_speech_sensitivity = types.EndSensitivity(f"END_SENSITIVITY_{end}")
    return detection
