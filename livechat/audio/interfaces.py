"""The interfaces of everything that gives or takes sound, and the formats of the wire.

Rates and the 20 ms frame: docs/wire.md 7 (16 kHz in, 24 kHz out, chunks of 20 to 40 ms).
"""

from collections.abc import AsyncIterator
from typing import Protocol

INPUT_RATE = 16_000  # Hz, what the server hears
OUTPUT_RATE = 24_000  # Hz, what the server speaks unless it names another rate
FRAME_MS = 20
FRAME_BYTES = INPUT_RATE * FRAME_MS // 1000 * 2  # 640: one frame of s16le mono at INPUT_RATE
QUEUE_S = 600  # the model's voice arrives several times faster than it is played (docs/wire.md 1.6)


class Source(Protocol):
    """Where the person's voice comes from."""

    name: str  # for the status line and `start`: a device's name, a file's name, "stdin"

    def frames(self) -> AsyncIterator[bytes]:
        """Frames of exactly FRAME_BYTES, one every FRAME_MS of the loop's clock, until the input ends.

        Raises DeviceError when the source cannot be opened or fails for good.
        """

    def close(self) -> None:
        """Release the device or file. Safe to call twice."""


class Sink(Protocol):
    """Where the model's voice goes."""

    name: str

    async def run(self) -> None:
        """Play until cancelled. Raises DeviceError when the sink cannot be opened or fails for good."""

    def play(self, pcm: bytes, rate: int) -> None:
        """Queue s16le mono at `rate` Hz, any even length. Never blocks. At most QUEUE_S are queued."""

    def finish(self) -> None:
        """The answer is complete: nothing more needs to be waited for before playing what is queued."""

    def pause(self) -> None:
        """Become silent at once, and keep what is queued. A sink that nobody listens to goes on instead."""

    def resume(self) -> None:
        """Go on where pause() interrupted. Does nothing if the sink is not paused."""

    def flush(self) -> float:
        """Become silent at once and drop what is queued. Returns how many ms were queued and not yet heard."""

    def pending_ms(self) -> float:
        """How many ms are queued and not yet heard."""

    def level(self) -> float:
        """Loudness of what is being played now, in dBFS (-90 for silence)."""

    def close(self) -> None:
        """Release the device, or complete the file. Safe to call twice."""
