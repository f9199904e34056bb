"""One WebSocket connection to a Live API server, through google-genai.

What a caller of the SDK must know, seen in the source of its version 3.4.0 or on loopback (docs/wire.md 6.5):
 - `receive()` ends after each turn, and messages between turns wait for the next call: so it is called in a loop
 - it waits for setupComplete without a limit: here there is one
 - it raises anything for a message of unknown fields alone, or one that is no JSON object; the socket stays usable
 - a close becomes APIError with the close code; a send after it raises websockets' own ConnectionClosed
 - it misreads some messages: dialect.py changes those before it reads them
 - its default ping timeout ends healthy links, since the server's pongs come up to 30 s late
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import re
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from livechat.audio.interfaces import INPUT_RATE, OUTPUT_RATE
from livechat.models import family
from livechat.session import events as ev
from livechat.session import live_config
from livechat.session.context_replay import ContextTurn
from livechat.session.link_end import ended
from livechat.session.tools import NO_TOOLS, Tools

if TYPE_CHECKING:
    from google.genai import Client, types
    from google.genai.live import AsyncSession

    from livechat.settings import Settings

SETUP_S = 10.0  # from dialling to setupComplete; 0.25 to 0.5 s is usual (1.1)
MAX_NOTICE_S = 86_400.0  # no link lives a day: a longer notice is an error of the server
MAX_THOUGHT = 8_000  # characters shown of one piece
_log = logging.getLogger(__name__)
_AUDIO_IN = f"audio/pcm;rate={INPUT_RATE}"
_RATE = re.compile(r"rate=(\d{4,5})\b")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


def load_sdk() -> None:
    """Import google-genai, which takes half a second.

    The garbage collector is off meanwhile: it would find nothing, and take half of that time.
    """
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
    # The SDK warns of a reason or a status that is newer than itself. The message that holds it is still fine.
    warnings.filterwarnings("ignore", r".* is not a valid ", UserWarning, r"google\.genai\._common")
    warnings.filterwarnings("ignore", r".*[Ee]phemeral token|.*auth_tokens|.*experimental", Warning, r"google\.genai")


class Dialler:
    """Opens links to one backend with one configuration."""

    def __init__(
        self, settings: Settings, tools: Tools = NO_TOOLS, *, url: str | None = None, ca_pem: str | None = None
    ) -> None:
        """`tools`: what the model may call. `url` and `ca_pem`: the embedded server's, in place of the endpoint.

        Raises ConfigError for an environment that cannot be used, UsageError for an unreadable CA file.
        """
        load_sdk()
        self._settings, self._tools = settings, tools
        self._place = url or settings.endpoint, ca_pem
        self._client = live_config.client(settings, *self._place)

    def instruct(self, text: str) -> None:
        """Links that are dialled from now on have this system instruction."""
        self._settings = replace(self._settings, system=text)

    def dial(self, how: ev.Dial, post: Callable[[ev.Wire], None]) -> Link:
        """A new link, to be `run`. Everything that it hears goes to `post`, on the loop."""
        return Link(self._connect, self._settings, self._tools, how, post)

    async def _connect(self) -> Client:
        """The client that a link is opened with: with --ephemeral one of its own."""
        return (
            await live_config.with_token(self._settings, *self._place) if self._settings.ephemeral else self._client
        )


class Link:
    """One connection. `run` it once: it posts Opened at most once and Ended exactly once."""

    def __init__(
        self,
        client: Callable[[], Awaitable[Client]],
        settings: Settings,
        tools: Tools,
        how: ev.Dial,
        post: Callable[[ev.Wire], None],
    ) -> None:
        """`client` gives what it is opened with. `how`: the number of the link, and the session to resume."""
        self.n = how.n
        self._client, self._settings, self._post = client, settings, post
        self._setup = live_config.setup(settings, how, tools)
        self._session: AsyncSession | None = None
        self._closing = False
        self._reason = ""  # why this turn ends, where that came before its turnComplete

    async def run(self) -> None:
        """Connect, listen until the end, and post why it ended. Raises nothing but CancelledError."""
        end = ev.Ended(self.n, "network")
        try:
            await self._talk()
        except Exception as e:  # noqa: BLE001 - anything that the SDK, its libraries or the system raise ends the link
            end = ended(self.n, e)
        finally:
            self._session = None
        self._post(replace(end, key_from=self._settings.key_from))

    async def _talk(self) -> None:
        from google.genai import errors
        from websockets.exceptions import WebSocketException

        loop = asyncio.get_running_loop()
        began = loop.time()
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout(SETUP_S):
                client = await self._client()
                connecting = client.aio.live.connect(model=self._settings.model, config=self._setup)
                session = await stack.enter_async_context(connecting)
            if self._closing:
                return
            self._session = session
            self._post(ev.Opened(self.n, (loop.time() - began) * 1000))
            while True:
                try:
                    async for message in session.receive():
                        self._hear(message)
                except (errors.APIError, WebSocketException, OSError):
                    raise
                except Exception as e:  # noqa: BLE001 - the SDK raises many kinds for a message that it cannot read
                    # The next message may be fine. This one's text may be speech, so it is not logged.
                    _log.warning("link %d: a message that cannot be read (%s)", self.n, type(e).__name__)

    async def close(self) -> None:
        """Close, within a second even if the peer is dead. `run` reads on to the end and posts Ended."""
        self._closing = True
        if self._session is not None:
            with contextlib.suppress(Exception):  # the link ends, whatever closing it raises
                await self._session.close()

    async def send_audio(self, frame: bytes) -> None:
        """One frame of s16le mono at 16 kHz. A link that is gone ignores it: the outbox still has it."""
        from google.genai import types

        # Nothing in it needs to be validated, and that would be a third of the message's cost.
        await self._send(audio=types.Blob.model_construct(data=frame, mime_type=_AUDIO_IN))

    async def send_signal(self, signal: ev.Signal) -> None:
        """The person begins or stops speaking (push-to-talk only), or the microphone is muted."""
        from google.genai import types

        if signal == "start":
            await self._send(activity_start=types.ActivityStart())
        elif signal == "end":
            await self._send(activity_end=types.ActivityEnd())
        else:
            await self._send(audio_stream_end=True)

    async def send_text(self, text: str) -> None:
        """One typed message, which asks for an answer."""
        if family(self._settings.model).text == "content":
            await self._send_content([ContextTurn("user", text)], complete=True)
        else:
            await self._send(text=text)

    async def send_picture(self, jpeg: bytes) -> None:
        """One picture, a JPEG."""
        from google.genai import types

        await self._send(video=types.Blob(data=jpeg, mime_type="image/jpeg"))

    async def send_context(self, turns: list[ContextTurn]) -> None:
        """Turns to remember, which ask for no answer: turnComplete false never interrupts (0.3)."""
        await self._send_content(turns, complete=False)

    async def send_instruction(self, text: str) -> None:
        """A new system instruction: of the session, or on Vertex AI as content with the role of the system."""
        from google.genai import types
        from websockets.exceptions import ConnectionClosed

        if self._settings.backend == "vertex":
            await self._send_content([ContextTurn("system", text)], complete=False)
        elif self._session is not None:
            content = types.Content(role="user", parts=[types.Part(text=text)])
            with contextlib.suppress(ConnectionClosed):
                await self._session.send_context_update(system_instruction=content)

    async def send_result(self, called: ev.Called, result: dict[str, Any]) -> None:
        """What a function gave back to the model that called it."""
        from google.genai import types
        from websockets.exceptions import ConnectionClosed

        response = types.FunctionResponse(id=called.id, name=called.name, response=result)
        if self._session is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._session.send_tool_response(function_responses=[response])

    async def _send(self, **kinds: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        if self._session is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._session.send_realtime_input(**kinds)

    async def _send_content(self, turns: list[ContextTurn], *, complete: bool) -> None:
        from google.genai import types
        from websockets.exceptions import ConnectionClosed

        contents = [types.Content(role=turn.role, parts=[types.Part(text=turn.text)]) for turn in turns]
        if self._session is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._session.send_client_content(turns=list(contents), turn_complete=complete)

    def _hear(self, message: types.LiveServerMessage) -> None:
        """One message may hold several things, so each field of each message is looked at (1.4)."""
        from google.genai import types

        n, post = self.n, self._post
        content = message.server_content or types.LiveServerContent()
        status = _status(content.interaction_status)
        if message.voice_activity or content.waiting_for_input:
            heard = message.voice_activity.voice_activity_type if message.voice_activity else None
            post(ev.Noticed(n, whole=heard is not types.VoiceActivityType.ACTIVITY_START))
        if status == "working" and not content.turn_complete:
            post(ev.Status(n, status))
        self._hear_content(content)
        for call in (message.tool_call.function_calls if message.tool_call else None) or ():
            if call.id and call.name:
                post(ev.Called(n, call.id, call.name, call.args or {}))
        if message.tool_call_cancellation:
            post(ev.CallsCancelled(n, tuple(message.tool_call_cancellation.ids or ())))
        if usage := message.usage_metadata:
            prompt, response = usage.prompt_token_count or 0, usage.response_token_count or 0
            if prompt:
                total = usage.total_token_count or prompt + response
                details = _details(usage.prompt_tokens_details), _details(usage.response_tokens_details)
                post(ev.Counted(n, prompt, response, total, *details, thoughts=usage.thoughts_token_count or 0))
        self._reason = _reason(content.turn_complete_reason) or self._reason
        if content.turn_complete:
            post(ev.TurnOver(n, status, self._reason))
            self._reason = ""
        elif status == "idle":
            post(ev.Status(n, status))
        if update := message.session_resumption_update:
            handle = (update.new_handle or "") if update.resumable else ""
            post(ev.HandleUpdate(n, handle, consumed=update.last_consumed_client_message_index))
        if message.go_away:
            post(ev.GoAway(n, _seconds(message.go_away.time_left)))

    def _hear_content(self, content: types.LiveServerContent) -> None:
        n, post = self.n, self._post
        if self._settings.purpose == "transcribe" and (interim := content.interim_input_transcription):
            post(ev.Interim(n, interim.text or ""))
        if content.input_transcription and content.input_transcription.text:
            post(ev.Heard(n, content.input_transcription.text))
        if content.output_transcription and content.output_transcription.text:
            self._reason = ""  # the answer goes on, or another begins: a reason before it is not this turn's
            post(ev.Said(n, content.output_transcription.text))
        for part in (content.model_turn.parts if content.model_turn else None) or ():
            self._reason = ""
            self._hear_part(part)
        if found := content.grounding_metadata:
            webs = [chunk.web for chunk in found.grounding_chunks or () if chunk.web]
            sources = tuple((web.title or web.domain or "", web.uri or "") for web in webs)
            if sources or found.web_search_queries:
                post(ev.Grounded(n, tuple(found.web_search_queries or ()), sources))
        if content.interrupted:
            post(ev.CutIn(n))
        if content.generation_complete:
            post(ev.Replied(n))

    def _hear_part(self, part: types.Part) -> None:
        n, post = self.n, self._post
        if part.text and part.text.strip():
            if not part.thought:
                post(ev.Written(n, part.text))
            else:  # never spoken or stored (11). Some models send them unasked, and they prove a living session
                post(ev.Thought(n, part.text[:MAX_THOUGHT] if self._settings.thoughts else ""))
        blob = part.inline_data
        if blob and blob.data and (blob.mime_type or "").startswith("audio/pcm"):
            post(ev.Audio(n, blob.data[: len(blob.data) // 2 * 2], _rate(blob.mime_type or "")))


def _status(status: types.InteractionStatus | None) -> ev.Interaction:
    """What the server says of the question. REQUIRES_ACTION is an older word for IDLE.

    A word that is not known says nothing, as protobuf has it: it neither ends a question nor keeps one open (12).
    """
    word = str(status.value) if status else ""
    return {"IN_PROGRESS": "working", "IDLE": "idle", "REQUIRES_ACTION": "idle"}.get(word, "")  # type: ignore[return-value]


def _reason(reason: types.TurnCompleteReason | None) -> str:
    """The server's word for why a turn ended; "" where it gives no reason."""
    word = str(reason.value) if reason else ""
    return "" if word.upper().endswith("UNSPECIFIED") else word


def _details(counts: list[types.ModalityTokenCount] | None) -> tuple[tuple[str, int], ...]:
    """Tokens by modality."""
    return tuple((it.modality.value, it.token_count) for it in counts or () if it.modality and it.token_count)


def _rate(mime: str) -> int:
    """Hz. Vertex AI names none (7). A rate that no sound card plays is an error of the server."""
    found = _RATE.search(mime)
    return int(found[1]) if found and 8_000 <= int(found[1]) <= 48_000 else OUTPUT_RATE


def _seconds(duration: str | None) -> float:
    """A protobuf Duration such as "9.5s"; 0 where it is missing or cannot be read, which means: act now (3.1)."""
    found = _DURATION.fullmatch(duration or "")
    return min(float(found[1]), MAX_NOTICE_S) if found else 0.0
