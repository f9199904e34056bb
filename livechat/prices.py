"""What tokens cost, by model and modality, in dollars for a million.

A price that is not in the table is unknown, which is not the same as nothing. Prices change: --price-in and
--price-out take their place.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from livechat.models import bare


@dataclass(frozen=True, slots=True)
class Prices:
    """By modality, as usageMetadata names it. Thoughts are text that is given out."""

    taken: Mapping[str, float]
    given: Mapping[str, float]

    def cost(self, taken: Mapping[str, int], given: Mapping[str, int]) -> float | None:
        """Of so many tokens of each modality. None where the price of one of them is unknown."""
        total = 0.0
        for tokens, prices in ((taken, self.taken), (given, self.given)):
            for modality, count in tokens.items():
                if count and modality not in prices:
                    return None
                total += count * prices.get(modality, 0.0)
        return total / 1e6


# As of October 2026, quoted by Google's customers from its page of prices (docs/wire.md 12).
_TABLE = {"gemini-3.8-live": Prices({"TEXT": 0.75, "AUDIO": 3.0}, {"TEXT": 4.5, "AUDIO": 12.0})}
_MODALITIES = ("TEXT", "AUDIO", "IMAGE", "VIDEO", "DOCUMENT")


def prices(model: str, backend: str, price_in: float | None, price_out: float | None) -> Prices | None:
    """Those of a conversation: what the person gave, or the table's for Google's own servers. None if unknown."""
    if price_in is not None and price_out is not None:
        return Prices(dict.fromkeys(_MODALITIES, price_in), dict.fromkeys(_MODALITIES, price_out))
    return _TABLE.get(bare(model)) if backend in ("gemini", "vertex") else None
