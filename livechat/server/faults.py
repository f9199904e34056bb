"""A fault plan: which link suffers what, and when. Pure.

Plans are data, so that a test, a command line and a bug report can hold the same one. The grammar is in
`parse`. Times count from the opening of the link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from livechat.errors import UsageError

EXAMPLE = "goaway@20s:5s; drop@12s; close:1011:Internal error encountered.@8s; #2: stall@15s; refuse-handle"
_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}

# How each kind is written: with a time (@), with a value behind a colon.
TIMED = {"goaway", "drop", "close", "stall", "half-open", "expire-handles"}
_VALUED = {"goaway", "slow-setup", "pong-delay"}
_BARE = {"no-setup", "refuse-handle", "poison"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One misfortune. Seconds: `at` since the opening of the link, `value` as the kind says."""

    kind: str
    at: float = 0.0
    value: float = 0.0  # goaway: time left; slow-setup, pong-delay: the delay
    code: int = 0
    reason: str = ""
    link: int | None = None  # None: every link


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes wrong on which link. `seed`: one more random fault on nearly every link."""

    faults: tuple[Fault, ...] = ()
    seed: int | None = None

    def of_link(self, n: int) -> tuple[Fault, ...]:
        """The faults of the `n`th link of the server, counting from 1, in the order of their times."""
        chosen = [fault for fault in self.faults if fault.link in (None, n)]
        if self.seed is not None:
            chosen += _random(self.seed, n)
        return tuple(sorted(chosen, key=lambda fault: fault.at))


def duration(text: str) -> float:
    """Seconds in `8s`, `1.5s`, `500ms`, `2m`, `2h` or a plain number of seconds. Raises UsageError."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|)", text.strip())
    if not match:
        raise UsageError(f"not a duration: {text!r}", "write 8s, 1.5s, 500ms, 2m or 2h")
    return float(match[1]) * _UNITS[match[2]]


def parse(text: str) -> Plan:
    """The plan written in `text`: items separated by `;`, each of them perhaps after `#LINK:`.

    `goaway@TIME:LEFT`, `drop@TIME`, `close:CODE:REASON@TIME`, `stall@TIME`, `half-open@TIME`, `no-setup`,
    `slow-setup:DELAY`, `refuse-handle`, `expire-handles@TIME`, `poison`, `pong-delay:DELAY`, `random:SEED`.
    Raises UsageError naming the item that is wrong.
    """
    plan = Plan()
    for item in filter(None, map(str.strip, text.split(";"))):
        try:
            plan = _with(plan, item)
        except (ValueError, UsageError):
            raise UsageError(f"not a fault: {item!r}", f"a fault plan looks like: {EXAMPLE}") from None
    return plan


def _with(plan: Plan, item: str) -> Plan:
    match = re.fullmatch(r"#([1-9]\d{0,8}):\s*(.+)", item)
    link, item = (int(match[1]), match[2]) if match else (None, item)
    kind = re.split(r"[:@]", item)[0].strip()
    rest = item[len(kind) :].strip()
    if kind == "random":
        if link is not None or not re.fullmatch(r":\s*\d{1,18}", rest):
            raise ValueError(item)
        return replace(plan, seed=int(rest[1:]))
    if kind not in TIMED | _VALUED | _BARE:
        raise ValueError(item)
    return replace(plan, faults=(*plan.faults, replace(_fault(kind, rest), link=link)))


def _fault(kind: str, rest: str) -> Fault:
    """A fault of `kind` from what is written behind its name."""
    if kind in _BARE:
        if rest:
            raise ValueError(rest)
        return Fault(kind)
    if kind == "close":
        match = re.fullmatch(r":\s*(\d{4}):(.*)@([^@]+)", rest)
        # What a close frame may carry: RFC 6455 section 7.4, with the registered additions.
        if not match or not (1000 <= int(match[1]) <= 1014 or 3000 <= int(match[1]) <= 4999):
            raise ValueError(rest)
        if match[1] in ("1004", "1005", "1006"):
            raise ValueError(rest)
        return Fault(kind, duration(match[3]), code=int(match[1]), reason=match[2].strip())
    at, _, value = rest.removeprefix("@").partition(":") if kind in TIMED else ("0", "", rest.removeprefix(":"))
    if rest[:1] != ("@" if kind in TIMED else ":") or bool(value) != (kind in _VALUED):
        raise ValueError(rest)
    return Fault(kind, duration(at), duration(value) if value else 0.0)


def _random(seed: int, n: int) -> Iterator[Fault]:
    """At most one closing fault for link `n`, and now and then a refused handle: the same for the same seed."""
    draw = _draws(seed * 1_000_003 + n)
    at = round(3 + 40 * next(draw), 2)
    kinds = [
        Fault("drop", at),
        Fault("goaway", at, round(2 + 8 * next(draw), 2)),
        Fault("stall", at),
        Fault("half-open", at),
        Fault("close", at, code=1011, reason="Internal error encountered."),
        Fault("close", at, code=1008, reason="The operation was aborted."),
        Fault("close", at, code=1011, reason="The service is currently unavailable."),
        Fault("close", at, code=1000),
    ]
    pick = int(next(draw) * (len(kinds) + 2))  # two of ten links stay whole
    if pick < len(kinds):
        yield kinds[pick]
    if next(draw) < 0.1:
        yield Fault("refuse-handle")
    if next(draw) < 0.1:
        yield Fault("slow-setup", value=round(3 * next(draw), 2))


def _draws(seed: int) -> Iterator[float]:
    """Numbers in [0, 1) by splitmix64 (Steele, Lea and Flood 2014): the same everywhere, for ever."""
    mask = (1 << 64) - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield (z ^ (z >> 31)) / (1 << 64)
