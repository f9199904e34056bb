"""Does the microphone hear the speaker at all? With headphones it does not, and then nothing needs to be done.

An echo is there from an answer's first sounds on. So whoever is heard after a second of an answer without an echo is
a person who cuts in. The count of sound without an echo goes on with the next answer. Otherwise a talk of short
answers, each of them cut short, would never come to its end.
"""

from __future__ import annotations

from livechat.audio.echo_filter import PARTITIONS

_PLAYS = 3e-5  # power of what is played, -45 dBFS: its echo would be noticed
_ECHO_FRAMES = PARTITIONS  # an echo may come so long after its sound
_QUIET_OVER = 4.0  # times the noise floor, which is a minimum: a frame below it holds noise alone
_KNOWN_FRAMES = 100  # 2 s of sound without an echo: a reverberating room would have been heard in between
_BEGUN_FRAMES = 50  # 1 s of an answer: an echo would have been heard
_AWAKE_FRAMES = 25  # after a louder frame, an echo is looked for this long


class Headphones:
    """`known`: nothing of what is played comes back. `awake`: all the same, there may be an echo or a person now."""

    def __init__(self) -> None:
        self.known = False
        self._frames = 0  # with sound and without an echo
        self._answer_frames = 0  # of these, in this answer
        self._cut = False  # a person was heard in this answer: what follows tells nothing
        self._echo = False  # there was one once: then a person who cuts in cannot be told from it
        self._since_sound = _ECHO_FRAMES
        self._awake_frames = 0

    @property
    def awake(self) -> bool:
        return self._awake_frames > 0

    def follow(self, heard: float, noise: float, played: float) -> None:
        """Take the power of a frame from the microphone, of the noise floor, and of what is played."""
        loud = heard > _QUIET_OVER * noise
        self._awake_frames = _AWAKE_FRAMES if loud else max(0, self._awake_frames - 1)
        self._since_sound = 0 if played > _PLAYS else self._since_sound + 1
        if self._since_sound >= _ECHO_FRAMES:
            self._answer_frames, self._cut = 0, False
        elif loud and (self._echo or self._answer_frames < _BEGUN_FRAMES):
            self._frames = self._answer_frames = 0
        elif loud:
            self._cut = True
        elif not self._cut:
            self._frames += 1
            self._answer_frames += 1
        self.known = self.known or self._frames >= _KNOWN_FRAMES

    def taken_off(self) -> None:
        """There is an echo."""
        self.known, self._echo = False, True
        self._frames = self._answer_frames = 0
