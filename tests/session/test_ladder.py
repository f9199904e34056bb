"""The ladder by itself: which handle is dialled next, and which never again.

Numbers in parentheses are sections of docs/wire.md.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from livechat.session.events import Resumption
from livechat.session.ladder import HANDLE_STRIKES, Ladder

TTL = 7_200.0


def ladder(*handles: str, expires: float = 5_000.0) -> Ladder:
    """With handles of an earlier run, newest first."""
    made = Ladder(TTL)
    made.begin(tuple(Resumption(name, 0, expires, stored=True) for name in handles))
    return made


def dialled(made: Ladder) -> str | None:
    resumption = made.dial()
    return resumption.handle if resumption else None


def test_no_more_than_two_handles_of_an_earlier_run_are_ever_tried() -> None:
    made = ladder(*"abcd")
    tried = []
    while made:
        tried.append(dialled(made))
        made.drop_dead_session()
    assert tried == ["a", "b"]
    assert dialled(made) is None


def test_no_more_than_two_handles_of_this_run_are_kept() -> None:
    made = ladder()
    for name in "abc":
        made.keep(Resumption(name, 0))
    assert dialled(made) == "c"
    made.drop_dead_session()
    assert dialled(made) == "b"
    made.drop_dead_session()
    assert not made


def test_a_handle_that_comes_twice_does_not_push_out_the_one_before_it() -> None:
    made = ladder()
    for name in ("old", "new", "new"):
        made.keep(Resumption(name, 0))
    assert dialled(made) == "new"
    made.drop_dead_session()
    assert dialled(made) == "old"


# ----------------------------------------------------------------------------------------------- validity


def test_the_handle_of_a_link_that_lives_never_expires() -> None:
    made = ladder()
    made.keep(Resumption("h", 0))
    assert not made.expired(1e9)


def test_a_handle_that_expired_at_the_very_zero_of_the_clock_is_expired() -> None:
    assert ladder("dead", expires=0.0).expired(1.0)


def test_validity_counts_from_the_end_of_the_link_and_is_dropped_only_once_it_is_over() -> None:
    made = ladder()
    made.keep(Resumption("h", 3))
    assert made.end_of_link(100.0)
    assert made.dial() == Resumption("h", 3, 100.0 + TTL)
    assert not made.expired(100.0 + TTL)
    assert made.expired(100.1 + TTL)
    assert not made


def test_the_end_of_a_link_that_gave_no_handle_changes_no_validity() -> None:
    made = ladder("stored")
    assert not made.end_of_link(100.0)
    assert made.dial() == Resumption("stored", 0, 5_000.0, stored=True)


def test_the_end_of_a_link_leaves_the_validity_of_an_older_links_handle_alone() -> None:
    made = ladder()
    made.keep(Resumption("old", 0))
    made.end_of_link(100.0)
    made.keep(Resumption("new", 0))
    made.end_of_link(1_000.0)
    made.drop_dead_session()  # nothing was dialled with: all goes
    assert not made
    made.keep(Resumption("old", 0))
    made.end_of_link(100.0)
    dialled(made)
    made.keep(Resumption("new", 0))
    made.end_of_link(1_000.0)
    assert made.expired(1_000.1 + TTL)
    assert made.expired(1_000.1 + TTL)


def test_time_in_which_the_computer_slept_counts_against_validity() -> None:
    made = ladder("h", expires=5_000.0)
    made.slept(4_000.0)
    assert not made.expired(1_000.0)
    assert made.expired(1_000.1)


def test_a_sleep_does_not_age_the_handle_of_a_link_that_lives() -> None:
    made = ladder()
    made.keep(Resumption("h", 0))
    made.slept(8_000.0)
    assert made.dial() == Resumption("h", 0)


# ------------------------------------------------------------------------------------------ dead sessions


def test_a_session_is_dead_when_its_links_fail_young_in_a_row_and_not_at_the_first() -> None:
    made = ladder("h")
    dialled(made)
    assert [made.strike() for _ in range(HANDLE_STRIKES)] == [False] * (HANDLE_STRIKES - 1) + [True]


def test_links_without_a_handle_put_no_strike_on_the_handle_that_comes_later() -> None:
    made = ladder()
    dialled(made)
    assert not any(made.strike() for _ in range(5))
    made.keep(Resumption("h", 0))
    dialled(made)
    assert not made.strike()


def test_a_good_link_forgives_the_strikes_before_it() -> None:
    made = ladder("h")
    dialled(made)
    for _ in range(5):
        assert not made.strike()
        made.forgive()


def test_strikes_on_a_dropped_handle_do_not_count_against_the_one_before_it() -> None:
    made = ladder("new", "old")
    dialled(made)
    for _ in range(HANDLE_STRIKES):
        made.strike()
    made.drop_dead_session()
    dialled(made)
    assert not made.strike()


def test_a_poisoned_session_takes_the_handles_with_it_that_its_links_handed_out_since() -> None:
    """Such a session hands out a new handle on each of its links, so the newest says nothing (2.6)."""
    made = ladder("poisoned")
    dialled(made)
    made.keep(Resumption("handed out since", 0))
    made.drop_dead_session()
    assert not made


def test_a_session_whose_handle_has_been_pushed_out_is_left_with_all_that_came_since() -> None:
    made = ladder("poisoned")
    dialled(made)
    made.keep(Resumption("since", 0))
    made.keep(Resumption("and since", 0))
    made.drop_dead_session()
    assert not made


def test_a_dead_handle_leaves_the_one_before_it() -> None:
    made = ladder("new", "old")
    dialled(made)
    made.drop_dead_session()
    assert dialled(made) == "old"


# ---------------------------------------------------------------------------------------------- its names


def test_each_rung_has_its_name_on_the_way_down() -> None:
    made = ladder("new", "old")
    dialled(made)
    assert made.rung(told=True) == "resumed"
    made.drop_dead_session()
    assert made.next_step(told=True) == "trying the one before it"
    dialled(made)
    assert made.rung(told=True) == "previous"
    made.drop_dead_session()
    assert made.next_step(told=True) == "opening a new session that is told the transcript"
    assert made.next_step(told=False) == "opening a new session"
    dialled(made)
    assert made.rung(told=True) == "seeded"
    assert made.rung(told=False) == "fresh"


def test_a_handle_of_the_session_before_the_dropped_one_is_the_previous_until_a_new_one_comes() -> None:
    made = ladder("new", "old")
    assert not made.expired(1.0)
    made.slept(5_000.0)
    made.keep(Resumption("newest", 0, 100.0))
    assert made.expired(101.0)
    dialled(made)
    assert made.rung(told=False) == "previous"
    made.keep(Resumption("of this link", 0))
    dialled(made)
    assert made.rung(told=False) == "resumed"


steps = st.lists(st.sampled_from(["keep", "end", "strike", "drop", "sleep", "time", "dial"]), max_size=40)


@given(steps)
def test_what_is_dialled_is_the_newest_valid_handle_whose_session_was_not_dropped(steps: list[str]) -> None:
    made, now, names = ladder(), 0.0, iter(range(100))
    kept: list[tuple[int, float | None]] = []  # name and expiry, newest first, at most two
    on: int | None = None
    for step in steps:
        match step:
            case "keep":
                name = next(names)
                made.keep(Resumption(str(name), 0))
                kept = [(name, None), *kept][:2]
            case "end":
                made.end_of_link(now)
                if kept and kept[0][1] is None:
                    kept = [(name, now + TTL if expires is None else expires) for name, expires in kept]
            case "strike":
                made.strike()
            case "drop":
                made.drop_dead_session()
                own = [name for name, _ in kept]
                kept = kept[own.index(on) + 1 :] if on in own else []
            case "sleep":
                made.slept(TTL / 2)
                kept = [(name, None if expires is None else expires - TTL / 2) for name, expires in kept]
            case "time":
                now += TTL / 3
            case "dial":
                while made.expired(now):
                    kept.pop(0)
                resumption = made.dial()
                on = kept[0][0] if kept else None
                assert (resumption and resumption.handle) == (None if on is None else str(on))
                assert resumption is None or resumption.expires is None or resumption.expires >= now
