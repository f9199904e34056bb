"""How the cushion follows the line."""

from __future__ import annotations

from livechat.audio.prebuffer import Cushion


def test_it_grows_with_each_hole_in_an_answer_up_to_three_seconds() -> None:
    cushion = Cushion()
    sizes = []
    for _ in range(6):
        cushion.ran_dry()
        sizes.append(cushion.seconds)
    assert sizes == [0.24, 0.48, 0.96, 1.92, 3.0, 3.0]


def test_it_shrinks_with_each_answer_without_a_hole_and_never_below_the_first() -> None:
    cushion = Cushion()
    first = cushion.seconds
    for _ in range(3):
        cushion.ran_dry()
    cushion.answer_over()
    assert cushion.seconds == 8 * first  # this one had holes
    sizes = []
    for _ in range(5):
        cushion.answer_over()
        sizes.append(cushion.seconds)
    assert sizes == [4 * first, 2 * first, first, first, first]
