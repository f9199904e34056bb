"""What goes to the link, and in which order; and what does not go any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS
from livechat.session.context_replay import NOTED, ContextTurn, Exchange
from livechat.session.events import Dial, Flow, Replay
from livechat.session.outbox import BOUND_MS, Outbox
from livechat.session.sender import ON_THE_WAY_S, Sender
from livechat.session.transcript import Transcript
from tests.support.fake_link import FakeLink
from tests.support.virtual_time import run

FRAME = b"\1" * FRAME_BYTES
CONTEXT = [
    ContextTurn("user", "one"),
    ContextTurn("model", "First."),
    ContextTurn("user", "two"),
    ContextTurn("model", "Second."),
]


class Sending:
    """A sender, and what it has told of itself."""

    def __init__(self, *, bound_ms: int = BOUND_MS) -> None:
        self.outbox = Outbox(bound_ms)
        self.told: list[str] = []
        self.begun: list[tuple[int, int, int]] = []  # number of the link, ms sent again, ms dropped
        self.transcript = Transcript([Exchange("one", "First."), Exchange("two", "Second.")])
        self.sender = Sender(
            self.outbox,
            self.transcript,
            caught_up=self._caught_up,
            begin=lambda: self.told.append("begin"),
            begun=self._begun,
        )

    async def _caught_up(self) -> None:
        self.told.append("caught up")

    def _begun(self, flow: Flow, replayed_ms: int, dropped_ms: int) -> None:
        self.told.append("begun")
        self.begun.append((flow.n, replayed_ms, dropped_ms))

    def open(self, n: int = 1, *, covers: int = 2, replay: Replay = "all") -> FakeLink:
        link = FakeLink(Dial(n, None, transparent=False), lambda _: None)
        self.sender.start(link, Flow(n, covers, replay, "", "resumed", 0.0))
        return link

    async def settle(self) -> None:
        self.sender.wake()
        await asyncio.sleep(1.0)


def sending(story: Callable[[Sending], Awaitable[None]], *, bound_ms: int = BOUND_MS) -> Sending:
    """What came of the story."""

    async def main() -> Sending:
        what = Sending(bound_ms=bound_ms)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(what.sender.run())
            await story(what)
            task.cancel()
        return what

    return run(main())


def test_a_link_is_given_its_context_then_old_speech_then_what_comes() -> None:
    async def story(what: Sending) -> None:
        what.outbox.add_audio(FRAME, speech=True)
        what.outbox.add_text("old")
        link = what.open(covers=0)
        await what.settle()
        what.outbox.add_text("new")
        await what.settle()
        assert link.sent == [CONTEXT, FRAME, "old", "new"]

    what = sending(story)
    assert what.begun == [(1, FRAME_MS, 0)]


def test_only_the_turns_that_the_server_does_not_know_are_context() -> None:
    async def story(what: Sending) -> None:
        assert (await opened(what, covers=1)).sent == [CONTEXT[2:]]
        assert (await opened(what, covers=2)).sent == []
        assert (await opened(what, covers=0, replay="none")).sent == []  # the last link died of it

    async def opened(what: Sending, *, covers: int, replay: Replay = "all") -> FakeLink:
        what.sender.hold()
        link = what.open(covers=covers, replay=replay)
        await what.settle()
        return link

    sending(story)


def test_what_was_sent_and_has_no_answer_is_sent_again_on_the_next_link() -> None:
    async def story(what: Sending) -> None:
        what.open()
        what.outbox.add_text("asked")
        await what.settle()
        what.sender.hold()
        what.outbox.add_text("typed in between")
        await what.settle()
        link = what.open(2)
        await what.settle()
        assert link.sent == ["asked", "typed in between"]

    sending(story)


@pytest.mark.parametrize("context", [False, True])
def test_a_message_of_context_counts_among_those_that_the_server_counts(context: bool) -> None:
    """Vertex AI says up to which message its handle reaches (docs/wire.md 2.8)."""

    async def story(what: Sending) -> None:
        what.open(covers=0 if context else 2)
        what.outbox.add_text("one")
        what.outbox.add_text("two")
        await what.settle()
        what.outbox.consumed(2 if context else 1)  # up to "one", the setup being message 0
        what.sender.hold()
        link = what.open(2, replay="missing")
        await what.settle()
        assert link.sent == ["two"]

    sending(story)


def test_nothing_is_sent_after_hold_though_it_comes_in_the_middle_of_much() -> None:
    async def story(what: Sending) -> None:
        link = what.open()
        for number in range(10):
            what.outbox.add_text(str(number))
        link.before_sending = lambda: what.sender.hold() if len(link.sent) == 3 else None
        await what.settle()
        assert link.texts == ["0", "1", "2", "3"]  # the fourth was on its way
        assert not what.sender.open

    sending(story)


def test_a_link_that_is_lost_while_it_is_given_the_context_takes_no_input() -> None:
    async def story(what: Sending) -> None:
        what.outbox.add_text("asked")
        link = what.open(covers=0)
        link.before_sending = what.sender.hold
        await what.settle()
        assert link.texts == []
        assert not what.sender.flowing

    assert sending(story).begun == []


def test_a_link_is_open_from_its_start_and_takes_input_once_it_has_its_context() -> None:
    async def story(what: Sending) -> None:
        sender = what.sender
        states = [(sender.open, sender.flowing)]
        what.open(covers=0)
        states.append((sender.open, sender.flowing))
        await what.settle()
        states.append((sender.open, sender.flowing))
        sender.hold()
        states.append((sender.open, sender.flowing))
        assert states == [(False, False), (True, False), (True, True), (False, False)]

    sending(story)


def test_what_came_during_a_stop_is_taken_in_before_anything_is_sent() -> None:
    async def story(what: Sending) -> None:
        link = what.open()
        what.outbox.add_text("asked")
        link.before_sending = lambda: what.told.append("sent")
        await what.settle()

    assert sending(story).told[:4] == ["begin", "begun", "caught up", "sent"]


def test_what_the_outbox_had_to_drop_is_told_once_for_each_handover() -> None:
    async def story(what: Sending) -> None:
        what.open()
        await what.settle()
        for n in (2, 3):
            what.sender.hold()
            for _ in range(5 + n):
                what.outbox.add_audio(FRAME, speech=True)
            what.open(n)
            await what.settle()

    what = sending(story, bound_ms=5 * FRAME_MS)
    assert what.begun == [(1, 0, 0), (2, 5 * FRAME_MS, 2 * FRAME_MS), (3, 5 * FRAME_MS, 8 * FRAME_MS)]


def test_what_the_person_tells_meanwhile_is_told_too_and_a_handle_on_its_way_does_not_hold_it() -> None:
    async def story(made: Sending) -> None:
        link = made.open()
        await made.settle()
        made.transcript.turns.append(Exchange("I am in Oslo.", NOTED))
        await made.sender.tell(2)
        assert link.sent == [[ContextTurn("user", "I am in Oslo."), ContextTurn("model", NOTED)]]
        assert made.sender.covered(3) == 2
        await asyncio.sleep(ON_THE_WAY_S + 0.1)
        assert made.sender.covered(3) == 3

    sending(story)


def test_an_instruction_is_given_at_once_and_to_every_session_that_is_taken_up() -> None:
    async def story(made: Sending) -> None:
        link = made.open()
        await made.settle()
        await made.sender.instruct("Be brief.")
        assert link.sent == [[ContextTurn("system", "Be brief.")]]
        made.sender.hold()
        await made.sender.instruct("Be kind.")
        assert len(link.sent) == 1
        later = made.open(2)
        await made.settle()
        assert later.sent == [[ContextTurn("system", "Be kind.")]]

    sending(story)


def test_what_is_told_counts_among_the_messages_of_a_server_that_counts() -> None:
    async def story(made: Sending) -> None:
        made.open()
        await made.settle()
        made.outbox.add_text("one")
        await made.settle()
        await made.sender.instruct("Be brief.")
        made.outbox.add_text("two")
        await made.settle()
        made.outbox.consumed(2)  # setup, "one", the instruction
        made.sender.hold()
        link = made.open(2, replay="missing")
        await made.settle()
        assert link.texts == ["two"]

    sending(story)
