"""Every fault of docs/faults.md in whole conversations: they go on, or end with the one right sentence."""

from __future__ import annotations

import asyncio
import logging
import re
import wave
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livechat.conversations.store import Store
from livechat.errors import Notice
from livechat.events import Compression, Handover, Interrupted, LinkState, ModelText, ThoughtText, Usage
from livechat.models import api_version
from livechat.server.answers import FIRST_WORDS
from livechat.server.fault_plan import KINDS, parse
from livechat.server.serve import Server
from livechat.server.shapes import THOUGHT
from tests.server.test_fault_plan import rows
from tests.support.conversation import SENTENCES, Knower, Recorder, talk, write_speech
from tests.support.server_client import dial
from tests.support.virtual_time import run

FIRST, SECOND = SENTENCES[0], SENTENCES[1]
CUT_IN = SENTENCES[2]
LINES = ("one", "two", "three")


@dataclass(frozen=True)
class Call:
    """One conversation that is over."""

    code: int
    display: Recorder
    server: Server
    sounding: int  # samples played that were not silence
    seconds: float

    @property
    def hows(self) -> list[str]:
        return [handover.how for handover in self.display.of(Handover)]

    @property
    def whys(self) -> list[str]:
        return [state.why for state in self.display.of(LinkState) if state.state == "closed"]

    @property
    def finals(self) -> list[tuple[str, bool]]:
        return [(text.text, text.cut) for text in self.display.of(ModelText) if text.final]

    @property
    def heard(self) -> list[str]:
        """What the person said, as the server's longest session remembers it."""
        turns = max(self.server.sessions.values(), key=len, default=())
        return [turn.text for turn in turns if turn.role == "user"]

    @property
    def struck(self) -> set[str]:
        return {fault for link in self.server.links for fault in link.faults}


def call(
    folder: Path,
    plan: str,
    script: tuple[str | float, ...] = (0.5, FIRST, 5.5, SECOND, 0.5),
    *,
    typed: tuple[tuple[float, str], ...] = (),
    answer_s: float = 2.0,
    lifetime: float = 590.0,
    notice: float = 50.0,
    idle: float = 150.0,
    others: int = 0,
    **settings: Any,
) -> Call:
    """A conversation under `plan`: `script` spoken, or `typed` in its place. `others`: sessions open besides it."""
    speech = None if typed else write_speech(folder / "q.wav", *script)
    answers = folder / "a.wav"
    settings.setdefault("api_version", api_version(settings.get("model", "gemini-3.8-live")))

    async def other(server: Server) -> None:
        async with dial(server):
            await asyncio.sleep(100)

    async def main() -> Call:
        loop = asyncio.get_running_loop()
        server = Server(Knower(answer_s), faults=parse(plan), lifetime=lifetime, notice=notice, idle=idle)
        async with server, asyncio.timeout(1_000):
            neighbours = [asyncio.create_task(other(server)) for _ in range(others)]
            await asyncio.sleep(others)
            began = loop.time()
            code, display = await talk(server, folder, speech=speech, typed=typed, answers=answers, **settings)
            seconds = loop.time() - began
            for neighbour in neighbours:
                neighbour.cancel()
            await asyncio.gather(*neighbours, return_exceptions=True)
        return Call(code, display, server, sounding(answers), seconds)

    return run(main())


def kept(folder: Path) -> list[tuple[str, str]]:
    """Questions and answers in the store of a call in `folder`."""
    with closing(Store(folder / "store.sqlite3", on_trouble=lambda notice: None)) as store:
        found = store.archive().find(None)
    assert found is not None
    return [(turn.user, turn.model) for turn in found.turns]


def sounding(path: Path) -> int:
    """Samples of a WAV that are not silence."""
    with wave.open(str(path)) as file:
        return int(np.count_nonzero(np.frombuffer(file.readframes(file.getnframes()), "<i2")))


@cache
def whole_answers(answer_s: float, count: int) -> int:
    """How many samples are not silence in `count` answers of a Knower."""
    tone = 6_000 * np.sin(np.arange(int(24_000 * answer_s)) * 2 * np.pi * 330 / 24_000)
    return count * int(np.count_nonzero(tone.astype(np.int16)))


# What changes nothing that a person hears or reads.
UNNOTICED = (
    "pong-delay:20s", "no-pong", "no-goaway", "slow-setup:3s", "setup-noise", "no-handles", "empty-updates",
    "late-handles", "no-turn-complete", "no-generation-complete", "double-turn-complete", "stray-interrupted",
    "late-audio", "interrupted-late", "root-idle", "bundle", "noise", "huge-frame", "text-frames",
    "fragments", "compact", "burst", "odd-pcm", "no-rate", "rate:24000", "no-usage", "empty-usage", "usage-per-chunk",
    "candidates-usage", "falling-usage", "compression-dies", "concurrent-limit:1", "spent-token", "refuse-handle",
    "trickle:1.5",
    "bundle; noise; fragments; odd-pcm; double-turn-complete; usage-per-chunk; stray-interrupted; setup-noise",
)  # fmt: skip


@pytest.mark.parametrize("plan", UNNOTICED)
def test_nobody_notices(plan: str, tmp_path: Path) -> None:
    ended = call(tmp_path, plan)
    assert ended.code == 0
    assert ended.display.questions == ended.heard == [FIRST, SECOND]
    assert ended.finals == [(f"You said: {FIRST}", False), (f"You said: {SECOND}", False)]
    assert ended.sounding == whole_answers(2.0, 2)
    assert not [*ended.display.of(Handover), *ended.display.of(Interrupted), *ended.display.of(Notice)]
    assert ended.display.summary.dropped_ms == 0


MODEST = (
    "bundle", "noise", "root-idle", "no-turn-complete", "no-generation-complete", "late-handles", "setup-noise",
)  # fmt: skip


@pytest.mark.parametrize("plan", MODEST)
def test_nobody_notices_with_an_older_model(plan: str, tmp_path: Path) -> None:
    ended = call(
        tmp_path, plan, typed=tuple((0, line) for line in LINES), model="gemini-2.5-flash-native-audio-latest"
    )
    assert ended.code == 0
    assert ended.heard == list(LINES)
    assert ended.finals == [(f"You said: {line}", False) for line in LINES]
    assert ended.sounding == whole_answers(2.0, 3)


@pytest.mark.parametrize(
    "plan", ["", *MODEST, "status:root", "status:alone", "status:no-idle", "status:stuck", "think:20s"]
)
def test_nobody_notices_with_a_model_of_several_utterances(plan: str, tmp_path: Path) -> None:
    """An interaction is one turn, and the next line waits for its end: however the server says that it is over."""
    typed = tuple((0, line) for line in LINES)
    # Without IDLE each line takes a minute, and a server that hears no sound would close the link before the third.
    ended = call(tmp_path, plan, typed=typed, model="gemini-3.8-live-extended-thinking", idle=300.0)
    assert ended.code == 0
    assert ended.heard == list(LINES)
    assert not any(cut for _, cut in ended.finals)
    assert " ".join(text for text, _ in ended.finals) == " ".join(f"{FIRST_WORDS} You said: {line}" for line in LINES)
    assert ended.sounding > whole_answers(2.0, 3)
    assert ended.display.summary.turns == 3
    assert kept(tmp_path) == [(line, f"{FIRST_WORDS} You said: {line}") for line in LINES]
    assert not [*ended.display.of(Handover), *ended.display.of(Interrupted), *ended.display.of(Notice)]


@pytest.mark.parametrize("plan", ["goaway@3s:20s", "drop@3s", "goaway@4s:5s", "close:internal@1s"])
def test_an_answer_that_is_lost_between_two_utterances_is_asked_for_again(plan: str, tmp_path: Path) -> None:
    ended = call(tmp_path, f"#1: {plan}", typed=((0, "one"), (0, "two")), model="gemini-3.8-live-extended-thinking")
    assert ended.code == 0
    whole = [text for text, cut in ended.finals if not cut]
    assert [sum(f"You said: {line}" in text for text in whole) for line in ("one", "two")] == [1, 1]
    assert ended.display.summary.turns == 2


# Turns in which nothing is said, whether the question was transcribed or not.
@pytest.mark.parametrize(
    "plan", ["reason:PROHIBITED_INPUT_CONTENT", "reason:RESPONSE_REJECTED", "reason:OUT_OF_PATIENCE", "empty-turn"]
)
@pytest.mark.parametrize("unheard", ["", "; unheard"])
@pytest.mark.filterwarnings("ignore:OUT_OF_PATIENCE is not a valid TurnCompleteReason")
def test_a_turn_with_nothing_said_is_over(plan: str, unheard: str, tmp_path: Path) -> None:
    """Its session is not given up; a reason ends the question, and without one it is asked again once at most."""
    ended = call(tmp_path, f"{plan}{unheard}", typed=((0, "one"), (0, "two")))
    assert ended.code == 0
    assert ended.display.of(Handover) == []
    asked = {line: ended.heard.count(line) for line in ("one", "two")}
    assert asked["one"] == asked["two"] == 1 if plan.startswith("reason") else max(asked.values()) <= 2
    assert ended.seconds < 10


@pytest.mark.parametrize("plan", ["reason:RESPONSE_REJECTED,1", "empty-turn:1", "silence:1"])
def test_a_question_that_gets_nothing_costs_the_next_one_nothing(plan: str, tmp_path: Path) -> None:
    ended = call(tmp_path, plan)
    assert ended.code == 0
    assert ended.display.questions == [FIRST, SECOND]
    assert ended.finals[-1] == (f"You said: {SECOND}", False)
    assert ended.display.of(Handover) == []


@pytest.mark.parametrize("typed", [(), ((0.0, FIRST), (0.0, SECOND))])
@pytest.mark.parametrize("plan", ["text-answer", "text-answer; bundle", "text-answer:1"])
def test_an_answer_that_comes_as_text_is_the_answer(
    plan: str, typed: tuple[tuple[float, str], ...], tmp_path: Path
) -> None:
    ended = call(tmp_path, plan, typed=typed)
    assert ended.code == 0
    assert ended.heard == [FIRST, SECOND]
    assert ended.finals == [(f"You said: {FIRST}", False), (f"You said: {SECOND}", False)]
    assert ended.sounding == (whole_answers(2.0, 1) if plan.endswith(":1") else 0)
    assert kept(tmp_path) == [(FIRST, f"You said: {FIRST}"), (SECOND, f"You said: {SECOND}")]


def test_tokens_by_the_names_of_vertex_are_counted(tmp_path: Path) -> None:
    ended = call(tmp_path, "candidates-usage")
    assert all(usage.response_tokens > 0 for usage in ended.display.of(Usage))


# What costs the link, or keeps it from opening, while the person says two things: how it goes on.
SURVIVED: dict[str, list[str]] = {
    "#1: close:internal@6s": ["resumed"],
    "#1: close:1008:The operation was aborted.@6s": ["resumed"],
    "#1: setup-close:unavailable": [],
    "#1: drop@6s": ["resumed"],
    "#1: drop@2s": ["resumed"],
    "#1: drop@6s; #2: drop@1s; #3: drop@2s": ["resumed", "resumed", "resumed"],
    "#1: goaway@4s:3.000000001s": ["resumed"],
    "#1: goaway@3s:8s; #1: goaway@4s:4s": ["resumed"],
    "#1: goaway@6s:0s": ["resumed"],
    "#1: goaway@6s:none": ["resumed"],
    '#1: goaway@6s:""': ["resumed"],
    "#1: goaway-silent@6s:6s": ["resumed"],
    "#1: setup-noise; #1: drop@6s": ["resumed"],
    "no-handles; #1: drop@6s": ["seeded"],
    "empty-updates; #1: drop@6s": ["seeded"],
    "late-handles; #1: drop@2s": ["fresh"],
    "late-handles; #1: drop@7s": ["resumed"],
    "refuse-handle; #1: drop@6s": ["seeded"],
    "refuse-handle:1; #1: drop@6s": ["resumed"],
    "#1: expire-handles@5.5s; #1: drop@6s": ["seeded"],
    "#1: http:503": [],
    "#1: drop@6s; #2: http:500; #3: http:503": ["resumed"],
    # refused, after it was accepted
    "#1: drop@6s; #2: http:403; #3: http:404": ["resumed"],
    "#1: drop@6s; #2: setup-close:bad-key; #3: setup-close:no-model; #4: http:401": ["resumed"],
    "#1: hang-up": [],
    "#1: drop@6s; #2: hang-up": ["resumed"],
    "#1: drop@6s; #2: bad-certificate": ["resumed"],
    "#1: poison-dies": ["resumed"],
    "#1: drop@6s; #2: poison-dies": ["resumed", "resumed"],
}


@pytest.mark.parametrize("plan", SURVIVED)
def test_the_conversation_goes_on(plan: str, tmp_path: Path) -> None:
    ended = call(tmp_path, plan)
    assert ended.code == 0
    assert ended.struck == {fault.kind for fault in parse(plan).faults}
    assert ended.display.questions == ended.heard == [FIRST, SECOND]
    assert [text for text, cut in ended.finals if not cut] == [f"You said: {FIRST}", f"You said: {SECOND}"]
    assert ended.hows == SURVIVED[plan]
    assert ended.display.summary.dropped_ms == 0
    assert ended.sounding >= whole_answers(2.0, 2)


# A link that says nothing of what is wrong with it: only a watch over it finds out.
@pytest.mark.parametrize(
    "plan", ["#1: deaf@6s", "#1: stall@6s", "#1: half-open@6s", "#1: poison@6s", "#1: drop@6s; #2: poison"]
)
def test_a_session_that_does_not_answer_is_left(plan: str, tmp_path: Path) -> None:
    ended = call(tmp_path, plan)
    assert ended.code == 0
    assert ended.display.questions == [FIRST, SECOND]
    assert ended.finals == [(f"You said: {FIRST}", False), (f"You said: {SECOND}", False)]
    assert set(ended.hows) <= {"resumed", "seeded"}
    assert ended.display.summary.dropped_ms == 0
    assert ended.seconds < 40


@pytest.mark.parametrize("plan", ["deaf", "poison", "poison-dies"])
def test_a_server_that_never_answers_is_said_to_be_one(plan: str, tmp_path: Path) -> None:
    ended = call(tmp_path, plan)
    told = [warned.message for warned in ended.display.of(Notice)]
    assert {"there is no answer to this", "no answer came to the last words"} & set(told) or plan == "poison-dies"
    assert ended.finals == []
    assert ended.seconds < 120


@pytest.mark.parametrize(
    "plan", ["", "late-audio", "bundle", "noise", "double-turn-complete", "stray-interrupted", "root-idle", "odd-pcm",
             "no-generation-complete", "burst"],
)  # fmt: skip
def test_cutting_in_under(plan: str, tmp_path: Path) -> None:
    """The rest of the answer that was cut is neither heard nor taken for the next one."""
    ended = call(tmp_path, plan, (0.5, FIRST, 1.5, CUT_IN, 0.5), answer_s=8.0)
    assert ended.code == 0
    assert ended.display.questions == ended.heard == [FIRST, CUT_IN]
    (cut,) = ended.display.of(Interrupted)
    assert cut.unplayed_ms > 3_000
    assert ended.finals[-1] == (f"You said: {CUT_IN}", False)
    assert whole_answers(8.0, 1) < ended.sounding < whole_answers(8.0, 2) - 24 * cut.unplayed_ms / 2


@pytest.mark.parametrize("typed", [(), ((0.0, FIRST), (0.0, SECOND))])
def test_an_answer_said_to_be_over_too_early_is_heard_to_its_end(
    typed: tuple[tuple[float, str], ...], tmp_path: Path
) -> None:
    """It stays one answer, and the next line of a pipe waits for the rest of it."""
    ended = call(tmp_path, "early-turn-complete", typed=typed)
    assert ended.code == 0
    assert " ".join(text for text, _ in ended.finals) == f"You said: {FIRST} You said: {SECOND}"
    assert ended.sounding == whole_answers(2.0, 2)
    assert ended.display.of(Interrupted) == []
    assert ended.display.summary.turns == 2
    assert kept(tmp_path) == [(FIRST, f"You said: {FIRST}"), (SECOND, f"You said: {SECOND}")]


def test_sound_at_another_rate_is_played_at_its_own_speed(tmp_path: Path) -> None:
    ended = call(tmp_path, "rate:16000")
    assert ended.code == 0
    assert ended.sounding == pytest.approx(whole_answers(2.0, 2), rel=0.01)


@pytest.mark.parametrize(("plan", "answer_s"), [("trickle:0.24", 12.0), ("burst", 90.0), ("huge-frame", 20.0)])
def test_long_answers_are_played_whole_however_they_come(plan: str, answer_s: float, tmp_path: Path) -> None:
    ended = call(tmp_path, plan, (0.5, FIRST, 0.5), answer_s=answer_s)
    assert ended.finals == [(f"You said: {FIRST}", False)]
    assert ended.sounding == whole_answers(answer_s, 1)
    assert ended.display.of(Handover) == []


def test_thoughts_are_shown_and_never_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "livechat")
    model = "gemini-2.5-flash-native-audio-latest"
    ended = call(tmp_path, "huge-frame", (0.5, FIRST, 0.5), model=model, thoughts=True)
    assert [thought.text for thought in ended.display.of(ThoughtText)] == ["x" * 8_000, THOUGHT]
    assert ended.finals == [(f"You said: {FIRST}", False)]
    assert "x" * 20 not in caplog.text
    assert caplog.text.count("Replying") == 1
    assert b"x" * 20 not in (tmp_path / "store.sqlite3").read_bytes()
    assert call(tmp_path, "huge-frame", (0.5, FIRST, 0.5), model=model).display.of(ThoughtText) == []


def test_links_that_are_closed_without_notice_cost_nothing(tmp_path: Path) -> None:
    ended = call(tmp_path, "no-goaway", (0.5, FIRST, 5.5, SECOND, 5.5, CUT_IN, 0.5), lifetime=8, notice=4)
    assert ended.code == 0
    assert ended.display.questions == [FIRST, SECOND, CUT_IN]
    assert set(ended.hows) == {"resumed"}
    assert set(ended.whys) == {"the server's time limit for one connection"}
    assert ended.display.summary.dropped_ms == 0


def test_a_session_that_dies_of_its_compression_is_begun_anew(tmp_path: Path) -> None:
    long = "word " * 4_800  # 6,000 tokens
    typed = ((0, "one"), (5, long), (0, "three"))
    ended = call(tmp_path, "#1: compression-dies", typed=typed, trigger_tokens=5_000, target_tokens=1_000)
    assert ended.code == 0
    assert ended.hows == ["seeded"]
    assert [text[:13] for text, cut in ended.finals if not cut] == ["You said: one", "You said: wor", "You said: thr"]
    assert ended.whys == ["the server gave up this session"]


def test_tokens_that_fall_are_shown_as_they_are_said(tmp_path: Path) -> None:
    ended = call(tmp_path, "falling-usage")
    first, second = [usage.prompt_tokens for usage in ended.display.of(Usage)]
    assert first > second > 0
    assert ended.display.of(Compression) == [Compression(first, second)]


@pytest.mark.parametrize(
    ("plan", "sentence", "others"),
    [
        ("#1: close:quota@0.8s", "the project's quota is used up", 0),
        ("#1: setup-close:exhausted", "the project's quota is used up", 0),
        ("#1: http:429", "the server is turning connections away", 0),
        ("concurrent-limit:1", "the project has too many sessions open", 1),
    ],
)
def test_a_limit_is_waited_out_and_named(plan: str, sentence: str, others: int, tmp_path: Path) -> None:
    ended = call(tmp_path, plan, typed=((1, "one"), (0, "two")), others=others)
    assert ended.code == 0
    assert ended.finals == [("You said: one", False), ("You said: two", False)]
    assert sentence in [warned.message for warned in ended.display.of(Notice)]
    waits = [state.retry_in_s or 0 for state in ended.display.of(LinkState) if state.state == "waiting"]
    assert waits[0] == 65
    assert ended.seconds > 65


@pytest.mark.parametrize(
    ("plan", "sentence", "code"),
    [
        ("http:401", "the server refused the credentials", 3),
        ("http:403", "the server refused the credentials", 3),
        ("http:400", "the server refused the connection (HTTP 400)", 3),
        ("http:500", "no connection: the service is unavailable just now (HTTP 500)", 5),
        ("http:503", "no connection: the service is unavailable just now (HTTP 503)", 5),
        ("hang-up", "no connection: the connection was cut", 5),
        ("bad-certificate", "the server's certificate is not trusted (unable to get local issuer certificate)", 3),
        ("no-setup", "no connection: the server did not answer in time", 5),
        ("slow-setup:30s", "no connection: the server did not answer in time", 5),
        ("setup-close:unavailable", "no connection: the service is unavailable just now", 5),
        ("setup-close:quota", "no connection: the project's quota is used up", 5),
    ],
)
def test_what_cannot_be_survived_is_one_sentence(
    plan: str, sentence: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = call(tmp_path, plan, typed=((0, "one"),))
    assert ended.code == code
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"error: {sentence}"
    assert len(said) <= 2
    assert ended.struck == {fault.kind for fault in parse(plan).faults}


@pytest.mark.parametrize(
    ("name", "sentence", "then"), [(row[0].strip("`"), *row[3:]) for row in rows("Closes by name")]
)
def test_each_close_has_the_sentence_and_the_end_that_are_documented(
    name: str, sentence: str, then: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Right after setupComplete, before anything was said."""
    ended = call(tmp_path, f"#1: close:{name}@0.8s", typed=((1, "one"),))
    said = capsys.readouterr().err
    assert ended.whys[0] == sentence
    if fatal := re.fullmatch(r"ends, exit (\d)", then):
        assert (ended.code, said.splitlines()[0]) == (int(fatal[1]), f"error: {sentence}")
        return
    assert (ended.code, said) == (0, "")
    assert ended.finals == [("You said: one", False)]
    waited = [state.retry_in_s for state in ended.display.of(LinkState) if state.state == "waiting"]
    assert then == {"resumed": "resumes", "fresh": "begins anew"}[ended.hows[0]] + (", after 65 s" if waited else "")


def test_every_fault_is_tried_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in KINDS if not re.search(rf"(?<![\w-]){kind}(?![\w-])", source)] == []
