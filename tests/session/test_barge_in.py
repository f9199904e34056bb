"""When the model's voice pauses for the person, and when it goes on."""

from __future__ import annotations

import pytest

from livechat.audio.sinks import NullSink
from livechat.session.barge_in import BargeIn


class Player(NullSink):
    """A sink with something to play, which writes down what becomes of it."""

    def __init__(self) -> None:
        self.pending = 1000.0
        self.told: list[tuple[str, float]] = []
        self.now = 0.0

    def pending_ms(self) -> float:
        return self.pending

    def pause(self) -> None:
        self.told.append(("pause", self.now))

    def resume(self) -> None:
        self.told.append(("resume", self.now))


class Ear:
    """Feeds frames, `x` for speech and `.` for none."""

    def __init__(self) -> None:
        self.player = Player()
        self.barge_in = BargeIn(self.player)

    def hear(self, frames: str) -> list[tuple[str, float]]:
        for frame in frames:
            self.barge_in.heard(frame == "x", self.player.now)
            self.player.now = round(self.player.now + 0.02, 2)
        return self.player.told


@pytest.mark.parametrize("frames", ["x" * 10, "xxx.xx..xxx.xx", "." * 50 + "x" * 10])
def test_200_ms_of_speech_within_300_pause_the_model(frames: str) -> None:
    assert Ear().hear(frames) == [("pause", (len(frames) - 1) / 50)]


@pytest.mark.parametrize("frames", ["x" * 9 + "." * 100, "xx." * 3 + "..x" * 50, "xxxxxxxxx......" * 20])
def test_a_click_or_a_cough_does_not(frames: str) -> None:
    assert Ear().hear(frames) == []


def test_without_the_servers_word_it_goes_on_after_a_second_and_a_half_and_is_not_paused_again_meanwhile() -> None:
    ear = Ear()
    assert ear.hear("x" * 500) == [("pause", 0.18), ("resume", 1.7)]
    ear.hear("." * 20)
    assert [told for told, _ in ear.hear("x" * 20)] == ["pause", "resume", "pause"]


def test_with_the_servers_word_nothing_goes_on() -> None:
    ear = Ear()
    ear.hear("x" * 20)
    ear.barge_in.confirmed()
    ear.player.pending = 0
    assert [told for told, _ in ear.hear("x" * 200)] == ["pause"]


def test_what_was_said_before_the_model_spoke_does_not_count() -> None:
    ear = Ear()
    ear.player.pending = 0
    ear.hear("x" * 50)
    ear.player.pending = 1000
    assert ear.hear("x" * 9) == []
