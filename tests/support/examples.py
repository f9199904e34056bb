"""How many examples Hypothesis makes: a few in every run, ten times as many with `--hypothesis-profile=thorough`."""

from __future__ import annotations

from hypothesis import settings

USUAL = 100  # what Hypothesis makes where a test does not say


def examples(count: int) -> int:
    """`count` in the usual profile, and as many times more as another profile makes."""
    return max(1, count * settings().max_examples // USUAL)
