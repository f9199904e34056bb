"""What was played is found by its place."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from livechat.audio.ring import History


@given(st.lists(st.integers(0, 12), max_size=12), st.integers(-30, 150), st.integers(0, 40), st.integers(0, 150))
def test_history_gives_what_was_added_where_it_was_added(sizes: list[int], at: int, count: int, silent: int) -> None:
    history, length = History(12), 12
    added = np.arange(1, sum(sizes) + 1, dtype=np.int16)
    start = 0
    for size in sizes:
        history.add(added[start : start + size])
        start += size
    wanted = [int(added[i]) if max(0, start - length) <= i < start else 0 for i in range(at, at + count)]
    assert history.look(at, count).tolist() == wanted
    history.silence(silent)
    assert history.look(0, start).tolist() == [
        int(added[i]) if start - length <= i < silent else 0 for i in range(start)
    ]
