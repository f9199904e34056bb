"""Which frames of the microphone are sent: muted, with the key held, and without either."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS
from livechat.session.push_to_talk import APART_S, PREROLL_MS, TAIL_MS, Gate, Outgoing

SILENCE = bytes(FRAME_BYTES)


def frame(number: int) -> bytes:
    return (number + 1).to_bytes(2, "big") * (FRAME_BYTES // 2)


class Spoken:
    """A gate, and what has come out of it: "start", "end", "stream end", numbers of frames, "." for silence."""

    def __init__(self, *, push_to_talk: bool) -> None:
        self.gate = Gate(push_to_talk=push_to_talk)
        self.out: list[str | int] = []
        self.count = 0

    def feed(self, frames: int) -> list[str | int]:
        """So many frames of the microphone; what came out for them."""
        before = len(self.out)
        for _ in range(frames):
            now = self.count * FRAME_MS / 1000
            self.out += [self._told(out) for out in self.gate.feed(frame(self.count), now)]
            self.count += 1
        return self.out[before:]

    def _told(self, out: Outgoing) -> str | int:
        if out.signal:
            return out.signal
        return "." if out.frame == SILENCE else int.from_bytes(out.frame[:2], "big") - 1


def test_an_open_microphone_is_heard_as_it_is() -> None:
    gate = Gate(push_to_talk=False)
    assert list(gate.feed(frame(1), 0.0)) == [Outgoing(frame(1))]


def test_muted_it_ends_what_was_being_said_and_gives_silence_frame_for_frame() -> None:
    spoken = Spoken(push_to_talk=False)
    spoken.feed(3)
    spoken.gate.mute(on=True)
    assert spoken.feed(3) == ["stream end", ".", ".", "."]
    spoken.gate.mute(on=False)
    assert spoken.feed(2) == [6, 7]


def test_the_moment_before_the_key_and_after_it_goes_out_too() -> None:
    spoken = Spoken(push_to_talk=True)
    assert set(spoken.feed(50)) == {"."}
    spoken.gate.press(on=True)
    pressed = spoken.feed(10)
    first = 50 - PREROLL_MS // FRAME_MS
    assert pressed == ["start", *range(first, 60)]
    spoken.gate.press(on=False)
    after = spoken.feed(30)
    assert after == [*range(60, 60 + TAIL_MS // FRAME_MS), "end", *["."] * (30 - TAIL_MS // FRAME_MS)]


def test_one_activity_begins_half_a_second_after_the_one_before_and_loses_nothing() -> None:
    spoken = Spoken(push_to_talk=True)
    spoken.gate.press(on=True)
    spoken.feed(20)
    spoken.gate.press(on=False)
    spoken.feed(TAIL_MS // FRAME_MS)
    assert spoken.out[-1] == "end"
    spoken.gate.press(on=True)
    again = spoken.feed(60)
    assert again[0] == "start"
    assert again[1:] == list(range(spoken.count - 60, spoken.count))


def test_a_short_press_in_that_half_second_is_said_when_it_is_over() -> None:
    spoken = Spoken(push_to_talk=True)
    spoken.gate.press(on=True)
    spoken.feed(20)
    spoken.gate.press(on=False)
    spoken.feed(TAIL_MS // FRAME_MS)
    spoken.gate.press(on=True)
    spoken.feed(5)
    spoken.gate.press(on=False)
    later = spoken.feed(60)
    assert next(out for out in later if out != ".") == "start"
    assert {*range(spoken.count - 65, spoken.count - 60)} <= set(later)
    assert later.count("end") == 1


def test_mute_in_the_middle_of_it_lets_nothing_more_out() -> None:
    spoken = Spoken(push_to_talk=True)
    spoken.gate.press(on=True)
    spoken.feed(5)
    spoken.gate.mute(on=True)
    assert spoken.feed(5) == [".", "end", ".", ".", ".", "."]
    spoken.gate.press(on=True)
    assert not spoken.gate.muted


@given(st.lists(st.tuples(st.sampled_from(["press", "release", "mute", "unmute"]), st.integers(1, 60))))
def test_whatever_is_pressed_signals_come_in_pairs_apart_with_sound_between(steps: list[tuple[str, int]]) -> None:
    """A server closes the line for an activity without sound, and one that begins too soon it does not hear."""
    spoken = Spoken(push_to_talk=True)
    ended: int | None = None  # in frames: a difference of seconds is not exact
    for key, frames in steps:
        if key in ("press", "release"):
            spoken.gate.press(on=key == "press")
        else:
            spoken.gate.mute(on=key == "mute")
        for _ in range(frames):
            now = spoken.count
            told = spoken.feed(1)
            if "start" in told:
                assert ended is None or (now - ended) * FRAME_MS >= APART_S * 1000
            if "end" in told:
                ended = now
    signals = [out for out in spoken.out if out in ("start", "end")]
    assert signals == ["start", "end"] * (len(signals) // 2) + ["start"] * (len(signals) % 2)
    for at, out in enumerate(spoken.out):
        assert out != "start" or spoken.out[at + 1] not in ("start", "end")
    heard = [out for out in spoken.out if isinstance(out, int)]
    assert heard == sorted(set(heard))
