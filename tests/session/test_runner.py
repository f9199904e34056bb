"""The runner by itself: what it feeds, what it performs, and when. The link, the voice and the clock are made up.

Whole conversations over the real SDK are in tests/whole/test_conversation.py.
"""

from __future__ import annotations

import asyncio

import pytest

from livechat.audio.interfaces import FRAME_MS
from livechat.events import Compression, HandleState, Handover, Interrupted, Mic, Speaking, Turn, Usage, UserText
from livechat.session.aftermath import MORE_S
from livechat.session.context_replay import ContextTurn, Exchange
from livechat.session.events import (
    Audio,
    Counted,
    CutIn,
    Ended,
    HandleIn,
    HandleUpdate,
    Leave,
    Replied,
    Resumption,
    Said,
    TurnOver,
)
from livechat.session.failures import BACKOFF_S
from livechat.session.outbox import LEAD
from tests.support.call import TTL, Call, call, ending
from tests.support.fake_voice import FakeVoice

# ----------------------------------------------------------------------------------------- what is sent


def test_a_link_is_given_the_context_then_what_was_said_before_then_what_is_said_now() -> None:
    async def story(made: Call) -> None:
        made.types("asked and not answered")
        await asyncio.sleep(1.0)
        made.cut()
        await asyncio.sleep(0.1)
        made.types("new")
        await asyncio.sleep(1.0)
        context = [ContextTurn("user", "one"), ContextTurn("model", "First.")]
        assert made.link.n == 2
        assert made.link.sent == [context, "asked and not answered", "new"]

    call(story, turns=(Exchange("one", "First."),))


def test_nothing_is_sent_on_a_link_that_is_being_left_and_all_of_it_on_the_next() -> None:
    async def story(made: Call) -> None:
        await asyncio.sleep(3.0)
        first = made.link
        first.close_s = 2.0
        made.day += 60.0  # the computer slept, so the link is left
        await asyncio.sleep(0.15)
        sent = list(first.sent)
        made.types("hello")
        await asyncio.sleep(1.5)
        assert made.link is first  # it is still closing
        await asyncio.sleep(1.5)
        assert first.sent == sent
        assert made.link.texts == ["hello"]

    call(story, voice=FakeVoice(".", endless=True))


def test_words_of_a_link_that_was_left_are_ignored() -> None:
    async def story(made: Call) -> None:
        made.types("hello")
        first = made.link
        await asyncio.sleep(1.0)
        made.cut()
        await asyncio.sleep(1.0)
        made.answers("Too late.", link=first)
        first.say(HandleUpdate(first.n, "h"), Counted(first.n, 9, 9, 9))
        await asyncio.sleep(1.0)
        made.answers("In time.")
        await asyncio.sleep(1.0)

    made, _ = call(story)
    assert made.final_answers == ["In time."]
    assert made.ledger.turns == {0: ("hello", "In time.")}
    assert made.ledger.kept == []
    assert made.of(Usage) == []


def test_the_rest_of_an_answer_that_comes_while_its_link_is_left_is_not_taken_for_another() -> None:
    async def story(made: Call) -> None:
        made.types("hello")
        await asyncio.sleep(1.0)
        made.link.say(Said(1, "It "))
        await asyncio.sleep(0.1)
        made.link.say(Ended(1, "network"), Said(1, "is"))
        await asyncio.sleep(1.0)
        made.answers("It is ten.")
        await asyncio.sleep(1.0)

    made, _ = call(story)
    assert made.ledger.turns == {0: ("hello", "It is ten.")}


def test_a_handover_is_shown_with_its_gap_and_what_was_sent_again() -> None:
    async def story(made: Call) -> None:
        await asyncio.sleep(5.0)
        made.server_is_there = False
        made.cut()
        await asyncio.sleep(0.1)
        made.server_is_there = True
        await asyncio.sleep(5.0)

    made, _ = call(story, voice=FakeVoice("." * 30 + "x" * 100))
    (handover,) = made.of(Handover)
    assert (handover.n, handover.cause, handover.how) == (made.link.n, "the connection was cut", "fresh")
    assert handover.gap_ms == pytest.approx(BACKOFF_S[0] * 1000 * 0.75, abs=1.0)  # the second try's wait
    assert handover.gap_ms == pytest.approx(made.runner.longest_gap_ms, abs=0.1)
    assert handover.replayed_ms == (LEAD + 100) * FRAME_MS
    assert made.runner.links == len(made.links) == 3


# ----------------------------------------------------------------------------------------- what is heard


def test_an_answer_is_heard_shown_and_kept() -> None:
    async def story(made: Call) -> None:
        made.types("hello")
        await asyncio.sleep(1.0)
        made.link.say(Audio(1, bytes(48_000), 24_000), Said(1, "Good day."), Replied(1), TurnOver(1))
        await asyncio.sleep(1.0)
        assert made.player.queued_ms == 1_000.0

    made, error = call(story)
    assert error is None
    assert made.ledger.turns == {0: ("hello", "Good day.")}
    assert len(made.of(Turn)) == 1
    assert Speaking(person=False, model=True) in made.shown


def test_a_handle_reaches_the_machine_with_how_many_turns_it_covers_and_is_kept_and_shown() -> None:
    async def story(made: Call) -> None:
        made.types("hello")
        await asyncio.sleep(1.0)
        made.answers("Good day.")
        made.link.say(HandleUpdate(1, "secret"))
        await asyncio.sleep(1.0)

    made, _ = call(story, turns=(Exchange("one", "First."),))
    assert made.told(HandleIn) == [HandleIn(1, "secret", covers=2)]
    assert made.ledger.kept == [Resumption("secret", 2)]
    assert made.of(HandleState) == [HandleState(Resumption("secret", 2).name, resumable=True, expires_in_s=TTL)]
    assert made.ledger.expired == 1


def test_word_that_there_is_no_handle_is_shown_and_takes_none_away() -> None:
    async def story(made: Call) -> None:
        made.link.say(HandleUpdate(1, "secret"), HandleUpdate(1, ""))
        await asyncio.sleep(1.0)
        made.cut()
        await asyncio.sleep(1.0)
        assert made.link.dial.resumption is not None
        assert made.link.dial.resumption.handle == "secret"

    made, _ = call(story)
    assert made.told(HandleIn) == [HandleIn(1, "secret", 0), HandleIn(1, "", 0)]
    assert made.of(HandleState)[-1] == HandleState("", resumable=False, expires_in_s=0.0)
    assert len(made.ledger.kept) == 1


def test_what_the_newest_handle_holds_by_the_servers_count_is_not_sent_again() -> None:
    async def story(made: Call) -> None:
        made.types("one", "two")
        await asyncio.sleep(1.0)
        made.link.say(HandleUpdate(1, "h", consumed=1))  # its setup is message 0
        await asyncio.sleep(1.0)
        made.cut()
        await asyncio.sleep(1.0)
        assert made.link.texts == ["two"]

    call(story)


def test_the_count_of_tokens_is_shown_and_so_is_a_compression_but_not_that_a_new_session_has_fewer() -> None:
    async def story(made: Call) -> None:
        for tokens in (9_000, 4_000):
            made.link.say(Counted(made.link.n, tokens, 10, tokens + 10))
        await asyncio.sleep(1.0)
        made.cut()
        await asyncio.sleep(1.0)
        made.link.say(Counted(made.link.n, 100, 10, 110))
        await asyncio.sleep(1.0)

    made, _ = call(story)
    assert [usage.prompt_tokens for usage in made.of(Usage)] == [9_000, 4_000, 100]
    assert made.of(Compression) == [Compression(9_000, 4_000)]


# ------------------------------------------------------------------------------------ what the person does


def test_a_line_of_a_pipe_waits_for_the_answer_to_the_one_before() -> None:
    async def story(made: Call) -> None:
        made.types("one", "two")
        await asyncio.sleep(3.0)
        assert made.link.texts == ["one"]
        made.link.say(Said(1, "First."), Replied(1))
        await asyncio.sleep(3.0)
        assert made.link.texts == ["one"]  # its turn is not over
        made.link.say(TurnOver(1))
        await asyncio.sleep(0.1)
        assert made.link.texts == ["one", "two"]

    call(story, one_at_a_time=True)


def test_a_line_of_a_pipe_waits_while_more_of_an_answer_may_come_whose_turn_was_said_to_be_over() -> None:
    async def story(made: Call) -> None:
        made.types("one", "two")
        await asyncio.sleep(1.0)
        made.link.say(Said(1, "First"), TurnOver(1))
        await asyncio.sleep(MORE_S - 0.1)
        assert made.link.texts == ["one"]
        made.link.say(Said(1, " of all."), Replied(1), TurnOver(1))
        await asyncio.sleep(MORE_S - 0.1)
        assert made.link.texts[1:] == ["two"]

    made, _ = call(story, one_at_a_time=True)
    assert made.ledger.turns[0] == ("one", "First of all.")


def test_what_is_typed_at_a_terminal_does_not_wait() -> None:
    async def story(made: Call) -> None:
        made.types("one", "two")
        await asyncio.sleep(1.0)
        assert made.link.texts == ["one", "two"]

    call(story)


def test_a_line_is_not_typed_any_more_once_only_the_last_answer_is_waited_for() -> None:
    """It would be sent, paid for, and left without its answer."""

    async def story(made: Call) -> None:
        made.types("one", "two")
        await asyncio.sleep(1.0)
        made.link.say(Audio(1, bytes(4_800), 24_000), Said(1, "First."))
        await asyncio.sleep(0.01)
        made.runner.leave_when_heard()
        made.link.say(Replied(1), TurnOver(1))
        await asyncio.sleep(2.0)
        assert made.told(Leave) == []  # it is being heard
        made.player.queued_ms = 0.0

    made, error, _ = ending(story)
    assert error is None
    assert made.link.texts == ["one"]
    assert [user.text for user in made.of(UserText)] == ["one"]


def test_the_interrupt_key_silences_the_model_at_once() -> None:
    async def story(made: Call) -> None:
        made.types("hello")
        await asyncio.sleep(1.0)
        made.link.say(Audio(1, bytes(48_000), 24_000), Said(1, "Good"))
        await asyncio.sleep(0.1)
        made.presses("interrupt")
        await asyncio.sleep(0.01)
        assert made.of(Interrupted) == [Interrupted(1_000.0)]
        made.link.say(Audio(1, bytes(48_000), 24_000), Said(1, " day."), Replied(1), TurnOver(1))
        await asyncio.sleep(1.0)
        assert made.player.queued_ms == 0.0

    made, _ = call(story)
    assert made.final_answers == ["Good"]


def test_a_press_of_push_to_talk_silences_the_model_and_its_release_does_not() -> None:
    async def story(made: Call) -> None:
        for command, silenced in (("press", 1), ("release", 1), ("press", 2)):
            made.link.say(Audio(1, bytes(48_000), 24_000), Said(1, "Good"))
            await asyncio.sleep(4.0)
            made.presses("press" if command == "press" else "release")
            await asyncio.sleep(0.1)
            assert len(made.of(Interrupted)) == silenced
            made.link.say(TurnOver(1))

    made, _ = call(story, voice=FakeVoice(".", endless=True), push_to_talk=True)
    assert [mic.state for mic in made.of(Mic)] == ["held", "open", "held", "open"]


def test_muting_is_shown_and_silences_nobody() -> None:
    async def story(made: Call) -> None:
        made.link.say(Audio(1, bytes(48_000), 24_000), Said(1, "Good"))
        await asyncio.sleep(0.1)
        made.presses("mute")
        await asyncio.sleep(0.1)

    made, _ = call(story, voice=FakeVoice("x", endless=True))
    assert made.of(Mic) == [Mic("muted")]
    assert made.of(Interrupted) == []
    assert "stream end" in made.link.sent


def test_keys_of_a_microphone_do_nothing_where_there_is_none() -> None:
    async def story(made: Call) -> None:
        made.presses("mute")
        made.presses("talk")
        await asyncio.sleep(0.1)

    made, _ = call(story, push_to_talk=True)
    assert made.of(Mic) == []


def test_the_servers_word_that_the_person_cut_in_drops_what_is_not_played_yet() -> None:
    async def story(made: Call) -> None:
        made.link.say(Audio(1, bytes(48_000), 24_000), Said(1, "Good"), CutIn(1))
        await asyncio.sleep(0.1)
        assert made.player.queued_ms == 0.0

    made, _ = call(story, voice=FakeVoice("x", endless=True))
    assert made.of(Interrupted) == [Interrupted(1_000.0)]
