"""An agent that understands speech: Silero finds it, Moonshine transcribes it, replies.py answers, hibari speaks.

Each model is loaded when it is first needed, and runs in a worker thread. One that cannot be loaded is replaced by
what a Parrot does. An utterance is transcribed during the silence that ends it, so an answer begins some 50 ms after
the end is certain.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import numpy as np

from livechat.errors import Notice, Notify
from livechat.server import replies
from livechat.server.agent import AgentQuestion, AnswerPiece, UtteranceDetector
from livechat.server.parrot import LoudnessDetector, Parrot
from livechat.server.speech_models import HOP, Recogniser, Samples, SileroVad, Synthesiser, samples_of
from livechat.server.spoken_text import limited, parts, pronounceable
from livechat.server.utterances import OUTPUT_RATE, RATE, Segmenter, UtteranceBegan, UtteranceEvent, UtterancePaused

log = logging.getLogger(__name__)

T = TypeVar("T")

EARS = os.cpu_count() or 1  # utterances that are recognised at once, and sentences that are spoken
FORESEEN = 64  # transcriptions begun before their utterances have ended, of all links
BEHIND_S = 2.0  # an utterance that waits longer to be recognised is late
SILENT_S = 1  # in place of what cannot be spoken
THRESHOLD = 0.5  # the probability of speech that counts as voice


class _Lazy(Generic[T]):
    """A model that is loaded in a worker thread when it is first asked for."""

    def __init__(self, load: Callable[[], T], pool: Executor) -> None:
        self._load = load
        self._pool = pool
        self._loaded: asyncio.Future[T | None] | None = None

    def begin(self) -> asyncio.Future[T | None]:
        """Begin to load it, unless that was done before."""
        if self._loaded is None:
            self._loaded = asyncio.get_running_loop().run_in_executor(self._pool, self._try)
        return self._loaded

    async def get(self) -> T | None:
        """The model; None if it cannot be loaded."""
        return await asyncio.shield(self.begin())

    def _try(self) -> T | None:
        try:
            return self._load()
        except Exception as error:  # noqa: BLE001 - whatever a broken native package raises
            log.warning("a speech model does not load: %s", error)
            return None


class SileroDetector:
    """Finds utterances with Silero, which tells speech from noise. Without it loudness decides."""

    def __init__(self, agent: SpeechAgent, silence_ms: int | None) -> None:
        self._agent = agent
        self._rest = b""
        self._state: Samples = np.zeros((2, 1, 128), np.float32)
        self._before: Samples = np.zeros(64, np.float32)
        self._segmenter = Segmenter(HOP / RATE * 1000, onset=3, silence_ms=silence_ms)
        self._by_loudness = LoudnessDetector(silence_ms)
        self._foreseen = b""  # the sound that was announced last

    async def hear(self, pcm: bytes) -> list[UtteranceEvent]:
        vad = await self._agent.vad.get()
        if vad is None:
            return await self._by_loudness.hear(pcm)
        pcm = self._rest + pcm
        whole = len(pcm) // (2 * HOP) * 2 * HOP
        self._rest = pcm[whole:]
        if not whole:
            return []
        events = await self._agent.detect(self._detect, vad, pcm[:whole])
        if any(isinstance(event, UtteranceBegan) for event in events):
            self._agent.prepare()
        if events and isinstance(events[-1], UtterancePaused):
            self._agent.foresee(events[-1].pcm, instead_of=self._foreseen)
            self._foreseen = events[-1].pcm
        return events

    async def flush(self) -> list[UtteranceEvent]:
        return self._segmenter.flush() + await self._by_loudness.flush()  # one of them has heard nothing

    def _detect(self, vad: SileroVad, pcm: bytes) -> list[UtteranceEvent]:
        samples = samples_of(pcm)
        events: list[UtteranceEvent] = []
        for at in range(0, len(samples), HOP):
            frame = np.concatenate([self._before, samples[at : at + HOP]])
            probability, self._state = vad(frame, self._state)
            self._before = frame[-64:]
            events += self._segmenter.push(pcm[2 * at : 2 * (at + HOP)], probability >= THRESHOLD)
        return events


class SpeechAgent:
    """The agent of the `offline` extra."""

    name = "offline agent: hears, answers and speaks on this computer"
    calls_functions = False

    def __init__(self, notify: Notify = log.warning) -> None:
        """`notify`: is told when this computer cannot keep up."""
        self._notify = notify
        # Each has threads of its own: what takes long for one client keeps no other from being heard or answered.
        self._detectors = ThreadPoolExecutor(1, "livechat-vad")
        self._ears = ThreadPoolExecutor(EARS, "livechat-ears")
        self._voices = ThreadPoolExecutor(EARS, "livechat-voices")
        # One model at a time: several that load together stop the loop for longer.
        self._loader = ThreadPoolExecutor(1, "livechat-models")
        self.vad = _Lazy(SileroVad, self._loader)
        self._recogniser = _Lazy(Recogniser, self._loader)
        self._synthesiser = _Lazy(Synthesiser, self._loader)
        self._parrot = Parrot()
        self._foreseen: dict[bytes, asyncio.Task[str]] = {}  # by the sound that is being transcribed
        self._behind = False  # and that was said

    def detector(self, silence_ms: int | None) -> UtteranceDetector:
        return SileroDetector(self, silence_ms)

    async def transcribe(self, pcm: bytes) -> str:
        if pcm in self._foreseen:
            # Shielded: a link that ends now must not cancel what its replayed sound will ask for again.
            return await asyncio.shield(self._foreseen[pcm])
        return await self._transcribe(pcm)

    async def reply(self, question: AgentQuestion) -> AsyncIterator[AnswerPiece]:
        repeat = bool(question.speech) and await self._recogniser.get() is None  # its words are not known
        answer = self._parrot.reply(question) if repeat else self.say(replies.reply(question.history, question.facts))
        async for piece in answer:
            yield piece

    async def say(self, text: str) -> AsyncIterator[AnswerPiece]:
        synthesiser = await self._synthesiser.get()
        if synthesiser is None:
            async for piece in self._parrot.say(text):
                yield piece
            return
        for sentence in synthesiser.sentences(limited(text)):
            for part in parts(sentence):
                yield AnswerPiece(part, await self._run(self._voices, self._speak, synthesiser, part))

    async def close(self) -> None:
        for task in self._foreseen.values():
            task.cancel()
        for pool in (self._detectors, self._ears, self._voices, self._loader):
            pool.shutdown(wait=False, cancel_futures=True)

    async def detect(self, job: Callable[..., T], *arguments: Any) -> T:
        """Run `job` of a detector in a thread."""
        return await self._run(self._detectors, job, *arguments)

    def prepare(self) -> None:
        """Load all models: somebody speaks, or will."""
        self.vad.begin()
        self._recogniser.begin()
        self._synthesiser.begin()

    def foresee(self, pcm: bytes, *, instead_of: bytes = b"") -> None:
        """Begin to transcribe `pcm`, which may turn out to be the whole utterance. `instead_of`: it is longer now."""
        if old := self._foreseen.pop(instead_of, None):
            old.cancel()
        while len(self._foreseen) >= FORESEEN:
            self._foreseen.pop(next(iter(self._foreseen))).cancel()
        self._foreseen[pcm] = asyncio.ensure_future(self._transcribe(pcm))

    async def _transcribe(self, pcm: bytes) -> str:
        recogniser = await self._recogniser.get()
        if recogniser is None:
            return await self._parrot.transcribe(pcm)
        asked = time.monotonic()

        def transcribe() -> tuple[float, str]:
            return time.monotonic() - asked, recogniser.transcribe(pcm)

        waited, words = await self._run(self._ears, transcribe)
        if waited > BEHIND_S and not self._behind:
            self._notify(Notice("speech is recognised late: more is said at once than this computer can recognise"))
        self._behind = waited > BEHIND_S
        return words

    def _speak(self, synthesiser: Synthesiser, part: str) -> bytes:
        """The sound of `part`; silence where the synthesiser fails at it, so that the answer goes on."""
        try:
            return synthesiser.speak(pronounceable(part))
        except Exception as error:  # noqa: BLE001 - whatever the package raises for a text that it cannot read
            log.warning("a part of an answer cannot be spoken (%s)", type(error).__name__)
            return bytes(SILENT_S * 2 * OUTPUT_RATE)

    @staticmethod
    async def _run(pool: Executor, job: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, job, *arguments)
