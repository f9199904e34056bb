"""What the kitty keyboard protocol adds to a terminal's input, taken out of it again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.ui.kitty_keyboard import RELEASED, KittyKeyboard

ANSWER = "\x1b[?0u\x1b[?62;c"


def test_a_terminal_that_knows_it_says_so_and_one_that_does_not_says_something_else() -> None:
    knows, does_not = KittyKeyboard(), KittyKeyboard()
    assert knows.feed(ANSWER) == does_not.feed("\x1b[?62;22c") == ""
    assert (knows.supported, does_not.supported) == (True, False)


def test_space_that_comes_up_is_noticed_and_other_keys_that_do_are_passed_over() -> None:
    keys = KittyKeyboard()
    keys.feed(ANSWER)
    assert keys.feed(" ") == " "
    assert keys.feed("\x1b[32;1:2u\x1b[97;1:3u\x1b[97;2:3u") == ""
    assert not keys.released
    assert keys.feed(f"a{RELEASED}b") == "ab"
    assert keys.released


@pytest.mark.parametrize(
    "data", ["hello", "\x1b", "\x1b[A", "\x1b[1;5C", "\x1b[200~paste\x1b[201~", "東京 u", "[1;2u"]
)
def test_what_it_does_not_know_passes(data: str) -> None:
    assert KittyKeyboard().feed(data) == data


def test_other_keys_are_as_without_it() -> None:
    keys = KittyKeyboard()
    keys.feed(ANSWER)
    assert keys.feed("\x1b[A\x1b[1;1:3A\x1b[1;1:2A\x1b[1;5:2C\x1b[1;5:3C\x1b[3;1:2~\x1b[3;1:3~") == (
        "\x1b[A\x1b[A\x1b[1;5C\x1b[3~"
    )


def test_an_answer_is_waited_for_and_a_key_of_its_own_given_back() -> None:
    keys = KittyKeyboard()
    keys.awaiting = True
    assert [keys.feed(part) for part in ("\x1b", "[?0u\x1b[", "?62;", "22c", "\x1b")] == [""] * 5
    assert keys.flush() == "\x1b"
    assert not keys.flush()


@given(st.lists(st.sampled_from(["a", " ", "\x1b[A", RELEASED, "\x1b[97;1:3u", "東"])), st.integers(1, 4))
def test_however_it_is_cut_the_same_comes_out(parts: list[str], size: int) -> None:
    data = "".join(parts)
    keys = KittyKeyboard()
    keys.feed(ANSWER)
    cut = "".join(keys.feed(data[at : at + size]) for at in range(0, len(data), size))
    assert cut == "".join(part for part in parts if not part.endswith("u"))
    assert keys.released == (RELEASED in parts)
