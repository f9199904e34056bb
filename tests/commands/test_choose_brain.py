"""Which language model the flags mean, and what is said of flags that mean none."""

from __future__ import annotations

import importlib.util

import pytest

from livechat.commands.choose_brain import brain
from livechat.errors import UsageError
from livechat.server.brain import Brain


@pytest.mark.parametrize(
    ("url", "model"),
    [("http://x/v1", None), (None, "small"), ("x/v1", "m"), ("ftp://x", "m"), ("http://", "m"), ("http://[", "m"),
     ("http://me:pw@x/v1", "m"), ("http://x:99999/v1", "m")],
)  # fmt: skip
def test_a_brain_that_cannot_be_is_refused(url: str | None, model: str | None) -> None:
    with pytest.raises(UsageError) as refused:
        brain(url, model, {})
    assert "pw" not in refused.value.message


def test_without_the_package_it_says_which_extra_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="openai") as refused:
        brain("http://x/v1", "m", {})
    assert "[brain]" in refused.value.hint


def test_the_key_is_that_of_the_brain_alone() -> None:
    made = brain("http://x/v1", "m", {"LIVECHAT_BRAIN_KEY": " k ", "OPENAI_API_KEY": "other"})
    assert made == Brain("http://x/v1", "m", "k")
    assert "'k'" not in repr(made)
    assert brain(None, None, {}) is None
