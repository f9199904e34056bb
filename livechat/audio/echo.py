"""What the microphone's frames pass through, so that the model does not hear itself. `--echo` chooses it.

The canceller is in echo_canceller.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from livechat.audio.dsp import SILENCE_DBFS, level
from livechat.audio.echo_canceller import Canceller
from livechat.audio.interfaces import FRAME_MS
from livechat.audio.reference import Playback, Reference
from livechat.errors import Notice, Notify

Cleaner = Callable[[bytes, float], bytes]  # (frame, when it was heard) -> the person's part of it

_TAIL_MS = 400  # an echo ends so long after its sound
_CLEAR_DB = 8.0  # a person is so much louder than nearly all of the echo
_RISE_DB, _FADE_DB = 0.3, 0.04  # per frame: so the estimate settles where 88 % of the echo is below it
_HEARD_MS = 300  # after speaking up, a person is heard for so long


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
