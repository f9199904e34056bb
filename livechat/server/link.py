"""One connection to the server, from its first frame to its last. It feeds the session and performs its actions."""

import asyncio
import logging
from datetime import datetime
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from livechat.server import actions, live_session, schema, utterances, wire
from livechat.server.agent import AgentQuestion
from livechat.server.answers import Answers
from livechat.server.auth_tokens import PREFIX
from livechat.server.close_reasons import CLOSES, Rejected, closed
from livechat.server.fault_plan import Fault
from livechat.server.frame_faults import FrameFaults
from livechat.server.history import Facts
from livechat.server.interim_words import InterimWords
from livechat.server.link_faults import LinkFaults
from livechat.server.link_record import LinkHost
from livechat.server.models import WINDOW
from livechat.server.session_memory import OtherModelError, StoredSession, fingerprint
from livechat.server.terms import Endpoint, agree
from livechat.server.transport import LinkTransport
from livechat.server.utterances import RATE, UtteranceBegan, UtteranceEnded, UtteranceEvent
from livechat.server.vision import Vision

log = logging.getLogger(__name__)

SETUP_S = 0.13  # from setup to setupComplete, the median measured (docs/wire.md 1.1)
DIES_S = 0.4  # from an utterance to the end of a session that dies of it (docs/wire.md 2.6)


class ServerLink:
    """Serves one client until either side closes. `key`: what the client showed as its API key."""

    def __init__(
        self, ws: ServerConnection, host: LinkHost, faults: LinkFaults, *, endpoint: Endpoint, key: str
    ) -> None:
        self._ws = ws
        self._host = host
        self._endpoint = endpoint
        self._key = key
        self._faults = faults
        self._active = faults.active
        self._record = faults.record
        self._opened = faults.opened
        self._loop = asyncio.get_running_loop()
        self._transport = LinkTransport(ws)
        self._frame_faults = FrameFaults(self._active)
        self._answers: Answers | None = None  # from the setup on
        self._timers: list[asyncio.TimerHandle] = []
        self._alarm: asyncio.TimerHandle | None = None  # of the session's next deadline
        self._vision = Vision()
        self._heard_s = 0.0
        self._speech = b""  # the sound of the question to be answered
        self._interim = InterimWords(host.agent, self._send)
        self._marked: bytearray | None = None  # the sound since activityStart; None outside an activity
        self._taken = 0  # the number of the client's last message; its setup is 0
        self._held = 0, b""  # the last message that the newest handle holds, and the sound of the utterance under way
        self._speaking = False  # an utterance is under way
        self._recent = bytearray()  # the sound of that utterance; between utterances that of the last moment

    async def run(self) -> None:
        """Serve. Whatever a client or an agent does, it raises no error."""
        writer = asyncio.create_task(self._transport.run())
        session: StoredSession | None = None
        try:
            self._timers += self._faults.schedule(self._strike)
            try:
                async with asyncio.timeout(self._host.times.lifetime):
                    session = await self._set_up()
            except TimeoutError:
                raise closed("idle") from None
            await self._serve()
        except Rejected as rejected:
            self._close(rejected.code, rejected.reason)
            await writer
        except ConnectionClosed:
            pass
        except Exception:  # noqa: BLE001 - see _failed
            self._failed()
            await writer
        finally:
            if session and not self._transport.dark:  # a dark link has ended its session, and another may be on it
                self._live.deadlines.closed(self._loop.time())
                self._host.memory.end(session.id)
                self._host.remember(session.id, self._live)
            for timer in [*self._timers, *([self._alarm] if self._alarm else [])]:
                timer.cancel()
            self._transport.stop()
            self._interim.over()
            tasks = [writer, *([self._answers.task] if self._answers and self._answers.task else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------------------------------------ setup

    async def _set_up(self) -> StoredSession:
        first = wire.parse(await self._first(), schema.check)
        if len(first) != 1 or not isinstance(first[0], wire.ClientSetup):
            raise closed("invalid")
        body = first[0].body
        if self._endpoint.constrained:
            resumes = "handle" in (body.get("sessionResumption") or {})
            body = self._host.tokens.admit(self._key, body, resumes=resumes)
        terms = agree(body, self._endpoint, self._host.as_model)
        slow = self._faults.strikes("slow-setup")
        await asyncio.sleep(max(SETUP_S, slow.value if slow else 0.0))
        never = self._faults.strikes("no-setup")
        while never or self._transport.dark:  # the client gets no answer to its setup
            await self._ws.recv()
        self._faults.admit(resumes=terms.handle is not None)
        self._detector = self._host.agent.detector(terms.silence_ms)
        try:
            memory = self._host.memory
            session = memory.resume(terms.handle, terms.model) if terms.handle else memory.begin(terms.model)
        except OtherModelError:
            self._send({"setupComplete": {}})
            raise
        self._terms, self._session = terms, session
        self._live = live_session.LiveSession(
            terms, session.turns, self._opened, self._loop.time(), self._host.times, memory.age(session.id)
        )
        self._answers = Answers(
            self._host.agent,
            self._live,
            self._active,
            perform=self._perform,
            failed=self._failed,
            empty=lambda reason: self._event("nothing", session=session.id, reason=reason),
        )
        record = self._record
        record.session, record.model, record.resumed = session.id, terms.model, terms.handle is not None
        self._event("setup", session=session.id, model=terms.model, resumed=record.resumed, turns=len(session.turns))
        self._send({"setupComplete": {"sessionId": session.id} if terms.vertex else {}})
        return session

    async def _first(self) -> str | bytes:
        """The client's first frame, if its key or token is good."""
        token = self._key.startswith(PREFIX)
        if not self._key or token != self._endpoint.constrained:
            raise closed("no-key")
        if self._key == "invalid":
            raise closed("bad-key")
        if token:
            expires = self._host.tokens.left(self._key)
            self._timers.append(self._loop.call_later(expires, self._close, *CLOSES["unavailable"]))
        return await self._ws.recv()

    # ------------------------------------------------------------------------------------------ input

    async def _serve(self) -> None:
        deaf = "deaf" in self._active
        if (
            self._session.sound and self._terms.transparent and not deaf
        ):  # heard before the first handle, which must hold it too
            await self._hear(self._session.sound)
        self._wake()
        async for frame in self._ws:
            if self._transport.closing:
                continue
            for message in wire.parse(frame, schema.check):
                await self._take(message)
            self._taken += 1

    async def _take(self, message: wire.ClientMessage) -> None:
        live, now = self._live, self._loop.time()
        if "deaf" in self._active and not isinstance(message, wire.ClientAudio):
            return
        if self._terms.traits.translates and isinstance(message, wire.ClientText | wire.ClientContent):
            raise closed("invalid")
        match message:
            case wire.ClientAudio():
                await self._take_audio(message)
            case wire.ClientText(text):
                self._speech = b""
                self._perform(live.typed(text, now))
            case wire.ClientContent(turns, complete):
                if not self._terms.vertex and any(role == "system" for role, _ in turns):
                    raise closed("role")
                self._speech = b""
                self._perform(live.content(turns, complete, now))
            case wire.ClientActivity(began):
                await self._take_activity(began)
            case wire.ClientStreamEnd():
                if not self._terms.manual:
                    await self._take_events(await self._detector.flush())
            case wire.ClientContextUpdate(system):
                live.system = live.system if system is None else system
            case wire.ClientSetup():
                raise closed("invalid")
            case wire.ClientToolResponse(responses):
                if not self._terms.vertex and not all(response.get("id") for response in responses):
                    raise closed("invalid")
                self._event("tool_response", session=self._session.id, ids=[str(r.get("id", "")) for r in responses])
                if self._answers:
                    self._answers.results(responses)
            case wire.ClientVideo(data):
                if "deaf" not in self._active:
                    self._vision.see(data)
                    live.video(now)
                    self._wake()

    async def _take_audio(self, audio: wire.ClientAudio) -> None:
        if audio.legacy and self._terms.traits.chunks != "taken":
            if self._terms.traits.chunks == "refused":
                raise closed("media-chunks")
            return
        self._record.audio_bytes += len(audio.pcm)
        self._host.audio(self._record.n, audio.pcm)
        self._live.deadlines.sounded(self._loop.time())
        pcm = utterances.resampled(audio.pcm, audio.rate, RATE)
        self._heard_s += len(pcm) / 2 / RATE
        if "deaf" in self._active:
            pass
        elif not self._terms.manual:
            await self._hear(pcm)
        elif self._marked is not None:
            self._marked += pcm
            self._hear_words(self._marked)
        self._wake()

    async def _hear(self, pcm: bytes) -> None:
        events = await self._detector.hear(pcm)
        if self._terms.transparent or not self._terms.traits.answers:
            self._recent += pcm
        await self._take_events(events)
        if self._speaking:
            self._hear_words(self._recent)
        keep_s = utterances.LONGEST_S if self._speaking else utterances.BEFORE_MS / 1000
        del self._recent[: -int(2 * RATE * keep_s)]

    def _hear_words(self, sound: bytearray) -> None:
        if not self._terms.traits.answers and self._terms.input_text:
            self._interim.hear(bytes(sound))

    async def _take_activity(self, began: bool) -> None:
        if not self._terms.manual:
            raise closed("activity")
        if began and self._marked is None:
            self._marked = bytearray()
            await self._take_events([UtteranceBegan(self._heard_s)])
        elif not began and self._marked is not None:
            pcm, self._marked = bytes(self._marked), None
            if not pcm:
                self._send({"serverContent": {"turnComplete": True}, "usageMetadata": {}})
                raise closed("precondition")
            await self._take_events([UtteranceEnded(self._heard_s, pcm)])

    async def _take_events(self, events: list[UtteranceEvent]) -> None:
        for event in events:
            self._speaking = not isinstance(event, UtteranceEnded)
            if isinstance(event, UtteranceBegan):
                self._perform(self._live.speech_began(event.at, self._loop.time()))
            elif isinstance(event, UtteranceEnded):
                self._interim.over()
                text = await self._host.agent.transcribe(event.pcm)
                self._speech = event.pcm if text else self._speech
                self._perform(self._live.heard(text, len(event.pcm) / 2 / RATE, event.at, self._loop.time()))

    # ----------------------------------------------------------------------------------------- actions

    def _perform(self, todo: list[actions.Action]) -> None:
        for action in todo:
            match action:
                case actions.SendFrame(frame):
                    self._send(frame)
                case actions.AskAgent():
                    self._ask()
                case actions.StopAgent():
                    if self._answers:
                        self._answers.stop()
                    self._host.remember(self._session.id, self._live)
                case actions.OfferHandle(resumable):
                    self._offer(resumable)
                case actions.ForgetHandles():
                    self._host.memory.expire(self._session.id)
                case actions.TurnKept(turn):
                    self._event(turn.role, session=self._session.id, text=turn.text, cut=turn.cut)
                    self._host.remember(self._session.id, self._live)
                case actions.HistoryTrimmed(before, after):
                    self._event("compression", session=self._session.id, before=before, after=after)
                    self._host.remember(self._session.id, self._live)
                    if "compression-dies" in self._active:
                        self._close(*CLOSES["invalid"])
                case actions.CloseLink(code, reason):
                    self._close(code, reason)
        if self._answers:
            self._answers.report()
        self._wake()

    def _wake(self) -> None:
        """Have `tick` called at the session's next deadline."""
        if self._alarm:
            self._alarm.cancel()
        if not self._transport.closing and self._record.session:
            self._alarm = self._loop.call_at(self._live.deadline(), self._tick)

    def _tick(self) -> None:
        self._perform(self._live.tick(self._loop.time()))

    def _offer(self, resumable: bool) -> None:
        update: wire.Json = {}
        if self._transport.silent:
            return
        if resumable:
            if self._live.whole() and "deaf" not in self._active:  # a handle holds only what was heard
                self._held = self._taken, bytes(self._recent) if self._speaking else b""
            held, sound = self._held
            turns, old = (
                self._live.history[: self._live.covered],
                self._terms.traits.old_handles and not self._terms.vertex,
            )
            handle = self._host.memory.issue(self._session.id, turns, sound, old=old)
            update = {"newHandle": handle, "resumable": True}
            if self._terms.transparent:
                update["lastConsumedClientMessageIndex"] = str(held)
            self._event("handle", session=self._session.id, id=fingerprint(handle), turns=self._live.covered)
        self._send({"sessionResumptionUpdate": update})

    def _ask(self) -> None:
        """Have the session's last turn answered, unless a fault forbids it."""
        live, answers = self._live, self._answers
        assert answers is not None  # noqa: S101 - made in the setup, with the session
        self._event("question", session=self._session.id, text=live.history[-1].text)
        answers.stop()
        if "poison-dies" in self._active:
            self._timers.append(self._loop.call_later(DIES_S, self._close, *CLOSES["internal"]))
        if self._active.keys() & {"poison", "poison-dies"} or self._transport.closing:
            return
        now, age = datetime.now().astimezone(), self._host.memory.clock() - self._session.born
        facts = Facts(now, age, live.tokens(), self._terms.trigger or WINDOW, self._vision.describe)
        answers.begin(AgentQuestion(tuple(live.history), facts, self._speech, live.system))

    def _failed(self) -> None:
        """An agent is anybody's code: an error in it ends this link, not the server."""
        log.exception("link %d failed", self._record.n)
        self._close(*CLOSES["internal"])

    # ------------------------------------------------------------------------------------------ output

    def _event(self, kind: str, **event: Any) -> None:
        self._host.event(type=kind, n=self._record.n, t=round(self._loop.time() - self._opened, 3), **event)

    def _send(self, frame: wire.Json) -> None:
        for sent in self._frame_faults.frames(frame):
            self._transport.send(self._frame_faults.data(sent))
        for call in frame.get("toolCall", {}).get("functionCalls", ()):
            self._event("tool_call", session=self._session.id, **call)
        if "toolCallCancellation" in frame:
            self._event("tool_cancellation", session=self._session.id, **frame["toolCallCancellation"])
        if "goAway" in frame:
            self._event("goaway", time_left=frame["goAway"].get("timeLeft", ""))

    def _close(self, code: int, reason: str) -> None:
        if self._transport.closing:
            return
        if self._answers:
            self._answers.stop()
        self._record.code, self._record.reason = code, wire.cut_reason(reason)
        self._transport.close(code, self._record.reason)
        self._wake()

    # ------------------------------------------------------------------------------------------ faults

    def _strike(self, fault: Fault) -> None:
        """`fault`, which has a time, strikes now."""
        self._faults.note(fault)
        session = self._session.id if self._record.session else ""
        match fault.kind:
            case "drop":
                self._transport.drop()
            case "close":
                self._close(fault.code, fault.reason)
            case "stall":
                self._transport.silent = True
            case "pong-delay":
                self._transport.delay_pongs(fault.value)
            case "no-pong":
                self._transport.delay_pongs(None)
            case "half-open":
                self._transport.go_dark()
                if session:
                    self._host.memory.end(session)  # as the real service does: the session can be resumed
            case "goaway" | "goaway-silent":
                if session:
                    told = fault.reason.strip('"') if fault.reason else None
                    self._perform(self._live.go_away(fault.value, self._loop.time(), told))
                if fault.kind == "goaway-silent":
                    self._transport.silent = True
            case "expire-handles":
                if session:
                    self._host.memory.expire(session)
            case kind:
                self._active[kind] = fault
