"""What of the microphone goes out: all of it, nothing while it is muted, or what is said with the key pressed.

Pure. Silence goes out in the place of what does not, frame for frame: a server closes a line on which
nothing comes (docs/wire.md 3.2).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS
from livechat.session.events import Signal

PREROLL_MS = 300  # kept from before the key was pressed: speech begins before the finger is down
TAIL_MS = 200  # sent after it was released: the finger is up before the last syllable is over
APART_S = 0.5  # from one activity's end to the next one's beginning, at least (docs/wire.md 5)
_SILENCE = bytes(FRAME_BYTES)


class Out(NamedTuple):
    """A frame to be sent, or a signal in its place. `speech`: None where voice detection is to say."""

    frame: bytes
    speech: bool | None = None
    signal: Signal | None = None


class Gate:
    """One microphone's. With `push_to_talk` it is shut until the key is pressed."""

    def __init__(self, *, push_to_talk: bool) -> None:
        self.push_to_talk = push_to_talk
        self.muted = False
        self.pressed = False
        self._announce: Signal | None = None
        self._wanted = False  # pressed, though it may be up again already
        self._active = False  # between activityStart and activityEnd
        self._ended_at = float("-inf")
        self._tail_ms = 0
        self._before: deque[bytes] = deque(maxlen=round((PREROLL_MS + APART_S * 1000) / FRAME_MS))
        self._waited_ms = 0  # with the key pressed, for the end before to be long enough ago

    def mute(self, on: bool) -> None:
        """Nothing goes out from now on, or all again."""
        if on and not self.muted and not self.push_to_talk:
            self._announce = "stream end"  # what was said until now is all: it is answered at once
        self.muted = on
        if on:
            self.pressed = self._wanted = False

    def press(self, on: bool) -> None:
        """The key that is held to talk goes down or up; it unmutes too."""
        self.pressed = on
        if on:
            self.muted, self._wanted = False, True

    def feed(self, frame: bytes, now: float) -> Iterator[Out]:
        """What goes out for one frame of the microphone."""
        if self._announce:
            yield Out(b"", signal=self._announce)
            self._announce = None
        if self.push_to_talk:
            yield from self._talk(frame, now)
        else:
            yield Out(_SILENCE, speech=False) if self.muted else Out(frame)

    def _talk(self, frame: bytes, now: float) -> Iterator[Out]:
        if self._active:
            self._wanted = False
            yield Out(_SILENCE if self.muted else frame, speech=True)
            self._tail_ms = TAIL_MS if self.pressed else self._tail_ms - FRAME_MS
            if self._tail_ms <= 0 or self.muted:
                self._active = False
                self._ended_at = now
                yield Out(b"", signal="end")
            return
        self._before.append(frame)
        if not self._wanted:
            self._waited_ms = 0
            yield Out(_SILENCE, speech=False)
            return
        self._waited_ms += FRAME_MS
        if now < self._ended_at + APART_S:
            return
        yield Out(b"", signal="start")
        for before in list(self._before)[-((PREROLL_MS + self._waited_ms) // FRAME_MS) :]:
            yield Out(before, speech=True)
        self._before.clear()
        self._waited_ms = 0
        self._active, self._tail_ms = True, TAIL_MS
