"""Fault plans: written, read, and drawn by lot."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.errors import UsageError
from livechat.server.faults import Fault, duration, parse


def test_every_kind() -> None:
    plan = parse(
        "goaway@20s:5s; drop@12s; close:1011:Internal error: encountered.@8s; stall@15s; half-open@9s; no-setup; "
        "slow-setup:8s; refuse-handle; expire-handles@30s; poison; pong-delay:20s;"
    )
    assert set(plan.faults) == {
        Fault("goaway", 20, 5),
        Fault("drop", 12),
        Fault("close", 8, code=1011, reason="Internal error: encountered."),
        Fault("stall", 15),
        Fault("half-open", 9),
        Fault("no-setup"),
        Fault("slow-setup", value=8),
        Fault("refuse-handle"),
        Fault("expire-handles", 30),
        Fault("poison"),
        Fault("pong-delay", value=20),
    }


def test_a_link_of_one_s_own() -> None:
    plan = parse("#2: drop@1.5s; stall@1s; close:1000:@500ms")
    assert [fault.kind for fault in plan.of_link(1)] == ["close", "stall"]
    assert [fault.kind for fault in plan.of_link(2)] == ["close", "stall", "drop"]
    assert parse("").of_link(1) == ()


@pytest.mark.parametrize(
    "item",
    ["x", "drop", "drop@", "drop@x", "drop@1s:2s", "goaway@1s", "goaway:5s", "close:99:x@1s", "close:1006:x@1s",
     "close:1011:x", "poison@3s", "poison:3", "slow-setup", "slow-setup@3s", "random", "random:x", "#0: drop@1s",
     "#2: random:1", "#x: drop@1s", "drop @"],
)  # fmt: skip
def test_what_is_wrong_is_named(item: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"stall@1s; {item}; poison")
    assert repr(item.strip().removeprefix("#2: ")) in caught.value.message or repr(item) in caught.value.message
    assert caught.value.hint


@given(st.text(max_size=40))
def test_nothing_but_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("8s", 8), ("1.5s", 1.5), ("500ms", 0.5), ("2m", 120), ("2h", 7200), ("7", 7)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-1s", "1e3", "1 s 2", "inf", "x"])
def test_no_durations(text: str) -> None:
    with pytest.raises(UsageError):
        duration(text)


@given(st.integers(0, 10**18 - 1), st.integers(1, 500))
def test_lots_are_the_same_for_the_same_seed(seed: int, n: int) -> None:
    faults = parse(f"random:{seed}").of_link(n)
    assert faults == parse(f"random:{seed}").of_link(n)
    closing = [fault for fault in faults if fault.kind in ("drop", "goaway", "stall", "half-open", "close")]
    assert len(closing) <= 1
    assert all(3 <= fault.at <= 43 for fault in closing)


def test_lots_differ() -> None:
    kinds = {fault.kind for seed in range(40) for fault in parse(f"random:{seed}").of_link(1)}
    assert kinds == {"drop", "goaway", "stall", "half-open", "close", "refuse-handle", "slow-setup"}
    assert any(parse(f"random:{seed}").of_link(1) == () for seed in range(40))
