"""When a question is over, by the server's own word."""

from __future__ import annotations

import pytest

from livechat.session.interaction import GRACE_S, IDLE_S, Interaction


def test_a_model_that_says_no_status_is_done_with_its_turn() -> None:
    assert Interaction(announced=False).utterance_over(0.0)


@pytest.mark.parametrize("announced", [False, True])
def test_in_progress_keeps_the_question_open_until_idle(announced: bool) -> None:
    interaction = Interaction(announced=announced)
    interaction.told("working", 1.0)
    assert interaction.working
    assert not interaction.utterance_over(2.0)
    interaction.more()
    assert not interaction.utterance_over(5.0)
    interaction.told("idle", 9.0)
    assert interaction.utterance_over(9.0)


def test_idle_that_never_comes_is_waited_for_so_long_and_no_longer() -> None:
    interaction = Interaction(announced=True)
    interaction.told("working", 1.0)
    interaction.utterance_over(2.0)
    assert not interaction.expired(2.0 + IDLE_S)
    assert interaction.expired(2.1 + IDLE_S)


def test_a_turn_complete_without_a_status_waits_a_moment_for_one() -> None:
    interaction = Interaction(announced=True)
    assert not interaction.utterance_over(2.0)
    assert interaction.expired(2.1 + GRACE_S)
    interaction.told("working", 2.5)
    assert not interaction.expired(2.1 + GRACE_S)


def test_what_was_said_of_one_question_says_nothing_of_the_next() -> None:
    interaction = Interaction(announced=True)
    interaction.told("idle", 1.0)
    interaction.reset()
    assert not interaction.utterance_over(2.0)
