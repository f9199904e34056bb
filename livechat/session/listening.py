"""What is heard of the person: each frame of the microphone through push-to-talk, voice detection and barge-in."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, Protocol

from livechat.audio.interfaces import Source
from livechat.events import Command
from livechat.session.barge_in import BargeIn
from livechat.session.events import Signal
from livechat.session.push_to_talk import TAIL_MS, Gate


class Detector(Protocol):
    """Hears whether the person speaks (audio/vad.py has the real one)."""

    hangover_ms: int
    voiced: bool  # the last frame, by itself

    def feed(self, frame: bytes) -> bool: ...


class Captured(NamedTuple):
    """What becomes of a frame: it is to be sent, or a signal in its place.

    `speaking`: whether the person is; that they stopped is known `late_ms` after it.
    """

    frame: bytes
    signal: Signal | None
    speaking: bool
    late_ms: float


class Listening:
    """One conversation's microphone, or the file in its place."""

    def __init__(
        self,
        source: Source | None,
        silence: Source,
        *,
        gate: Gate,
        detector: Detector | None,
        barge_in: BargeIn | None,
        level: Callable[[bytes], float],
        fast: bool = False,
    ) -> None:
        """`source`: frames of FRAME_BYTES; None where the person only types. `silence` follows it at its end.

        `barge_in`: stops the model's voice when the person speaks; None leaves that to the server. `level`: dBFS of a
        frame. `fast`: the source is faster than speech.
        """
        self.source, self.silence, self.fast, self.barge_in = source, silence, fast, barge_in
        self._gate, self._detector, self._level_of = gate, detector, level
        self._last = b""

    @property
    def level(self) -> float:
        """Of the last frame, in dBFS. It is asked for less often than frames come, so it is measured then."""
        return self._level_of(self._last) if self._last else -90.0

    @property
    def state(self) -> Literal["open", "muted", "held"]:
        """Of the microphone; "held": what is said goes out with the key pressed."""
        if self._gate.muted:
            return "muted"
        return "held" if self._gate.push_to_talk and not self._gate.pressed else "open"

    def obey(self, command: Command) -> bool:
        """Mute, or let the person talk by push-to-talk. Whether they do: the model is to be silent then."""
        gate = self._gate
        if command == "mute":
            gate.mute(not gate.muted)
        elif gate.push_to_talk:
            gate.press(command == "press" or (command == "talk" and not gate.pressed))
            return gate.pressed
        return False

    def feed(self, frame: bytes, now: float) -> Iterator[Captured]:
        """What goes out for one frame of the source; `now` in seconds."""
        self._last = frame
        for out in self._gate.feed(frame, now):
            if out.signal:
                yield Captured(b"", out.signal, out.signal == "start", TAIL_MS)
            elif out.speech is None and self._detector is not None:
                speaking = self._detector.feed(out.frame)
                if self.barge_in is not None:
                    self.barge_in.heard(self._detector.voiced, now)
                yield Captured(out.frame, None, speaking, self._detector.hangover_ms)
            else:
                if self._detector is not None:
                    # Muted: it goes on listening. Else it takes 700 ms to notice who speaks as the microphone opens,
                    # and during an outage only what is known for speech is kept.
                    self._detector.feed(frame)
                yield Captured(out.frame, None, bool(out.speech), 0)
