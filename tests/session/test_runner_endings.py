"""How the runner ends a conversation, and what a stop or a sleep changes. Only the session's core is real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from livechat.errors import DeviceError, LostError
from livechat.events import LinkState
from livechat.session.events import Ended, HandleUpdate, Leave, Slept
from livechat.session.last_words import BEGIN_S, LAST_ANSWER_S, LAST_LINK_S, LAST_NOISE_S
from tests.support.call import Call, call, ending
from tests.support.fake_voice import VOICE, FakeVoice
from tests.support.virtual_time import VirtualLoop

# ----------------------------------------------------------------------------------------------- its ends


def test_a_pipe_ends_with_the_answer_to_its_last_line() -> None:
    async def story(made: Call) -> None:
        made.types("one")
        made.no_more_lines()
        await asyncio.sleep(3.0)
        made.answers("First.")

    made, error, seconds = ending(story)
    assert error is None
    assert made.final_answers == ["First."]
    assert made.warnings == []
    assert seconds < 5.0


def test_a_voice_that_asked_nothing_ends_after_a_moment() -> None:
    async def story(_: Call) -> None:
        pass

    _, error, seconds = ending(story, voice=FakeVoice("." * 50), typing=False)
    assert error is None
    assert BEGIN_S < seconds - 1.0 < BEGIN_S + 5.0


def test_the_last_words_of_a_voice_that_no_answer_follows_are_left_and_the_person_is_told() -> None:
    async def story(_: Call) -> None:
        pass

    made, error, seconds = ending(story, voice=FakeVoice("." * 50 + "x" * 20), typing=False)
    assert error is None
    assert "no answer came to the last words" in made.warnings
    assert LAST_NOISE_S < seconds < LAST_NOISE_S + 7.0


def test_a_last_line_that_cannot_be_delivered_is_an_error_that_says_so() -> None:
    async def story(made: Call) -> None:
        made.types("one")
        await asyncio.sleep(1.0)
        made.no_more_lines()
        made.server_is_there = False
        made.cut()

    _, error, seconds = ending(story)
    assert isinstance(error, LostError)
    assert error.message == "what was said last could not be delivered"
    assert LAST_LINK_S - 5.0 < seconds < LAST_LINK_S + 5.0


def test_it_ends_only_when_the_lines_and_the_voice_have_both_ended() -> None:
    async def story(made: Call) -> None:
        await asyncio.sleep(100.0)
        assert made.told(Leave) == []
        made.types("one")
        await asyncio.sleep(1.0)
        made.answers("First.")
        made.no_more_lines()

    made, error, _ = ending(story, voice=FakeVoice("." * 50))
    assert error is None
    assert made.final_answers == ["First."]


def test_after_the_end_of_a_voice_the_link_is_given_silence_so_that_its_last_turn_can_end() -> None:
    async def story(made: Call) -> None:
        await asyncio.sleep(5.0)
        assert made.link.sent_at[-1] > made.loop.time() - 0.1
        assert len(made.link.speech) == 40

    call(story, voice=FakeVoice("x" * 40), typing=False)


def test_what_was_typed_and_reached_no_server_is_told_at_the_end() -> None:
    async def story(made: Call) -> None:
        made.server_is_there = False
        made.cut()
        await asyncio.sleep(1.0)
        made.types("hello")
        await asyncio.sleep(1.0)

    made, error = call(story)
    assert error is None
    assert made.warnings[-1] == "what you typed last did not reach the server"


def test_leaving_waits_for_the_last_handle_and_in_a_hurry_for_nothing() -> None:
    async def story(made: Call) -> None:
        made.types("hello")
        await asyncio.sleep(1.0)
        made.answers("Good day.")
        await asyncio.sleep(0.1)
        made.runner.leave()
        await asyncio.sleep(0.5)
        made.link.say(HandleUpdate(1, "the last"))

    made, error, seconds = ending(story)
    assert error is None
    assert [kept.handle for kept in made.ledger.kept] == ["the last"]
    assert seconds < 0.5


def test_a_microphone_that_breaks_ends_it_with_its_own_error() -> None:
    class Broken(FakeVoice):
        async def frames(self) -> AsyncIterator[bytes]:
            yield VOICE
            await asyncio.sleep(1.0)
            raise DeviceError("the microphone is gone")

    async def story(_: Call) -> None:
        pass

    with pytest.raises(DeviceError, match="the microphone is gone"):
        ending(story, voice=Broken(""))


# ---------------------------------------------------------------------------------------------- the clock


def virtual_loop(made: Call) -> VirtualLoop:
    assert isinstance(made.loop, VirtualLoop)
    return made.loop


def test_a_stop_of_the_process_is_caught_up_before_anything_is_sent() -> None:
    """What is sent on a link whose end lies unread in its socket is thrown away by the server."""

    async def story(made: Call) -> None:
        await asyncio.sleep(1.0)
        first = made.link
        made.types("hello")
        virtual_loop(made).hold_up(3.0)
        made.loop.call_later(0.2, first.end, Ended(1, "close", 1011, "gone"))  # as soon as it is read
        await asyncio.sleep(5.0)
        assert first.texts == []
        assert made.link.texts == ["hello"]

    made, _ = call(story)
    assert made.told(Slept) == []


def test_a_sleep_of_the_computer_is_told_with_the_time_that_the_loop_did_not_count() -> None:
    async def story(made: Call) -> None:
        await asyncio.sleep(1.0)
        made.day += 3_600.0
        await asyncio.sleep(1.0)

    made, _ = call(story)
    (slept,) = made.told(Slept)
    assert slept.unseen == pytest.approx(3_600.0)
    assert [state.why for state in made.of(LinkState) if state.state == "closing"] == ["the computer slept"]
    assert len(made.links) == 2


def test_time_in_which_the_process_was_stopped_is_no_time_that_the_last_answer_was_waited_for() -> None:
    async def story(made: Call) -> None:
        made.types("one")
        made.no_more_lines()
        await asyncio.sleep(5.0)
        virtual_loop(made).hold_up(LAST_ANSWER_S)
        await asyncio.sleep(5.0)
        made.answers("First.")

    made, error, _ = ending(story)
    assert error is None
    assert made.final_answers == ["First."]


def test_a_question_that_the_server_leaves_unanswered_is_asked_on_another_link_by_the_machines_deadline() -> None:
    async def story(made: Call) -> None:
        made.types("hello")
        await asyncio.sleep(15.0)
        assert len(made.links) == 2
        assert made.link.texts == ["hello"]
        await asyncio.sleep(60.0)

    made, _ = call(story)
    assert made.warnings[-1] == "there is no answer to this"
    assert len(made.links) == 3


def test_a_fast_voice_waits_for_a_link_instead_of_filling_the_outbox() -> None:
    voice = FakeVoice("x" * 10_000, fast=True)  # 200 s: more than the outbox holds

    async def story(made: Call) -> None:
        await asyncio.sleep(1.0)
        assert voice.read == 1
        made.server_is_there = True
        await asyncio.sleep(5.0)
        assert len(made.link.speech) == 10_000

    call(story, voice=voice, fast=True, server_is_there=False)
