"""What will be played: against a model that is a plain list, with both sides in threads, and in little memory."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from livechat.audio.fifo import Fifo

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
    fifo = Fifo(CAPACITY, KEPT)
    queued: list[int] = []
    done: list[int] = []  # read and not flushed
    back = 0  # read, and to be read again
    unreleased = 0  # flushed, but its room not yet given back by the reader
    following = 1
    for step, size in steps:
        if step == "write":
            samples = np.arange(following, following + size, dtype=np.int16)
            fits = max(0, min(size, CAPACITY - len(queued) - unreleased))
            assert fifo.write(samples) == fits
            queued += samples[:fits].tolist()
            following += size
        elif step == "flush":
            assert fifo.flush() == len(queued)
            unreleased += len(queued)
            queued = []
            done = []
            back = 0
        elif step == "go back":
            fifo.go_back(size)
            again = done[len(done) - min(size, KEPT - back, len(done)) :]
            queued = again + queued
            back += len(again)
            del done[len(done) - len(again) :]
        else:
            out = np.full(size, -1, np.int16)
            assert fifo.read_into(out) == min(size, len(queued))
            assert out.tolist() == (queued[:size] + [0] * size)[:size]
            back = max(0, back - min(size, len(queued)))
            done += queued[:size]
            del queued[:size]
            unreleased = 0
        assert fifo.pending == len(queued)


def test_neither_loses_nor_invents_a_sample_between_two_threads() -> None:
    fifo = Fifo(1000)
    total = 200_000
    sent = (np.arange(total) % 30_000 + 1).astype(np.int16)
    heard: list[int] = []

    def read() -> None:
        block = np.empty(480, np.int16)
        while len(heard) < total:
            heard.extend(block[: fifo.read_into(block)].tolist())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    at = 0
    while at < total:
        at += fifo.write(sent[at : at + 700])
    reader.join(30)
    assert heard == sent.tolist()


def test_ten_minutes_fit_and_the_newest_is_refused_beyond() -> None:
    fifo = Fifo(600 * 24_000)
    minute = np.arange(60 * 24_000).astype(np.int16)
    assert [fifo.write(minute) for _ in range(11)] == [len(minute)] * 10 + [0]
    out = np.empty_like(minute)
    for _ in range(10):
        assert fifo.read_into(out) == len(minute)
        assert np.array_equal(out, minute)


def test_hours_of_sound_take_the_memory_of_what_is_queued() -> None:
    """Also what was flushed, and what is kept to go back to."""
    fifo, second, out = Fifo(600 * 24_000, kept=12_000), np.ones(24_000, np.int16), np.empty(480, np.int16)
    tracemalloc.start()
    try:
        for _ in range(3600):
            fifo.write(second)
            for _ in range(3):
                fifo.read_into(out)
            fifo.flush()
        fifo.read_into(out)
        assert tracemalloc.get_traced_memory()[1] < 6 * second.nbytes
    finally:
        tracemalloc.stop()
