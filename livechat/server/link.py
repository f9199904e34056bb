"""One connection to the server, from its first frame to its last: feeds the model, performs what it asks."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from livechat.server import live_session, wire
from livechat.server.agent import AnswerPiece, Question, pieces
from livechat.server.close_reasons import CLOSES, Rejected, closed
from livechat.server.fault_plan import Fault
from livechat.server.frame_faults import FrameFaults
from livechat.server.history import Facts
from livechat.server.link_faults import LinkFaults
from livechat.server.link_record import LinkHost
from livechat.server.models import WINDOW
from livechat.server.session_memory import OtherModelError, StoredSession, fingerprint
from livechat.server.terms import Endpoint, agree
from livechat.server.transport import LinkTransport
from livechat.server.utterances import (
    BEFORE_MS,
    LONGEST_S,
    RATE,
    UtteranceBegan,
    UtteranceEnded,
    UtteranceEvent,
    resampled,
)

log = logging.getLogger(__name__)

SETUP_S = 0.13  # from setup to setupComplete, the median measured (docs/wire.md 1.1)
FASTER = 4.0  # an answer is sent so much faster than it sounds (docs/wire.md 1.6)

GAP_S = 4.0  # between the bursts of an answer that trickles (docs/wire.md 1.6)
FIRST_WORDS = "Let me check that for you."  # of a model that answers in several utterances
THINK_S = 3.0  # from the end of one of them to the next
MUTE_S = 0.5  # from a question to a turn that is complete with nothing said
DIES_S = 0.4  # from an utterance to the end of a session that dies of it (docs/wire.md 2.6)


class ServerLink:
    """Serves one client until either side closes. `key`: what it showed as an API key."""

    def __init__(
        self,
        ws: ServerConnection,
        host: LinkHost,
        fate: LinkFaults,
        *,
        route: Endpoint,
        key: str,
    ) -> None:
        self._ws = ws
        self._host = host
        self._route = route
        self._key = key
        self._fate = fate
        self._manners = fate.manners
        self._record = fate.record
        self._loop = asyncio.get_running_loop()
        self._opened = fate.opened
        self._line = LinkTransport(ws)
        self._tamper = FrameFaults(self._manners)
        self._reply: asyncio.Task[None] | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._heard_s = 0.0
        self._asked = 0  # questions of this link
        self._speech = b""  # the sound of the question to be answered
        self._marked: bytearray | None = None  # sound between activityStart and activityEnd
        self._taken = 0  # the number of the client's last message; its setup is 0
        self._held = 0, b""  # what the newest handle holds: up to which of them, and of the utterance under way
        self._speaking = False  # an utterance is under way
        self._going_on = bytearray()  # its sound so far, or that of the moment before one

    async def run(self) -> None:
        """Serve. Never raises for what a client or an agent does."""
        writer = asyncio.create_task(self._line.run())
        session: StoredSession | None = None
        try:
            self._timers += self._fate.schedule(self._strike)
            try:
                async with asyncio.timeout(self._host.times.lifetime):
                    session = await self._set_up()
            except TimeoutError:
                raise closed("idle") from None
            await self._serve()
        except Rejected as rejected:
            self._do([live_session.CloseLink(rejected.code, rejected.reason)])
            await writer
        except ConnectionClosed:
            pass
        except Exception:  # noqa: BLE001 - see _failed
            self._failed()
            await writer
        finally:
            if session and not self._line.dark:  # else it was let go of then, and another link may be on it
                self._host.memory.end(session.id)
                self._host.remembers(session.id, self._live)
            for timer in [*self._timers, *([self._alarm] if self._alarm else [])]:
                timer.cancel()
            self._line.stop()
            tasks = [writer, *([self._reply] if self._reply else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------------------------------------ setup

    async def _set_up(self) -> StoredSession:
        if not self._key:
            raise closed("no-key")
        if self._key == "invalid":
            raise closed("bad-key")
        first = wire.parse(await self._ws.recv())
        if len(first) != 1 or not isinstance(first[0], wire.ClientSetup):
            raise closed("invalid")
        terms = agree(first[0].body, self._route, self._host.as_model)
        slow = self._fate.suffers("slow-setup")
        await asyncio.sleep(max(SETUP_S, slow.value if slow else 0.0))
        never = self._fate.suffers("no-setup")
        while never or self._line.dark:  # nothing of this setup reaches anyone
            await self._ws.recv()
        self._fate.admit(resumes=terms.handle is not None)
        self._ear = self._host.agent.ear(terms.silence_ms)
        try:
            memory = self._host.memory
            session = memory.resume(terms.handle, terms.model) if terms.handle else memory.begin(terms.model)
        except OtherModelError:
            self._send({"setupComplete": {}})
            raise
        self._terms, self._session = terms, session
        self._live = live_session.LiveSession(terms, session.turns, self._opened, self._loop.time(), self._host.times)
        record = self._record
        record.session, record.model, record.resumed = session.id, terms.model, terms.handle is not None
        self._event("setup", session=session.id, model=terms.model, resumed=record.resumed, turns=len(session.turns))
        self._send({"setupComplete": {"sessionId": session.id} if terms.vertex else {}})
        return session

    # ------------------------------------------------------------------------------------------ input

    async def _serve(self) -> None:
        if self._session.sound and self._terms.transparent:  # before the first handle, which must hold it too
            await self._hear(self._session.sound)
        self._wake()
        async for frame in self._ws:
            if self._line.closing:
                continue
            for message in wire.parse(frame):
                await self._take(message)
            self._taken += 1

    async def _take(self, message: wire.ClientMessage) -> None:
        live, now = self._live, self._loop.time()
        if "deaf" in self._manners and not isinstance(message, wire.ClientAudio):
            return
        match message:
            case wire.ClientAudio():
                await self._take_audio(message)
            case wire.ClientText(text):
                self._speech = b""
                self._do(live.typed(text, now))
            case wire.ClientContent(turns, complete):
                self._speech = b""
                self._do(live.content(turns, complete, now))
            case wire.ClientActivity(began):
                await self._take_activity(began)
            case wire.ClientStreamEnd():
                if not self._terms.manual:
                    await self._take_heard(await self._ear.flush())
            case wire.ClientContextUpdate(system):
                live.system = live.system if system is None else system
            case wire.ClientSetup():
                raise closed("invalid")
            case wire.ClientVideo() | wire.ClientToolResponse():
                pass

    async def _take_audio(self, audio: wire.ClientAudio) -> None:
        if audio.legacy and self._terms.family.chunks != "taken":
            if self._terms.family.chunks == "refused":
                raise closed("invalid")
            return
        self._record.audio_bytes += len(audio.pcm)
        self._host.audio(self._record.n, audio.pcm)
        self._live.audio(self._loop.time())
        pcm = resampled(audio.pcm, audio.rate, RATE)
        self._heard_s += len(pcm) / 2 / RATE
        if "deaf" in self._manners:
            pass
        elif not self._terms.manual:
            await self._hear(pcm)
        elif self._marked is not None:
            self._marked += pcm
        self._wake()

    async def _hear(self, pcm: bytes) -> None:
        heard = await self._ear.hear(pcm)
        if self._terms.transparent:
            self._going_on += pcm
        await self._take_heard(heard)
        keep_s = LONGEST_S if self._speaking else BEFORE_MS / 1000
        del self._going_on[: -int(2 * RATE * keep_s)]

    async def _take_activity(self, began: bool) -> None:
        if not self._terms.manual:
            raise closed("activity")
        if began and self._marked is None:
            self._marked = bytearray()
            await self._take_heard([UtteranceBegan(self._heard_s)])
        elif not began and self._marked is not None:
            pcm, self._marked = bytes(self._marked), None
            if not pcm:
                self._send({"serverContent": {"turnComplete": True}, "usageMetadata": {}})
                raise closed("precondition")
            await self._take_heard([UtteranceEnded(self._heard_s, pcm)])

    async def _take_heard(self, heard: list[UtteranceEvent]) -> None:
        for event in heard:
            self._speaking = not isinstance(event, UtteranceEnded)
            if isinstance(event, UtteranceBegan):
                self._do(self._live.speech_began(event.at, self._loop.time()))
            elif isinstance(event, UtteranceEnded):
                text = await self._host.agent.transcribe(event.pcm)
                self._speech = event.pcm if text else self._speech
                self._do(self._live.heard(text, len(event.pcm) / 2 / RATE, event.at, self._loop.time()))

    # ----------------------------------------------------------------------------------------- actions

    def _do(self, actions: list[live_session.Action]) -> None:
        for action in actions:
            match action:
                case live_session.SendFrame(frame):
                    self._send(frame)
                case live_session.AskAgent():
                    self._ask()
                case live_session.StopAgent():
                    if self._reply:
                        self._reply.cancel()
                    self._host.remembers(self._session.id, self._live)
                case live_session.OfferHandle(resumable):
                    self._offer(resumable)
                case live_session.TurnKept(turn):
                    self._event(turn.role, session=self._session.id, text=turn.text, cut=turn.cut)
                    self._host.remembers(self._session.id, self._live)
                case live_session.HistoryTrimmed(before, after):
                    self._event("compression", session=self._session.id, before=before, after=after)
                    self._host.remembers(self._session.id, self._live)
                    if "compression-dies" in self._manners:
                        self._close(live_session.CloseLink(*CLOSES["invalid"]))
                case live_session.CloseLink():
                    self._close(action)
        self._wake()

    def _wake(self) -> None:
        """Have `tick` called when the model wants it."""
        if self._alarm:
            self._alarm.cancel()
        if not self._line.closing and self._record.session:
            self._alarm = self._loop.call_at(self._live.deadline(), self._tick)

    def _tick(self) -> None:
        self._do(self._live.tick(self._loop.time()))

    def _offer(self, resumable: bool) -> None:
        update: wire.Json = {}
        if self._line.silent:
            return
        if resumable:
            if self._live.whole() and "deaf" not in self._manners:  # what is not heard is not held
                self._held = self._taken, bytes(self._going_on) if self._speaking else b""
            held, sound = self._held
            handle = self._host.memory.issue(self._session.id, self._live.history[: self._live.covered], sound)
            update = {"newHandle": handle, "resumable": True}
            if self._terms.transparent:
                update["lastConsumedClientMessageIndex"] = str(held)
            self._event("handle", session=self._session.id, id=fingerprint(handle), turns=self._live.covered)
        self._send({"sessionResumptionUpdate": update})

    def _ask(self) -> None:
        self._event("question", session=self._session.id, text=self._live.history[-1].text)
        if self._reply:
            self._reply.cancel()
        if "poison-dies" in self._manners:
            self._timers.append(
                self._loop.call_later(DIES_S, self._close, live_session.CloseLink(*CLOSES["internal"]))
            )
        if self._manners.keys() & {"poison", "poison-dies"} or self._line.closing:
            return
        self._asked += 1
        if self._strikes("silence"):
            self._live.keeps_silent()
            return
        question = Question(tuple(self._live.history), self._facts(), self._speech)
        mute = self._strikes("reason") or self._strikes("empty-turn")
        self._reply = self._loop.create_task(self._say_nothing(mute) if mute else self._answer(question))

    def _strikes(self, kind: str) -> Fault | None:
        """The fault of this kind, if it strikes the question that has just been asked."""
        fault = self._manners.get(kind)
        return fault if fault and fault.value in (0, self._asked) else None

    async def _say_nothing(self, fault: Fault) -> None:
        await asyncio.sleep(MUTE_S)
        self._event("nothing", session=self._session.id, reason=fault.reason)
        self._do(self._live.says_nothing(self._loop.time(), fault.reason))

    def _facts(self) -> Facts:
        age = self._host.memory.clock() - self._session.born
        return Facts(datetime.now().astimezone(), age, self._live.tokens(), self._terms.trigger or WINDOW)

    async def _answer(self, question: Question) -> None:
        agent, live = self._host.agent, self._live
        written = self._strikes("text-answer") is not None
        try:
            if self._terms.family.utterances:
                await self._utter(agent.say(FIRST_WORDS), written)
                self._do(live.said_all(self._loop.time(), more=True))
                slow = self._manners.get("think")
                await asyncio.sleep(live.unplayed(self._loop.time()) + (slow.value if slow else THINK_S))
            await self._utter(agent.reply(question), written)
            self._do(live.said_all(self._loop.time()))
        except Exception:  # noqa: BLE001 - see _failed
            self._failed()

    async def _utter(self, utterance: AsyncIterator[AnswerPiece], written: bool) -> None:
        """Send it as fast as this link may; `written`: without its sound."""
        slow = self._manners.get("trickle")
        faster = math.inf if "burst" in self._manners else slow.value if slow else FASTER
        gap = GAP_S if slow else 0.0
        ahead = 0.0  # of the pace, in seconds
        async for said in utterance:
            for text, pcm in pieces(AnswerPiece(said.text, b"") if written else said):
                self._do(self._live.said(text, pcm, self._loop.time(), written=written))
                ahead += len(pcm) / live_session.OUTPUT_BYTES_PER_SECOND / faster
                if ahead >= gap:
                    await asyncio.sleep(ahead)
                    ahead = 0.0
        await asyncio.sleep(ahead)

    def _failed(self) -> None:
        """An agent is anybody's code: its failure ends this link, not the server."""
        log.exception("link %d failed", self._record.n)
        self._do([live_session.CloseLink(*CLOSES["internal"])])

    # ------------------------------------------------------------------------------------------ output

    def _event(self, kind: str, **event: Any) -> None:
        self._host.event(type=kind, n=self._record.n, t=round(self._loop.time() - self._opened, 3), **event)

    def _send(self, frame: wire.Json) -> None:
        for sent in self._tamper.frames(frame):
            self._line.send(self._tamper.data(sent))
        if "goAway" in frame:
            self._event("goaway", time_left=frame["goAway"].get("timeLeft", ""))

    def _close(self, close: live_session.CloseLink) -> None:
        if self._line.closing:
            return
        if self._reply and self._reply is not asyncio.current_task():
            self._reply.cancel()
        self._record.code, self._record.reason = close.code, wire.cut_reason(close.reason)
        self._line.close(close.code, self._record.reason)

    # ------------------------------------------------------------------------------------------ faults

    def _strike(self, fault: Fault) -> None:
        self._fate.note(fault)
        match fault.kind:
            case "drop":
                self._line.drop()
            case "close":
                self._do([live_session.CloseLink(fault.code, fault.reason)])
            case "stall":
                self._line.silent = True
            case "pong-delay":
                self._line.delay_pongs(fault.value)
            case "no-pong":
                self._line.delay_pongs(None)
            case "half-open":
                self._line.go_dark()
                if self._record.session:
                    # The real service lets go of a session whose line is gone: it can be resumed.
                    self._host.memory.end(self._session.id)
            case "goaway" | "goaway-silent":
                if self._record.session:
                    told = fault.reason.strip('"') if fault.reason else None
                    self._do(self._live.go_away(fault.value, self._loop.time(), told))
                if fault.kind == "goaway-silent":
                    self._line.silent = True
            case "expire-handles":
                if self._record.session:
                    self._host.memory.expire(self._session.id)
            case manner:
                self._manners[manner] = fault
