"""The agent of a server: who listens, thinks and speaks at the other end, as a protocol.

parrot.py holds the simplest agent, speech_agent.py one that understands speech. agent_choice.py chooses between them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from livechat.server.history import Facts, HistoryTurn
from livechat.server.utterances import UtteranceEvent
from livechat.server.wire import Json


@dataclass(frozen=True, slots=True)
class AgentQuestion:
    """The last turn of `history`, to be answered. `speech`: its sound, s16le mono at 16 kHz; b"" if it was typed.

    `system`: the system instruction in force. `functions`: those that the client declared, as it declared them.
    `call` has the client run one of them, by its name with these arguments, and gives back its response.
    """

    history: Sequence[HistoryTurn]
    facts: Facts
    speech: bytes
    system: str = ""
    functions: Sequence[Json] = ()
    call: Callable[[str, Json], Awaitable[Json]] | None = None


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """A piece of an answer, such as a sentence: its text, and its sound, s16le mono at 24 kHz."""

    text: str
    pcm: bytes


class UtteranceDetector(Protocol):
    """Finds utterances in the sound of one link."""

    async def hear(self, pcm: bytes) -> list[UtteranceEvent]:
        """What begins or ends within the next sound. `pcm`: s16le mono at 16 kHz, of any length."""

    async def flush(self) -> list[UtteranceEvent]:
        """What ends because the sound ends here."""


class Agent(Protocol):
    """Listens, thinks and speaks for every link of a server."""

    name: str  # in plain words, for the first line of `livechat serve`
    calls_functions: bool  # by itself, with AgentQuestion.call; else the words of a question decide (tool_calls.py)

    def detector(self, silence_ms: int | None) -> UtteranceDetector:
        """A new detector. `silence_ms` of silence end an utterance; None: the agent decides."""

    async def transcribe(self, pcm: bytes) -> str:
        """The words of an utterance, s16le mono at 16 kHz; "" if it has none."""

    def reply(self, question: AgentQuestion) -> AsyncIterator[AnswerPiece]:
        """The answer, piece by piece, as fast as it can be made."""

    def say(self, text: str) -> AsyncIterator[AnswerPiece]:
        """`text` in the voice of the answers."""

    async def close(self) -> None:
        """Free what the agent holds."""
