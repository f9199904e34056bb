"""What the SDK would misread is put right; all else is left as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.session.dialect import readable


def read(message: dict[str, Any]) -> Any:
    return json.loads(readable(json.dumps(message, indent=2).encode()))


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"interactionStatus": "IDLE"}, {"interactionStatus": "IDLE"}),
        ({"interactionStatus": "IDLE", "serverContent": {"turnComplete": True}},
         {"interactionStatus": "IDLE", "turnComplete": True}),
        ({"interactionStatus": "IN_PROGRESS", "toolCall": {}}, {"interactionStatus": "IN_PROGRESS"}),
        ({"interactionStatus": "IDLE", "serverContent": None}, {"interactionStatus": "IDLE"}),
        ({"interactionStatus": "IN_PROGRESS", "serverContent": {"interactionStatus": "IDLE"}},
         {"interactionStatus": "IDLE"}),
    ],
)  # fmt: skip
def test_a_status_at_the_root_is_the_contents(message: dict[str, Any], content: dict[str, Any]) -> None:
    assert read(message)["serverContent"] == content
    assert "interactionStatus" not in read(message)


@pytest.mark.parametrize("value", [7, True, {"a": 1}])
def test_a_status_or_a_reason_that_is_no_word_leaves_the_message_readable(value: Any) -> None:
    content = {"turnComplete": True, "turnCompleteReason": value, "interactionStatus": value}
    assert read({"serverContent": content})["serverContent"] == {
        "turnComplete": True, "turnCompleteReason": str(value), "interactionStatus": str(value),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["responseTokenCount", "candidatesTokenCount"])
def test_an_answers_tokens_have_both_names(name: str) -> None:
    usage = read({"usageMetadata": {"promptTokenCount": 1, name: 7}})["usageMetadata"]
    assert usage == {"promptTokenCount": 1, "responseTokenCount": 7, "candidatesTokenCount": 7}


@given(st.binary() | st.sampled_from([b'["interactionStatus"]', b'{"interactionStatus": ', b'"interactionStatus"']))
def test_what_is_no_message_is_left_as_it_is(raw: bytes) -> None:
    assert readable(raw) == raw
