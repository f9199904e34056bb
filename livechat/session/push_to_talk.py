"""Which frames of the microphone are sent: all, none while it is muted, or those while a key is held (push-to-talk).

A frame that is not sent is replaced by silence, since a server closes a link on which no sound arrives
(docs/wire.md 3.2).
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS
from livechat.session.events import Signal

PREROLL_MS = 300  # sent from before the key was pressed: people begin to speak before the finger is down
TAIL_MS = 200  # sent after the key was released: the finger is up before the last syllable is over
APART_S = 0.5  # least time between the end of one activity and the start of the next (docs/wire.md 5)
_SILENCE = bytes(FRAME_BYTES)


class Outgoing(NamedTuple):
    """A frame to be sent, or a signal in its place. `speech`: None where voice detection has to decide."""

    frame: bytes
    speech: bool | None = None
    signal: Signal | None = None


class Gate:
    """Decides for one microphone. With `push_to_talk` it is closed until the key is pressed."""

    def __init__(self, *, push_to_talk: bool) -> None:
        self.push_to_talk = push_to_talk
        self.muted = False
        self.pressed = False
        self._announce: Signal | None = None
        self._wanted = False  # the key was pressed, and may be released again, before an activity could begin
        self._active = False  # between activityStart and activityEnd
        self._ended_at = float("-inf")
        self._tail_ms = 0
        self._before: deque[bytes] = deque(maxlen=round((PREROLL_MS + APART_S * 1000) / FRAME_MS))
        self._waited_ms = 0  # since the key was pressed, until APART_S is over

    def mute(self, on: bool) -> None:
        if on and not self.muted and not self.push_to_talk:
            self._announce = "stream end"  # so that what was said so far is answered at once
        self.muted = on
        if on:
            self.pressed = self._wanted = False

    def press(self, on: bool) -> None:
        """The push-to-talk key is pressed or released. Pressing it also unmutes."""
        self.pressed = on
        if on:
            self.muted, self._wanted = False, True

    def feed(self, frame: bytes, now: float) -> Iterator[Outgoing]:
        """What is sent for one frame of the microphone, at `now` in seconds."""
        if self._announce:
            yield Outgoing(b"", signal=self._announce)
            self._announce = None
        if self.push_to_talk:
            yield from self._talk(frame, now)
        else:
            yield Outgoing(_SILENCE, speech=False) if self.muted else Outgoing(frame)

    def _talk(self, frame: bytes, now: float) -> Iterator[Outgoing]:
        if self._active:
            self._wanted = False
            yield Outgoing(_SILENCE if self.muted else frame, speech=True)
            self._tail_ms = TAIL_MS if self.pressed else self._tail_ms - FRAME_MS
            if self._tail_ms <= 0 or self.muted:
                self._active = False
                self._ended_at = now
                yield Outgoing(b"", signal="end")
            return
        self._before.append(frame)
        if not self._wanted:
            self._waited_ms = 0
            yield Outgoing(_SILENCE, speech=False)
            return
        self._waited_ms += FRAME_MS
        if now < self._ended_at + APART_S:
            return
        yield Outgoing(b"", signal="start")
        for before in list(self._before)[-((PREROLL_MS + self._waited_ms) // FRAME_MS) :]:
            yield Outgoing(before, speech=True)
        self._before.clear()
        self._waited_ms = 0
        self._active, self._tail_ms = True, TAIL_MS
