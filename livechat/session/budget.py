"""PURE. What a conversation has used in tokens and money, and whether that is as much as it may."""

from __future__ import annotations

from dataclasses import dataclass

from livechat.events import Spent, Usage


@dataclass(slots=True)
class Spend:
    """Prices per million tokens, None where not known; limits for this run, None for none."""

    price_in: float | None = None
    price_out: float | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    _before: tuple[int, int] = (0, 0)  # tokens in and out, of the turns before the last
    _last: tuple[int, int] = (0, 0)

    def add(self, usage: Usage) -> Spent:
        """Count a turn: each pays for the whole context. Of reports on the same context the last one counts."""
        if usage.prompt_tokens != self._last[0]:
            self._before = (self._before[0] + self._last[0], self._before[1] + self._last[1])
        self._last = (usage.prompt_tokens, max(usage.response_tokens, usage.total_tokens - usage.prompt_tokens))
        taken, given = (sum(pair) for pair in zip(self._before, self._last, strict=True))
        cost = None
        if self.price_in is not None and self.price_out is not None:
            cost = (taken * self.price_in + given * self.price_out) / 1e6
        return Spent(taken + given, cost)

    def over(self, spent: Spent) -> str:
        """Which limit is reached, in words; "" for none."""
        if self.max_tokens is not None and spent.tokens >= self.max_tokens:
            return f"{spent.tokens} tokens are spent, of {self.max_tokens} allowed"
        if self.max_cost is not None and spent.cost is not None and spent.cost >= self.max_cost:
            return f"{spent.cost:.4g} is spent, of {self.max_cost:g} allowed"
        return ""
