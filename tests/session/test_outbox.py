"""The outbox against a model of what a person said, what each link was given and what was answered.

The model is plain lists: every frame of speech is sent on a link that lives on, or is answered, or waits, or
is counted as dropped; each link gets what it is sent in the order it was said; nothing answered is sent again.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from livechat.audio.dsp import level
from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS
from livechat.audio.vad import SpeechDetector
from livechat.session.events import Replay
from livechat.session.outbox import BACKLOG, BLOCK, LEAD, PACK, PACKED_AFTER, TRACKED, Item, Outbox
from tests.support.conversation import SENTENCES, samples
from tests.support.examples import examples


def frame(number: int) -> bytes:
    """Any bytes do: the outbox does not listen."""
    return number.to_bytes(4, "big")


def speak(box: Outbox, *numbers: int) -> None:
    for number in numbers:
        box.add_audio(frame(number), speech=True)


def hush(box: Outbox, *numbers: int) -> None:
    for number in numbers:
        box.add_audio(frame(number), speech=False)


def parts(item: Item) -> list[int | str]:
    """What a message holds, by number or text."""
    audio = item.audio
    return [item.text] if item.text else [int.from_bytes(audio[at : at + 4], "big") for at in range(0, len(audio), 4)]


def drain(box: Outbox) -> list[int | str]:
    """Everything the outbox has for the link, by number or text."""
    return [part for item in iter(box.next, None) for part in parts(item)]


def footprint(box: Outbox) -> int:
    """How many things it holds in memory."""
    return len(box._items) + len(box._unsent)


def live(bound_ms: int = 120_000) -> Outbox:
    box = Outbox(bound_ms)
    box.rewind()
    return box


# ------------------------------------------------------------------------------------------ by example


def test_nothing_is_sent_before_the_first_link_and_all_of_it_on_it() -> None:
    box = Outbox()
    speak(box, 1, 2)
    box.add_text("hello")
    assert box.next() is None
    assert box.rewind() == 2 * FRAME_MS
    assert drain(box) == [1, 2, "hello"]
    assert (box.captured_ms, box.sent_ms, box.dropped_ms) == (2 * FRAME_MS, 2 * FRAME_MS, 0)


def test_on_a_living_link_silence_is_sent_as_it_comes_and_when_it_goes_on_several_frames_at_a_time() -> None:
    box = live()
    sent: list[int | str] = []
    messages = 0
    for n in range(100):
        hush(box, n)
        before = len(sent)
        sent += drain(box)
        messages += len(sent) > before
        assert n < PACKED_AFTER or len(sent) == PACKED_AFTER + (n + 1 - PACKED_AFTER) // PACK * PACK
    assert sent == list(range(100))
    assert messages == PACKED_AFTER + (100 - PACKED_AFTER) // PACK
    assert not box.waiting()


def test_what_a_microphone_gives_at_once_leaves_in_one_message_and_a_lone_frame_waits_for_none() -> None:
    box = live()
    speak(box, 1)
    assert [parts(item) for item in iter(box.next, None)] == [[1]]
    speak(box, 2, 3, 4)
    box.add_text("typed")
    hush(box, 5, 6)
    assert [parts(item) for item in iter(box.next, None)] == [[2, 3], [4], ["typed"], [5, 6]]


def test_whatever_comes_sends_the_silence_before_it_at_once() -> None:
    def text(box: Outbox) -> None:
        box.add_text("typed")

    def signal(box: Outbox) -> None:
        box.add_signal("stream end")

    def speech(box: Outbox) -> None:
        speak(box, 1000)

    for come in (text, signal, speech):
        box = live()
        hush(box, *range(PACKED_AFTER + PACK - 1))
        assert drain(box) == list(range(PACKED_AFTER))
        come(box)
        assert drain(box)[: PACK - 1] == list(range(PACKED_AFTER, PACKED_AFTER + PACK - 1))
        assert box.unsent() == 0


def test_a_handle_that_holds_a_message_of_several_frames_holds_all_of_them() -> None:
    box = live()
    hush(box, *range(PACKED_AFTER + PACK))
    drain(box)
    speak(box, 1000)
    box.consumed(PACKED_AFTER // BLOCK + 1)
    box.rewind("missing")
    assert drain(box) == [1000]


def test_the_moment_before_speech_is_sent_again_with_it_and_the_silence_before_that_is_not() -> None:
    box = live()
    hush(box, *range(50))
    speak(box, 50, 51)
    drain(box)
    box.hold()
    assert box.rewind() == (LEAD + 2) * FRAME_MS
    assert drain(box) == [*range(50 - LEAD, 50), 50, 51]


def test_silence_while_no_link_is_there_is_forgotten_but_for_the_newest_moment() -> None:
    box = live()
    box.hold()
    hush(box, *range(1_000))
    assert box.rewind() == 0
    assert drain(box) == list(range(1_000 - LEAD, 1_000))


def test_an_answered_question_is_never_sent_again_and_the_next_one_is() -> None:
    box = live()
    speak(box, 1, 2)
    hush(box, *range(10, 10 + LEAD + 1))
    drain(box)
    mark = box.sent_mark()
    speak(box, 3)
    drain(box)
    box.answered(mark)
    box.hold()
    box.rewind()
    assert [n for n in drain(box) if n in (1, 2, 3)] == [3]


def test_an_answer_that_begins_while_the_person_speaks_is_not_about_that_speech() -> None:
    box = live()
    box.add_text("first")
    drain(box)
    hush(box, *range(10, 10 + LEAD))
    speak(box, 1, 2)
    drain(box)
    box.answered(box.sent_mark())
    assert box.waiting()
    box.hold()
    box.rewind()
    assert drain(box) == [*range(10, 10 + LEAD), 1, 2]


def test_speech_since_a_typed_question_is_told_from_speech_that_belongs_to_it() -> None:
    box = live()
    speak(box, 1)
    hush(box, *range(10, 10 + LEAD + 1))
    box.add_text("typed")
    drain(box)
    mark = box.sent_mark()
    speak(box, 2)
    drain(box)
    assert not box.only_later_speech(mark)  # the first word is of this question
    box.answered(mark)
    assert box.only_later_speech(mark)


def test_an_answer_that_begins_before_all_of_a_replay_is_sent_is_not_about_the_rest() -> None:
    """A slow link: the first of two old questions is being answered when the second has not left yet."""
    box = live()
    speak(box, 1)
    hush(box, *range(10, 30))
    speak(box, 2)
    hush(box, *range(30, 50))
    drain(box)
    box.hold()
    box.rewind()
    first = box.next()
    assert first is not None
    assert parts(first) == [1, 30 - LEAD]
    box.answered(box.sent_mark())
    assert 2 in drain(box)
    assert box.waiting()


def test_without_what_a_link_may_have_died_of_only_new_speech_and_all_text_is_sent() -> None:
    box = live()
    speak(box, 1, 2)
    box.add_text("typed")
    drain(box)
    box.hold()
    speak(box, 3)
    assert box.rewind("none") == FRAME_MS
    assert drain(box) == ["typed", 3]
    assert box.dropped_ms == 2 * FRAME_MS


def test_what_the_newest_handle_holds_is_not_sent_again_to_the_session_it_leads_to() -> None:
    box = Outbox()
    box.rewind(given=1)  # setup is message 0, its context 1
    speak(box, 0, 1, 2, 3)
    box.add_text("typed")
    drain(box)
    box.consumed(2)
    box.hold()
    speak(box, 4)
    assert box.rewind("missing") == 3 * FRAME_MS
    assert drain(box) == [2, 3, "typed", 4]
    assert box.replayed_ms == 3 * FRAME_MS
    box.answered(box.sent_mark())  # all but the speech going on
    assert box.waiting()
    hush(box, *range(10, 10 + LEAD + 1))
    drain(box)
    box.answered(box.sent_mark())
    assert not box.waiting()  # what was not sent again is answered too


def test_what_a_handle_holds_is_forgotten_with_the_session_it_leads_to() -> None:
    box = live()
    speak(box, 1, 2)
    drain(box)
    box.consumed(2)
    box.rewind("all")
    assert drain(box) == [1, 2]
    box.rewind("missing")
    assert drain(box) == [1, 2]


def test_a_handle_of_the_second_link_holds_what_the_first_one_was_sent() -> None:
    box = live()
    speak(box, 1, 2)
    drain(box)
    box.consumed(1)
    box.rewind("missing")
    speak(box, 3, 4, 5)
    drain(box)
    box.consumed(1)
    box.rewind("missing")
    assert drain(box) == [5]


@pytest.mark.parametrize("message", [-1, 0, 3, 10_000])
def test_a_number_that_this_link_was_not_sent_says_nothing(message: int) -> None:
    box = live()
    speak(box, 1, 2)
    drain(box)
    box.consumed(message)
    box.rewind("missing")
    assert drain(box) == [1, 2]


def test_hours_of_a_server_that_says_nothing_of_its_handles_need_no_memory() -> None:
    box = live()
    for n in range(PACKED_AFTER + 2 * TRACKED * PACK):
        hush(box, n)
        drain(box)
    assert len(box._sent) == TRACKED
    box.consumed(PACKED_AFTER + 2 * TRACKED)
    assert len(box._sent) == 0


def test_what_was_said_with_the_key_pressed_is_sent_again_between_its_signals() -> None:
    box = live()
    hush(box, *range(10, 30))
    box.add_signal("start")
    speak(box, 1, 2)
    box.add_signal("end")
    hush(box, 30)
    drain(box)
    box.hold()
    assert box.rewind() == 2 * FRAME_MS
    assert [(item.signal, item.audio) for item in iter(box.next, None)] == [
        ("start", b""), (None, frame(1) + frame(2)), ("end", b""), (None, frame(30)),
    ]  # fmt: skip
    box.answered(box.sent_mark())
    assert not box.waiting()
    box.rewind()
    assert drain(box) == [30]


def test_an_answer_to_what_came_before_leaves_the_key_pressed() -> None:
    box = live()
    box.add_text("typed")
    box.add_signal("start")
    speak(box, 1)
    drain(box)
    box.answered(box.sent_mark())
    box.rewind()
    assert [(item.signal, item.audio) for item in iter(box.next, None)] == [("start", b""), (None, frame(1))]


def test_when_old_speech_is_given_up_the_key_stays_pressed() -> None:
    box = live()
    box.add_signal("start")
    speak(box, 1)
    box.add_signal("end")
    box.add_signal("start")
    speak(box, 2)
    drain(box)
    box.hold()
    speak(box, 3)
    assert box.rewind("none") == FRAME_MS
    assert [(item.signal, item.audio) for item in iter(box.next, None)] == [("start", b""), (None, frame(3))]
    assert box.dropped_ms == 2 * FRAME_MS


def test_that_the_microphone_was_shut_concerns_one_link_only() -> None:
    box = live()
    box.add_signal("stream end")
    assert [item.signal for item in iter(box.next, None)] == ["stream end"]
    box.add_signal("stream end")
    box.hold()
    box.rewind()
    assert box.next() is None


def test_typed_text_is_never_given_up_however_much_is_said_after_it() -> None:
    box = Outbox(bound_ms=10 * FRAME_MS)
    box.add_text("keep me")
    speak(box, *range(100))
    assert box.dropped_ms == 90 * FRAME_MS
    box.rewind()
    assert drain(box) == ["keep me", *range(90, 100)]


def test_a_long_speech_that_a_living_link_was_given_is_not_called_dropped_unless_that_link_is_lost() -> None:
    box = live(bound_ms=10 * FRAME_MS)
    for n in range(100):
        speak(box, n)
        drain(box)
    assert box.dropped_ms == 0
    box.hold()
    assert box.rewind() == 10 * FRAME_MS
    assert box.dropped_ms == 90 * FRAME_MS
    assert drain(box) == list(range(90, 100))


def test_a_long_speech_that_was_answered_is_not_called_dropped_by_a_later_loss() -> None:
    box = live(bound_ms=10 * FRAME_MS)
    for n in range(100):
        speak(box, n)
        drain(box)
    hush(box, *range(200, 220))
    drain(box)
    box.answered(box.sent_mark())
    box.hold()
    assert box.rewind() == 0
    assert box.dropped_ms == 0


def test_what_the_bound_takes_before_it_left_does_not_stop_what_comes_after_it() -> None:
    box = live(bound_ms=10 * FRAME_MS)
    speak(box, *range(15))
    assert box.dropped_ms == 5 * FRAME_MS
    assert drain(box) == list(range(5, 15))


def test_hours_without_a_link_cost_no_memory() -> None:
    box = live(bound_ms=1_000)
    box.hold()
    for n in range(20_000):
        box.add_audio(frame(n), speech=n % 50 < 5)
    assert footprint(box) <= 1_000 // FRAME_MS + LEAD
    box.rewind()
    assert len(drain(box)) <= 1_000 // FRAME_MS + LEAD


def test_a_link_that_takes_nothing_any_more_costs_no_memory_either() -> None:
    """Half-open: the link counts as living, and not one frame leaves."""
    box = live(bound_ms=1_000)
    for n in range(20_000):
        box.add_audio(frame(n), speech=n % 50 < 5)
    assert footprint(box) <= 3 * (1_000 // FRAME_MS + LEAD + BACKLOG)


def test_hours_of_silence_on_a_living_link_cost_no_memory() -> None:
    box = live()
    for n in range(20_000):
        hush(box, n)
        drain(box)
    assert footprint(box) <= LEAD + 1


def test_on_a_slow_link_silence_makes_way_and_speech_does_not() -> None:
    box = live()
    for n in range(2_000):
        box.add_audio(frame(n), speech=1_000 <= n < 1_100)
    sent = drain(box)
    assert [n for n in sent if isinstance(n, int) and 1_000 <= n < 1_100] == list(range(1_000, 1_100))
    assert sent == sorted(sent, key=int)
    assert len(sent) <= 100 + BACKLOG + 2 * LEAD


def test_what_is_typed_while_the_person_speaks_is_answered_before_what_they_say() -> None:
    box = live()
    speak(box, 1, 2)
    box.add_text("hello")
    speak(box, 3)
    drain(box)
    box.answered(box.sent_mark())
    speak(box, 4)
    drain(box)
    box.rewind()
    assert drain(box) == [1, 2, 3, 4]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_voice_detection_is_late_by_less_than_what_is_kept_before_speech(sentence: str) -> None:
    """After digital silence, as of a muted microphone, it takes longest."""
    detector = SpeechDetector()
    sound = bytes(FRAME_BYTES * 100) + samples(sentence).tobytes()
    frames = [sound[at : at + FRAME_BYTES] for at in range(0, len(sound), FRAME_BYTES)]
    noticed = [detector.feed(f) for f in frames].index(True)
    began = next(i for i, f in enumerate(frames) if level(f) > -40)
    assert noticed - began <= LEAD


# ----------------------------------------------------------------------------------------- against a model


class Conversation(RuleBasedStateMachine):
    """What was said, in lists; which link was given what; what has its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.count = itertools.count()
        self.said: list[tuple[int | str, bool]] = []  # (frame number or text, is it speech), in order
        self.claimed: set[int] = set()  # silence just before speech: it belongs to it
        self.lead: list[int] = []
        self.speaking_from: int | str | None = None
        self.held = True
        self.links: list[list[int | str]] = []  # what each link was given
        self.messages: list[int | str] = []  # the last thing in each message to the last link
        self.settled: set[int | str] = set()  # answered
        self.bared: set[int | str] = set()  # given up by a bare rewind
        self.known = -1  # how far the newest handle reaches

    @initialize(bound=st.sampled_from([6, 40, 6_000]), last=st.sampled_from(["all", "missing"]))
    def begin(self, bound: int, last: Replay) -> None:
        self.bound = bound
        self.last = last
        self.box = Outbox(bound * FRAME_MS)

    def order(self, what: int | str) -> int:
        return [w for w, _ in self.said].index(what)

    @property
    def speech(self) -> list[int]:
        return [w for w, spoken in self.said if isinstance(w, int) and (spoken or w in self.claimed)]

    @rule(frames=st.integers(1, 12))
    def the_person_speaks(self, frames: int) -> None:
        for _ in range(frames):
            number = next(self.count)
            if self.speaking_from is None:
                self.speaking_from = self.lead[0] if self.lead else number
            self.claimed |= set(self.lead)
            self.lead = []
            self.said.append((number, True))
            self.box.add_audio(frame(number), speech=True)

    @rule(frames=st.one_of(st.integers(1, 20), st.integers(PACKED_AFTER, PACKED_AFTER + 3 * PACK)))
    def the_person_is_silent(self, frames: int) -> None:
        for _ in range(frames):
            number = next(self.count)
            self.speaking_from = None
            self.lead = [*self.lead, number][-LEAD:]
            self.said.append((number, False))
            self.box.add_audio(frame(number), speech=False)

    @rule()
    def the_person_types(self) -> None:
        text = f"t{next(self.count)}"
        self.said.append((text, False))
        self.box.add_text(text)

    @precondition(lambda self: not self.held)
    @rule(most=st.integers(1, 40))
    def the_link_takes_some(self, most: int) -> None:
        for _ in range(most):
            item: Item | None = self.box.next()
            if item is None:
                break
            self.links[-1] += parts(item)
            self.messages.append(parts(item)[-1])

    @precondition(lambda self: not self.held)
    @rule(back=st.integers(0, 10))
    def the_server_says_what_its_handle_holds(self, back: int) -> None:
        message = len(self.messages) - back
        self.box.consumed(message)
        if message > 0:
            self.known = max(self.known, self.order(self.messages[message - 1]))

    @rule(replay=st.sampled_from(["all", "missing", "none"]))
    def a_new_link(self, replay: Replay) -> None:
        if replay != "missing":
            self.known = -1
        if replay == "none":
            given = set(itertools.chain(*self.links))
            self.bared |= {n for n in self.speech if n in given and n not in self.settled}
        self.held = False
        waiting = self.box.rewind(replay)
        self.links.append([])
        self.messages = []
        assert waiting <= self.bound * FRAME_MS

    @rule()
    def the_link_is_lost(self) -> None:
        self.held = True
        self.box.hold()
        assert self.box.next() is None

    @precondition(lambda self: self.links and self.links[-1] and not self.held)
    @rule()
    def what_this_link_was_given_is_answered(self) -> None:
        last = max([self.known, *(self.order(w) for w in self.links[-1])])
        mark = self.box.sent_mark()
        for what, _ in self.said[: last + 1]:
            going_on = self.speaking_from is not None and self.order(what) >= self.order(self.speaking_from)
            if isinstance(what, str) or (what in self.speech and not going_on):
                self.settled.add(what)
        self.box.answered(mark)

    @invariant()
    def each_link_is_given_things_in_the_order_they_were_said_and_once(self) -> None:
        for given_ in self.links[-2:]:
            places = [self.order(w) for w in given_]
            assert places == sorted(set(places))

    @invariant()
    def durations_add_up(self) -> None:
        frames = sum(isinstance(w, int) for w, _ in self.said)
        given_ = {w for link in self.links for w in link if isinstance(w, int)}
        box = getattr(self, "box", None)
        if box is not None:
            assert box.captured_ms == frames * FRAME_MS
            assert box.sent_ms == len(given_) * FRAME_MS

    def teardown(self) -> None:
        """A last link that takes everything: whatever was said and is not answered is on it, or is counted."""
        if not hasattr(self, "box"):
            return
        self.a_new_link(self.last)
        self.links[-1] += drain(self.box)
        last = self.links[-1]
        assert self.box.next() is None
        assert not self.settled & set(last), "what has its answer was sent again"
        assert all(self.order(w) > self.known for w in last), "what the handle holds was sent again"
        lacking = [w for w, _ in self.said[self.known + 1 :] if w not in self.settled]
        texts = [w for w in lacking if isinstance(w, str)]
        assert [w for w in last if isinstance(w, str)] == texts, "typed text was lost"
        missing = [n for n in self.speech if n in lacking and n not in last]
        assert len(missing) * FRAME_MS <= self.box.dropped_ms, "speech was lost and not counted"
        if not self.bared and len(self.speech) <= self.bound:
            assert self.box.dropped_ms == 0, "counted as dropped although nothing was"
        silence = [n for n in last if isinstance(n, int) and n not in self.speech]
        assert set(silence) <= set(self.lead), "silence was sent again"


TestConversation = Conversation.TestCase
TestConversation.settings = settings(
    max_examples=examples(150), stateful_step_count=40, deadline=None, print_blob=True
)


@settings(deadline=None, print_blob=True)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=BACKLOG))
def test_on_one_link_that_lives_all_that_was_captured_is_sent_once_in_order(steps: list[tuple[bool, bool]]) -> None:
    """(speech?, does the link take what waits?) for each frame."""
    box = live()
    sent: list[int | str] = []
    for number, (speech, taken) in enumerate(steps):
        box.add_audio(frame(number), speech=speech)
        if taken:
            sent += drain(box)
    sent += drain(box)
    assert sent == list(range(len(sent)))
    assert box.sent_ms == FRAME_MS * len(sent)
    assert len(steps) - len(sent) < PACK
    assert box.dropped_ms == 0


def test_an_answer_that_begins_with_the_next_sentence_does_not_take_its_first_syllable() -> None:
    """Voice detection claims the moment before speech only later; by then an answer may have marked it."""
    box = Outbox()
    box.rewind()
    box.add_text("typed")
    for n in range(3):
        box.add_audio(bytes([n]) * 640, speech=False)
    while box.next():
        pass
    mark = box.sent_mark()
    box.add_audio(b"\7" * 640, speech=True)
    box.answered(mark)
    box.rewind()
    again = b"".join(item.audio for item in iter(box.next, None))
    assert again[::640] == b"\0\1\2\7"


def test_what_was_answered_too_soon_waits_again_in_its_place() -> None:
    box = live()
    speak(box, 0, 1)
    box.add_text("typed")
    drain(box)
    box.answered(box.sent_mark())
    hush(box, *range(2, 40))
    speak(box, 40)
    box.reopened()
    assert box.waiting()
    box.rewind()
    assert drain(box)[:3] == [0, 1, "typed"]
    box.answered(box.sent_mark())
    box.reopened()
    box.reopened()
    box.answered(box.sent_mark())
    assert not any(item.text for item in box._items.values())


def test_a_question_is_asked_again_on_the_same_link_before_what_comes_next() -> None:
    box = live()
    box.add_text("one")
    speak(box, 1, 2)
    hush(box, *range(3, 30))
    drain(box)
    mark = box.sent_mark()
    box.add_text("two")
    box.again(mark)
    assert drain(box) == ["one", 1, 2, "two"]
    assert box.replayed_ms == 2 * FRAME_MS
    assert box.sent_ms == 29 * FRAME_MS
    box.answered(box.sent_mark())
    assert not box.asks_since(box.sent_mark())
