"""The linear part of echo cancelling: a filter that learns the path from the speaker to the microphone.

It is a partitioned-block frequency-domain Kalman filter (Enzner and Vary 2006; Kuech, Mabande and Enzner 2014). It
subtracts an estimate of the echo. So it cannot damage a person's voice, however wrong the estimate is: at worst it
adds echo. The Kalman gain learns fast while it knows little, and slowly while a person speaks.
"""

from __future__ import annotations

import numpy as np

from livechat.audio.spectrum import BINS, FRAME, Sound, power, sound_of, spectrum_of

PARTITIONS = 22  # of a frame each, 440 ms: an echo that is up to 250 ms late, and the room behind it

_KEEP = 0.999  # so much of the path is still true in the next frame: a person who moves changes it within seconds
# Power of an unknown path, in all 0.2 of what is played. Rooms reverberate: later partitions are weaker.
_UNKNOWN = 0.02 * np.exp(-0.1 * np.arange(PARTITIONS, dtype=np.float32))[:, None] * np.ones((1, BINS), np.float32)
_OTHER_MEMORY = 0.6  # of the power of what is not echo: 40 ms, a sound of speech
_POWER_FLOOR = 1e-5  # added to a power that is divided by
_CONSTRAINED = 2  # every second partition is constrained in a frame: half the cost, and as good (measured)
_POWER_MEMORY = 0.85  # of the powers before and after the filter: 130 ms
_CONVERGED = 0.2  # the filter has converged when it once left less of the power than this
_HARM = 1.1  # the filter's output is so much louder than the microphone: the path is another one now
_HARM_FRAMES = 5  # for so long: one frame says nothing
_LOUD = 1e-3  # sum of squares of a frame: quieter sound says nothing about the path
_RELEVANT = 0.05  # an estimated echo below this part of the sound cannot do harm


class EchoFilter:
    """Learns the echo path, and subtracts the echo. Pass every frame, in order.

    `converged`: it has removed most of an echo since the last restart. `harms`: in this frame its output is louder
    than the microphone, so the path that it believes in is wrong. `harmed`: the same over the last 130 ms.
    `restarted`: in this frame it forgot the path.
    """

    def __init__(self) -> None:
        self._played = np.zeros((PARTITIONS, BINS), np.complex64)  # spectra; the newest comes first
        self._path = np.zeros((PARTITIONS, BINS), np.complex64)
        self._doubt = _UNKNOWN.copy()  # the expected squared error of the path
        self._other = np.zeros(BINS, np.float32)  # power of what is not echo
        self._turn = 0  # which partitions are constrained next
        self._power_before = self._power_after = 0.0
        self._harm_frames = 0
        self.converged = self.harms = self.harmed = self.restarted = False

    def remove(self, heard: Sound, played: Sound) -> tuple[Sound, Sound, Sound]:
        """What is left of the microphone's frame, the echo that was removed, and how wrong that may be.

        `played`: the reference up to now, at least two frames. The last result is the expected power of the error
        in each bin, in the scale of `power(spectrum_of(frame))`.
        """
        self.restarted = False
        self._played[1:] = self._played[:-1]
        self._played[0] = spectrum_of(played[-2 * FRAME :])
        echo = sound_of(np.einsum("pb,pb->b", self._path, self._played))[FRAME:]
        left = heard - echo
        played_power = power(self._played)
        error = (self._doubt * played_power).sum(axis=0)
        self._learn(left, played_power, error)
        return self._judged(heard, echo, left), echo, error

    def _learn(self, left: Sound, played_power: Sound, error: Sound) -> None:
        padded = np.zeros(2 * FRAME, np.float32)
        padded[FRAME:] = left
        spectrum = spectrum_of(padded)
        self._other *= _OTHER_MEMORY
        self._other += (1 - _OTHER_MEMORY) * power(spectrum)
        # Half of the error's power: the frame is half of the two frames that a spectrum of the reference spans.
        gain = self._doubt / (0.5 * error + self._other + _POWER_FLOOR)
        self._path += gain * (self._played.conj() * spectrum)
        # A partition is a filter of one frame: its second half must be zero, or the convolution would be circular.
        some = slice(self._turn, PARTITIONS, _CONSTRAINED)
        self._turn = (self._turn + 1) % _CONSTRAINED
        taps = sound_of(self._path[some])
        taps[:, FRAME:] = 0
        self._path[some] = spectrum_of(taps)
        self._doubt *= _KEEP**2 * (1 - 0.5 * gain * played_power)
        self._doubt += (1 - _KEEP**2) * power(self._path)

    def _judged(self, heard: Sound, echo: Sound, left: Sound) -> Sound:
        """`left`, or `heard` where the estimate of the echo did harm."""
        before, after, removed = float(heard @ heard), float(left @ left), float(echo @ echo)
        self._power_before = _POWER_MEMORY * self._power_before + before
        self._power_after = _POWER_MEMORY * self._power_after + after
        self.converged |= self._power_after < _CONVERGED * self._power_before
        # A person adds as much before the filter as after it. So louder after it means that the path has changed.
        harm = self._power_after > _HARM * self._power_before and self._power_before > _LOUD
        self._harm_frames = self._harm_frames + 1 if harm else 0
        if self.converged and self._harm_frames > _HARM_FRAMES:
            self.restart()
            echo[:] = 0
            left = heard
        relevant = removed > _RELEVANT * after
        self.harms = after > before and relevant
        self.harmed = self._power_after > self._power_before and relevant
        return heard if after > before else left

    def restart(self) -> None:
        """Forget the path: there is another one now, of which nothing is known but that it may be as loud."""
        loudness = power(self._path).sum(axis=0)
        self._doubt = np.maximum(self._doubt, np.maximum(_UNKNOWN, _UNKNOWN / _UNKNOWN.sum(axis=0) * loudness))
        self._path[:] = 0
        self.restarted = True
        self.converged = self.harms = self.harmed = False
        self._power_before = self._power_after = 0.0
        self._harm_frames = 0

    def recall(self, played: Sound) -> None:
        """Go on after frames that were left out. `played`: the last PARTITIONS + 1 frames of the reference."""
        windows = np.lib.stride_tricks.sliding_window_view(played[-(PARTITIONS + 1) * FRAME :], 2 * FRAME)[::FRAME]
        self._played[:] = spectrum_of(windows)[::-1]
