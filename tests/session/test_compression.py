"""Who notices that the server compressed the context."""

from __future__ import annotations

from livechat.events import Compression
from livechat.session.compression import ContextCount


def test_a_count_lower_than_the_one_before_is_a_compression() -> None:
    context = ContextCount()
    assert [context.counted(tokens) for tokens in (100, 9_000, 4_500, 4_600, 4_600)] == [
        None, None, Compression(9_000, 4_500), None, None,
    ]  # fmt: skip


def test_a_new_session_begins_with_less_and_that_is_no_compression() -> None:
    context = ContextCount()
    context.counted(9_000)
    context.new_session()
    assert context.counted(100) is None
    assert context.counted(90) == Compression(100, 90)
