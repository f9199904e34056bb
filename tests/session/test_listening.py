"""What is heard of the person, frame by frame: what goes out, and whether they speak."""

from __future__ import annotations

import pytest

from livechat.audio.dsp import level
from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS
from livechat.audio.sinks import NullSink
from livechat.audio.vad import SpeechDetector
from livechat.events import Command
from livechat.session.barge_in import BargeIn
from livechat.session.listening import Captured, Listening
from livechat.session.push_to_talk import TAIL_MS, Gate
from tests.support.conversation import samples
from tests.support.fake_voice import VOICE, FakeDetector, FakeVoice

SILENCE = bytes(FRAME_BYTES)


class Speaker(NullSink):
    """Something is always being played."""

    paused = 0

    def pending_ms(self) -> float:
        return 1_000.0

    def pause(self) -> None:
        self.paused += 1


class Heard:
    """A microphone at time 0, and what comes of its frames."""

    def __init__(self, *, push_to_talk: bool = False, detector: bool = True) -> None:
        self.now = 0.0
        self.speaker = Speaker()
        self.listening = Listening(
            FakeVoice(""),
            FakeVoice(""),
            gate=Gate(push_to_talk=push_to_talk),
            detector=FakeDetector() if detector else None,
            barge_in=BargeIn(self.speaker),
            level=lambda frame: -20.0 if any(frame) else -90.0,
        )

    def feed(self, *frames: bytes) -> list[Captured]:
        heard: list[Captured] = []
        for frame in frames:
            heard += self.listening.feed(frame, self.now)
            self.now += FRAME_MS / 1000
        return heard


def test_a_frame_goes_out_as_it_is_with_the_word_of_voice_detection() -> None:
    assert Heard().feed(VOICE, SILENCE) == [
        Captured(VOICE, None, speaking=True, late_ms=FakeDetector.hangover_ms),
        Captured(SILENCE, None, speaking=False, late_ms=FakeDetector.hangover_ms),
    ]


def test_without_voice_detection_nobody_is_heard_to_speak() -> None:
    assert Heard(detector=False).feed(VOICE) == [Captured(VOICE, None, speaking=False, late_ms=0)]


def test_the_level_is_the_microphones_also_while_it_is_muted() -> None:
    heard = Heard()
    levels = [heard.listening.level]
    heard.listening.obey("mute")
    heard.feed(VOICE)
    levels.append(heard.listening.level)
    assert levels == [-90.0, -20.0]


def test_a_muted_microphone_says_so_once_and_lets_silence_out() -> None:
    heard = Heard()
    assert not heard.listening.obey("mute")
    assert heard.listening.state == "muted"
    assert heard.feed(VOICE, VOICE) == [
        Captured(b"", "stream end", speaking=False, late_ms=TAIL_MS),
        Captured(SILENCE, None, speaking=False, late_ms=0),
        Captured(SILENCE, None, speaking=False, late_ms=0),
    ]
    heard.listening.obey("mute")
    assert heard.feed(VOICE)[0].frame == VOICE


def test_who_speaks_over_the_model_pauses_it_unless_the_microphone_is_muted() -> None:
    heard = Heard()
    heard.feed(*[VOICE] * 20)
    assert heard.speaker.paused == 1
    muted = Heard()
    muted.listening.obey("mute")
    muted.feed(*[VOICE] * 20)
    assert muted.speaker.paused == 0


def test_with_push_to_talk_only_what_is_said_with_the_key_pressed_goes_out() -> None:
    heard = Heard(push_to_talk=True)
    states = [heard.listening.state]
    before = heard.feed(*[SILENCE] * 50, VOICE)
    heard.listening.obey("press")
    states.append(heard.listening.state)
    during = heard.feed(VOICE)
    heard.listening.obey("release")
    states.append(heard.listening.state)
    after = heard.feed(*[VOICE] * 12)
    assert states == ["held", "open", "held"]
    assert not any(any(captured.frame) or captured.speaking for captured in before)
    assert during[0] == Captured(b"", "start", speaking=True, late_ms=TAIL_MS)
    assert during[-1] == Captured(VOICE, None, speaking=True, late_ms=0)
    end = next(index for index, captured in enumerate(after) if captured.signal == "end")
    assert after[end] == Captured(b"", "end", speaking=False, late_ms=TAIL_MS)
    assert not any(any(captured.frame) or captured.speaking for captured in after[end + 1 :])


@pytest.mark.parametrize(
    ("commands", "silences"),
    [
        (["press", "release"], [True, False]),
        (["talk", "talk"], [True, False]),
        (["press", "mute"], [True, False]),
    ],
)
def test_the_model_is_silenced_by_a_key_that_lets_the_person_talk_and_by_no_other(
    commands: list[Command], silences: list[bool]
) -> None:
    listening = Heard(push_to_talk=True).listening
    assert [listening.obey(command) for command in commands] == silences


def test_without_push_to_talk_its_keys_do_nothing() -> None:
    listening = Heard().listening
    assert not listening.obey("press")
    assert listening.state == "open"


def test_who_is_speaking_as_the_microphone_is_unmuted_is_noticed_at_once() -> None:
    """The detector heard nothing while muted, took 700 ms to notice, and what was said in an outage was lost."""
    mouth = Listening(
        FakeVoice(""),
        FakeVoice(""),
        gate=Gate(push_to_talk=False),
        detector=SpeechDetector(),
        barge_in=None,
        level=level,
    )
    speech = samples("Go forward ten meters.")[: 61 * FRAME_BYTES // 2].reshape(-1, FRAME_BYTES // 2)
    mouth.obey("mute")
    heard = [out for n, frame in enumerate(speech[:60]) for out in mouth.feed(frame.tobytes(), n * 0.02)]
    assert not any(any(out.frame) or out.speaking for out in heard)
    mouth.obey("mute")
    first = next(mouth.feed(speech[60].tobytes(), 1.2))
    assert (first.frame, first.speaking) == (speech[60].tobytes(), True)
