"""What the model is told in a conversation: it holds on later links, after a resume, and in new sessions."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from livechat.commands.resume_conversation import find
from livechat.conversations.records import Resumable
from livechat.conversations.store import Store
from livechat.events import Handover, Instruct, ModelText, SystemText, Tell, Typed
from livechat.models import api_version
from livechat.server.agent import AgentQuestion, AnswerPiece
from livechat.server.fault_plan import parse
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.session.context_replay import NOTED, Exchange
from tests.support.conversation import Recorder, talk
from tests.support.virtual_time import run

SECRET, MANNER = "The code word is marzipan.", "Answer like a pirate."
PLANS = {"none": "", "resumed": "#1: drop@6s", "GoAway": "#1: goaway@6s:2s", "new": "refuse-handle; #1: drop@6s"}
FAMILIES = ["gemini-3.8-live", "gemini-2.5-flash-native-audio-latest", "gemini-3.1-flash-live-preview"]


class Knows(Parrot):
    """Says how it is to behave, and what it was told."""

    async def reply(self, question: AgentQuestion) -> AsyncIterator[AnswerPiece]:
        known = "; ".join(f"{turn.role} {turn.text}" for turn in question.history)
        yield AnswerPiece(f"[{question.system}] {known}", bytes(48_000))


def last_of(store: Store) -> Resumable:
    return find(store.archive(), None, lambda notice: None)


def conversation(
    folder: Path, plan: str, *runs: tuple[tuple[float, Typed], ...], model: str = FAMILIES[0], **more: Any
) -> list[Recorder]:
    """What each run of livechat on one conversation showed."""

    async def main() -> list[Recorder]:
        shown = []
        async with Server(Knows(), faults=parse(plan), handle_ttl=more.pop("handle_ttl", 7200.0)) as server:
            for number, typed in enumerate(runs):
                resumed = last_of if number else lambda _: None
                settings = {"model": model, "api_version": api_version(model), **more}
                if number:
                    with contextlib.closing(Store(folder / "store.sqlite3", on_trouble=lambda _: None)) as store:
                        kept = last_of(store)
                    settings |= kept.options
                    settings.pop("offline", None)
                code, display = await talk(server, folder, typed=typed, resumed=resumed, **settings)
                assert code == 0
                shown.append(display)
                more.pop("told", None)
        return shown

    return run(main())


def final(display: Recorder) -> str:
    return [text.text for text in display.of(ModelText) if text.final and not text.cut][-1]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("model", [*FAMILIES, "vertex"])
def test_what_was_told_holds_on_every_later_link(model: str, plan: str, tmp_path: Path) -> None:
    story = ((1.0, "hello"), (2.0, Instruct(MANNER)), (0.0, Tell(SECRET)), (7.0, "what do you know"))
    backend = {"backend": "vertex", "model": FAMILIES[0]} if model == "vertex" else {"model": model}
    (display,) = conversation(tmp_path, PLANS[plan], story, **backend)
    answer = final(display)
    assert MANNER in answer.partition("]")[0]
    assert answer.count(SECRET) == 1
    assert f"user {SECRET}; model {NOTED}; user what do you know" in answer
    assert [shown.text for shown in display.of(SystemText)] == [MANNER]
    assert display.summary.turns == 2
    assert bool(display.of(Handover)) == (plan != "none")


def test_neither_is_a_question(tmp_path: Path) -> None:
    (display,) = conversation(tmp_path, "", ((1.0, Instruct(MANNER)), (0.0, Tell(SECRET)), (5.0, "one")))
    assert display.questions == ["one"]
    assert len(display.answers) == 1


def test_what_is_told_without_a_link_is_told_to_the_next(tmp_path: Path) -> None:
    story = ((1.0, "hello"), (4.2, Instruct(MANNER)), (0.0, Tell(SECRET)), (6.0, "what do you know"))
    (display,) = conversation(tmp_path, "#1: drop@5s; #2: http:503; #3: http:503", story)
    assert MANNER in final(display)
    assert final(display).count(SECRET) == 1


@pytest.mark.parametrize("handle_ttl", [7200.0, 0.01])
def test_both_hold_when_the_conversation_is_resumed(handle_ttl: float, tmp_path: Path) -> None:
    first = ((1.0, "hello"), (2.0, Instruct(MANNER)), (0.0, Tell(SECRET)))
    _, display = conversation(tmp_path, "", first, ((1.0, "what do you know"),), handle_ttl=handle_ttl)
    assert MANNER in final(display).partition("]")[0]
    assert final(display).count(SECRET) == 1


def test_what_is_given_before_the_beginning_is_known_and_kept(tmp_path: Path) -> None:
    told = [Exchange("My name is Ada.", "Hello, Ada."), Exchange("A long document.", NOTED)]
    for display in conversation(
        tmp_path, "", ((1.0, "what do you know"),), ((1.0, "and now"),), told=told, handle_ttl=0.01
    ):
        known = f"user My name is Ada.; model Hello, Ada.; user A long document.; model {NOTED}; user what do"
        assert known in final(display)
