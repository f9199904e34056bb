"""A voice made of letters, for tests that need no sound: "x" is a frame of speech, any other letter of silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS

VOICE = b"\1" * FRAME_BYTES


class FakeVoice:
    """A source, one letter each FRAME_MS, or all at once if `fast`; for ever if `endless`."""

    name = "voice"

    def __init__(self, letters: str, *, fast: bool = False, endless: bool = False) -> None:
        self._letters, self._fast, self._endless = letters, fast, endless
        self.read = 0  # frames

    async def frames(self) -> AsyncIterator[bytes]:
        while True:
            for letter in self._letters:
                await asyncio.sleep(0 if self._fast else FRAME_MS / 1000)
                self.read += 1
                yield VOICE if letter == "x" else bytes(FRAME_BYTES)
            if not self._endless:
                return

    def close(self) -> None:
        pass


class FakeDetector:
    """Hears speech in every frame of VOICE."""

    hangover_ms = 100
    voiced = False

    def feed(self, frame: bytes) -> bool:
        self.voiced = any(frame)
        return self.voiced
