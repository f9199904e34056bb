"""What is blamed for a failure, and how long the next try waits.

Numbers in parentheses are sections of docs/wire.md.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.session.events import Ended
from livechat.session.failures import BACKOFF_S, DEADLY, DOUBTS, FIRST_TRIES, Failures
from livechat.session.verdicts import SLOW_S, STABLE_S, Kind, Verdict, judge
from tests.support.line import INTERNAL, INVALID, KEY_WRONG

NO_MODEL = "models/x is not found for API version v1, or is not supported for bidiGenerateContent."
CLEAR = [
    *(Ended(2, "http", status) for status in (400, 401, 403, 404, 407, 410, 451)),
    Ended(2, "close", 1007, KEY_WRONG),
    Ended(2, "close", 1007, "API key expired. Please renew the API key."),
    Ended(2, "close", 1008, NO_MODEL),
]
VAGUE = Ended(2, "close", 1007, INVALID)


def fresh(draw: float = 0.5) -> Failures:
    return Failures(lambda: draw)


def opened(*, old: bool = False) -> Failures:
    """One link is open."""
    failures = fresh()
    failures.dialled()
    failures.opened(old=old)
    return failures


def accepted() -> Failures:
    """A link was good, and the next is being opened."""
    failures = opened()
    failures.forgiven(STABLE_S)
    failures.dialled()
    return failures


def doubted(failures: Failures, event: Ended, *, setting_up: bool = True, resumed: bool = False) -> Verdict:
    verdict = judge(event, setting_up=setting_up, age_s=0.0)
    return failures.doubted(verdict, event, setting_up=setting_up, resumed=resumed)


# ------------------------------------------------------------------------------------------------ the wait


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999_999])
def test_back_off_grows_from_half_a_second_to_thirty_with_jitter_on_the_upper_half(draw: float) -> None:
    failures = fresh(draw)
    waits = []
    for _ in range(14):
        waits.append(failures.delay_s(slow=False))
        failures.count += 1
    steps = [min(BACKOFF_S[1], BACKOFF_S[0] * 2**n) for n in range(12)]
    assert waits == pytest.approx([0.0, 0.0, *(step * (0.5 + draw / 2) for step in steps)])


def test_a_quota_is_waited_for_longer_from_the_first_and_without_jitter() -> None:
    failures = fresh(0.0)
    waits = []
    for failures.count in range(1, 6):
        waits.append(failures.delay_s(slow=True))
    assert waits == [SLOW_S[0], 2 * SLOW_S[0], 4 * SLOW_S[0], SLOW_S[1], SLOW_S[1]]


@given(st.integers(0, 100_000), st.floats(0, 1, exclude_max=True), st.booleans())
def test_a_wait_is_bounded_and_its_jitter_never_lets_it_shrink_below_the_one_before(
    count: int, draw: float, slow: bool
) -> None:
    """Also after a network was away for days."""
    failures = fresh(draw)
    failures.count = count
    before = failures.delay_s(slow=slow)
    failures.count += 1
    assert 0.0 <= before <= failures.delay_s(slow=slow) <= (SLOW_S if slow else BACKOFF_S)[1]


# ------------------------------------------------------------------------------------------ a good link


def test_a_link_is_good_once_it_lived_for_a_while_or_brought_something_of_an_answer() -> None:
    assert not opened().forgiven(STABLE_S - 0.1)
    assert opened().forgiven(STABLE_S)
    proved = opened()
    proved.replying()
    assert proved.forgiven(0.1)


def test_what_the_link_before_brought_does_not_make_the_next_a_good_one() -> None:
    failures = opened()
    failures.replying()
    failures.dialled()
    assert not failures.forgiven(0.1)


def test_open_alone_does_not_reset_the_count_but_life_and_an_answer_do() -> None:
    counts = []
    for event in ("opened", "died young", "an answer", "lived"):
        failures = opened()
        failures.count = 3
        match event:
            case "opened":
                failures.opened(old=False)
            case "died young":
                failures.forgiven(STABLE_S - 0.1)
            case "an answer":
                failures.replying()
            case _:
                failures.forgiven(STABLE_S)
        counts.append(failures.count)
    assert counts == [3, 3, 0, 0]


def test_it_is_hopeless_when_so_many_first_tries_never_opened_a_link() -> None:
    for count, hopeless in ((FIRST_TRIES - 2, False), (FIRST_TRIES - 1, True)):
        failures = fresh()
        failures.count = count
        assert failures.hopeless is hopeless
    once_open = opened()
    once_open.count = FIRST_TRIES
    assert not once_open.hopeless


# ----------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("refusal", CLEAR, ids=str)
def test_a_refusal_is_believed_at_once_where_nothing_was_accepted_before(refusal: Ended) -> None:
    assert doubted(fresh(), refusal).kind is Kind.FATAL


@pytest.mark.parametrize("refusal", CLEAR, ids=str)
def test_what_was_accepted_before_is_tried_again_so_often_and_then_believed(refusal: Ended) -> None:
    failures = accepted()
    for _ in range(DOUBTS):
        verdict = doubted(failures, refusal, resumed=True)
        assert (verdict.kind, verdict.hint) == (Kind.AGAIN, "it was accepted before: the same once more")
    believed = doubted(failures, refusal, resumed=True)
    assert believed.kind is Kind.FATAL
    assert believed.hint


def test_an_open_link_shows_that_its_setup_was_accepted_and_nothing_of_what_it_is_closed_for() -> None:
    """A quota, or a key without rights, is refused after the setup (6.1)."""
    refusal = Ended(1, "close", 1007, KEY_WRONG)
    assert doubted(opened(), refusal, setting_up=True).kind is Kind.AGAIN
    assert doubted(opened(), refusal, setting_up=False).kind is Kind.FATAL
    assert doubted(accepted(), refusal, setting_up=False).kind is Kind.AGAIN


def test_doubts_are_of_refusals_in_a_row() -> None:
    failures = accepted()
    for _ in range(3 * DOUBTS):
        assert doubted(failures, Ended(2, "http", 403)).kind is Kind.AGAIN
        failures.replying()
    for _ in range(3 * DOUBTS):
        assert doubted(failures, Ended(2, "http", 403)).kind is Kind.AGAIN
        failures.forgiven(STABLE_S)


def test_credentials_that_were_taken_back_are_not_given_again() -> None:
    assert doubted(accepted(), Ended(2, "auth", reason="Google refused the credentials")).kind is Kind.FATAL


@pytest.mark.parametrize("how", ["tls", "bad"])
def test_what_stands_between_is_never_believed_once_a_link_was_open(how: str) -> None:
    """A captive portal shows a certificate of its own, for hours maybe."""
    event = Ended(2, "tls" if how == "tls" else "bad", reason="self-signed certificate")
    assert doubted(fresh(), event).kind is Kind.FATAL
    failures = opened()
    assert {doubted(failures, event).kind for _ in range(10 * DOUBTS)} == {Kind.AGAIN}


def test_a_refusal_that_does_not_say_of_what_blames_what_was_sent_again_then_the_handle_then_the_setup() -> None:
    """1007 "invalid argument" answers speech from before a gap, and a resumption that once worked (2.10, 2.11)."""
    failures = opened(old=True)
    verdict = doubted(failures, VAGUE, setting_up=False, resumed=True)
    assert (verdict.kind, failures.bare) == (Kind.RESUME, True)
    failures.dialled()
    failures.opened(old=True)
    assert not failures.bare  # only that once
    verdict = doubted(failures, VAGUE, setting_up=False, resumed=True)
    assert (verdict.kind, verdict.why) == (Kind.FRESH, "the server no longer accepts this handle")
    failures.dialled()
    assert doubted(failures, VAGUE).kind is Kind.AGAIN
    assert doubted(fresh(), VAGUE).kind is Kind.FATAL


def test_refusals_that_do_not_say_of_what_come_to_an_end() -> None:
    """A server that refuses all of it is not asked for ever, whatever is left out in turn."""
    failures = accepted()
    kinds = []
    for _ in range(3 * DOUBTS):
        failures.dialled()
        failures.opened(old=True)
        kinds.append(doubted(failures, VAGUE, setting_up=False, resumed=True).kind)
    assert kinds[DOUBTS:] == [Kind.FATAL] * (2 * DOUBTS)
    assert Kind.FATAL not in kinds[:DOUBTS]


def test_what_is_no_refusal_is_left_as_it_was_judged() -> None:
    event = Ended(2, "close", 1011, INTERNAL)
    verdict = judge(event, setting_up=False, age_s=1.0)
    assert accepted().doubted(verdict, event, setting_up=False, resumed=True) is verdict


# ---------------------------------------------------------------------------------------------- old speech


def die_young(failures: Failures, event: Ended, *, old: bool) -> None:
    failures.dialled()
    failures.opened(old=old)
    assert not failures.forgiven(1.0)
    failures.died_young(event)
    failures.count += 1


def test_links_that_all_die_young_of_old_speech_are_followed_by_one_without_it() -> None:
    failures = accepted()
    for _ in range(DEADLY):
        die_young(failures, Ended(2, "close", 1011, INTERNAL), old=True)
        assert not failures.bare
    die_young(failures, Ended(2, "close", 1011, INTERNAL), old=True)
    assert failures.bare
    die_young(failures, Ended(2, "close", 1011, INTERNAL), old=True)
    assert not failures.bare  # this one was not given any, and died all the same: that was not it


@pytest.mark.parametrize(("how", "old"), [("network", True), ("close", False)])
def test_neither_the_network_nor_a_link_that_was_given_nothing_blames_old_speech(how: str, old: bool) -> None:
    failures = accepted()
    event = Ended(2, "network") if how == "network" else Ended(2, "close", 1011, INTERNAL)
    for _ in range(3 * DEADLY):
        die_young(failures, event, old=old)
    assert not failures.bare
