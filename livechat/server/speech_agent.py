"""An agent that understands speech: silero finds it, Moonshine writes it down, the brain answers, hibari speaks.

Models load and run in worker threads. An utterance is transcribed during the silence that ends it, so that
an answer begins some 50 ms after the end is certain.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from livechat.server import replies
from livechat.server.agent import AnswerPiece, LoudnessDetector, Parrot, Question, UtteranceDetector
from livechat.server.speech_models import HOP, Models, Samples, samples_of
from livechat.server.utterances import RATE, Segmenter, UtteranceEvent, UtterancePaused

log = logging.getLogger(__name__)

T = TypeVar("T")

THRESHOLD = 0.5  # the probability of speech that counts as voice


class SileroDetector:
    """An ear that tells speech from noise. Falls back to loudness where the models do not load."""

    def __init__(self, agent: SpeechAgent, silence_ms: int | None) -> None:
        self._agent = agent
        self._rest = b""
        self._state: Samples = np.zeros((2, 1, 128), np.float32)
        self._before: Samples = np.zeros(64, np.float32)
        self._segmenter = Segmenter(HOP / RATE * 1000, onset=3, silence_ms=silence_ms)
        self._plain = LoudnessDetector(silence_ms)

    async def hear(self, pcm: bytes) -> list[UtteranceEvent]:
        models = await self._agent.models()
        if models is None:
            return await self._plain.hear(pcm)
        pcm = self._rest + pcm
        whole = len(pcm) // (2 * HOP) * 2 * HOP
        self._rest = pcm[whole:]
        if not whole:
            return []
        heard = await self._agent.work(self._detect, models, pcm[:whole])
        if heard and isinstance(heard[-1], UtterancePaused):
            self._agent.foresee(models, heard[-1].pcm)
        return heard

    async def flush(self) -> list[UtteranceEvent]:
        return await self._plain.flush() if await self._agent.models() is None else self._segmenter.flush()

    def _detect(self, models: Models, pcm: bytes) -> list[UtteranceEvent]:
        samples = samples_of(pcm)
        heard: list[UtteranceEvent] = []
        for at in range(0, len(samples), HOP):
            frame = np.concatenate([self._before, samples[at : at + HOP]])
            probability, self._state = models.silero(frame, self._state)
            self._before = frame[-64:]
            heard += self._segmenter.push(pcm[2 * at : 2 * (at + HOP)], probability >= THRESHOLD)
        return heard


class SpeechAgent:
    """The agent of the `offline` extra. Where its models do not load it does as a Parrot, and `name` says so."""

    def __init__(self) -> None:
        self.name = "offline agent: hears, answers and speaks on this computer"
        # Two: a long transcription for one client must not stop another from being heard.
        self._pool = ThreadPoolExecutor(2, "livechat-speech")
        self._parrot = Parrot()
        self._loading: asyncio.Future[Models] | None = None
        self._failed = False
        self._foreseen: tuple[bytes, Future[str]] | None = None

    async def start(self) -> None:
        await self.models()

    def ear(self, silence_ms: int | None) -> UtteranceDetector:
        return SileroDetector(self, silence_ms)

    async def transcribe(self, pcm: bytes) -> str:
        models = await self.models()
        if models is None:
            return await self._parrot.transcribe(pcm)
        if self._foreseen and self._foreseen[0] == pcm:
            # Shielded: a link that ends now must not cancel what its replayed sound will ask for again.
            return await asyncio.shield(asyncio.wrap_future(self._foreseen[1]))
        return await self.work(models.recogniser.transcribe, pcm)

    async def reply(self, question: Question) -> AsyncIterator[AnswerPiece]:
        parrots = await self.models() is None
        words = self._parrot.reply(question) if parrots else self.say(replies.reply(question.history, question.facts))
        async for said in words:
            yield said

    async def say(self, text: str) -> AsyncIterator[AnswerPiece]:
        models = await self.models()
        if models is None:
            async for said in self._parrot.say(text):
                yield said
            return
        for sentence in models.voice.sentences(text):
            yield AnswerPiece(sentence, await self.work(models.voice.speak, sentence))

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def models(self) -> Models | None:
        """The models once they are loaded; None if they cannot be."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().run_in_executor(self._pool, Models)
        try:
            return await asyncio.shield(self._loading)
        except Exception as error:  # noqa: BLE001 - whatever a broken native package raises
            if not self._failed:
                self._failed = True
                log.warning("the speech models do not load: %s", error)
                self.name = f"the speech models do not load ({error}): it gives your own words back"
            return None

    async def work(self, job: Callable[..., T], *arguments: Any) -> T:
        """Run `job` in a worker thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, job, *arguments)

    def foresee(self, models: Models, pcm: bytes) -> None:
        """Begin to transcribe `pcm`, which may turn out to be the whole utterance."""
        self._foreseen = pcm, self._pool.submit(models.recogniser.transcribe, pcm)
