"""Fault plans: how they are written and read, and what random ones choose."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.errors import UsageError
from livechat.server.close_reasons import CLOSES
from livechat.server.fault_plan import KINDS, UNTOLD_S, Fault, FaultForm, parse
from livechat.server.wire import cut_reason
from tests import ROOT


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


def test_a_fault_of_one_link_only() -> None:
    plan = parse("#2: drop@1.5s; stall@1s; close:1000:@500ms")
    assert [fault.kind for fault in plan.of_link(1)] == ["close", "stall"]
    assert [fault.kind for fault in plan.of_link(2)] == ["close", "stall", "drop"]
    assert parse("").of_link(1) == ()


@pytest.mark.parametrize(
    "item",
    ["x", "drop", "drop@", "drop@x", "drop@1s:2s", "goaway@1s", "goaway:5s", "close:99:x@1s", "close:1006:x@1s",
     "close:1011:x", "poison@", "poison:3", "slow-setup", "slow-setup@3s", "random", "random:x", "#0: drop@1s",
     "#2: random:1", "#x: drop@1s", "drop @", "close:nothing", "close:quota@", "setup-close", "setup-close:quota@1s",
     "goaway@1s:soon", "http:200", "http:666", "http", "trickle:0", "trickle", "concurrent-limit:0", "rate:1",
     "refuse-handle:0", "refuse-handle:1.5", "no-setup@1s", "goaway-silent@1s", "status", "status:nowhere",
     "reason", "reason:", "reason:A B", "reason:OK,0", "reason:OK,x", "empty-turn:0", "silence:x", "text-answer:"],
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


@given(st.integers(0, 10**18 - 1), st.integers(1, 500))
def test_random_faults_are_the_same_for_the_same_seed(seed: int, n: int) -> None:
    faults = parse(f"random:{seed}").of_link(n)
    assert faults == parse(f"random:{seed}").of_link(n)
    assert all(fault.at == 0 or 3 <= fault.at <= 43 for fault in faults)
    assert sum(fault.at > 0 for fault in faults) <= 1
    assert len(faults) <= 3


def test_random_faults_differ() -> None:
    plans = [parse(f"random:{seed}").of_link(1) for seed in range(400)]
    kinds = {fault.kind for plan in plans for fault in plan}
    assert {"drop", "goaway", "stall", "half-open", "close", "refuse-handle", "slow-setup", "noise"} <= kinds
    assert () in plans
    assert kinds.isdisjoint({"poison", "deaf", "no-setup", "bad-certificate", "http-403", "spent-token"})


def test_a_close_by_name_is_the_close_by_code_and_reason() -> None:
    named, spelt = parse("close:quota@800ms; close:1008:The operation was aborted.@1s").faults
    assert (named.at, named.code) == (0.8, 1011)
    assert named.reason.startswith("You exceeded your current quota")
    assert parse("close:idle@1s").faults == (spelt,)
    assert parse("setup-close:bad-key").faults[0].code == 1007


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        ("goaway@5s:none", Fault("goaway", 5, UNTOLD_S, reason="none")),
        ('goaway@5s:""', Fault("goaway", 5, UNTOLD_S, reason='""')),
        ("goaway@5s:0s", Fault("goaway", 5, 0)),
        ("goaway@5s:3.000000001s", Fault("goaway", 5, 3.000000001)),
        ("deaf", Fault("deaf")),
        ("deaf@3s", Fault("deaf", 3)),
        ("trickle:0.24@3s", Fault("trickle", 3, 0.24)),
        ("trickle@3s:0.24", Fault("trickle", 3, 0.24)),
        ("http:503", Fault("http", value=503)),
        ("status:root", Fault("status", reason="root")),
        ("status:no-idle@3s", Fault("status", 3, reason="no-idle")),
        ("reason:RESPONSE_REJECTED", Fault("reason", reason="RESPONSE_REJECTED")),
        ("no-answer:RESPONSE_REJECTED", Fault("reason", reason="RESPONSE_REJECTED")),
        ("reason:Never_heard_of, 2@3s", Fault("reason", 3, 2, reason="Never_heard_of")),
        ("empty-turn", Fault("empty-turn")),
        ("silence:2", Fault("silence", value=2)),
        ("text-answer:1@3s", Fault("text-answer", 3, 1)),
        ("refuse-handle:2", Fault("refuse-handle", value=2)),
        ("#3: close:normal", Fault("close", code=1000, link=3)),
    ],
)
def test_how_values_are_read(item: str, fault: Fault) -> None:
    assert parse(item).faults == (fault,)


# ------------------------------------------------------------------------------------------- documentation


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of docs/faults.md."""
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_documented_faults_are_those_the_parser_knows() -> None:
    written = [row[0].strip("`") for row in rows("Faults")]
    names = [re.split(r"[:@\[]", item)[0] for item in written]
    assert names == [*KINDS, "random"]
    for item, name in zip(written, names, strict=True):
        form = KINDS.get(name, FaultForm("no", "N"))
        assert ("@" in item, "[@" in item) == (form.at != "no", form.at == "may"), item
        assert (":" in item) == bool(form.value), item


def test_the_examples_of_the_documentation_are_plans() -> None:
    for row in rows("Faults"):
        for example in re.findall(r"`([^`]+)`", row[1]):
            parse(example)


def test_the_documented_closes_are_those_of_the_server() -> None:
    written = {name.strip("`"): (int(code), reason) for name, code, reason, *_ in rows("Closes by name")}
    assert written == {name: (code, cut_reason(reason) or "(none)") for name, (code, reason) in CLOSES.items()}


def test_what_random_plans_choose_is_documented() -> None:
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    section = text.split("\n## Random faults\n", 1)[1]
    drawn = {fault.kind for seed in range(1000) for fault in parse(f"random:{seed}").of_link(1)}
    assert drawn <= KINDS.keys()
    assert drawn - set(re.findall(r"`([a-z-]+)", section)) == set()
