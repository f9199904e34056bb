"""Decides from frame to frame whether a person may speak, so that what the filter left is let through.

The evidence for a person is how much more is left than the estimated residual echo. WebRTC's AEC3 is a witness:
where its output is silent, the evidence must be stronger. The gate is always open while no echo is to be expected.
An echo on a path that the filter does not know looks like a person. So a gate that is about to open asks whether the
sound correlates with what was played, and stays shut if it does: the veto.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from livechat.audio.echo_filter import EchoFilter
from livechat.audio.residual_echo import ResidualEcho
from livechat.audio.spectrum import Sound

_BAND = slice(6, 160)  # bins of 25 Hz: 150 Hz to 4 kHz, where speech is and small speakers play
_FEW_BINS = 8  # above the noise: fewer are no evidence
LOUD, FAINT = 3e-5, 1e-6  # power of AEC3's output: -45 dBFS is speech, -60 dBFS a trace of it
# Evidence in nepers of power that opens the gate, and that keeps it open: where AEC3 hears somebody, a trace, nobody.
_TO_OPEN = (0.0, 1.0, 2.5)
_TO_STAY = (-1.5, -0.3, -0.3)
_HANG, _HANG_SILENT = 25, 3  # frames that it stays open without evidence: pauses between words
NO_ECHO = 0.2  # residual echo over noise: less than this is masked by the noise
ECHO_PEAK, _NEW_PATH_PEAK = 16.0, 25.0  # see gcc_phat.py; the second: nearly all of the sound is echo
SAME_LAG = 8  # samples: two peaks that are nearer are of one echo
_NO_LAG = -1000
_VETO = 4  # frames that a veto lasts
_ASKED = 2  # in so many frames the veto is asked before the gate opens; each time costs 0.3 ms
_SURPRISE = 8  # frames: so often it is asked while the filter knows no echo: headphones may have been taken off
_PATIENCE = 25  # frames that the filter has to learn a new path before it is told of another one


class Gate:
    """`is_open`: a person may speak. `evidence` for one, in nepers: 0 for none. `echo`: residual echo over noise."""

    def __init__(self) -> None:
        self.evidence = 0.0
        self.echo = 0.0
        self.new_path = False  # in this frame the veto found that the echo takes another path now
        self._frames = 0  # that it stays open
        self._lag = _NO_LAG  # of the last peak that was an echo's
        self._patience = 0
        self._expected = False  # an echo, in the last frame
        self._asked = 0  # frames in a row with a person
        self._vetoed = 0  # frames that a veto still lasts

    @property
    def is_open(self) -> bool:
        return self._frames > 0

    @property
    def vetoed(self) -> bool:
        return self._vetoed > 0

    def decide(
        self,
        left: Sound,
        residual: ResidualEcho,
        heard: float,
        path: EchoFilter,
        peak: Callable[[], tuple[float, int]],
    ) -> None:
        """Take a frame. `left`: power behind the filter. `heard`: by AEC3. `peak`: see gcc_phat.py, asked rarely."""
        self._weigh(left, residual)
        witness = 0 if heard > LOUD else 1 if heard > FAINT else 2
        person = self.evidence > _TO_OPEN[witness] and not path.harms
        expected = self.echo >= NO_ECHO
        self.new_path = False
        self._vetoed = max(0, self._vetoed - 1)
        if not self.is_open or expected != self._expected:
            self._asked = 0
        self._expected = expected
        if person:
            self._asked += 1
        self._patience = max(0, self._patience - 1)
        unlearnt = not (expected and path.converged)
        if person and (self._asked <= _ASKED or (unlearnt and self._asked % _SURPRISE == 0)):
            found, lag = peak()
            # Twice in the same place: a person's first sound may look like an echo once.
            again = abs(lag - self._lag) <= SAME_LAG
            self.new_path = found > _NEW_PATH_PEAK and again and not self._patience
            self._lag = lag if found > ECHO_PEAK else _NO_LAG
            self._patience = _PATIENCE if self.new_path else self._patience
            if found > ECHO_PEAK and (expected or self.new_path):
                person = False
                self._frames, self._vetoed = 0, _VETO
        if person:
            self._frames = _HANG if witness < 2 else _HANG_SILENT
        elif not expected:
            self._frames = max(1, self._frames - 1)
        elif not (self.is_open and self.evidence > _TO_STAY[witness]):
            self._frames = max(0, self._frames - 1)
        if path.harmed and expected:
            self._frames = 0

    def _weigh(self, left: Sound, residual: ResidualEcho) -> None:
        noise = 2 * residual.noise[_BAND]
        heard, echo = left[_BAND], residual.power[_BAND]
        self.echo = float(echo.sum() / noise.sum())
        busy = np.maximum(heard, echo) > 2 * noise
        ratios = np.log((heard + noise) / (echo + noise))[busy]
        self.evidence = float(ratios.sum()) / len(ratios) if len(ratios) > _FEW_BINS else 0.0
