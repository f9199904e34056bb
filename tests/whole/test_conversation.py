"""Whole conversations in virtual time, through the unmodified SDK over real TLS."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from livechat.audio.interfaces import INPUT_RATE
from livechat.conversations.store import Store
from livechat.errors import Notice
from livechat.events import (
    Command,
    HandleState,
    Handover,
    Interrupted,
    LinkState,
    Mic,
    ModelText,
    Speaking,
    Turn,
)
from livechat.server.fault_plan import parse
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from tests.support.conversation import SENTENCES, Knower, core, find, samples, talk, write_speech
from tests.support.virtual_time import run


def test_a_spoken_question_is_heard_and_answered(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0], 0.5)

    async def main() -> None:
        async with Server(Knower()) as server:
            code, display = await talk(server, tmp_path, speech=speech, answers=tmp_path / "a.wav")
        assert code == 0
        assert display.questions == [SENTENCES[0]]
        assert display.answers == [f"You said: {SENTENCES[0]}"]
        assert display.summary.dropped_ms == 0
        assert display.summary.turns == 1
        assert display.of(Handover) == []
        assert len(display.of(Turn)) == 1

    run(main())


def test_client_and_server_give_a_handle_the_same_name(tmp_path: Path) -> None:
    """So that `--json`, a trace and the events of a server can be laid side by side."""
    events: list[dict[str, Any]] = []

    async def main() -> None:
        async with Server(Knower(), on_event=events.append) as server:
            _, display = await talk(server, tmp_path, typed=((0, "one"),))
        shown = [state.id for state in display.of(HandleState) if state.id]
        issued = [event["id"] for event in events if event["type"] == "handle"]
        assert shown
        assert shown == issued[: len(shown)]

    run(main())


def test_typed_lines_are_answered_one_at_a_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with Server(Knower()) as server:
            code, display = await talk(server, tmp_path, typed=((0, "one"), (0, "two")))
        assert code == 0
        assert display.questions == ["one", "two"]
        assert len(display.answers) == 2

    run(main())


@pytest.mark.parametrize(("begin_s", "answer_s"), [(0.5, 5.0), (1.5, 2.0), (3.0, 5.0), (4.5, 2.0), (6.0, 5.0)])
def test_links_of_twelve_seconds_lose_nothing_and_ask_nothing_twice(
    tmp_path: Path, begin_s: float, answer_s: float
) -> None:
    """Wherever in a link a question falls, it is heard once, answered once, and the answer is played whole."""
    script: list[str | float] = [begin_s]
    for n in range(7):
        script += [SENTENCES[n % 4], 5.5]
    speech = write_speech(tmp_path / "q.wav", *script)

    async def main() -> None:
        events: list[dict[str, Any]] = []
        async with Server(Knower(answer_s), lifetime=12, notice=4, on_event=events.append) as server:
            code, display = await talk(server, tmp_path, speech=speech, answers=tmp_path / "a.wav")
        said = [event["text"] for event in events if event["type"] == "user"]
        assert display.of(Interrupted) == []
        assert not any(e.cut for e in display.of(ModelText))
        assert said == [SENTENCES[n % 4] for n in range(7)]
        assert code == 0
        assert display.summary.links >= 4
        assert display.summary.dropped_ms == 0
        assert display.questions == said
        assert {h.how for h in display.of(Handover)} == {"resumed"}
        assert all(state.code in (None, 1000) for state in display.of(LinkState))

    run(main())


def test_a_person_speaking_through_the_deadline_loses_no_word(tmp_path: Path) -> None:
    """GoAway comes while one long utterance goes on: the link is left at the last moment, the words are not."""
    script: list[str | float] = [1.0]
    for sentence in SENTENCES:
        script += [sentence, 0.05]
    speech = write_speech(tmp_path / "q.wav", *script, 1.0)

    async def main() -> None:
        async with Server(Knower(), lifetime=9, notice=3) as server:
            code, display = await talk(server, tmp_path, speech=speech)
            heard = " ".join(t.text for t in max(server.sessions.values(), key=len) if t.role == "user")
        assert code == 0
        assert [heard.count(sentence) for sentence in SENTENCES] == [1, 1, 1, 1]
        first = display.of(Handover)[0]
        assert first.how == "resumed"
        assert first.replayed_ms > 0  # it was left in the middle of a word
        assert display.summary.dropped_ms == 0
        assert display.summary.longest_gap_ms < 300

    run(main())


def test_a_cut_connection_is_resumed_at_once_and_mid_sentence(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0], 3.5, SENTENCES[1], 0.5)

    async def main() -> None:
        async with Server(Knower(), faults=parse("#1:drop@9s")) as server:
            code, display = await talk(server, tmp_path, speech=speech)
            history = max(server.sessions.values(), key=len)
        assert code == 0
        assert [t.text for t in history if t.role == "user"] == [SENTENCES[0], SENTENCES[1]]
        assert display.questions == [SENTENCES[0], SENTENCES[1]]
        (handover,) = display.of(Handover)
        assert handover.how == "resumed"
        assert handover.gap_ms < 200
        assert display.summary.dropped_ms == 0

    run(main())


class Stenographer(Knower):
    """Keeps the sound of each utterance."""

    def __init__(self) -> None:
        super().__init__()
        self.utterances: list[bytes] = []

    async def transcribe(self, pcm: bytes) -> str:
        self.utterances.append(pcm)
        return await super().transcribe(pcm)


@pytest.mark.parametrize("drops", ["#1:drop@2.5s", "#1:drop@3.3s", "#1:drop@3.95s", "#1:drop@2.2s; #2:drop@1.2s"])
def test_where_the_server_counts_our_messages_a_cut_sentence_goes_on_where_it_was(drops: str, tmp_path: Path) -> None:
    """Vertex: the handle holds the first half of the sentence, and only the rest is sent again."""
    speech = write_speech(tmp_path / "q.wav", 1.0, SENTENCES[1], 0.5)
    agent = Stenographer()

    async def main() -> None:
        async with Server(agent, faults=parse(drops)) as server:
            code, display = await talk(server, tmp_path, speech=speech, backend="vertex")
        assert code == 0
        assert display.questions == [SENTENCES[1]]
        assert display.answers == [f"You said: {SENTENCES[1]}"]
        assert {h.how for h in display.of(Handover)} == {"resumed"}
        # Handles come every second; before the first syllable there is a moment of silence.
        assert max(h.replayed_ms for h in display.of(Handover)) <= 1_000 + 400
        assert display.summary.dropped_ms == 0

    run(main())
    (utterance,) = agent.utterances
    assert core(SENTENCES[1]).astype("<i2").tobytes() in utterance  # without a gap, and nothing twice


def test_a_handle_holds_no_half_of_what_comes_after_an_open_question(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "q.wav", 1.0, SENTENCES[1], 6.0)
    agent = Stenographer()

    async def main() -> None:
        async with Server(agent, faults=parse("#1:poison; #1:drop@3.3s")) as server:
            code, display = await talk(
                server, tmp_path, speech=speech, typed=((0.0, "typed"),), one_at_a_time=False, backend="vertex"
            )
        assert code == 0
        assert display.questions == ["typed", SENTENCES[1]]

    run(main())
    begun = samples(SENTENCES[1])[4_000:12_000].tobytes()
    assert sum(pcm.count(begun) for pcm in agent.utterances) == 1


def test_a_question_that_the_handle_holds_is_asked_as_a_whole_if_no_answer_comes(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "q.wav", 1.0, SENTENCES[1], 0.5)

    async def main() -> None:
        async with Server(Knower(), faults=parse("#1:poison")) as server:
            code, display = await talk(server, tmp_path, speech=speech, backend="vertex")
        assert code == 0
        assert display.answers == [f"You said: {SENTENCES[1]}"]
        assert display.of(Handover)[0].replayed_ms > 2_000

    run(main())


def test_a_question_that_the_handle_holds_keeps_its_words_where_the_model_is_silent(tmp_path: Path) -> None:
    """It is not asked again, so no server tells its words again: the transcript had lost them."""
    speech = write_speech(tmp_path / "q.wav", 1.0, SENTENCES[1], 9.0, SENTENCES[0], 0.5)

    async def main() -> None:
        async with Server(Knower(answer_s=5.0), faults=parse("#1:silence; #1:drop@8s")) as server:
            code, display = await talk(server, tmp_path, speech=speech, backend="vertex")
        assert code == 0
        assert [h.replayed_ms for h in display.of(Handover)] == [0]
        assert display.questions == [f"{SENTENCES[1]} {SENTENCES[0]}"]
        assert display.answers == [f"You said: {SENTENCES[0]}"]

    run(main())


def test_an_answer_cut_by_a_drop_is_marked_and_given_again(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0], 0.5)

    async def main() -> None:
        async with Server(Knower(answer_s=4.0), faults=parse("#1:drop@4.2s")) as server:
            code, display = await talk(server, tmp_path, speech=speech)
        assert code == 0
        assert display.questions == [SENTENCES[0]]
        finals = [(e.text, e.cut) for e in display.of(ModelText) if e.final]
        assert finals[-1] == (f"You said: {SENTENCES[0]}", False)
        assert [cut for _, cut in finals[:-1]] == [True]

    run(main())


def test_an_answer_longer_than_every_link_is_not_begun_for_ever(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0], 20.0)

    async def main() -> None:
        async with Server(Knower(answer_s=60.0), lifetime=10, notice=4) as server:
            code, display = await talk(server, tmp_path, speech=speech)
            last = max(server.sessions.values(), key=len)
        assert code == 0
        assert display.questions == [SENTENCES[0]]
        assert [e.cut for e in display.of(ModelText) if e.final] == [True, True]
        assert "cut off again" in display.of(Notice)[-1].message
        assert [t.role for t in last][-2:] == ["user", "model"]  # the next link knows what was said

    run(main())


def test_a_later_process_resumes_and_remembers(tmp_path: Path) -> None:
    async def main() -> None:
        async with Server(Parrot()) as server:
            code, display = await talk(server, tmp_path, typed=((0, "My name is Ada."),))
            assert code == 0
            assert display.summary.resume.startswith("livechat resume ")
            code, display = await talk(
                server, tmp_path, typed=((0, "What is my name?"),), resumed=lambda store: store.archive().find(None)
            )
            assert code == 0
        assert display.questions == ["My name is Ada.", "What is my name?"]  # the first one restored
        assert "Ada" in display.answers[-1]
        assert [s.resumed for s in display.of(LinkState) if s.state == "open"] == [True]

    run(main())


def test_a_dead_handle_steps_down_to_a_session_told_the_transcript(tmp_path: Path) -> None:
    async def main() -> None:
        async with Server(Parrot()) as server:
            await talk(server, tmp_path, typed=((0, "My name is Ada."),))
        async with Server(Parrot()) as server:  # another one, which knows none of its handles
            code, display = await talk(
                server, tmp_path, typed=((0, "What is my name?"),), resumed=lambda store: store.archive().find(None)
            )
        assert code == 0
        assert "Ada" in display.answers[-1]
        closed = [s for s in display.of(LinkState) if s.state == "closed"]
        assert closed[0].why == "the server no longer has this session"
        assert [s.resumed for s in display.of(LinkState) if s.state == "open"] == [False]
        assert any("told the transcript" in w.hint for w in display.of(Notice))

    run(main())


def test_handles_that_never_come_cost_the_session_and_not_the_memory(tmp_path: Path) -> None:
    async def main() -> None:
        async with Server(Parrot(), faults=parse("refuse-handle; #1:drop@9s")) as server:
            code, display = await talk(server, tmp_path, typed=((0, "My name is Ada."), (12, "What is my name?")))
        assert code == 0
        assert "Ada" in display.answers[-1]
        assert [h.how for h in display.of(Handover)] == ["seeded"]

    run(main())


@pytest.mark.parametrize("at", ["0.3s", "1s", "3s"])
def test_a_session_that_was_told_the_transcript_knows_it_on_the_next_link_too(at: str, tmp_path: Path) -> None:
    """Its first handle comes with the setup, before it is told anything. It must not pass for one that holds that."""
    plan = f"#1:drop@9s; #2:refuse-handle; #3:refuse-handle; #4:drop@{at}"

    async def main() -> None:
        async with Server(Parrot(), faults=parse(plan)) as server:
            _, display = await talk(server, tmp_path, typed=((1, "My name is Ada."), (30, "What is my name?")))
        assert "Ada" in display.answers[-1]
        assert [h.how for h in display.of(Handover)] == ["seeded", "resumed"]

    run(main())


def test_a_wrong_key_is_one_sentence_and_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with Server(Parrot()) as server:
            code, _ = await talk(server, tmp_path, typed=((0, "hello"),), key="invalid")
        assert code == 3

    run(main())
    assert capsys.readouterr().err.splitlines()[0] == "error: the server does not know this API key"


def test_nobody_listening_ends_with_exit_5(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with Server(Parrot()) as server:
            pass
        code, _ = await talk(server, tmp_path, typed=((0, "hello"),))
        assert code == 5

    run(main())
    assert capsys.readouterr().err.startswith(
        "error: no connection: the server cannot be reached (connection refused)"
    )


def test_barging_in_stops_the_answer_and_drops_what_comes_late(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0], 1.5, SENTENCES[2], 0.5)

    async def main() -> None:
        async with Server(Knower(answer_s=8.0)) as server:
            code, display = await talk(server, tmp_path, speech=speech, answers=tmp_path / "a.wav")
        assert code == 0
        (cut,) = display.of(Interrupted)
        assert 3_000 < cut.unplayed_ms < 8_000
        assert display.questions == [SENTENCES[0], SENTENCES[2]]
        assert [e.cut for e in display.of(ModelText) if e.final][-1] is False

    run(main())


def test_what_is_heard_during_the_answer_to_a_typed_line_is_of_the_next_question(tmp_path: Path) -> None:
    """Speech that went on while the line was typed: its words come before the server says `interrupted`."""
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[1], 3.0)

    async def main() -> None:
        async with Server(Knower(answer_s=20.0)) as server:
            code, display = await talk(server, tmp_path, speech=speech, typed=((1.5, "typed"),), one_at_a_time=False)
        assert code == 0
        assert display.questions == ["typed", SENTENCES[1]]
        assert display.answers[-1] == f"You said: {SENTENCES[1]}"

    run(main())
    with closing(Store(tmp_path / "store.sqlite3", on_trouble=lambda notice: None)) as store:
        kept = store.archive().find(None)
    assert kept is not None
    assert [turn.user for turn in kept.turns] == ["typed", SENTENCES[1]]


@pytest.mark.parametrize(
    "plan", ["", "#1:drop@5s", "#1:drop@7.4s", "#1:drop@7.6s", "#1:goaway@3s:2s", "#1:drop@5s; refuse-handle"]
)
def test_push_to_talk_sends_what_is_said_with_the_key_pressed_and_nothing_else(plan: str, tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0], 0.3, SENTENCES[1], 1.0, SENTENCES[2], 0.5)
    first, second = (len(samples(s)) / INPUT_RATE for s in SENTENCES[:2])
    begin = 0.5 + first + 0.3
    keys: tuple[tuple[float, Command], ...] = ((begin - 0.1, "talk"), (second + 0.3, "talk"))
    agent = Stenographer()

    async def main() -> None:
        async with Server(agent, faults=parse(plan)) as server:
            code, display = await talk(server, tmp_path, speech=speech, keys=keys, ptt=True)
        assert code == 0
        assert display.questions == [SENTENCES[1]]
        assert display.answers[-1] == f"You said: {SENTENCES[1]}"
        assert [event.state for event in display.of(Mic)] == ["held", "open", "held"]
        assert display.summary.dropped_ms == 0
        assert len(display.of(Handover)) == bool(plan)

    run(main())
    assert all(core(SENTENCES[1]).astype("<i2").tobytes() in utterance for utterance in agent.utterances[-1:])
    assert all(find(sentence, pcm) is None for sentence in SENTENCES[::2] for pcm in agent.utterances)


def test_what_is_said_to_a_muted_microphone_stays_here_and_what_was_said_before_is_answered(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[1], 0.1, SENTENCES[0], 4.0, SENTENCES[2], 0.5)
    length = len(samples(SENTENCES[1])) / INPUT_RATE
    keys: tuple[tuple[float, Command], ...] = ((0.5 + length + 0.1, "mute"), (3.5, "mute"))

    async def main() -> None:
        heard: list[bytes] = []
        async with Server(Knower(answer_s=1.0), on_audio=lambda n, pcm: heard.append(pcm)) as server:
            code, display = await talk(server, tmp_path, speech=speech, keys=keys)
        assert code == 0
        assert display.questions == [SENTENCES[1], SENTENCES[2]]
        assert len(display.answers) == 2
        assert [event.state for event in display.of(Mic)] == ["muted", "open"]
        assert [p for p, _ in itertools.groupby(e.person for e in display.of(Speaking))] == [True, False, True, False]
        assert find(SENTENCES[0], b"".join(heard)) is None

    run(main())


@pytest.mark.parametrize("plan", ["", "no-generation-complete", "no-turn-complete", "trickle:0.9"])
def test_an_interrupted_answer_is_silent_at_once_and_the_next_one_is_heard(plan: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with Server(Knower(answer_s=8.0), faults=parse(plan)) as server:
            code, display = await talk(
                server,
                tmp_path,
                typed=((0.0, "one"), (4.0, "two")),
                keys=((2.0, "interrupt"),),
                one_at_a_time=False,
                answers=tmp_path / "a.wav",
            )
        assert code == 0
        (cut,) = display.of(Interrupted)
        assert cut.unplayed_ms > 0
        finals = [(e.text, e.cut) for e in display.of(ModelText) if e.final]
        assert finals[-1] == ("You said: two", False)
        assert finals[0][0].startswith("You said:")

    run(main())


def test_a_deaf_session_is_left_and_the_question_asked_again(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0], 0.5)

    async def main() -> None:
        async with Server(Knower(), faults=parse("#1:poison")) as server:
            code, display = await talk(server, tmp_path, speech=speech)
        assert code == 0
        assert display.questions == [SENTENCES[0]]
        assert display.answers == [f"You said: {SENTENCES[0]}"]
        (handover,) = display.of(Handover)
        assert handover.cause == "the server heard a question and did not answer"

    run(main())


def test_an_answer_that_stops_coming_is_asked_for_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with Server(Knower(answer_s=8.0), faults=parse("#1:stall@1s")) as server:
            code, display = await talk(server, tmp_path, typed=((0, "hello"),))
        assert code == 0
        assert display.questions == ["hello"]
        assert [(e.text, e.cut) for e in display.of(ModelText) if e.final][-1] == ("You said: hello", False)

    run(main())


def test_an_idle_line_rests_and_is_taken_up_when_something_is_typed(tmp_path: Path) -> None:
    async def main() -> None:
        async with Server(Parrot()) as server:
            typed = ((0, "My name is Ada."), (1_000.0, "What is my name?"))
            code, display = await talk(server, tmp_path, typed=typed)
        assert code == 0
        assert display.summary.links == 2
        assert [s.state for s in display.of(LinkState)].count("resting") == 1
        assert "Ada" in display.answers[-1]

    run(main())


def test_a_computer_that_slept_takes_the_session_up_again(tmp_path: Path) -> None:
    asleep = 0.0

    async def fall_asleep(_: object) -> None:
        nonlocal asleep
        await asyncio.sleep(20)
        asleep = 3_600.0

    async def main() -> None:
        async with Server(Parrot()) as server:
            code, display = await talk(
                server,
                tmp_path,
                typed=((0, "My name is Ada."), (30.0, "What is my name?")),
                during=fall_asleep,
                wall=lambda: asyncio.get_running_loop().time() + asleep,
            )
        assert code == 0
        (handover,) = display.of(Handover)
        assert (handover.cause, handover.how) == ("the computer slept", "resumed")
        assert "Ada" in display.answers[-1]

    run(main())


def test_without_turn_complete_each_question_stays_with_its_own_answer(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0], 3.0, SENTENCES[1], 0.5)

    async def main() -> None:
        async with Server(Knower(), faults=parse("no-turn-complete")) as server:
            await talk(server, tmp_path, speech=speech)

    run(main())
    store = Store(tmp_path / "store.sqlite3", on_trouble=lambda notice: None)
    kept = store.archive().find(None)
    store.close()
    assert kept is not None
    assert [(t.user, t.model) for t in kept.turns] == [(s, f"You said: {s}") for s in SENTENCES[:2]]


@pytest.mark.parametrize("plan", ["#1:close:idle@7s", "#1:drop@7s; #2:no-setup; #3:no-setup"])
def test_when_all_is_answered_no_link_is_needed_to_end(tmp_path: Path, plan: str) -> None:
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0], 5.0)

    async def main() -> None:
        async with Server(Knower(answer_s=0.5), faults=parse(plan)) as server:
            code, display = await talk(server, tmp_path, speech=speech)
        assert code == 0
        assert len(display.answers) == 1
        assert display.summary.duration_s < 12

    run(main())


def test_the_last_question_is_answered_however_long_the_line_was_away(tmp_path: Path) -> None:
    """The input ended long ago when a link opens at last."""
    speech = write_speech(tmp_path / "q.wav", 0.5, SENTENCES[0])

    async def main() -> None:
        async with Server(Knower(), faults=parse("#1:http:429")) as server:
            code, display = await talk(server, tmp_path, speech=speech)
        assert code == 0
        assert display.answers == [f"You said: {SENTENCES[0]}"]

    run(main())
