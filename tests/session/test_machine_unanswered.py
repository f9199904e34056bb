"""The machine and a question without an answer: a deaf session, a silence that was chosen, an answer that stops."""

from __future__ import annotations

from livechat.errors import Notice
from livechat.session.events import Asked, Forgo, HandleIn, Noticed, Replying, Resumption, Show, Stuck
from livechat.session.machine import State
from tests.support.line import Line, kinds, live, spoken


def test_a_deaf_link_is_left_for_another_then_its_session_and_then_it_is_left_at_that() -> None:
    line = live(Resumption("old", 0, 5_000.0), turns=1)
    spoken(line)
    asked = line.now
    line.tick()  # no answer is expected for a quiet point any more
    line.tick()
    assert line.now == asked + 10.0
    assert line.at(State.MOVING)
    line.cut(0.1)
    line.open()
    line.tick()
    line.tick()
    line.cut(0.1)
    line.open()
    handles = [dial.resumption and dial.resumption.handle for dial in line.dials]
    assert handles == ["old", "old", None]  # it may be poisoned: at last a session that is told the transcript
    line.tick()
    line.tick()
    assert line.at(State.LIVE)
    assert kinds(line.actions, Show)[-1].output == Notice(
        "there is no answer to this", "say it again, or in other words"
    )
    spoken(line)
    line.answer()
    spoken(line)
    line.tick()
    line.tick()
    assert line.at(State.MOVING)  # an answer has made it trusted again


def silent() -> Line:
    """A live line to a model that may choose silence."""
    line = Line(silent=True)
    line.begin()
    line.open()
    line.feed(HandleIn(1, "h", 0))
    return line


def test_a_heard_question_without_an_answer_is_the_silence_of_a_model_that_may_choose_it() -> None:
    line = silent()
    spoken(line)
    line.feed(Noticed(1))
    for _ in range(20):
        line.feed(HandleIn(1, "h", 0), 0.5)
    line.tick()
    assert line.at(State.LIVE)
    assert kinds(line.actions, Forgo) == [Forgo(heard=True)]


def test_a_model_that_may_choose_silence_is_asked_once_more_and_keeps_its_session() -> None:
    line = silent()
    line.feed(Asked())
    line.tick()
    line.tick()
    line.cut(0.1)
    line.open()
    assert line.dialled == "h"
    line.feed(HandleIn(2, "h2", 0), 1.0)
    line.tick()
    line.tick()
    assert line.at(State.LIVE)
    assert kinds(line.actions, Forgo) == [Forgo()]


def test_an_answer_that_stops_coming_is_asked_for_once_more() -> None:
    line = live()
    line.feed(Asked())
    line.feed(Replying(1), 1.0)
    line.feed(Stuck(1), 10.0)
    assert line.at(State.MOVING)
    line.cut(0.1)
    line.open()
    assert line.flow.cause == "the answer stopped coming"
