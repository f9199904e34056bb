"""How the prebuffer follows the line."""

from __future__ import annotations

from livechat.audio.prebuffer import Prebuffer


def test_it_grows_with_each_hole_in_an_answer_up_to_three_seconds() -> None:
    prebuffer = Prebuffer()
    sizes = []
    for _ in range(6):
        prebuffer.ran_dry()
        sizes.append(prebuffer.seconds)
    assert sizes == [0.24, 0.48, 0.96, 1.92, 3.0, 3.0]


def test_it_shrinks_with_each_answer_without_a_hole_and_never_below_the_first() -> None:
    prebuffer = Prebuffer()
    first = prebuffer.seconds
    for _ in range(3):
        prebuffer.ran_dry()
    prebuffer.answer_over()
    assert prebuffer.seconds == 8 * first  # this one had holes
    sizes = []
    for _ in range(5):
        prebuffer.answer_over()
        sizes.append(prebuffer.seconds)
    assert sizes == [4 * first, 2 * first, first, first, first]
