"""What a conversation costs, and that it ends politely when that is enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.errors import Notice, UsageError
from livechat.events import Spent, Usage
from livechat.prices import prices
from livechat.server.serve import Server
from livechat.session.budget import Spend
from livechat.settings import resolve
from tests.support.conversation import SENTENCES, Knower, talk, write_speech
from tests.support.virtual_time import run


def test_each_turn_pays_for_its_whole_context() -> None:
    spend = Spend(prices("any", "offline", 2.0, 10.0), max_cost=0.02)
    assert spend.add(Usage(1_000, 100, 1_100)) == Spent(1_100, 0.003)
    spent = spend.add(Usage(2_000, 100, 2_200))  # 100 more that the server does not itemise: thoughts
    assert spent.tokens == 3_300
    assert spent.cost == pytest.approx(0.009)
    assert spend.over(spent) == ""
    assert spend.over(spend.add(Usage(9_000, 0, 9_000))) == "0.027 is spent, of 0.02 allowed"


def test_of_reports_on_one_answer_the_last_counts() -> None:
    spend = Spend(max_tokens=1_300)
    for answer in (10, 20, 300):
        spent = spend.add(Usage(1_000, answer, 1_000 + answer))
    assert spent == Spent(1_300, None)
    assert spend.over(spent) == "1300 tokens are spent, of 1300 allowed"


def test_a_conversation_ends_politely_when_its_tokens_are_spent(tmp_path: Path) -> None:
    first, second = SENTENCES[:2]
    speech = write_speech(tmp_path / "q.wav", 0.5, first, 5.5, second, 30.0)

    async def main() -> None:
        async with Server(Knower()) as server:
            code, display = await talk(server, tmp_path, speech=speech, max_tokens_total=1)
            assert code == 0
            assert display.questions == [first]
            assert display.answers == [f"You said: {first}"]
            (warned,) = display.of(Notice)
            assert " tokens are spent, of 1 allowed: the conversation ends here" in warned.message
            assert warned.hint == ""
            assert display.summary.resume.startswith("livechat resume ")
            code, again = await talk(
                server, tmp_path, speech=speech, resumed=lambda store: store.archive().find(None)
            )
            assert (code, again.of(Notice)) == (0, [])
            assert again.of(Spent)[-1].tokens > again.of(Spent)[0].tokens

    run(main())


def test_what_waits_in_a_pipe_is_not_asked_once_the_tokens_are_spent(tmp_path: Path) -> None:
    async def main() -> None:
        async with Server(Knower()) as server:
            code, display = await talk(server, tmp_path, typed=((0.0, "one"), (0.0, "two")), max_tokens_total=1)
            assert code == 0
            assert display.questions == ["one"]
            assert len(display.answers) == 1

    run(main())


@pytest.mark.parametrize(
    "flags", [{"price_in": 1.0}, {"price_in": -1.0, "price_out": 1.0}, {"max_cost": 1.0}, {"max_tokens_total": -1}]
)
def test_a_cost_needs_both_prices_and_none_is_negative(flags: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        resolve({}, **flags)


RECEIPT = Usage(522, 42, 564, {"TEXT": 332, "AUDIO": 165}, {"AUDIO": 42}, thoughts=136)  # of a real turn


def test_each_modality_has_its_price_and_thoughts_are_text_that_is_given_out() -> None:
    spend = Spend(prices("models/gemini-3.8-live", "gemini", None, None))
    by_hand = (332 * 0.75 + 165 * 3.0 + 42 * 12.0 + 136 * 4.5) / 1e6
    spent = spend.add(RECEIPT)
    assert spent.tokens == 522 + 42 + 136
    assert spent.cost == pytest.approx(by_hand)
    assert spend.add(RECEIPT).cost == pytest.approx(by_hand)  # the same context: the same turn


def test_thoughts_within_the_total_count_once() -> None:
    spend = Spend(prices("gemini-3.8-live", "gemini", None, None))
    within = Usage(100, 10, 130, {"TEXT": 100}, {"AUDIO": 10}, thoughts=20)
    spent = spend.add(within)
    assert spent.tokens == 130
    assert spent.cost == pytest.approx((75 + 120 + 90) / 1e6)


def test_what_has_no_price_makes_the_cost_unknown_and_not_nothing() -> None:
    spend = Spend(prices("gemini-3.8-live", "gemini", None, None))
    assert spend.add(RECEIPT).cost is not None
    assert spend.add(Usage(800, 10, 810, {"TEXT": 532, "IMAGE": 268}, {"AUDIO": 10})).cost is None
    assert spend.add(Usage(900, 10, 910, {"TEXT": 900}, {"AUDIO": 10})).cost is None


@pytest.mark.parametrize(("model", "backend"), [("gemini-9-live", "gemini"), ("gemini-3.8-live", "endpoint")])
def test_prices_that_are_not_known_are_none(model: str, backend: str) -> None:
    assert prices(model, backend, None, None) is None
    given = prices(model, backend, 1.0, 2.0)
    assert given is not None
    assert given.cost({"TEXT": 1_000_000, "IMAGE": 1_000_000}, {"AUDIO": 500_000}) == 3.0
