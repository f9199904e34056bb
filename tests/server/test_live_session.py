"""The session's turns by example and at random, without a socket or a clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livechat.server.actions import (
    Action,
    AskAgent,
    CloseLink,
    ForgetHandles,
    HistoryTrimmed,
    OfferHandle,
    SendFrame,
    StopAgent,
    TurnKept,
)
from livechat.server.close_reasons import CLOSES
from livechat.server.deadlines import ServerTimes, SessionAge
from livechat.server.history import HistoryTurn, weight
from livechat.server.live_session import LiveSession
from livechat.server.models import FLASH_3_1, HALF_CASCADE, LIVE_3_8, NATIVE_2_5, THINKING_3_8, Traits
from livechat.server.terms import Endpoint, Terms, agree
from tests.support.examples import examples

TIMES = ServerTimes()
TERMS = agree(
    {
        "model": "gemini-3.8-live",
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
        "contextWindowCompression": {"triggerTokens": 5000, "slidingWindow": {"targetTokens": 1000}},
    },
    Endpoint("v1beta", vertex=False),
)
SECOND = bytes(48_000)


def live(terms: Terms = TERMS, history: tuple[HistoryTurn, ...] = ()) -> LiveSession:
    return LiveSession(terms, history, 0.0, 0.0, TIMES)


def contents(actions: Sequence[Action]) -> list[str]:
    """What the frames in `actions` say, by their innermost names; other actions by their class."""
    found = []
    for action in actions:
        if isinstance(action, SendFrame):
            content = action.frame.get("serverContent", action.frame)
            found += list(content) or ["{}"]
        elif not isinstance(action, TurnKept):
            found.append(type(action).__name__)
    return found


def test_one_turn() -> None:
    session = live()
    assert contents(session.speech_began(0.5, 1.0)) == ["voiceActivity"]
    assert contents(session.heard("hello", 2.0, 2.5, 3.0)) == ["inputTranscription", "voiceActivity", "AskAgent"]
    assert contents(session.said("Hi ", SECOND, 3.1)) == ["{}", "modelTurn", "outputTranscription"]
    assert contents(session.said("", SECOND, 3.2)) == ["{}", "modelTurn"]
    assert session.covered == 0
    assert contents(session.said_all(3.3)) == ["generationComplete"]
    assert (session.state, session.covered) == ("playing", 2)
    assert session._play_end == 5.1  # two seconds after the first sound
    session.tick(1.0)  # the handles that were due
    actions = [a for a in session.tick(5.1) if not isinstance(a, OfferHandle)]
    assert contents(actions) == ["turnComplete"]
    assert session.state == "listening"
    assert [(t.role, t.text, t.tokens) for t in session.history] == [("user", "hello", 50), ("model", "Hi", 50)]


def test_an_answer_with_nothing_to_say_is_complete_at_once() -> None:
    session = live()
    session.typed("hello", 1.0)
    session.said_all(1.0)
    assert "turnComplete" in contents(session.tick(1.0))
    assert [turn.role for turn in session.history] == ["user"]
    assert session.covered == 1


THINKING = dataclasses.replace(TERMS, traits=THINKING_3_8)


def thinking(terms: Terms = THINKING) -> LiveSession:
    """A session whose answer to "one" has begun with "Wait.", of a second, said in full at 1.5."""
    session = live(terms)
    session.typed("one", 1.0)
    session.said("Wait. ", SECOND, 1.0)
    assert contents(session.said_all(1.5, more=True)) == ["generationComplete"]
    return session


def over(actions: Sequence[Action]) -> list[tuple[str, ...]]:
    """The statuses and other flags of what ends turns in `actions`."""
    found = [a.frame.get("serverContent", {}) for a in actions if isinstance(a, SendFrame)]
    return [tuple(map(str, content.values())) for content in found if "turnComplete" in content]


def test_an_answer_in_two_utterances_is_complete_when_it_is_idle() -> None:
    session = thinking()
    offers = [a for a in session.tick(1.6) if isinstance(a, OfferHandle)]
    assert offers == [OfferHandle(False)]  # no handle leads to the middle of an answer
    assert over(session.tick(2.0)) == [("True", "IN_PROGRESS")]
    assert (session.state, session.whole(), session.unplayed(2.0)) == ("thinking", False, 0.0)
    assert OfferHandle(False) in session.tick(4.0)
    session.said("Two.", SECOND, 5.0)
    session.said_all(5.2)
    assert over(session.tick(6.0)) == [("True", "IDLE")]
    assert [turn.text for turn in session.history] == ["one", "Wait.", "Two."]
    assert session.whole()


@pytest.mark.parametrize(("at", "history"), [(1.5, ["one"]), (1.9, ["one"]), (3.0, ["one", "Wait."])])
def test_cutting_in_between_two_utterances_ends_the_answer(at: float, history: list[str]) -> None:
    session = thinking()
    session.tick(at)
    actions = session.speech_began(at, at)
    assert contents(actions)[1:4] == ["StopAgent", "interrupted", "turnComplete"]
    assert over(actions) == [("True", "IDLE")]
    assert [turn.text for turn in session.history] == history
    assert session.whole()
    session.heard("two", 1.0, at + 1, at + 1)
    session.said("All.", SECOND, at + 2)
    session.said_all(at + 2)
    assert over(session.tick(at + 9)) == [("True", "IDLE")]


def test_a_question_between_two_utterances_waits_where_nothing_interrupts() -> None:
    session = thinking(dataclasses.replace(THINKING, interrupts=False))
    session.tick(2.0)
    assert session.typed("two", 3.0) == []
    session.said("One.", SECOND, 4.0)
    session.said_all(4.0)
    actions = session.tick(5.0)
    assert over(actions) == [("True", "IDLE")]
    assert "AskAgent" in contents(actions)


def test_a_question_may_get_nothing() -> None:
    session = live()
    session.typed("one", 1.0)
    assert over(session.says_nothing(1.5, "RESPONSE_REJECTED")) == [("True", "RESPONSE_REJECTED")]
    assert (session.state, session.whole()) == ("listening", True)
    session.typed("two", 2.0)
    assert over(session.says_nothing(2.5)) == [("True",)]
    session.typed("three", 3.0)
    session.keeps_silent()
    assert (session.state, session.whole(), OfferHandle(True) in session.tick(3.0)) == ("listening", True, True)


def test_a_written_answer_has_neither_sound_nor_transcript() -> None:
    session = live()
    session.typed("one", 1.0)
    (_, said) = session.said("An answer", b"", 1.0, written=True)
    assert said == SendFrame({"serverContent": {"modelTurn": {"role": None, "parts": [{"text": "An answer"}]}}})
    session.said_all(1.0)
    (end,) = [a.frame for a in session.tick(1.0) if isinstance(a, SendFrame)]
    usage = end["usageMetadata"]
    assert (usage["responseTokenCount"], usage["responseTokensDetails"][0]["modality"]) == (3, "TEXT")


def test_noise_that_was_no_speech_leaves_no_turn() -> None:
    session = live()
    session.speech_began(0.5, 1.0)
    assert contents(session.heard("", 1.0, 2.0, 2.0)) == ["voiceActivity"]
    assert (session.state, session.history) == ("listening", [])


def test_a_question_while_thinking_replaces_none() -> None:
    session = live()
    session.typed("one", 1.0)
    assert contents(session.typed("two", 1.1)) == ["StopAgent", "AskAgent"]
    assert [turn.text for turn in session.history] == ["one", "two"]
    assert session.covered == 0
    session.said("both", SECOND, 2.0)
    session.said_all(2.0)
    assert session.covered == 3


def test_context_that_arrives_while_the_answer_plays_is_kept_when_it_is_cut() -> None:
    session = live()
    session.typed("one", 1.0)
    session.said("a b c d ", SECOND * 4, 1.0)
    session.said_all(1.0)
    session.content([("user", "by the way")], complete=False, now=2.0)
    assert contents(session.speech_began(3.0, 3.0))[1:] == ["StopAgent", "interrupted", "turnComplete"]
    assert [turn.text for turn in session.history] == ["one", "a b", "by the way"]
    assert session.covered == 3


@pytest.mark.parametrize("when", ["thinking", "generating", "playing"])
def test_a_question_that_is_put_in_while_the_model_speaks_is_answered_when_it_is_asked(when: str) -> None:
    """As livekit does it for each reply: the turns first, and what starts the answer in a message of its own."""
    session = live()
    session.typed("one", 1.0)
    if when != "thinking":
        session.said("a b c d ", SECOND * 4, 1.0)
    if when == "playing":
        session.said_all(1.0)
    session.content([("user", "two")], complete=False, now=2.0)
    assert contents(session.content([], complete=True, now=3.0))[-1] == "AskAgent"
    assert [turn.text for turn in session.history if turn.role == "user"] == ["one", "two"]
    assert session.history[-1].text == "two"


@pytest.mark.parametrize(
    ("traits", "asks"), [(LIVE_3_8, False), (FLASH_3_1, False), (NATIVE_2_5, True), (HALF_CASCADE, True)]
)
def test_a_history_that_ends_with_a_question_is_answered_at_once_or_when_a_blank_text_comes(
    traits: Traits, asks: bool
) -> None:
    session = live(dataclasses.replace(TERMS, seeded=True, traits=traits))
    loaded = session.content([("user", "hello"), ("model", "hi"), ("user", "greet me")], complete=True, now=1.0)
    assert ("AskAgent" in contents(loaded)) is asks
    assert ("AskAgent" in contents(session.typed(" ", 1.1))) is not asks
    session.said("Welcome.", SECOND, 1.2)
    session.said_all(1.3)
    session.tick(3.0)
    assert session.typed(" ", 3.1) == []  # nothing is unanswered
    assert [turn.text for turn in session.history] == ["hello", "hi", "greet me", "Welcome."]


@pytest.mark.parametrize("then", ["thinking", "generating", "hearing"])
def test_after_a_turn_its_handle_comes_whatever_the_client_has_asked_since(then: str) -> None:
    session = live(dataclasses.replace(TERMS, handles="after turns", traits=NATIVE_2_5))
    session.typed("one", 1.0)
    session.said("a ", SECOND, 1.0)
    session.said_all(1.0)
    assert "turnComplete" in contents(session.tick(2.0))
    if then == "hearing":
        session.speech_began(2.01, 2.01)
    else:
        session.typed("two", 2.01)
    if then == "generating":
        session.said("b ", SECOND, 2.02)
    assert OfferHandle(True) in session.tick(2.06)
    assert session.covered == 2


def test_seeding_is_not_answered() -> None:
    session = live(dataclasses.replace(TERMS, seeded=True))
    assert contents(session.content([("user", "a"), ("model", "b")], complete=True, now=1.0)) == []
    assert session.covered == 2
    assert "AskAgent" in contents(session.content([("user", "c")], complete=True, now=1.0))


def test_system_content_is_instruction() -> None:
    session = live()
    session.content([("system", "Be brief.")], complete=False, now=1.0)
    assert (session.system, session.history) == ("Be brief.", [])


def test_a_context_that_is_full_ends_the_session() -> None:
    session = live(dataclasses.replace(TERMS, trigger=None), (HistoryTurn("user", "x", 6000.0),))
    assert session.typed("more", 1.0)[-1] == CloseLink(1007, "Request contains an invalid argument.")


def test_a_client_that_is_silent_or_stays_too_long_is_closed() -> None:
    session = live()
    assert session.tick(150.0) == [CloseLink(1008, "The operation was aborted.")]
    session = live()
    told = []
    for second in range(590):
        session.deadlines.sounded(float(second))
        told += [(second, a.frame) for a in session.tick(float(second)) if isinstance(a, SendFrame)]
    assert told == [(540, {"goAway": {"timeLeft": "50s"}})]
    (end,) = session.tick(590.0)
    assert isinstance(end, CloseLink)
    assert end.reason.startswith("Connection aborted because the client failed to close")


def test_only_sound_keeps_a_link_open() -> None:
    session = live()
    session.typed("hello", 100.0)
    session.content([("user", "hello")], True, 120.0)
    session.video(149.0)
    assert session.tick(150.0) == [CloseLink(1008, "The operation was aborted.")]


def test_what_was_shown_belongs_to_the_question_and_counts() -> None:
    session = live(dataclasses.replace(TERMS, trigger=100_000))
    for second in range(12):
        session.video(float(second))
    session.typed("what do you see?", 12.0)
    assert session.history[-1].frames == 12
    session.said("a wall", SECOND, 13.0)
    session.said_all(13.0)
    usage = next(action.frame["usageMetadata"] for action in session.tick(20.0) if isinstance(action, SendFrame))
    assert {"modality": "IMAGE", "tokenCount": 12 * 258} in usage["promptTokensDetails"]
    assert usage["promptTokenCount"] == 12 * 258 + 4


def test_video_without_words_slides_through_the_window() -> None:
    session = live()
    for second in range(100):
        session.video(float(second))
        assert session.tokens() <= 5000


def test_without_compression_a_session_lasts_fifteen_minutes_and_two_with_video_over_all_its_links() -> None:
    bare, age = dataclasses.replace(TERMS, trigger=None), SessionAge()
    first = LiveSession(bare, (), 0.0, 0.0, TIMES, age)
    assert first.deadlines.close_at == 590.0
    first.deadlines.closed(580.0)
    second = LiveSession(bare, (), 1000.0, 1000.0, TIMES, age)
    assert (second.deadlines.goaway_at, second.deadlines.close_at) == (1270.0, 1320.0)
    second.video(1010.0)
    assert (second.deadlines.goaway_at, second.deadlines.close_at) == (1080.0, 1130.0)
    second.deadlines.sounded(1129.0)
    second.go_away(50.0, 1080.0)
    assert second.tick(1130.0) == [ForgetHandles(), CloseLink(*CLOSES["overstayed"])]


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("began")),
        st.tuples(st.just("heard"), st.sampled_from(["", "some words"]), st.floats(0.1, 20)),
        st.tuples(st.just("typed"), st.text("ab ", min_size=1, max_size=400)),
        st.tuples(st.just("content"), st.booleans(), st.lists(st.sampled_from(["user", "model"]), max_size=3)),
        st.tuples(st.just("said"), st.floats(0, 5)),
        st.tuples(st.just("all")),
        st.tuples(st.just("more")),
        st.tuples(st.just("nothing")),
        st.tuples(st.just("wait"), st.floats(0, 30)),
    ),
    max_size=60,
)


@settings(max_examples=examples(100), deadline=None)
@given(EVENTS, st.booleans(), st.sampled_from([LIVE_3_8, THINKING_3_8]))
def test_whatever_happens_the_turns_are_told_right(
    events: list[tuple[object, ...]], interrupts: bool, traits: Traits
) -> None:
    session, now = live(dataclasses.replace(TERMS, interrupts=interrupts, traits=traits)), 0.0
    asked = False  # an agent is at work
    generated = ended = 0
    for event in events:
        actions: list[Action] = []
        works = asked and session.state != "playing"  # it waits until an utterance is heard before the next
        match event:
            case ("began",):
                actions = session.speech_began(now, now)
            case ("heard", str(text), float(seconds)):
                actions = session.heard(text, seconds, now, now)
            case ("typed", str(text)):
                actions = session.typed(text, now)
            case ("content", bool(complete), list(roles)):
                actions = session.content([(str(role), "words") for role in roles], complete, now)
            case ("said", float(length)) if works:
                actions = session.said("word ", bytes(round(length * 24_000) * 2), now)
            case ("all",) if works:
                actions = session.said_all(now)
                asked = False
            case ("more",) if works and traits.utterances:
                actions = session.said_all(now, more=True)
            case ("nothing",) if works and session.state == "thinking" and not session._more:  # in place of it all
                actions = session.says_nothing(now)
                asked = False
            case ("wait", float(length)):
                until = now + length
                while session.deadline() <= until:
                    now = max(now, session.deadline())
                    session.deadlines.sounded(now)
                    step = session.tick(now)
                    offers = [action.resumable for action in step if isinstance(action, OfferHandle)]
                    actions += step  # one of them may ask, and a later one offer
                    assert all(offer != (asked or AskAgent() in actions) for offer in offers)
                    assert step or session.deadline() > now, "a deadline that nothing is due at"
                    if any(isinstance(action, CloseLink) for action in step):
                        return
                now = until
        for action in actions:
            if isinstance(action, StopAgent):
                asked = False
            elif isinstance(action, AskAgent):
                assert not asked or not interrupts
                asked = True
                assert session.history[-1].role == "user"
                assert session.tokens() <= 5000
            elif isinstance(action, HistoryTrimmed):
                assert action.before > 5000
                assert session.history[0].role == "user"
            elif isinstance(action, SendFrame):
                content = action.frame.get("serverContent", {})
                generated += "generationComplete" in content
                ended += "turnComplete" in content
        assert 0 <= session.covered <= len(session.history)
        assert (session.state in ("thinking", "generating")) == (asked and session.state != "playing")
        assert weight(session.history) == session.tokens()
        assert now - 1e-9 <= session.deadline()
    assert generated <= ended + 1
