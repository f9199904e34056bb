"""A fault plan: which link suffers what, and when. Pure.

Plans are data, so that a test, a command line and a bug report can hold the same one. The grammar is in
`parse`, every kind in KINDS, and what each does in docs/faults.md. Times count from the opening of the link.

Numbers in parentheses are sections of docs/wire.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Literal

from livechat.durations import seconds
from livechat.errors import UsageError
from livechat.server.close_reasons import CLOSES

EXAMPLE = "goaway@20s:5s; drop@12s; close:quota@0.8s; #2: stall@15s; refuse-handle"
STATUSES = ("root", "alone", "no-idle", "stuck")  # what may become of an interactionStatus
UNTOLD_S = 5.0  # a GoAway that does not say how much time is left leaves this much


@dataclass(frozen=True, slots=True)
class Fault:
    """One misfortune. Seconds: `at` since the opening of the link; `value` is what the kind takes.

    `reason`: of a close, or of a turn with nothing in it; where a kind takes a word, that word; of a GoAway, what
    it says of the time left where that is no time.
    """

    kind: str
    at: float = 0.0
    value: float = 0.0
    code: int = 0
    reason: str = ""
    link: int | None = None  # None: every link


@dataclass(frozen=True, slots=True)
class Form:
    """How a kind is written. `at`: whether a time stands behind @; `value`: what stands behind a colon.

    A kind that takes no time holds as its link is opened. One that must have a time strikes then, once. One that
    may have a time holds from then on, or from the beginning.
    """

    at: Literal["must", "may", "no"]
    value: Literal[
        "", "LEFT", "CLOSE", "NAME", "DELAY", "STATUS", "N", "[N]", "SPEED", "RATE", "WHERE", "REASON[,N]"
    ] = ""


KINDS: dict[str, Form] = {
    # closes (F1)
    "close": Form("may", "CLOSE"),
    "setup-close": Form("no", "NAME"),
    # the network (F2)
    "drop": Form("must"),
    "half-open": Form("must"),
    "stall": Form("must"),
    "pong-delay": Form("may", "DELAY"),
    "no-pong": Form("may"),
    # GoAway (F3)
    "goaway": Form("must", "LEFT"),
    "goaway-silent": Form("must", "LEFT"),
    "no-goaway": Form("may"),
    # setup (F4)
    "no-setup": Form("no"),
    "slow-setup": Form("no", "DELAY"),
    "setup-noise": Form("may"),
    # resumption (F5)
    "no-handles": Form("may"),
    "empty-updates": Form("may"),
    "late-handles": Form("may"),
    "refuse-handle": Form("no", "[N]"),
    "expire-handles": Form("must"),
    "poison": Form("may"),
    "poison-dies": Form("may"),
    # the grammar of turns (F6)
    "no-turn-complete": Form("may"),
    "no-generation-complete": Form("may"),
    "early-turn-complete": Form("may"),
    "double-turn-complete": Form("may"),
    "stray-interrupted": Form("may"),
    "late-audio": Form("may"),
    "interrupted-late": Form("may"),
    "root-idle": Form("may"),
    "status": Form("may", "WHERE"),
    "reason": Form("may", "REASON[,N]"),
    "empty-turn": Form("may", "[N]"),
    "text-answer": Form("may", "[N]"),
    "think": Form("may", "DELAY"),
    # frames (F7)
    "bundle": Form("may"),
    "noise": Form("may"),
    "huge-frame": Form("may"),
    "text-frames": Form("may"),
    "fragments": Form("may"),
    "compact": Form("may"),
    # delivery (F8)
    "burst": Form("may"),
    "trickle": Form("may", "SPEED"),
    "odd-pcm": Form("may"),
    "no-rate": Form("may"),
    "rate": Form("may", "RATE"),
    # a session that does not react (F9)
    "deaf": Form("may"),
    "silence": Form("may", "[N]"),
    "unheard": Form("may"),
    # before there is a link (F10)
    "http": Form("no", "STATUS"),
    "hang-up": Form("no"),
    "bad-certificate": Form("no"),
    # tokens (F11)
    "no-usage": Form("may"),
    "empty-usage": Form("may"),
    "usage-per-chunk": Form("may"),
    "candidates-usage": Form("may"),
    "falling-usage": Form("may"),
    "compression-dies": Form("may"),
    # limits (F12)
    "concurrent-limit": Form("no", "N"),
    "spent-token": Form("no"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes wrong on which link. `seed`: random faults on most links, too."""

    faults: tuple[Fault, ...] = ()
    seed: int | None = None

    def of_link(self, n: int) -> tuple[Fault, ...]:
        """The faults of the `n`th link of the server, counting from 1, in the order of their times."""
        chosen = [fault for fault in self.faults if fault.link in (None, n)]
        if self.seed is not None:
            chosen += _random(self.seed, n)
        return tuple(sorted(chosen, key=lambda fault: fault.at))


def parse(text: str) -> Plan:
    """The plan written in `text`: items separated by `;`, each of them perhaps after `#LINK:`.

    An item is `KIND`, `KIND@TIME`, `KIND:VALUE`, `KIND:VALUE@TIME` or `KIND@TIME:VALUE`, as KINDS says, or
    `random:SEED`. Raises UsageError naming the item that is wrong.
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
    if kind not in KINDS:
        raise ValueError(item)
    return replace(plan, faults=(*plan.faults, replace(_fault(kind, rest), link=link)))


def _fault(kind: str, rest: str) -> Fault:
    """A fault of `kind` from what is written behind its name."""
    form = KINDS[kind]
    at, value = _split(rest)
    if (at is None and form.at == "must") or (at is not None and form.at == "no"):
        raise ValueError(rest)
    fault = Fault(kind, 0.0 if at is None else seconds(at))
    if value is None and form.value in ("", "[N]"):
        return fault
    if value is None or not form.value:
        raise ValueError(rest)
    if at is None and form.value == "CLOSE" and value not in CLOSES:
        raise ValueError(rest)  # where the reason ends is not known without a time
    return _READERS[form.value](fault, value)


def _split(rest: str) -> tuple[str | None, str | None]:
    """Time and value in what stands behind a kind's name; a value may hold what separates them."""
    if not rest:
        return None, None
    if rest[0] == "@":
        at, colon, value = rest[1:].partition(":")
        return at, value.strip() if colon else None
    value, sign, at = rest[1:].rpartition("@")
    return (at, value.strip()) if sign else (None, at.strip())


def _left(fault: Fault, text: str) -> Fault:
    if text in ("none", '""'):
        return replace(fault, value=UNTOLD_S, reason=text)
    return replace(fault, value=seconds(text))


def _name(fault: Fault, text: str) -> Fault:
    if text not in CLOSES:
        raise ValueError(text)
    code, reason = CLOSES[text]
    return replace(fault, code=code, reason=reason)


def _close(fault: Fault, text: str) -> Fault:
    match = re.fullmatch(r"(\d{4}):(.*)", text)
    if not match:
        return _name(fault, text)
    code = int(match[1])
    # What a close frame may carry: RFC 6455 section 7.4, with the registered additions.
    if code in (1004, 1005, 1006) or not (1000 <= code <= 1014 or 3000 <= code <= 4999):
        raise ValueError(text)
    return replace(fault, code=code, reason=match[2].strip())


def _status(fault: Fault, text: str) -> Fault:
    status = HTTPStatus(int(text))  # ValueError for what is none
    if status < HTTPStatus.BAD_REQUEST:
        raise ValueError(text)
    return replace(fault, value=status)


def _where(fault: Fault, text: str) -> Fault:
    if text not in STATUSES:
        raise ValueError(text)
    return replace(fault, reason=text)


def _reason(fault: Fault, text: str) -> Fault:
    match = re.fullmatch(r"([A-Za-z][A-Za-z0-9_]{0,79})(?:,\s*(\d{1,6}))?", text)
    if not match:
        raise ValueError(text)
    fault = replace(fault, reason=match[1])
    return _READERS["[N]"](fault, match[2]) if match[2] else fault


def _number(low: float, high: float, pattern: str = r"\d{1,6}") -> Callable[[Fault, str], Fault]:
    def read(fault: Fault, text: str) -> Fault:
        if not re.fullmatch(pattern, text) or not low <= float(text) <= high:
            raise ValueError(text)
        return replace(fault, value=float(text))

    return read


_READERS: dict[str, Callable[[Fault, str], Fault]] = {
    "LEFT": _left,
    "CLOSE": _close,
    "NAME": _name,
    "DELAY": lambda fault, text: replace(fault, value=seconds(text)),
    "STATUS": _status,
    "N": _number(1, 1_000),
    "[N]": _number(1, 1_000),
    "SPEED": _number(0.01, 100, r"\d{1,3}(\.\d{1,6})?"),
    "RATE": _number(8_000, 48_000),
    "WHERE": _where,
    "REASON[,N]": _reason,
}

# ------------------------------------------------------------------------------------------------ by lot

# What `random` draws from: whatever a good client survives with nothing lost.
_ENDS = (
    "drop", "goaway", "goaway", "goaway-silent", "stall", "half-open", "internal", "idle", "unavailable", "deadline",
    "overstayed", "normal", "going-away", "restart",
)  # fmt: skip
_MANNERS = (
    "no-pong", "setup-noise", "empty-updates", "late-handles", "no-turn-complete", "double-turn-complete",
    "stray-interrupted", "root-idle", "bundle", "noise", "text-frames", "fragments", "compact", "burst", "odd-pcm",
    "no-rate", "no-usage", "empty-usage", "usage-per-chunk",
)  # fmt: skip


def _random(seed: int, n: int) -> Iterator[Fault]:
    """At most one end, one trouble at the opening and one manner for link `n`: the same for the same seed."""
    draw = _draws(seed * 1_000_003 + n)
    at, left = round(3 + 40 * next(draw), 2), round(2 + 8 * next(draw), 2)
    pick = int(next(draw) * len(_ENDS) * 1.25)  # one of five links is left to live its life
    if pick < len(_ENDS):
        end = _ENDS[pick]
        if end in CLOSES:
            yield replace(_name(Fault("close", at), end))
        else:
            yield Fault(end, at, left if end.startswith("goaway") else 0.0)
    openings = (
        Fault("refuse-handle"),
        Fault("refuse-handle"),
        Fault("slow-setup", value=round(3 * next(draw), 2)),
        Fault("slow-setup", value=round(3 * next(draw), 2)),
        Fault("http", value=HTTPStatus.SERVICE_UNAVAILABLE),
        Fault("hang-up"),
        _name(Fault("setup-close"), "unavailable"),
    )
    pick = int(next(draw) * len(openings) * 4)
    if pick < len(openings):
        yield openings[pick]
    pick = int(next(draw) * len(_MANNERS) * 3)
    if pick < len(_MANNERS):
        yield Fault(_MANNERS[pick])


def _draws(seed: int) -> Iterator[float]:
    """Numbers in [0, 1) by splitmix64 (Steele, Lea and Flood 2014): the same everywhere, for ever."""
    mask = (1 << 64) - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield (z ^ (z >> 31)) / (1 << 64)
