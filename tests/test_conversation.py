"""Whole conversations in virtual time, through the unmodified SDK over real TLS."""

from __future__ import annotations

from pathlib import Path

from livechat.events import Handover, LinkState, Turn
from livechat.server.serve import Server
from tests.conversation import SENTENCES, Knower, talk, write_speech
from tests.virtual_time import run


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


def test_typed_lines_are_answered_one_at_a_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with Server(Knower()) as server:
            code, display = await talk(server, tmp_path, typed=((0, "one"), (0, "two")))
        assert code == 0
        assert display.questions == ["one", "two"]
        assert len(display.answers) == 2

    run(main())


def test_links_of_twelve_seconds_lose_nothing(tmp_path: Path) -> None:
    script: list[str | float] = [0.5]
    for n in range(7):
        script += [SENTENCES[n % 4], 5.5]
    speech = write_speech(tmp_path / "q.wav", *script)

    async def main() -> None:
        async with Server(Knower(), lifetime=12, notice=4) as server:
            code, display = await talk(server, tmp_path, speech=speech, answers=tmp_path / "a.wav")
            history = max(server.sessions.values(), key=len)
        said = [turn.text for turn in history if turn.role == "user"]
        assert said == [SENTENCES[n % 4] for n in range(7)]
        assert code == 0
        assert display.summary.links >= 4
        assert display.summary.dropped_ms == 0
        assert display.questions == said
        assert {h.how for h in display.of(Handover)} == {"resumed"}
        assert all(state.code in (None, 1000) for state in display.of(LinkState))

    run(main())
