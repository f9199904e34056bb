"""Text fit for a terminal: what is escaped, how it is wrapped, how numbers are written."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.ui import safe_text


@given(st.text())
def test_clean_leaves_nothing_a_terminal_obeys(given_text: str) -> None:
    cleaned = safe_text.clean(given_text)
    assert safe_text.clean(cleaned) == cleaned
    for char in cleaned:
        kept = char in "\u200c\u200d" or ord(char) in range(0x600, 0x8E3) or ord(char) > 0xFFFF
        assert unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp")
        assert kept or unicodedata.category(char) != "Cf"
    cleaned.encode()


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x9b31m", "�31m"),
        ("a\u202eb\u2066c", "a�b�c"),
        ("pay\u200bpal", "pay�pal"),
        ("\ud83d", "�"),
        ("one\r\ntwo\ttabs\u2028three", "one two    tabs three"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        ("👩\u200d🚀 می\u200cخواهم", "👩\u200d🚀 می\u200cخواهم"),
    ],
)
def test_clean_examples(hostile: str, shown: str) -> None:
    assert safe_text.clean(hostile) == shown


def test_clean_can_keep_line_ends() -> None:
    assert safe_text.clean("one\r\ntwo\u0085three", newlines=True) == "one\ntwo\nthree"


@given(st.text(st.sampled_from("ab 東\n"), max_size=80), st.integers(2, 20))
def test_wrap_loses_nothing_and_never_overflows(given_text: str, width: int) -> None:
    def cells(char: str) -> int:
        return 2 if char == "東" else 1

    rows = safe_text.wrap(given_text, width, cells)
    assert all(sum(map(cells, row)) <= width for row in rows)
    assert "".join(rows).replace(" ", "") == given_text.replace(" ", "").replace("\n", "")


def test_wrap_breaks_at_spaces() -> None:
    assert safe_text.wrap("one two  three\n  four", 8, len) == ["one two", "three", "  four"]
    assert safe_text.wrap("", 8, len) == [""]


def test_numbers_read_well() -> None:
    assert [safe_text.age(s) for s in (-3, 7.9, 724, 3724)] == ["0:00", "0:07", "12:04", "1:02:04"]
    assert [safe_text.validity(s) for s in (7199, 3600, 3599, 20)] == ["1h59", "1h00", "59m", "20s"]
    assert [safe_text.tokens(n) for n in (940, 9_400, 102_400, 999_600)] == ["940", "9.4k", "102k", "1.0M"]
    assert [safe_text.duration(ms) for ms in (80, 400, 12_000, 200_000)] == ["80 ms", "0.4 s", "12 s", "3:20 min"]
    assert [safe_text.gauge(s, 4) for s in (0, 0.01, 0.5, 2)] == [
        ("", "────"), ("━", "───"), ("━━", "──"), ("━━━━", ""),
    ]  # fmt: skip


def test_what_was_said_is_one_line_for_each_side_and_no_answer_looks_like_a_question() -> None:
    said = [(" hello\nyou ", "Hi.\nyou: never said"), ("", "Still there?\x1b[2J"), ("yes", "")]
    assert safe_text.plain_text(said) == (
        "you: hello you\nmodel: Hi. you: never said\nmodel: Still there?␛[2J\nyou: yes\n"
    )
