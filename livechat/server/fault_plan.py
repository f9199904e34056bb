"""A fault plan: which fault strikes which link, and when.

A plan is data, so that a test, a command line and a bug report can hold the same one. `parse` has the grammar, KINDS
every kind, and docs/faults.md what each does. Times count from the opening of the link.

Labels such as F1 are those of docs/wire.md 9.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from random import Random
from typing import Literal

from livechat.durations import seconds
from livechat.errors import UsageError
from livechat.server.close_reasons import CLOSES

EXAMPLE = "goaway@20s:5s; drop@12s; close:quota@0.8s; #2: stall@15s; refuse-handle"
STATUSES = ("root", "alone", "no-idle", "stuck")  # what can go wrong with an interactionStatus
UNTOLD_S = 5.0  # the time left after a GoAway that does not say how much is left


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `at`: seconds since the opening of the link. `value`: the number that the kind takes.

    `reason`: that of a close or of an empty turn; the word that the kind takes; what a GoAway says instead of a time.
    """

    kind: str
    at: float = 0.0
    value: float = 0.0
    code: int = 0
    reason: str = ""
    link: int | None = None  # the link's number; None: every link


@dataclass(frozen=True, slots=True)
class FaultForm:
    """How a kind is written. `at`: whether it takes @TIME. `value`: what it takes after a colon.

    A kind without a time is in force while the link is being opened. A kind that must have a time strikes then, once.
    A kind that may have a time is in force from then on, or from the beginning.
    """

    at: Literal["must", "may", "no"]
    value: Literal[
        "", "LEFT", "CLOSE", "NAME", "DELAY", "STATUS", "N", "[N]", "SPEED", "RATE", "WHERE", "REASON[,N]"
    ] = ""


def _may(kinds: str) -> dict[str, FaultForm]:
    """Kinds that may have a time, and take no value."""
    return dict.fromkeys(kinds.split(), FaultForm("may"))


KINDS: dict[str, FaultForm] = {
    # closes (F1)
    "close": FaultForm("may", "CLOSE"),
    "setup-close": FaultForm("no", "NAME"),
    # the network (F2)
    "drop": FaultForm("must"),
    "half-open": FaultForm("must"),
    "stall": FaultForm("must"),
    "pong-delay": FaultForm("may", "DELAY"),
    "no-pong": FaultForm("may"),
    # GoAway (F3)
    "goaway": FaultForm("must", "LEFT"),
    "goaway-silent": FaultForm("must", "LEFT"),
    "no-goaway": FaultForm("may"),
    # setup (F4)
    "no-setup": FaultForm("no"),
    "slow-setup": FaultForm("no", "DELAY"),
    "setup-noise": FaultForm("may"),
    # resumption (F5)
    **_may("no-handles empty-updates late-handles"),
    "refuse-handle": FaultForm("no", "[N]"),
    "expire-handles": FaultForm("must"),
    **_may("poison poison-dies"),
    # the grammar of turns (F6)
    **_may("no-turn-complete no-generation-complete early-turn-complete double-turn-complete stray-interrupted"),
    **_may("late-audio interrupted-late root-idle"),
    "status": FaultForm("may", "WHERE"),
    "reason": FaultForm("may", "REASON[,N]"),
    "empty-turn": FaultForm("may", "[N]"),
    "text-answer": FaultForm("may", "[N]"),
    "think": FaultForm("may", "DELAY"),
    # frames (F7)
    **_may("bundle noise huge-frame text-frames fragments compact"),
    # delivery (F8)
    "burst": FaultForm("may"),
    "trickle": FaultForm("may", "SPEED"),
    **_may("odd-pcm no-rate"),
    "rate": FaultForm("may", "RATE"),
    # a session that does not react (F9)
    "deaf": FaultForm("may"),
    "silence": FaultForm("may", "[N]"),
    "unheard": FaultForm("may"),
    # before there is a link (F10)
    "http": FaultForm("no", "STATUS"),
    "hang-up": FaultForm("no"),
    "bad-certificate": FaultForm("no"),
    # tokens (F11)
    **_may("no-usage empty-usage usage-per-chunk candidates-usage falling-usage compression-dies"),
    # limits (F12)
    "concurrent-limit": FaultForm("no", "N"),
    "spent-token": FaultForm("no"),
}


_ALSO = {"no-answer": "reason"}  # second names


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults of all links. `seed`: of random faults, which most links then get as well."""

    faults: tuple[Fault, ...] = ()
    seed: int | None = None

    def of_link(self, n: int) -> tuple[Fault, ...]:
        """The faults of the server's link number `n`, the first being 1, in the order of their times."""
        chosen = [fault for fault in self.faults if fault.link in (None, n)]
        if self.seed is not None:
            chosen += _random(self.seed, n)
        return tuple(sorted(chosen, key=lambda fault: fault.at))


def parse(text: str) -> Plan:
    """The plan in `text`: items separated by `;`. `#LINK:` may stand before an item.

    An item is `KIND`, `KIND@TIME`, `KIND:VALUE`, `KIND:VALUE@TIME` or `KIND@TIME:VALUE`, as KINDS says, or
    `random:SEED`. Raises UsageError that names the wrong item.
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
    kind = _ALSO.get(kind, kind)
    if kind not in KINDS:
        raise ValueError(item)
    return replace(plan, faults=(*plan.faults, replace(_fault(kind, rest), link=link)))


def _fault(kind: str, rest: str) -> Fault:
    """A fault of `kind`. `rest`: what is written after its name."""
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
        raise ValueError(rest)  # without a time it is not known where the reason ends
    return _READERS[form.value](fault, value)


def _split(rest: str) -> tuple[str | None, str | None]:
    """The time and the value in what is written after a kind. A value may hold @ and colons itself."""
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
    status = HTTPStatus(int(text))  # it raises ValueError if there is no such status
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

# ------------------------------------------------------------------------------------------ random faults

# What random plans choose from: only what a good client survives without a loss.
_ENDS = (
    "drop", "goaway", "goaway", "goaway-silent", "stall", "half-open", "internal", "idle", "unavailable", "deadline",
    "overstayed", "normal", "going-away", "restart",
)  # fmt: skip
_LASTING = (
    "no-pong", "setup-noise", "empty-updates", "late-handles", "no-turn-complete", "double-turn-complete",
    "stray-interrupted", "root-idle", "bundle", "noise", "text-frames", "fragments", "compact", "burst", "odd-pcm",
    "no-rate", "no-usage", "empty-usage", "usage-per-chunk",
)  # fmt: skip


def _random(seed: int, n: int) -> Iterator[Fault]:
    """For link `n` at most one end, one fault at the opening and one that lasts. The same seed gives the same."""
    dice = Random(f"{seed}:{n}")
    at, left = round(dice.uniform(3, 43), 2), round(dice.uniform(2, 10), 2)
    if dice.random() < 0.8:
        end = dice.choice(_ENDS)
        if end in CLOSES:
            yield _name(Fault("close", at), end)
        else:
            yield Fault(end, at, left if end.startswith("goaway") else 0.0)
    if dice.random() < 0.25:
        slow = Fault("slow-setup", value=round(dice.uniform(0, 3), 2))
        http, hang_up = Fault("http", value=HTTPStatus.SERVICE_UNAVAILABLE), Fault("hang-up")
        refused = Fault("refuse-handle")
        yield dice.choice((refused, refused, slow, slow, http, hang_up, _name(Fault("setup-close"), "unavailable")))
    if dice.random() < 1 / 3:
        yield Fault(dice.choice(_LASTING))
