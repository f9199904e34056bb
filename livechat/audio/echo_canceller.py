"""Takes the model's own voice out of the microphone, and leaves the person's words alone.

A filter subtracts the echo (echo_filter.py). What it leaves is estimated (residual_echo.py). A gate decides whether a
person may speak (echo_gate.py): then the filter's output passes with little suppression. Otherwise WebRTC's AEC3 is
given out, which removes the echo and much of the person with it, on a little noise.

While no echo is to be expected, nothing is done: the microphone passes bit for bit, one frame later as always. That
is so when nothing was played for as long as an echo lasts, and with headphones once it is known.
"""

from __future__ import annotations

from functools import partial
from random import Random

import numpy as np

from livechat.audio.echo_filter import PARTITIONS, EchoFilter
from livechat.audio.echo_gate import ECHO_PEAK, FAINT, NO_ECHO, SAME_LAG, Gate
from livechat.audio.gcc_phat import echo_peak
from livechat.audio.headphones import Headphones
from livechat.audio.interfaces import INPUT_RATE
from livechat.audio.reference import SILENCE, Playback, Reference
from livechat.audio.residual_echo import ResidualEcho
from livechat.audio.ring import Samples
from livechat.audio.spectrum import BINS, FRAME, WINDOW, Sound, Spectrum, floating, power, sound_of, spectrum_of

_REMEMBERED = PARTITIONS + 2  # frames of the reference: an echo of older sound is not looked for
_AEC3_EARLY = 96  # samples: AEC3 takes 14 ms, and everything else here 20
# Suppression while the gate is open, and shut: a bin keeps 1 - over * residual / heard of its amplitude, at least the
# second number.
_OPEN, _SHUT = (2.0, 0.1), (8.0, 0.01)
_SLOW_FALL = 0.3  # a gain falls to no less of what it was in the frame before: so it does not ring
_HISS = 1.2  # comfort noise over the noise floor, which is a minimum
_HISSES = 64  # frames of comfort noise, drawn at random: nobody hears which
_RAMP = np.arange(FRAME, dtype=np.float32) / np.float32(FRAME)  # from one frame's value to the next one's
_DEEP_DB = 30.0  # off AEC3's output while it is certain that nobody speaks
_CERTAIN = 0.6  # evidence for a person below which AEC3's output is lowered
_HEARD_FADE = 0.6  # of AEC3's power, a frame: it leaves holes in speech
_LISTEN_EVERY = 16  # frames, to the noise while nothing is done: it changes slowly
_LOOK_EVERY = 4  # frames, for an echo with the veto's correlation, which is dear
_ECHOES = 3  # looks in a row that find one in the same place: a person's voice has none


class Canceller:
    """Removes the echo of what `playback` plays. It delays sound by FRAME samples, 20 ms.

    Raises ImportError where WebRTC's code does not run.
    """

    def __init__(self, playback: Playback) -> None:
        from pywebrtc_audio import AudioProcessor

        self._reference = Reference(playback)
        self._aec3 = AudioProcessor(INPUT_RATE, 1, echo_cancellation=True, noise_suppression=True)
        self._aec3_output = np.zeros(_AEC3_EARLY + FRAME, np.float32)
        self._filter, self._residual, self._gate = EchoFilter(), ResidualEcho(), Gate()
        # Phases of comfort noise, one row for a frame: to draw them is cheaper than to compute them. numpy.random
        # would take 3 MB.
        self._random = Random(1)
        angles = np.array([self._random.random() for _ in range(_HISSES * BINS)]).reshape(_HISSES, BINS)
        self._phases = np.exp(2j * np.pi * angles).astype(np.complex64)
        self._headphones = Headphones()
        # What passes through, one frame late, and whether it did in the last frame.
        self._before = SILENCE.tobytes()
        self._passed = True
        self._silent_frames = _REMEMBERED  # since something was played
        self._rested = 0  # frames that passed, and that AEC3 and the filter have left out
        self._echoes = 0  # looks in a row that found one in the same place
        self._lag = 0
        self._looks = 0  # frames in a row in which an echo is looked for although these are headphones
        self._played = np.zeros(_REMEMBERED * FRAME, np.float32)
        # What the next frame of the filter's output begins with, and of the comfort noise.
        self._tails = np.zeros((2, FRAME), np.float32)
        self._gain = np.ones(BINS, np.float32)
        self._heard = 0.0  # power of AEC3's output
        self._own = 1.0  # share of the filter's output in the last sample; the rest is AEC3's
        self._level = 1.0  # of AEC3's output in the last sample
        self._evidence = 0.0  # for a person, in the last frame

    def __call__(self, frame: bytes, at: float) -> bytes:
        """The person's part of the frame before `frame`, which the microphone heard from `at` on."""
        played = self._reference.during(at)
        if self._reference.restarted:
            self._filter.restart()
            self._residual.restart()
        before, self._before = self._before, frame
        self._silent_frames = self._silent_frames + 1 if played is SILENCE else 0
        silent = self._silent_frames > _REMEMBERED
        # Most of a conversation comes no further than here, so it is worth not to touch the sound.
        if silent and self._passed:
            return self._rest(before, frame)
        last, heard = np.frombuffer(before, np.int16), np.frombuffer(frame, np.int16)
        if not silent:
            self._remember(played)
            self._follow_headphones(last, heard)
            if self._passed and self._headphones.known:
                return self._rest(before, frame)
        if self._rested:
            self._wake(last)
        return self._cancel(heard, played, last).tobytes()

    def _rest(self, before: bytes, frame: bytes) -> bytes:
        """Do nothing but follow the noise."""
        self._rested += 1
        if self._rested % _LISTEN_EVERY == 0:
            both = floating(np.frombuffer(before + frame, np.int16))
            self._residual.listen(power(spectrum_of(both * WINDOW)), _LISTEN_EVERY)
        return before

    def _remember(self, played: Samples) -> None:
        self._played[:-FRAME] = self._played[FRAME:]
        self._played[-FRAME:] = floating(played)

    def _follow_headphones(self, before: Samples, heard: Samples) -> None:
        """Find out whether there is no echo, and later whether there is one after all."""
        phones, sound, played = self._headphones, floating(heard), self._played[-FRAME:]
        # The window's squares add up to FRAME, and there are as many bins: so this is the power of a sample.
        noise = float(self._residual.noise.sum()) / FRAME**2
        known = phones.known
        phones.follow(float(sound @ sound) / FRAME, noise, float(played @ played) / FRAME)
        if not known or not phones.awake:
            self._looks = self._echoes = 0
            if phones.known and not known:
                self._filter.restart()  # so it will learn an echo at once, if there is one
            return
        if self._looks == 0:
            self._filter.recall(floating(before), self._played[:-FRAME])
        self._filter.remove(sound, self._played)
        if self._looks % _LOOK_EVERY == 0:
            peak, lag = echo_peak(floating(np.concatenate([before, heard])), self._played)
            again = abs(lag - self._lag) <= SAME_LAG
            self._echoes = 0 if peak < ECHO_PEAK else self._echoes + 1 if again else 1
            self._lag = lag
        self._looks += 1
        if self._echoes == _ECHOES or self._filter.converged:
            phones.taken_off()

    def _wake(self, before: Samples) -> None:
        """Take up the work after frames that passed through."""
        self._rested = 0
        self._filter.recall(floating(before), self._played[:-FRAME])
        self._tails[0] = self._filter.left[FRAME:] * WINDOW[FRAME:] ** 2
        self._tails[1] = 0
        self._gain[:] = 1

    def _cancel(self, heard: Samples, played: Samples, before: Samples) -> Samples:
        self._aec3_output[:_AEC3_EARLY] = self._aec3_output[FRAME:]
        self._aec3_output[_AEC3_EARLY:] = floating(self._aec3.process(heard, played))
        aec3 = self._aec3_output[:FRAME]
        filtered = self._filter.remove(floating(heard), self._played)
        if self._filter.restarted:
            self._residual.restart()
        left = power(filtered.spectrum)
        self._residual.follow(left, filtered.echo, filtered.error, converged=self._filter.converged)
        self._heard = max(_HEARD_FADE * self._heard, float(aec3 @ aec3) / FRAME)
        peak = partial(echo_peak, self._filter.left, self._played)
        self._gate.decide(left, self._residual, self._heard, self._filter, peak)
        if self._gate.new_path:
            self._filter.restart()
            self._residual.restart()
        mixed = self._mixed(self._suppressed(filtered.spectrum, left), aec3)
        # The microphone itself may pass where there was nothing to remove, neither by the filter nor behind it.
        there = float((filtered.echo + self._residual.power).sum())
        clear = there < NO_ECHO * 2 * float(self._residual.noise.sum())
        passes = self._headphones.known or (clear and self._gate.is_open and self._own == 1.0)
        passed, self._passed = self._passed, passes
        if passes and passed:
            return before
        if passes or passed:
            share = _RAMP if passes else 1 - _RAMP
            mixed = mixed * (1 - share) + share * floating(before)
        output: Samples = np.rint(np.minimum(np.maximum(mixed * 32768, -32768), 32767)).astype(np.int16)
        return output

    def _suppressed(self, spectrum: Spectrum, left: Sound) -> Spectrum:
        """The spectrum of what the filter left, with the power `left`, without most of the echo that is in it."""
        over, floor = _OPEN if self._gate.is_open else _SHUT
        heard = left + 1e-9
        gain = np.maximum(1 - over * self._residual.power / heard, floor)
        gain = np.minimum(np.maximum(gain, _HISS * np.sqrt(self._residual.noise / heard)), 1)  # not below the noise
        self._gain = np.maximum(gain, _SLOW_FALL * self._gain)
        return self._gain * spectrum

    def _mixed(self, own: Spectrum, aec3: Sound) -> Sound:
        """The frame before: of the filter's output where it may hold a person, else AEC3's on comfort noise.

        It never jumps.
        """
        gate, path = self._gate, self._filter
        # While AEC3 hears somebody, the filter's output is better than AEC3's, also where the gate is shut.
        trusted = path.converged and self._heard > FAINT and not path.harmed and not gate.vetoed
        share, self._own = self._own, 1.0 if gate.is_open or trusted else 0.0
        doubt = max(gate.evidence, self._evidence)
        self._evidence = gate.evidence
        certain = 1.0 if gate.vetoed or path.harmed else min(1.0, max(0.0, _CERTAIN - doubt))
        level, self._level = self._level, 10 ** (-_DEEP_DB * certain / 20) if gate.echo > NO_ECHO else 1.0
        if share == self._own == 1.0:
            self._tails[1] = 0
            sound: Sound = self._overlapped(own[None])[0]
            return sound
        phases = self._phases[self._random.randrange(_HISSES)]
        left, hiss = self._overlapped(np.stack([own, _HISS * np.sqrt(self._residual.noise) * phases]))
        shares = share + (self._own - share) * _RAMP
        levels = level + (self._level - level) * _RAMP
        mixed: Sound = shares * left + (1 - shares) * levels * aec3 + np.sqrt(1 - shares * shares) * hiss
        return mixed

    def _overlapped(self, spectra: Spectrum) -> Sound:
        """The next frame of each of `_tails`, which are of sounds that overlap by half."""
        sounds = sound_of(spectra) * WINDOW
        tails = self._tails[: len(sounds)]
        frames: Sound = tails + sounds[:, :FRAME]
        tails[:] = sounds[:, FRAME:]
        return frames
