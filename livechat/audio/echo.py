"""Takes the model's own voice out of what the microphone hears.

WebRTC's canceller (AEC3) finds the delay of the echo, up to some 100 ms, and how the room changes the sound. It needs
a reference that does not jump. So the samples that were played are followed one by one, and the reference moves only
when the sound system's clocks show that it is in the wrong place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from livechat.audio.dsp import SILENCE_DBFS, Framer, level
from livechat.audio.interfaces import FRAME_MS, INPUT_RATE
from livechat.audio.ring import Samples
from livechat.errors import Notice, Notify

Cleaner = Callable[[bytes, float], bytes]  # (frame, when it was heard) -> the person's part of it

_LOOSE_MS = 5  # the clocks may drift apart by so much before the reference moves; AEC3 follows until then
_OUTLIERS = 9  # measurements whose median is used: a late callback spoils one or two
_TAIL_MS = 400  # an echo ends so long after its sound
_CLEAR_DB = 8.0  # a person is so much louder than nearly all of the echo
_RISE_DB, _FADE_DB = 0.3, 0.04  # per frame: so the estimate settles where 88 % of the echo is below it
_HEARD_MS = 300  # after speaking up, a person is heard for so long


class Playback(Protocol):
    """What a speaker says about the sound that it plays (see audio/speaker.py)."""

    rate: int  # Hz
    clock: tuple[int, int, float]  # the first is a number that each stream has for itself

    def place(self, at: float) -> float: ...
    def played(self, place: int, count: int) -> Samples: ...


class Reference:
    """The sound that was played while the microphone heard a frame, at the microphone's rate."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._framer = Framer()
        self._frames: deque[bytes] = deque()
        self._stream = 0
        self._next = 0.0  # the place of the next sample, unless the clocks have drifted
        self._moved: deque[float] = deque(maxlen=_OUTLIERS)
        self._even = 0.0  # when this frame would have been heard if all frames came evenly
        self._late: deque[float] = deque(maxlen=_OUTLIERS)

    def during(self, at: float) -> Samples:
        """20 ms at INPUT_RATE, from `at` of time.monotonic() on. To be called once for each frame, in order."""
        self._even += FRAME_MS / 1000
        self._late.append(at - self._even)
        stream, rate = self._playback.clock[0], self._playback.rate
        place = self._playback.place(self._even + _median(self._late))
        if stream != self._stream:
            self._stream, self._next = stream, place
            self._framer = Framer(rate)
            self._frames.clear()
            self._moved.clear()
        self._moved.append(place - self._next)
        moved = _median(self._moved)
        if abs(moved) * 1000 > _LOOSE_MS * rate:
            self._next += moved
            self._moved.clear()
        start, self._next = round(self._next), self._next + rate * FRAME_MS / 1000
        heard = self._playback.played(start, round(self._next) - start)
        self._frames.extend(self._framer.feed(heard.tobytes()))
        # If a frame has no whole number of samples at this rate, there is sometimes none, and then two.
        frame = self._frames.popleft() if self._frames else bytes(INPUT_RATE * FRAME_MS // 1000 * 2)
        return np.frombuffer(frame, np.int16)


def _median(measures: deque[float]) -> float:
    return sorted(measures)[len(measures) // 2]


class Canceller:
    """Removes the echo, and steady noise. It adapts within one second of echo, and stays adapted between answers.

    It delays sound by 14 ms. It is never switched off, because the change would be heard. It takes 0.7 % of a core
    while nothing is played and 0.9 % while something is, measured in a loop, and up to 2.6 % with cold caches.
    Raises ImportError where WebRTC's code does not run.
    """

    def __init__(self, playback: Playback) -> None:
        from pywebrtc_audio import AudioProcessor

        self._reference = Reference(playback)
        self._processor = AudioProcessor(INPUT_RATE, 1, echo_cancellation=True, noise_suppression=True)

    def __call__(self, frame: bytes, at: float) -> bytes:
        """The person's part of `frame`, which the microphone heard from `at` on."""
        near = np.frombuffer(frame, np.int16)
        cleaned: Samples = self._processor.process(near, self._reference.during(at))
        return cleaned.tobytes()


class Ducker:
    """Half duplex: gives silence while the model is heard, unless somebody is clearly louder than its echo.

    It learns from the microphone how loud the echo is, compared with what is played.
    """

    def __init__(self, playback: Playback) -> None:
        self._reference = Reference(playback)
        self._played: deque[float] = deque([SILENCE_DBFS], maxlen=_TAIL_MS // FRAME_MS)  # dBFS of the last frames
        self._echo_db = -6.0  # the echo's level above the loudest sound played; a guess at first
        self._heard = 0  # for so many frames the person is still heard

    def __call__(self, frame: bytes, at: float) -> bytes:
        """`frame`, which the microphone heard from `at` on, or silence."""
        self._played.append(level(self._reference.during(at).tobytes()))
        loudest = max(self._played)
        if loudest == SILENCE_DBFS:
            return frame
        excess = level(frame) - loudest
        if excess > self._echo_db + _CLEAR_DB:
            self._heard = _HEARD_MS // FRAME_MS
        else:
            self._echo_db += _RISE_DB if excess > self._echo_db else -_FADE_DB
            self._heard -= 1
        return frame if self._heard > 0 else bytes(len(frame))


def cleaner(mode: str, playback: Playback, notify: Notify) -> Cleaner | None:
    """What the microphone's frames pass through. `mode`: the value of `--echo`. None if they stay as they are."""
    if mode == "cancel":
        try:
            return Canceller(playback)
        except ImportError:
            notify(
                Notice(
                    "echo cancelling does not run on this computer: you are not heard while the model speaks",
                    "speak up to cut in; or use headphones, with --echo off",
                )
            )
    return None if mode == "off" else Ducker(playback)
