"""What a seed decides beforehand: the person, their hand, the servers and what befalls them (play.py)."""

from __future__ import annotations

import random
from collections.abc import Set
from dataclasses import dataclass
from typing import Literal

from livechat.events import Command
from livechat.server.close_reasons import CLOSES
from livechat.server.fault_plan import KINDS, STATUSES
from livechat.server.models import VERTEX_MODELS
from tests.support.conversation import SENTENCES, samples

MODELS = ("gemini-3.8-live",) * 3 + (
    "gemini-3.1-flash-live-preview",
    "gemini-2.5-flash-native-audio-latest",
    "gemini-3.8-live-extended-thinking",
    "gemini-3.8-live-extended-thinking",
)

TOOLS = 1_000_000  # from this seed on there are functions

# Kinds that end a conversation rather than try it, or a property of servers that is tested elsewhere.
HOPELESS: dict[str, str] = {
    "bad-certificate": "fatal on the first link, by design",
    "spent-token": "fatal on every link after the first",
}

# What the program tells of a link, at which a hand may move.
MOMENTS = (
    "connecting", "open", "waiting", "closing", "closed", "resting", "goaway", "handover",
    *("answer", "question") * 2,
)  # fmt: skip
ENDINGS = ("quit", "ctrl-c", "kill")
DEEDS = (
    *("interrupt",) * 6, *("mute", "press", "release") * 2, *("type",) * 3, *ENDINGS,
    *("stop", "suspend", "clock", "outage") * 2,
)  # fmt: skip
REASONS = (
    "PROHIBITED_INPUT_CONTENT", "RESPONSE_REJECTED", "MALFORMED_FUNCTION_CALL", "NEED_MORE_INPUT", "OUT_OF_PATIENCE",
)  # fmt: skip

TURNS = {"reason", "empty-turn", "text-answer", "silence", "status", "unheard"}  # of which there are to be more

Server = Literal["new", "same", "forgetful", "mindful"]  # as before, or a new one that remembers or does not


@dataclass(frozen=True)
class Deed:
    """Something done so many seconds (None: at once, in the same step) after the `nth` time of `moment`.

    `seconds`: how long the process is stopped, the computer asleep or the server gone, or how far the clock jumps.
    `lines`: typed at once. `mindful`: the server that comes back remembers.
    """

    moment: str
    nth: int
    after: float | None
    what: str
    seconds: float = 0.0
    lines: tuple[str, ...] = ()
    mindful: bool = True


@dataclass(frozen=True)
class Run:
    """One run of the program."""

    script: tuple[str | float, ...]  # spoken; empty: no microphone
    lines: tuple[tuple[float, str], ...] | None  # typed, each so many seconds after the one before
    one_at_a_time: bool
    endless: bool  # a microphone, which does not end by itself
    ptt: bool
    keys: tuple[tuple[float, Command], ...]  # at so many seconds
    deeds: tuple[Deed, ...]
    end: str  # "" by itself, "quit", "ctrl-c" or "kill"
    end_at: float
    server: Server
    faults: str
    lifetime: float
    notice: float


@dataclass(frozen=True)
class Scenario:
    """Everything that is decided beforehand. `handle_ttl`: seconds a handle outlives its link on every server.

    `tools`: some of what is typed asks for a function.
    """

    seed: int
    backend: str
    model: str
    answer_s: float
    handle_ttl: float
    tools: bool
    runs: tuple[Run, ...]


class _Typist:
    """Never types the same line twice. With `tools` every second line asks for the weather."""

    def __init__(self, *, tools: bool) -> None:
        self._count = 0
        self._tools = tools

    def line(self) -> str:
        self._count += 1
        word = f"typed{self._count - 1}"
        return f"weather {word}" if self._tools and self._count % 2 else word


def scenario(seed: int) -> Scenario:
    """The same for the same seed, for ever."""
    dice = random.Random(seed)
    tools = seed >= TOOLS
    typist = _Typist(tools=tools)
    runs = [_run(dice, typist, number) for number in range(dice.choice((1, 1, 2, 2, 3)))]
    model, answer_s = dice.choice(MODELS), dice.choice((0.5, 2.0, 5.0))
    vertex = model in VERTEX_MODELS and dice.random() < 0.3  # its handles say what they hold of our messages
    ttl = dice.choice((7200.0, 7200.0, 7200.0, 7200.0, 5.0, 1.0))
    return Scenario(seed, "vertex" if vertex else "endpoint", model, answer_s, ttl, tools, tuple(runs))


def _run(dice: random.Random, typist: _Typist, number: int) -> Run:
    mode = dice.choice(("file", "file", "keyboard", "both"))
    ptt = mode == "both" and dice.random() < 0.3
    script: list[str | float] = []
    lines: list[tuple[float, str]] = []
    if mode != "keyboard":
        for _ in range(dice.randint(1, 4)):
            script += [dice.choice((0.1, 0.5, 1.0, 2.5, 4.0, 7.0, 12.0)), dice.choice(SENTENCES)]
    if mode != "file":
        lines = [(dice.choice((0.0, 0.5, 3.0, 8.0, 20.0)), typist.line()) for _ in range(dice.randint(1, 4))]
    endless = mode == "both"
    needed = max(4.0 * len(script), sum(wait for wait, _ in lines))
    end = dice.choice(ENDINGS) if endless or dice.random() < 0.25 else ""
    deeds = tuple(_deed(dice, typist) for _ in range(dice.choice((0, 0, 1, 2, 4, 8))))
    return Run(
        script=tuple(script),
        lines=tuple(lines) if mode != "file" else None,
        one_at_a_time=mode == "keyboard" and dice.random() < 0.7,
        endless=endless,
        ptt=ptt,
        keys=(*(_held(dice, script) if ptt else ()), *_keys(dice, needed)),
        deeds=deeds,
        end=end,
        end_at=round(dice.uniform(0.2, 1.3) * (needed + 3), 2),
        server="new" if number == 0 else dice.choice(("same", "same", "forgetful", "mindful")),
        faults=_faults(dice),
        lifetime=dice.choice((590.0, 590.0, 9.0, 14.0, 25.0)),
        notice=dice.choice((2.0, 4.0, 50.0)),
    )


def _held(dice: random.Random, script: list[str | float]) -> list[tuple[float, Command]]:
    """The key of push-to-talk, held down while each sentence is said, more or less."""
    keys: list[tuple[float, Command]] = []
    at = 0.0
    for step in script:
        if isinstance(step, float):
            at += step
            continue
        keys.append((round(max(0.0, at - dice.choice((0.0, 0.05, 0.2))), 2), "press"))
        at += len(samples(step)) / 16_000
        keys.append((round(at + dice.choice((-0.3, 0.0, 0.1, 0.4)), 2), "release"))
    return keys


def _keys(dice: random.Random, needed: float) -> list[tuple[float, Command]]:
    """What is pressed at any time: often nothing."""
    keys: list[tuple[float, Command]] = []
    if dice.random() < 0.2:
        keys.append((round(dice.uniform(0.1, needed + 3), 2), "interrupt"))
    if dice.random() < 0.15:
        at = dice.uniform(0.1, needed + 1)
        keys += [(round(at, 2), "mute"), (round(at + dice.choice((0.01, 0.3, 2.0, 9.0)), 2), "mute")]
    return keys


def _deed(dice: random.Random, typist: _Typist) -> Deed:
    what = dice.choice(DEEDS)
    seconds = {
        "stop": dice.choice((0.3, 2.0, 6.0, 40.0, 900.0)),
        "suspend": dice.choice((3.0, 30.0, 4_000.0, 9_000.0)),
        "clock": dice.choice((-86_400.0, -30.0, -2.0, 2.0, 30.0, 86_400.0)),
        "outage": dice.choice((0.1, 2.0, 15.0, 60.0)),
    }.get(what, 0.0)
    return Deed(
        moment=dice.choice(MOMENTS),
        nth=dice.choice((1, 1, 2, 3)),
        after=dice.choice((None, 0.0, 0.002, 0.01, 0.2)),
        what=what,
        seconds=seconds,
        lines=tuple(typist.line() for _ in range(dice.randint(2, 5))) if what == "type" else (),
        mindful=dice.random() < 0.7,
    )


def _faults(dice: random.Random) -> str:
    items = [_fault(dice, KINDS.keys() - HOPELESS.keys()) for _ in range(dice.choice((0, 1, 1, 2, 3)))]
    if dice.random() < 0.15:  # one that says it again and again
        link, at = dice.randint(1, 2), dice.uniform(0.2, 8)
        for _ in range(dice.randint(2, 4)):
            items.append(f"#{link}:goaway@{at:.2f}s:{dice.choice((0.5, 3, 8, 20))}s")
            at += dice.choice((0.01, 0.5, 3.0))
    if dice.random() < 0.25:
        items.append(_fault(dice, TURNS))
    if dice.random() < 0.4:
        items.append(f"random:{dice.randrange(10**6)}")
    return "; ".join(items)


def _fault(dice: random.Random, kinds: Set[str]) -> str:
    """One fault of these kinds on one link, as its form says."""
    kind = dice.choice(sorted(kinds))
    form = KINDS[kind]
    names = sorted(name for name in CLOSES if CLOSES[name][0])
    nth = dice.choice(("", "1", "2")) if kind != "refuse-handle" else ""
    value = {
        "": "",
        "LEFT": f":{dice.choice((0.5, 2, 5, 10))}s",
        "CLOSE": f":{dice.choice(names)}",
        "NAME": f":{dice.choice(names)}",
        "DELAY": f":{dice.choice((1, 4, 12, 20))}s",
        "STATUS": f":{dice.choice((429, 500, 503))}",
        "N": ":1",
        "[N]": nth and f":{nth}",
        "SPEED": f":{dice.choice((0.24, 0.9, 8))}",
        "RATE": ":16000",
        "WHERE": f":{dice.choice(STATUSES)}",
        "REASON[,N]": f":{dice.choice(REASONS)}{nth and ','}{nth}",
    }[form.value]
    at = f"@{dice.uniform(0.2, 20):.2f}s" if form.at == "must" or (form.at == "may" and dice.random() < 0.5) else ""
    return f"#{dice.randint(1, 3)}:{kind}{value}{at}"
