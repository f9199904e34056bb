"""Why a turn ended, in plain words: for every reason the SDK knows, and for those it does not."""

from __future__ import annotations

import pytest
from google.genai.types import TurnCompleteReason

from livechat.session.turn_end_reasons import explained

KNOWN = [reason.value for reason in TurnCompleteReason if not reason.value.endswith("UNSPECIFIED")]


@pytest.mark.parametrize("reason", KNOWN)
def test_every_known_reason_has_words_of_its_own(reason: str) -> None:
    words = explained(reason)
    assert words.endswith(f" ({reason})")
    assert not words.startswith("the server ended the turn")


def test_a_reason_that_is_not_known_is_named() -> None:
    assert explained("OUT_OF_PATIENCE") == "the server ended the turn (OUT_OF_PATIENCE)"


@pytest.mark.parametrize("reason", ["\x1b[2J", "a b", "x" * 500, "ünï"])
def test_what_is_no_name_is_not_repeated(reason: str) -> None:
    assert reason not in explained(reason)
