"""How much of an answer is queued before playback starts: little, unless the line is slow."""

_LEAST_S = 0.12  # a speaker of 0.1 s latency takes so much at once: less would leave a gap (docs/audio.md A2)
_MOST_S = 3.0


class Prebuffer:
    """Playback starts, or starts again after it ran dry, when `seconds` of sound are queued.

    Each time an answer runs dry they double. Each answer that does not run dry halves them. So a line that brings a
    quarter of a second of speech each second, as measured (docs/wire.md 1.6), is heard in phrases, not in syllables.
    """

    def __init__(self) -> None:
        self.seconds = _LEAST_S
        self._steady = True

    def ran_dry(self) -> None:
        """More of the answer arrived after everything queued had been played."""
        self.seconds = min(2 * self.seconds, _MOST_S)
        self._steady = False

    def answer_over(self) -> None:
        """No more of this answer will be queued."""
        if self._steady:
            self.seconds = max(self.seconds / 2, _LEAST_S)
        self._steady = True
