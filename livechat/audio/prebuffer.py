"""How much of an answer to have before playing it: little, unless the line is slow."""

from __future__ import annotations

_LEAST_S = 0.12  # what a speaker of 0.1 s latency takes at once: less would leave a hole in it (docs/audio.md A2)
_MOST_S = 3.0


class Cushion:
    """`seconds` of sound to be queued before playback starts, or starts again after it ran dry.

    Doubled each time an answer runs dry, halved by each answer that does not. A line that brings a quarter of a
    second of speech each second, as measured (docs/wire.md 1.6), is so heard in phrases and not in syllables.
    """

    def __init__(self) -> None:
        self.seconds = _LEAST_S
        self._steady = True

    def ran_dry(self) -> None:
        """The answer went on after everything queued had been played."""
        self.seconds = min(2 * self.seconds, _MOST_S)
        self._steady = False

    def answer_over(self) -> None:
        """All of the answer is queued, or will never be."""
        if self._steady:
            self.seconds = max(self.seconds / 2, _LEAST_S)
        self._steady = True
