"""The linear part of echo cancelling: a filter that learns the path from the speaker to the microphone.

It is a partitioned-block frequency-domain Kalman filter (Enzner and Vary 2006; Kuech, Mabande and Enzner 2014). It
subtracts an estimate of the echo. So it cannot damage a person's voice, however wrong the estimate is: at worst it
adds echo. The Kalman gain learns fast while it knows little, and slowly while a person speaks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from livechat.audio.spectrum import BINS, FRAME, WINDOW, Sound, Spectrum, power, sound_of, spectrum_of

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


class Filtered(NamedTuple):
    """What the filter made of a frame. Spectra are of that frame and the one before, windowed, shape (BINS,)."""

    spectrum: Spectrum  # of what is left
    echo: Sound  # power of the estimated echo
    error: Sound  # its expected error in the frame, in the scale of `power(spectrum_of(frame))`


class EchoFilter:
    """Learns the echo path, and subtracts the echo. Pass every frame, in order.

    `left`: what is left of the last two frames. `converged`: it has removed most of an echo since the last restart.
    `harms`: in this frame its output is louder than the microphone, so the path that it believes in is wrong.
    `harmed`: the same over the last 130 ms. `restarted`: in this frame it forgot the path.
    """

    def __init__(self) -> None:
        self._played = np.zeros((PARTITIONS, BINS), np.complex64)  # spectra; the newest comes first
        self._played_power = np.zeros((PARTITIONS, BINS), np.float32)
        self._path = np.zeros((PARTITIONS, BINS), np.complex64)
        self._doubt = _UNKNOWN.copy()  # the expected squared error of the path
        self._other = np.zeros(BINS, np.float32)  # power of what is not echo
        self._turn = 0  # which partitions are constrained next
        self._power_before = self._power_after = 0.0
        self._harm_frames = 0
        self._louder = False  # the filter's output is louder than the microphone in this frame
        self.converged = self.harms = self.harmed = self.restarted = False
        self.left, self._echo = np.zeros(2 * FRAME, np.float32), np.zeros(2 * FRAME, np.float32)
        # A call of the transform costs as much as three transforms, so all of a frame is transformed in two calls.
        # Back: the echo, and the partitions to be constrained. Forth: the filter's output behind zeros, `left` and
        # `_echo` windowed, and the partitions before zeros.
        self._spectra = np.zeros((1 + PARTITIONS // _CONSTRAINED, BINS), np.complex64)
        self._sounds = np.zeros((3 + PARTITIONS // _CONSTRAINED, 2 * FRAME), np.float32)

    def remove(self, heard: Sound, played: Sound) -> Filtered:
        """Take a frame of the microphone. `played`: the reference up to now, at least two frames."""
        self._remember(spectrum_of(played[-2 * FRAME :]))
        some = slice(self._turn, PARTITIONS, _CONSTRAINED)
        self._turn = (self._turn + 1) % _CONSTRAINED
        (self._path * self._played).sum(axis=0, out=self._spectra[0])
        self._spectra[1:] = self._path[some]
        sounds = sound_of(self._spectra)
        echo = sounds[0, FRAME:]
        filtered = heard - echo
        self._sounds[0, FRAME:] = filtered
        # A partition is a filter of one frame: its second half must be zero, or the convolution would be circular.
        self._sounds[3:, :FRAME] = sounds[1:, :FRAME]
        lost = self._judge(heard, echo, filtered)
        self.left[:FRAME], self._echo[:FRAME] = self.left[FRAME:], self._echo[FRAME:]
        self.left[FRAME:] = heard if self._louder else filtered
        self._echo[FRAME:] = 0 if lost else echo
        self._sounds[1], self._sounds[2] = self.left * WINDOW, self._echo * WINDOW
        spectra = spectrum_of(self._sounds)
        error = (self._doubt * self._played_power).sum(axis=0)
        self._path[some] = spectra[3:]
        self._learn(spectra[0], error)
        self.restarted = lost
        if lost:
            self.restart()
        return Filtered(spectra[1], power(spectra[2]), error)

    def _remember(self, played: Spectrum) -> None:
        self._played[1:], self._played_power[1:] = self._played[:-1], self._played_power[:-1]
        self._played[0], self._played_power[0] = played, power(played)

    def _learn(self, spectrum: Spectrum, error: Sound) -> None:
        self._other *= _OTHER_MEMORY
        self._other += (1 - _OTHER_MEMORY) * power(spectrum)
        # Half of the error's power: the frame is half of the two frames that a spectrum of the reference spans.
        gain = self._doubt / (0.5 * error + self._other + _POWER_FLOOR)
        self._path += gain * (self._played.conj() * spectrum)
        gain *= self._played_power
        gain *= -0.5 * _KEEP**2
        gain += _KEEP**2
        self._doubt *= gain
        self._doubt += (1 - _KEEP**2) * power(self._path)

    def _judge(self, heard: Sound, echo: Sound, left: Sound) -> bool:
        """Tell whether the estimate of the echo does harm. Returns whether the path is another one now."""
        before, after, removed = float(heard @ heard), float(left @ left), float(echo @ echo)
        self._power_before = _POWER_MEMORY * self._power_before + before
        self._power_after = _POWER_MEMORY * self._power_after + after
        self.converged |= self._power_after < _CONVERGED * self._power_before
        # A person adds as much before the filter as after it. So louder after it means that the path has changed.
        harm = self._power_after > _HARM * self._power_before and self._power_before > _LOUD
        self._harm_frames = self._harm_frames + 1 if harm else 0
        relevant = removed > _RELEVANT * after
        self._louder = after > before
        self.harms = self._louder and relevant
        self.harmed = self._power_after > self._power_before and relevant
        return self.converged and self._harm_frames > _HARM_FRAMES

    def restart(self) -> None:
        """Forget the path: there is another one now, of which nothing is known but that it may be as loud."""
        loudness = power(self._path).sum(axis=0)
        self._doubt = np.maximum(self._doubt, np.maximum(_UNKNOWN, _UNKNOWN / _UNKNOWN.sum(axis=0) * loudness))
        self._path[:] = 0
        self.restarted = True
        self.converged = self.harms = self.harmed = False
        self._power_before = self._power_after = 0.0
        self._harm_frames = 0

    def recall(self, heard: Sound, played: Sound) -> None:
        """Go on after frames that were left out: the last was `heard`, and `played` are PARTITIONS + 1 of them."""
        windows = np.lib.stride_tricks.sliding_window_view(played[-(PARTITIONS + 1) * FRAME :], 2 * FRAME)[::FRAME]
        self._played[:] = spectrum_of(windows)[::-1]
        self._played_power[:] = power(self._played)
        self.left[FRAME:] = heard
        self._echo[:] = 0
