"""What a conversation has used in tokens and money, and whether a limit is reached."""

from dataclasses import dataclass

from livechat.events import Spent, Usage
from livechat.prices import Prices


@dataclass(slots=True)
class Spend:
    """`prices`: None if not known. `max_…`: limits of this run, None for none."""

    prices: Prices | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    _tokens: int = 0  # of all turns before the last
    _cost: float | None = 0.0  # the same; None once it is unknown
    _last: tuple[int, int, float | None] = (0, 0, 0.0)  # of the last turn: its context, its tokens, its cost

    def add(self, usage: Usage) -> Spent:
        """Add a turn, which pays for its whole context. Of several reports on one context only the last counts."""
        if usage.prompt_tokens != self._last[0]:
            _, tokens, cost = self._last
            self._tokens, self._cost = self._tokens + tokens, _sum(self._cost, cost)
        self._last = (usage.prompt_tokens, usage.prompt_tokens + _given(usage), self._price(usage))
        return Spent(self._tokens + self._last[1], _sum(self._cost, self._last[2]))

    def _price(self, usage: Usage) -> float | None:
        """Of one turn. A part that the server does not itemise is taken for sound, as most of a conversation is."""
        if self.prices is None:
            return None
        taken = usage.prompt_details or {"AUDIO": usage.prompt_tokens}
        given = dict(usage.response_details or {"AUDIO": usage.response_tokens})
        thoughts = _given(usage) - usage.response_tokens
        given["TEXT"] = given.get("TEXT", 0) + thoughts
        return self.prices.cost(taken, given)

    def over(self, spent: Spent) -> str:
        """The limit that is reached, in words; "" for none."""
        if self.max_tokens is not None and spent.tokens >= self.max_tokens:
            return f"{spent.tokens} tokens are spent, of {self.max_tokens} allowed"
        if self.max_cost is not None and spent.cost is not None and spent.cost >= self.max_cost:
            return f"{spent.cost:.4g} is spent, of {self.max_cost:g} allowed"
        return ""


def _given(usage: Usage) -> int:
    """Tokens of the answer and of thoughts. Some servers count thoughts in the total, and some beside it."""
    beside = usage.response_tokens + usage.thoughts
    return max(beside, usage.total_tokens - usage.prompt_tokens)


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
