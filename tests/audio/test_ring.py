"""The playback ring against a model that is a plain list, and with both sides in threads; the history."""

from __future__ import annotations

import threading

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from livechat.audio.ring import History, Ring

CAPACITY = 16
KEPT = 5
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 40)),
        st.tuples(st.just("read"), st.integers(0, 40)),
        st.tuples(st.just("flush"), st.just(0)),
        st.tuples(st.just("go back"), st.integers(0, 8)),
    ),
    max_size=60,
)


@given(steps)
@example([("write", 6), ("read", 6), ("write", 16), ("go back", 1), ("go back", 5), ("read", 1)])
def test_gives_back_what_was_written_in_order_but_for_what_was_flushed(steps: list[tuple[str, int]]) -> None:
    ring = Ring(CAPACITY, KEPT)
    queued: list[int] = []
    done: list[int] = []  # read and not flushed
    back = 0  # read, and to be read again
    unreleased = 0  # flushed, but its room not yet given back by the reader
    following = 1
    for step, size in steps:
        if step == "write":
            samples = np.arange(following, following + size, dtype=np.int16)
            fits = max(0, min(size, CAPACITY - len(queued) - unreleased))
            assert ring.write(samples) == fits
            queued += samples[:fits].tolist()
            following += size
        elif step == "flush":
            assert ring.flush() == len(queued)
            unreleased += len(queued)
            queued = []
            done = []
            back = 0
        elif step == "go back":
            ring.go_back(size)
            again = done[len(done) - min(size, KEPT - back, len(done)) :]
            queued = again + queued
            back += len(again)
            del done[len(done) - len(again) :]
        else:
            out = np.full(size, -1, np.int16)
            assert ring.read_into(out) == min(size, len(queued))
            assert out.tolist() == (queued[:size] + [0] * size)[:size]
            back = max(0, back - min(size, len(queued)))
            done += queued[:size]
            del queued[:size]
            unreleased = 0
        assert ring.pending == len(queued)


def test_neither_loses_nor_invents_a_sample_between_two_threads() -> None:
    ring = Ring(1000)
    total = 200_000
    sent = (np.arange(total) % 30_000 + 1).astype(np.int16)
    heard: list[int] = []

    def read() -> None:
        block = np.empty(480, np.int16)
        while len(heard) < total:
            heard.extend(block[: ring.read_into(block)].tolist())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    at = 0
    while at < total:
        at += ring.write(sent[at : at + 700])
    reader.join(30)
    assert heard == sent.tolist()


def test_ten_minutes_fit_and_the_newest_is_refused_beyond() -> None:
    ring = Ring(600 * 24_000)
    minute = np.arange(60 * 24_000).astype(np.int16)
    assert [ring.write(minute) for _ in range(11)] == [len(minute)] * 10 + [0]
    out = np.empty_like(minute)
    for _ in range(10):
        assert ring.read_into(out) == len(minute)
        assert np.array_equal(out, minute)


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
