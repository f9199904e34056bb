"""The gate opens for a person, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from livechat.audio.echo_filter import EchoFilter
from livechat.audio.echo_gate import FAINT, LOUD, Gate
from livechat.audio.residual_echo import ResidualEcho
from livechat.audio.spectrum import BINS, Sound

SOUND = np.full(BINS, 1.0, np.float32)


class Scene:
    """A gate with a filter that has converged, an echo that is left, and noise."""

    def __init__(self, echo: float = 0.01) -> None:
        self.gate, self.path, self.residual = Gate(), EchoFilter(), ResidualEcho()
        self.path.converged = True
        self.residual.power = echo * SOUND
        self.residual.noise = 1e-5 * SOUND
        self.asked = 0

    def decide(self, left: Sound, heard: float, peak: float = 5.0, frames: int = 1, lag: int = 6000) -> bool:
        for _ in range(frames):
            self.gate.decide(left, self.residual, heard, self.path, self._peak(peak, lag))
        return self.gate.is_open

    def _peak(self, peak: float, lag: int) -> Callable[[], tuple[float, int]]:
        def ask() -> tuple[float, int]:
            self.asked += 1
            return peak, lag

        return ask


@pytest.mark.parametrize(
    ("evidence", "heard", "opens"),
    [(0.1, 2 * LOUD, True), (-0.1, 2 * LOUD, False), (0.5, 2 * FAINT, False), (1.5, 2 * FAINT, True),
     (2.0, 0.0, False), (3.0, 0.0, True)],
)  # fmt: skip
def test_the_less_aec3_hears_the_stronger_the_evidence_must_be(evidence: float, heard: float, opens: bool) -> None:
    assert Scene().decide(0.01 * np.exp(evidence) * SOUND, heard) == opens


def test_it_stays_open_in_the_pauses_between_words_and_then_shuts() -> None:
    scene = Scene()
    assert scene.decide(SOUND, 2 * LOUD)
    assert scene.decide(0.001 * SOUND, 0.0, frames=20)
    assert not scene.decide(0.001 * SOUND, 0.0, frames=20)


def test_it_is_open_while_no_echo_is_expected() -> None:
    assert Scene(echo=0.0).decide(1e-5 * SOUND, 0.0)


def test_a_sound_that_correlates_with_what_is_played_is_no_person() -> None:
    scene = Scene()
    assert not scene.decide(SOUND, 2 * LOUD, peak=18.0)
    assert (scene.gate.vetoed, scene.gate.new_path) == (True, False)
    scene.decide(SOUND, 2 * LOUD, peak=30.0, lag=100)  # once is no proof
    assert (scene.gate.vetoed, scene.gate.new_path) == (True, False)
    scene.decide(SOUND, 2 * LOUD, peak=30.0, lag=103)
    assert (scene.gate.vetoed, scene.gate.new_path) == (True, True)
    assert scene.decide(SOUND, 2 * LOUD, peak=5.0, frames=5)
    assert (scene.gate.vetoed, scene.gate.new_path) == (False, False)


def test_the_filter_has_half_a_second_to_learn_a_new_path() -> None:
    scene = Scene()
    told = 0
    for _ in range(30):
        scene.decide(SOUND, 2 * LOUD, peak=30.0)
        told += scene.gate.new_path
    assert told == 2


def test_the_veto_is_asked_again_only_while_the_filter_knows_no_echo() -> None:
    scene = Scene()
    scene.decide(SOUND, 2 * LOUD, frames=40)
    assert scene.asked == 2
    unlearnt = Scene(echo=0.0)
    unlearnt.decide(SOUND, 2 * LOUD, frames=40)
    assert 5 < unlearnt.asked < 10


def test_a_filter_that_does_harm_opens_nothing() -> None:
    scene = Scene()
    scene.decide(SOUND, 2 * LOUD)
    scene.path.harmed = True
    assert not scene.decide(SOUND, 2 * LOUD)
    scene.path.harms, scene.path.harmed = True, False
    assert not scene.decide(SOUND, 2 * LOUD)
