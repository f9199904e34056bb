"""One WebSocket connection to a Live API server, through google-genai: the only file that imports it.

What the SDK does that a caller must know, each seen in its 3.4.0 source or run on loopback (docs/wire.md 6.5):
 - `receive()` ends after each turn, and messages between turns wait for the next call: it is looped here
 - it waits for setupComplete for ever: there is a limit here
 - a message of unknown fields alone, or of no JSON object, raises anything and leaves the socket usable
 - a close becomes APIError with the close code; a send after it raises websockets' own ConnectionClosed
 - messages that it would misread are put right before it reads them (dialect.py)
 - its default ping timeout kills healthy links, since the server's pongs come up to 30 s late
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import re
import socket
import ssl
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from livechat.audio.interfaces import INPUT_RATE, OUTPUT_RATE
from livechat.errors import ConfigError
from livechat.models import family
from livechat.session import proxy, trust
from livechat.session.context_replay import Content
from livechat.session.credentials import Token, TokenError
from livechat.session.events import (
    Audio,
    Counted,
    CutIn,
    Dial,
    Ended,
    GoAway,
    HandleUpdate,
    Heard,
    Interaction,
    Noticed,
    Opened,
    Replied,
    Said,
    Signal,
    Status,
    Thought,
    TurnOver,
    Wire,
    Written,
)

if TYPE_CHECKING:
    from google.genai import Client, errors, types
    from google.genai.live import AsyncSession
    from websockets.exceptions import ConnectionClosed

    from livechat.settings import Settings

SETUP_S = 10.0  # from dialling to setupComplete; 0.25 to 0.5 s is usual (1.1)
CLOSE_S = 1.0  # the close handshake with a peer that may be dead; several round trips to any other
PING_S = 20.0  # keeps NAT entries alive; a missing pong proves nothing (6.4)
MAX_NOTICE_S = 86_400.0  # no link lives a day: a longer notice is nonsense
MAX_THOUGHT = 8_000  # characters shown of one piece
MAX_MESSAGE = 64 * 2**20  # bytes; the library's 1 MiB is less than a burst of audio
_log = logging.getLogger(__name__)
_AUDIO_IN = f"audio/pcm;rate={INPUT_RATE}"
_RATE = re.compile(r"rate=(\d{4,5})\b")
_ERRNO = re.compile(r"\[Errno (\d+)\]")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


def load_sdk() -> None:
    """Import google-genai, half a second of work. The collector finds nothing in it but costs half of that."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        import google.genai.live
        import google.genai.types

        from livechat.session.dialling import Connect

        google.genai.live.ws_connect = Connect  # type: ignore[attr-defined] # the SDK leaves no other way
    finally:
        if was_on:
            gc.enable()
    # A reason or a status that is newer than the SDK is no fault of the message that holds it.
    warnings.filterwarnings("ignore", r"\S+ is not a valid ", UserWarning, r"google\.genai\._common")


class Dialler:
    """Opens links to one backend with one configuration."""

    def __init__(self, settings: Settings, *, url: str | None = None, ca_pem: str | None = None) -> None:
        """`url` and `ca_pem`: the embedded server's, in place of the settings' endpoint.

        Raises ConfigError for an environment that cannot be used, UsageError for an unreadable CA file.
        """
        load_sdk()
        self._settings = settings
        self._client = _client(settings, url or settings.endpoint, ca_pem)

    def dial(self, how: Dial, post: Callable[[Wire], None]) -> Link:
        """A new link, to be `run`. Everything it hears goes to `post`, on the loop."""
        settings = self._settings

        def named(event: Wire) -> None:
            post(replace(event, key_from=settings.key_from) if isinstance(event, Ended) else event)

        return Link(self._client, _config(settings, how), settings.model, how.n, named, thoughts=settings.thoughts)


class Link:
    """One connection: `run` it once; it says Opened at most once and Ended exactly once."""

    def __init__(
        self,
        client: Client,
        config: types.LiveConnectConfig,
        model: str,
        n: int,
        post: Callable[[Wire], None],
        *,
        thoughts: bool,
    ) -> None:
        """`thoughts`: post their words, too; some models send them unasked."""
        self.n = n
        self._thoughts = thoughts
        self._client = client
        self._config = config
        self._model = model
        self._post = post
        self._session: AsyncSession | None = None
        self._closing = False

    async def run(self) -> None:
        """Connect, listen until the end, say why it ended. Raises nothing but CancelledError."""
        from google.genai import errors
        from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

        end = Ended(self.n, "network")
        try:
            await self._talk()
        except (errors.APIError, ConnectionClosed) as e:  # the latter where the close was faster than our setup
            end = _close_event(self.n, e)
        except proxy.Blocked as e:
            end = _blocked(self.n, e)
        except InvalidStatus as e:
            end = Ended(self.n, "http", e.response.status_code)
        except TimeoutError:
            end = Ended(self.n, "timeout")
        except socket.gaierror as e:
            end = Ended(self.n, "dns", reason=e.strerror or "")
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):  # no refusal: it was cut in the middle of TLS
            end = Ended(self.n, "network")
        except ssl.SSLError as e:
            verify = getattr(e, "verify_message", "") or e.reason or "TLS"
            end = Ended(self.n, "tls", reason=str(verify))
        except (OSError, InvalidHandshake, WebSocketException) as e:
            end = Ended(self.n, "network", reason=_system_words(e))
        except Exception as e:  # noqa: BLE001 - the token's renewal and the SDK's reading of the first message
            end = _other_end(self.n, e)
        finally:
            self._session = None
        self._post(end)

    async def _talk(self) -> None:
        from google.genai import errors
        from websockets.exceptions import WebSocketException

        loop = asyncio.get_running_loop()
        began = loop.time()
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout(SETUP_S):
                connecting = self._client.aio.live.connect(model=self._model, config=self._config)
                session = await stack.enter_async_context(connecting)
            if self._closing:
                return
            self._session = session
            self._post(Opened(self.n, (loop.time() - began) * 1000))
            while True:
                try:
                    async for message in session.receive():
                        self._hear(message)
                except (errors.APIError, WebSocketException, OSError):
                    raise
                except Exception as e:  # noqa: BLE001 - the SDK stumbles over what it cannot read in many ways
                    # Such a message holds nothing we know, the next may. Its text may be speech: not logged.
                    _log.warning("link %d: a message that cannot be read (%s)", self.n, type(e).__name__)

    async def close(self) -> None:
        """Close, within CLOSE_S even of a dead peer. `run` reads on to the end and says Ended."""
        self._closing = True
        if self._session is not None:
            with contextlib.suppress(Exception):  # it is being closed: any fault of closing is its end
                await self._session.close()

    async def send_audio(self, frame: bytes) -> None:
        """One frame of s16le mono at 16 kHz. A link that is gone swallows it: the outbox still has it."""
        from google.genai import types

        await self._send(audio=types.Blob(data=frame, mime_type=_AUDIO_IN))

    async def send_signal(self, signal: Signal) -> None:
        """The person begins or ends to speak (push-to-talk alone), or the microphone is shut for now."""
        from google.genai import types

        if signal == "start":
            await self._send(activity_start=types.ActivityStart())
        elif signal == "end":
            await self._send(activity_end=types.ActivityEnd())
        else:
            await self._send(audio_stream_end=True)

    async def send_text(self, text: str) -> None:
        """One typed message, which asks for an answer."""
        if family(self._model).text == "content":
            await self._send_content([Content("user", text)], complete=True)
        else:
            await self._send(text=text)

    async def send_context(self, contents: list[Content]) -> None:
        """Turns to remember, which ask for no answer (turn_complete false never interrupts: docs/wire.md 0.3)."""
        await self._send_content(contents, complete=False)

    async def _send(self, **kinds: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        if self._session is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._session.send_realtime_input(**kinds)

    async def _send_content(self, contents: list[Content], *, complete: bool) -> None:
        from google.genai import types
        from websockets.exceptions import ConnectionClosed

        turns = [types.Content(role=c.role, parts=[types.Part(text=c.text)]) for c in contents]
        if self._session is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._session.send_client_content(turns=list(turns), turn_complete=complete)

    def _hear(self, message: types.LiveServerMessage) -> None:
        """One server message may carry several things: each field of each is looked at (1.4)."""
        n, post = self.n, self._post
        content = message.server_content
        status = _status(content.interaction_status) if content else ""
        if message.voice_activity or (content and content.waiting_for_input):
            post(Noticed(n))
        if content:
            if status == "working" and not content.turn_complete:
                post(Status(n, status))
            if content.input_transcription and content.input_transcription.text:
                post(Heard(n, content.input_transcription.text))
            if content.output_transcription and content.output_transcription.text:
                post(Said(n, content.output_transcription.text))
            for part in (content.model_turn.parts if content.model_turn else None) or ():
                self._hear_part(part)
            if content.interrupted:
                post(CutIn(n))
            if content.generation_complete:
                post(Replied(n))
        if usage := message.usage_metadata:
            prompt, response = usage.prompt_token_count or 0, usage.response_token_count or 0
            if prompt:
                post(Counted(n, prompt, response, usage.total_token_count or prompt + response))
        if content and content.turn_complete:
            post(TurnOver(n, status, _reason(content.turn_complete_reason)))
        elif status == "idle":
            post(Status(n, status))
        if update := message.session_resumption_update:
            handle = (update.new_handle or "") if update.resumable else ""
            post(HandleUpdate(n, handle, consumed=update.last_consumed_client_message_index))
        if message.go_away:
            post(GoAway(n, _seconds(message.go_away.time_left)))

    def _hear_part(self, part: types.Part) -> None:
        n, post = self.n, self._post
        if part.text and part.text.strip():
            if not part.thought:
                post(Written(n, part.text))
            else:  # never spoken or stored (11); unwanted, it proves a living session all the same
                post(Thought(n, part.text[:MAX_THOUGHT] if self._thoughts else ""))
        blob = part.inline_data
        if blob and blob.data and (blob.mime_type or "").startswith("audio/pcm"):
            post(Audio(n, blob.data[: len(blob.data) // 2 * 2], _rate(blob.mime_type or "")))


def _status(status: types.InteractionStatus | None) -> Interaction:
    """The SDK's word for what a server does with a question; REQUIRES_ACTION is an older word for IDLE."""
    word = str(status.value) if status else ""
    return {"IN_PROGRESS": "working", "IDLE": "idle", "REQUIRES_ACTION": "idle"}.get(word, "")  # type: ignore[return-value]


def _reason(reason: types.TurnCompleteReason | None) -> str:
    """The SDK's word for why a turn ended; "" where the server names no reason."""
    word = str(reason.value) if reason else ""
    return "" if word.upper().endswith("UNSPECIFIED") else word


def _other_end(n: int, error: Exception) -> Ended:
    """Of what the SDK raises while it connects: no token, a refused configuration, nonsense from the server."""
    if blocked := proxy.blamed(error):
        return _blocked(n, blocked)
    if isinstance(error, TokenError):
        return Ended(n, "auth" if error.refused else "token", reason=str(error))
    words = (str(error).splitlines() or [""])[0]
    refused = type(error) in (ValueError, TypeError) and not words.startswith("Failed to parse response")
    return Ended(n, "bad", reason=words) if refused else Ended(n, "close", reason="the first message cannot be read")


def _blocked(n: int, by: proxy.Blocked) -> Ended:
    return Ended(n, by.how, by.code, by.why, by.hint)


def _system_words(error: Exception) -> str:
    """What the system says of a connection that failed; "" if nothing. asyncio's own words for it hold addresses."""
    errno = getattr(error, "errno", None)
    found = _ERRNO.search(str(error))  # of a name with several addresses, each of which failed
    number = errno or (int(found[1]) if found else 0)
    return os.strerror(number).lower() if number else ""


def _rate(mime: str) -> int:
    """Hz. Vertex names none (7), and what no sound card plays is a mistake."""
    found = _RATE.search(mime)
    return int(found[1]) if found and 8_000 <= int(found[1]) <= 48_000 else OUTPUT_RATE


def _seconds(duration: str | None) -> float:
    """A protobuf Duration such as "9.5s"; 0 where it is missing or strange, which means: act now (3.1)."""
    found = _DURATION.fullmatch(duration or "")
    return min(float(found[1]), MAX_NOTICE_S) if found else 0.0


def _close_event(n: int, error: errors.APIError | ConnectionClosed) -> Ended:
    """The close frame where there was one; the SDK says 1006 for a connection that broke without.

    websockets' exception knows more, and lies somewhere down the chain of contexts.
    """
    from google.genai import errors
    from websockets.exceptions import ConnectionClosed

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ConnectionClosed):
        cause = cause.__context__
    if cause is not None and cause.rcvd is not None:
        return Ended(n, "close", cause.rcvd.code, cause.rcvd.reason)
    if cause is None and isinstance(error, errors.APIError) and error.code not in (None, 1006):
        return Ended(n, "close", error.code, str(error.message or ""))
    return Ended(n, "network", 1006, cause.sent.reason if cause is not None and cause.sent else "")


def _client(settings: Settings, url: str | None, ca_pem: str | None) -> Client:
    from google import genai
    from google.genai import types

    # Of all this only a link is opened. The SDK's own HTTP clients, which it makes at once, are never used: they
    # would stumble over proxies and certificates that are none of theirs.
    unused: dict[str, Any] = {"trust_env": False}
    args: dict[str, Any] = unused | {
        "ping_interval": PING_S,
        "ping_timeout": None,
        "close_timeout": CLOSE_S,
        "max_size": MAX_MESSAGE,
        "max_queue": None,  # all that has come is read at once: it is lost if a server that left is sent anything
    }
    if context := trust.context(ca_pem, settings.ca_file):
        args["ssl"] = args["verify"] = unused["verify"] = context
    else:
        trust.check_environment(os.environ)
    if settings.backend == "vertex" and not settings.key:
        trust.check_credentials(os.environ)
    options = types.HttpOptions(
        base_url=url, api_version=settings.api_version, client_args=unused, async_client_args=args
    )
    try:
        if settings.backend == "vertex" and settings.key:
            return genai.Client(vertexai=True, api_key=settings.key, http_options=options)
        if settings.backend == "vertex":
            token: Any = Token()
            return genai.Client(
                vertexai=True,
                credentials=token,
                project=settings.project,
                location=settings.location,
                http_options=options,
            )
        return genai.Client(vertexai=False, api_key=settings.key, http_options=options)
    except (ValueError, OSError, ImportError) as e:  # the last where a variable asks for a library that is not there
        raise ConfigError(
            f"the configuration was refused: {str(e).splitlines()[0]}", "see `livechat talk --help`"
        ) from None


def _config(settings: Settings, how: Dial) -> types.LiveConnectConfig:
    """The setup this model family accepts (models.py). A first link asks for handles with an empty config.

    Transparent resumption is Vertex's alone: the Gemini API refuses the field (2.8).
    """
    from google.genai import types

    handle = how.resumption.handle if how.resumption else None
    transparent = how.transparent and settings.backend == "vertex" and not settings.ptt
    config = types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        session_resumption=types.SessionResumptionConfig(handle=handle, transparent=transparent or None),
        input_audio_transcription=types.AudioTranscriptionConfig(),
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
    if settings.ptt:
        detection = types.AutomaticActivityDetection(disabled=True)
        config.realtime_input_config = types.RealtimeInputConfig(automatic_activity_detection=detection)
    elif settings.vad:
        config.realtime_input_config = types.RealtimeInputConfig(automatic_activity_detection=_detection(settings))
    known = family(settings.model)
    thoughts = settings.thoughts and known.thoughts
    if known.thinking_level or thoughts:
        level = types.ThinkingLevel(known.thinking_level) if known.thinking_level else None
        config.thinking_config = types.ThinkingConfig(thinking_level=level, include_thoughts=thoughts or None)
    return config


def _detection(settings: Settings) -> types.AutomaticActivityDetection:
    from google.genai import types

    detection = types.AutomaticActivityDetection(
        prefix_padding_ms=settings.vad.get("prefix_ms"), silence_duration_ms=settings.vad.get("silence_ms")
    )
    if start := settings.vad.get("start"):
        detection.start_of_speech_sensitivity = types.StartSensitivity(f"START_SENSITIVITY_{start}")
    if end := settings.vad.get("end"):
        detection.end_of_speech_sensitivity = types.EndSensitivity(f"END_SENSITIVITY_{end}")
    return detection
