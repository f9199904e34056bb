"""The simplest agent: it needs no models and repeats what it hears.

Tests give a server an agent of their own. The easiest way is a Parrot with its own `transcribe` or `reply`.
"""

from collections.abc import AsyncIterator

from livechat.server import replies
from livechat.server.agent import AgentQuestion, AnswerPiece, UtteranceDetector
from livechat.server.utterances import OUTPUT_RATE, RATE, LoudnessVad, Segmenter, UtteranceEvent, beep, resampled

WORD_S = 0.3  # one word of an answer: half of it a beep, half a pause


class LoudnessDetector:
    """Finds utterances by loudness alone."""

    def __init__(self, silence_ms: int | None) -> None:
        self._rest = b""
        self._vad = LoudnessVad()
        self._segmenter = Segmenter(LoudnessVad.FRAME_MS, onset=4, silence_ms=silence_ms)

    async def hear(self, pcm: bytes) -> list[UtteranceEvent]:
        pcm = self._rest + pcm
        whole = len(pcm) // LoudnessVad.FRAME_BYTES * LoudnessVad.FRAME_BYTES
        self._rest = pcm[whole:]
        events: list[UtteranceEvent] = []
        for at in range(0, whole, LoudnessVad.FRAME_BYTES):
            frame = pcm[at : at + LoudnessVad.FRAME_BYTES]
            events += self._segmenter.push(frame, self._vad.voiced(frame))
        return events

    async def flush(self) -> list[UtteranceEvent]:
        return self._segmenter.flush()


class Parrot:
    """Repeats speech in the person's own voice. Typed text it answers in text, with one soft beep for each word."""

    name = "no speech models: it repeats what you say"
    calls_functions = False

    def detector(self, silence_ms: int | None) -> UtteranceDetector:
        return LoudnessDetector(silence_ms)

    async def transcribe(self, pcm: bytes) -> str:
        return f"(speech, {len(pcm) / 2 / RATE:.1f} s)"

    async def reply(self, question: AgentQuestion) -> AsyncIterator[AnswerPiece]:
        if question.speech:
            length = len(question.speech) / 2 / RATE
            yield AnswerPiece(f"(your own words, {length:.1f} s)", resampled(question.speech, RATE, OUTPUT_RATE))
            return
        async for piece in self.say(replies.reply(question.history, question.facts)):
            yield piece

    async def say(self, text: str) -> AsyncIterator[AnswerPiece]:
        word = beep(WORD_S / 2) + bytes(round(WORD_S / 2 * OUTPUT_RATE) * 2)
        yield AnswerPiece(text, word * len(text.split()))

    async def close(self) -> None:
        """There is nothing to free."""
