"""What happened in one scenario of chaos.py, and what must be true of any conversation, whatever happens to it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass, field

from livechat.audio.interfaces import FRAME_MS
from livechat.conversations.store import Store
from livechat.errors import Notice
from livechat.events import Mic, ModelText, UserText
from livechat.models import THINKING_MODEL
from livechat.server.answers import FIRST_WORDS
from livechat.session.outbox import LEAD
from tests.chaos.dice import Run, Scenario
from tests.support.conversation import Recorder
from tests.support.person import Mark, Sayings, Voice, spoken
from tests.support.virtual_time import BEGIN

OUTCOMES = {0, 3, 5, 130}  # exit codes that name how a conversation ended
SURE_S = 0.3  # a link that lives so long after it said something has been heard

Place = tuple[int, int]  # (number of the server, number of its link)


@dataclass
class Told:
    """One run as it went: everything `check` needs."""

    run: Run
    display: Recorder
    voice: Voice | None
    typed: list[str] = field(default_factory=list)  # the words that name it
    ran: list[str] = field(default_factory=list)  # what functions were run for
    by_hand: str = ""  # how a person ended it
    began: float = 0.0
    ended: float = 0.0
    cut: float | None = None  # since when nothing reached the server, at the end of the run
    code: int | None = None  # None: killed
    hung: bool = False
    error: str = ""


@dataclass
class World:
    """One scenario as it went."""

    scenario: Scenario
    sayings: Sayings = field(default_factory=Sayings)
    told: list[Told] = field(default_factory=list)
    heard: dict[Mark, list[Place]] = field(default_factory=dict)  # by which links
    answers: set[str] = field(default_factory=set)  # what it began to say
    understood: set[str] = field(default_factory=set)  # the words in what servers took in
    questions: list[tuple[float, Place, str]] = field(default_factory=list)  # what they were asked
    given: list[tuple[float, Place, str]] = field(default_factory=list)  # answers that were sent whole
    nothing: list[tuple[float, Place, str]] = field(default_factory=list)  # turns without an answer, and the reason
    faults: dict[Place, set[str]] = field(default_factory=dict)  # that struck
    gone: dict[Place, float] = field(default_factory=dict)  # when a link last said or heard anything
    newest: dict[int, int] = field(default_factory=dict)  # the newest link of each server that was set up
    cut: float | None = None  # since when the newest link leads nowhere
    wrong: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)

    def note(self, who: str, what: object) -> None:
        """One line of the trace."""
        self.trace.append(f"{asyncio.get_running_loop().time() - BEGIN:9.3f} {who:8} {what}")


def check(world: World, store: Store) -> None:
    """Every invariant; what does not hold goes to `world.wrong`."""
    for told in world.told:
        _check_end(world, told)
        _check_speech(world, told)
        _check_last(world, told)
        _check_functions(world, told)
    _check_answers(world)
    _check_reasons(world)
    kept = store.archive().find(None)
    turns = kept.turns if kept is not None else []  # one in which nothing was said is not kept
    _check_transcript(world, [(turn.user, turn.model) for turn in turns])
    for told in world.told:
        _check_questions(world, told, {word for turn in turns for word in things(turn.user)})


def things(text: str) -> list[str]:
    """The words of a text that name something that was said or typed."""
    return re.findall(r"(?:saying|typed|scrap)\d+", text)


def _check_end(world: World, told: Told) -> None:
    if told.error:
        world.wrong.append(f"raised: {told.error}")
    if told.hung:
        world.wrong.append("hung")
    if told.code is None or told.hung:
        return
    if told.code not in OUTCOMES:
        world.wrong.append(f"exit code {told.code}")
    total = told.display.summary
    captured = told.voice.frames_out * FRAME_MS if told.voice else 0
    silence_after = total.captured_ms - captured  # the line is kept busy after the input's end
    held = told.run.ptt  # frames wait for the key
    if (
        total.exit_code != told.code
        or not 0 <= total.sent_ms <= total.captured_ms
        or (silence_after < 0 and not held)
    ):
        world.wrong.append(f"the summary does not add up: {total}")
    if min(total.dropped_ms, total.replayed_ms, total.longest_gap_ms, total.turns, total.links) < 0:
        world.wrong.append(f"the summary goes below zero: {total}")
    arrived = sum(told.began <= at <= told.ended for at, _, _ in world.questions)
    if total.turns > arrived + len(told.ran):  # a result may be spoken in a turn of its own
        world.wrong.append(f"{total.turns} turns counted, of {arrived} questions")


def _shut(told: Told) -> list[tuple[float, float]]:
    """When the microphone was not open for certain: from when to when."""
    shut: list[tuple[float, float]] = []
    since: float | None = told.began if told.run.ptt else None
    for at, event in told.display.events:
        if not isinstance(event, Mic):
            continue
        if event.state != "open":
            since = at - FRAME_MS / 1000 if since is None else since
        elif since is not None:
            shut.append((since, at + FRAME_MS / 1000))
            since = None
    return [*shut, (since, float("inf"))] if since is not None else shut


def _check_speech(world: World, told: Told) -> None:
    """What was spoken reached a server, or is counted: but for what was on its way at the very end.

    That is what a link was given that had just died, and a syllable that was not known for speech yet.
    """
    if told.voice is None or told.code is None:
        return
    end = min(told.ended - LEAD * FRAME_MS / 1000, told.ended if told.cut is None else told.cut - 0.03)
    shut = _shut(told)
    lost = [
        mark
        for at, mark in told.voice.captured
        if mark not in world.heard and at < end and not any(a <= at <= b for a, b in shut)
    ]
    if len(lost) * FRAME_MS > told.display.summary.dropped_ms:
        dropped = told.display.summary.dropped_ms
        world.wrong.append(f"{len(lost) * FRAME_MS} ms of speech never arrived, {dropped} counted: {sorted(lost)}")


def _check_questions(world: World, told: Told, kept: set[str]) -> None:
    """A conversation that ends by itself has had all its questions taken in, and wrote them down."""
    if told.by_hand or told.code != 0 or told.display.summary.dropped_ms:
        return
    typed, said = set(told.typed), _said_in_one(told)
    if lost := (typed | said) - world.understood:
        world.wrong.append(f"never understood by a server: {sorted(lost)}")
    unheard = any("unheard" in faults for faults in world.faults.values())
    if lost := (typed if unheard else typed | said) - kept:
        world.wrong.append(f"not in the transcript: {sorted(lost)}, of {sorted(kept)}")


def _said_in_one(told: Told) -> set[str]:
    """The words for what was said whole, without the microphone being touched meanwhile."""
    if told.voice is None:
        return set()
    touched = [at for at, event in told.display.events if isinstance(event, Mic)]
    times: dict[int, list[float]] = {}
    for at, (number, _) in told.voice.captured:
        times.setdefault(number, []).append(at)
    whole = [
        n for n in told.voice.said if not any(min(times[n]) - 0.1 <= at <= max(times[n]) + 0.1 for at in touched)
    ]
    shut = _shut(told)
    return {spoken(n) for n in whole if not any(a <= times[n][0] <= b for a, b in shut)}


def _check_answers(world: World) -> None:
    """Nothing that has its whole answer is asked again."""
    answered: dict[str, float] = {}
    for told in world.told:
        for at, event in told.display.events:
            if isinstance(event, ModelText) and event.final and not event.cut and not event.restored:
                for word in things(event.text):
                    answered.setdefault(word, at)
    if any(told.display.of(Mic) for told in world.told):  # which makes two scraps of one saying
        answered = {word: at for word, at in answered.items() if not word.startswith("scrap")}
    if _never_idle(world):
        answered = {}
    for at, _, text in world.questions:
        for word in things(text):
            if at > answered.get(word, at):
                world.wrong.append(f"asked again after its answer was whole: {word}")
    for at, place, text in world.given:
        if not _reached(world, at, place, "no-generation-complete") or _several(world):
            continue
        again = {word for later, _, asked in world.questions if later > at for word in things(asked)}
        whole = {word for word in things(text) if not word.startswith("scrap")}
        if words := again & whole - answered.keys():
            world.wrong.append(f"asked again after its whole answer was sent: {sorted(words)}")


def _reached(world: World, at: float, place: Place, *hidden_by: str) -> bool:
    """Whether the client knows for certain what a link said then, and that this was all.

    One that was stopped does not: what lies in its socket is thrown away by the system if a server that has left is
    sent anything, a ping for one.
    """
    if any(deed.what == "stop" for run in world.scenario.runs for deed in run.deeds):
        return False
    lasted = world.gone.get(place, float("inf")) >= at + SURE_S
    return lasted and not world.faults.get(place, set()) & set(hidden_by)


def _several(world: World) -> bool:
    """Whether an answer has several utterances, and is whole only when its last one has been heard."""
    return world.scenario.model == THINKING_MODEL


def _never_idle(world: World) -> bool:
    """Whether some server told its status amiss: then nobody knows which utterance was the last."""
    return _several(world) and any("status" in fault for struck in world.faults.values() for fault in struck)


def _check_last(world: World, told: Told) -> None:
    """Whoever waits for an answer gets it: each line of a pipe, and what is asked last."""
    told_so = any("answer" in event.message for event in told.display.of(Notice))
    touched = told.by_hand or any(key == "interrupt" for _, key in told.run.keys) or told.run.deeds
    mute = {"silence", "reason", "empty-turn", "poison", "poison-dies", "deaf"}
    if touched or told_so or told.code != 0 or any(faults & mute for faults in world.faults.values()):
        return
    asked = [text for at, _, text in world.questions if told.began <= at <= told.ended]
    waited_for = told.typed if told.run.one_at_a_time else things(asked[-1]) if asked else []
    shown = {word for event in told.display.of(ModelText) for word in things(event.text)}
    if missing := [word for word in waited_for if word not in shown]:
        world.wrong.append(f"never answered: {missing}")


def _check_functions(world: World, told: Told) -> None:
    """A function runs once for a question, however often its link is lost."""
    for word, count in Counter(told.ran).items():
        if count > 1:
            world.wrong.append(f"a function ran {count} times for {word}")


def _check_reasons(world: World) -> None:
    """Nothing is asked again after the server said that it gets no answer, and why; once at most if it did not."""
    for at, place, reason in world.nothing:
        if not _reached(world, at, place, "no-turn-complete"):
            continue
        before = [(asked, text) for asked, of, text in world.questions if of == place and asked <= at]
        for word in things(before[-1][1]):
            again = sum(asked > at and word in things(text) for asked, _, text in world.questions)
            if again and reason:
                world.wrong.append(f"asked again after the server refused it ({reason}): {word}")


def _check_transcript(world: World, turns: list[tuple[str, str]]) -> None:
    """The store has what was shown, once and in order, and no answer that nobody gave."""
    shown_user: list[str] = []
    shown_model: list[str] = []
    partly: set[str] = set()
    for told in world.told:
        for event in told.display.of(UserText):
            if event.final and event.source != "restored":
                shown_user += things(event.text)
        for said in told.display.of(ModelText):
            if said.final and not said.cut and not said.restored:
                shown_model.append(said.text)
            partly.add(said.text)
    kept_user = [word for user, _ in turns for word in things(user)]
    kept_model = [model for _, model in turns if model]
    for word, count in (Counter(shown_user) + Counter()).items():
        if count > 1 and not word.startswith("scrap"):
            world.wrong.append(f"shown {count} times: {word}")
    for word, count in Counter(kept_user).items():
        if count > 1 and not word.startswith("scrap"):
            world.wrong.append(f"kept {count} times: {word}")
    missing = {word for word in set(shown_user) - set(kept_user) if not word.startswith("scrap")}  # heard whole later
    if missing:
        world.wrong.append(f"shown but not kept: {sorted(missing)}; kept: {turns}")
    # An answer whose turn is said to be over too early is shown in two pieces.
    at = 0
    for text in shown_model:
        if text in FIRST_WORDS or _never_idle(world):
            continue  # the rest was lost, and it was asked again
        while at < len(kept_model) and text not in kept_model[at]:
            at += 1
        if at == len(kept_model):
            world.wrong.append(f"answers shown: {shown_model}, but kept: {kept_model}")
            break
    shown_words = {word for text in partly for word in text.split()}
    for text in (kept.partition("\n[")[0] for kept in kept_model):  # without what functions gave
        if not set(text.split()) <= shown_words:
            world.wrong.append(f"kept but never shown: {text}")
    for text in shown_model:
        last = " ".join(text.replace(FIRST_WORDS, " ").split())  # of several utterances
        if not any(last in answer for answer in {FIRST_WORDS, *world.answers}):
            world.wrong.append(f"shown but never said: {text}")
