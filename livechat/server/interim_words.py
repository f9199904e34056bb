"""The words of an utterance while it is still spoken: what a model that transcribes sends ahead of its final text.

Each text takes the place of the one before (docs/wire.md 1.4).
"""

import asyncio
import contextlib
from collections.abc import Callable

from livechat.server.agent import Agent
from livechat.server.utterances import RATE
from livechat.server.wire import Json

EVERY_S = 0.5  # of new sound


class InterimWords:
    """Those of one link, which sends a frame with `send`."""

    def __init__(self, agent: Agent, send: Callable[[Json], None]) -> None:
        self._agent, self._send = agent, send
        self._task: asyncio.Task[None] | None = None
        self._known_s = 0.0  # of the utterance, when it was transcribed last

    def hear(self, pcm: bytes) -> None:
        """The utterance so far, s16le mono at 16 kHz. One transcription at a time, so that none comes too late."""
        length = len(pcm) / 2 / RATE
        if length - self._known_s >= EVERY_S and (self._task is None or self._task.done()):
            self._known_s = length
            self._task = asyncio.ensure_future(self._transcribe(pcm))

    def over(self) -> None:
        """The utterance has ended: its final text comes next, and nothing after it."""
        self._known_s = 0.0
        if self._task:
            self._task.cancel()

    async def _transcribe(self, pcm: bytes) -> None:
        with contextlib.suppress(Exception):  # an agent is anybody's code, and the final text is asked for anew
            if text := await self._agent.transcribe(pcm):
                self._send({"serverContent": {"interimInputTranscription": {"text": text}}})
