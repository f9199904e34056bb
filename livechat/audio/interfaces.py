"""The two interfaces every microphone, file and speaker stands behind, and the formats of the wire.

Rates and the 20 ms frame: docs/wire.md 7 (16 kHz in, 24 kHz out, chunks of 20 to 40 ms).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

INPUT_RATE = 16_000  # Hz, what the server hears
OUTPUT_RATE = 24_000  # Hz, what the server speaks unless it names another rate
FRAME_MS = 20
FRAME_BYTES = INPUT_RATE * FRAME_MS // 1000 * 2  # 640: one frame of s16le mono at INPUT_RATE


class Source(Protocol):
    """Where the person's voice comes from."""

    name: str  # for the status line and `start`: a device's name, a file's name, "stdin"

    def frames(self) -> AsyncIterator[bytes]:
        """Frames of exactly FRAME_BYTES, one every FRAME_MS of the loop's clock, until the input ends.

        Raises DeviceError when the source cannot be opened or breaks for good.
        """
        ...

    def close(self) -> None:
        """Give the device or file back. Safe to call twice."""
        ...


class Sink(Protocol):
    """Where the model's voice goes."""

    name: str

    async def run(self) -> None:
        """Play until cancelled. Raises DeviceError when the sink cannot be opened or breaks for good."""
        ...

    def play(self, pcm: bytes, rate: int) -> None:
        """Queue s16le mono at `rate` Hz, any even length. Never blocks; minutes may be queued."""
        ...

    def finish(self) -> None:
        """The answer is complete: what is queued is all of it, and no more need be waited for."""
        ...

    def pause(self) -> None:
        """Go silent at once, and keep what is queued. A sink that nobody listens to goes on."""
        ...

    def resume(self) -> None:
        """Go on from where pause() broke in; nothing if it did not."""
        ...

    def flush(self) -> float:
        """Go silent at once and forget what is queued. Returns how many ms were queued and not yet heard."""
        ...

    def pending_ms(self) -> float:
        """How many ms are queued and not yet heard."""
        ...

    def level(self) -> float:
        """Loudness of what is being played now, in dBFS (-90 for silence)."""
        ...

    def close(self) -> None:
        """Give the device or file back, a file finished and valid. Safe to call twice."""
        ...
