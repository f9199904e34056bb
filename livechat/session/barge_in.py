"""Pauses the model's voice when the person speaks over it (barge-in), before the server says so.

The server takes some hundred ms to notice, and its message needs time to arrive. So playback is paused as soon as
somebody clearly speaks. Then the server decides: if it says `interrupted`, the rest is dropped; if it does not, as
for a cough or a "yes", playback goes on where it stopped.
"""

from collections import deque

from livechat.audio.interfaces import FRAME_MS, Sink

_WINDOW_MS = 300
_SPEECH_MS = 200  # of the window; what echo cancelling leaves was measured to be 180 at most
_CONFIRM_S = 1.5  # the time that the server has to say `interrupted`


class BargeIn:
    """Pauses and resumes the sink of one conversation. It is told of every frame of the microphone."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._recent: deque[bool] = deque(maxlen=_WINDOW_MS // FRAME_MS)
        self._paused_at: float | None = None
        self._refused = False  # the server did not confirm the last pause, and the person has not been silent since

    def heard(self, voiced: bool, now: float) -> None:
        """The next frame: whether it is speech, and the time in seconds."""
        if self._paused_at is not None:
            if now - self._paused_at > _CONFIRM_S:
                self._paused_at = None
                self._refused = True
                self._sink.resume()
            return
        if not self._sink.pending_ms():
            self._recent.clear()
            return
        self._recent.append(voiced)
        if not any(self._recent):
            self._refused = False
        if sum(self._recent) * FRAME_MS >= _SPEECH_MS and not self._refused:
            self._paused_at = now
            self._recent.clear()
            self._sink.pause()

    def confirmed(self) -> None:
        """The server says `interrupted`. The caller has flushed the sink."""
        self._paused_at = None
        self._recent.clear()
