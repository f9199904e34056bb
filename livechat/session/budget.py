"""What a conversation has used in tokens and money, and whether a limit is reached."""

from dataclasses import dataclass

from livechat.events import Spent, Usage


@dataclass(slots=True)
class Spend:
    """`price_in`, `price_out`: of a million tokens, None if not known. `max_…`: limits of this run, None for none."""

    price_in: float | None = None
    price_out: float | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    _before: tuple[int, int] = (0, 0)  # tokens in and out, of all turns before the last
    _last: tuple[int, int] = (0, 0)  # the same of the last turn

    def add(self, usage: Usage) -> Spent:
        """Add a turn, which pays for its whole context. Of several reports on one context only the last counts."""
        if usage.prompt_tokens != self._last[0]:
            self._before = (self._before[0] + self._last[0], self._before[1] + self._last[1])
        self._last = (usage.prompt_tokens, max(usage.response_tokens, usage.total_tokens - usage.prompt_tokens))
        taken, given = (sum(pair) for pair in zip(self._before, self._last, strict=True))
        cost = None
        if self.price_in is not None and self.price_out is not None:
            cost = (taken * self.price_in + given * self.price_out) / 1e6
        return Spent(taken + given, cost)

    def over(self, spent: Spent) -> str:
        """The limit that is reached, in words; "" for none."""
        if self.max_tokens is not None and spent.tokens >= self.max_tokens:
            return f"{spent.tokens} tokens are spent, of {self.max_tokens} allowed"
        if self.max_cost is not None and spent.cost is not None and spent.cost >= self.max_cost:
            return f"{spent.cost:.4g} is spent, of {self.max_cost:g} allowed"
        return ""
