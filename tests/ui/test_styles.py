"""Rows of the screen as Rich Text: no markup, no control and no wrapping, whatever the words are."""

from __future__ import annotations

import io
import re

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from livechat import events as ev
from livechat.ui import styles
from livechat.ui.transcript_lines import lines
from tests.support.examples import examples

hostile = st.text(
    st.characters(exclude_characters="\u200c\u200d")
    | st.sampled_from("\x1b\x9b\x07\r\n\t\x00\u202e[];?0123456789mJHhlP\\")
)


@settings(max_examples=examples(1_000), deadline=None)
@given(hostile, st.booleans())
def test_hostile_text_is_only_ever_text(words: str, cut: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="truecolor", width=80, _environ={})
    entries = lines(ev.ModelText(words, True, cut=cut), newlines=True)
    rows = [row for line in entries for row in styles.entry(line, 79)]
    for row in rows:
        console.print(row)
    written = out.getvalue()
    uncoloured = re.sub(r"\x1b\[[0-9;]*m", "", written)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", uncoloured)

    emulated, plain = pyte.Screen(80, 200), pyte.Screen(80, 200)
    pyte.Stream(emulated).feed(written.replace("\n", "\r\n"))
    assert emulated.cursor.y == min(len(rows), 199)  # no row wrapped, none moved the cursor
    assert (emulated.cursor.x, emulated.mode, emulated.title) == (0, plain.mode, "")
    assert (emulated.margins, emulated.charset, emulated.cursor.hidden) == (None, plain.charset, False)


def test_thoughts_are_dim() -> None:
    (line,) = lines(ev.ThoughtText("A plan\nof two rows"), newlines=True)
    first, second = styles.entry(line, 79)
    assert (first.plain, second.plain) == ("think  A plan", "       of two rows")
    assert {str(span.style) for row in (first, second) for span in row.spans if row.plain[span.start].strip()} == {
        "dim"
    }


def test_markup_is_not_interpreted() -> None:
    line = lines(ev.ModelText("[red]no[/red] [link=http://x]link[/link] :smile:", True))[0]
    assert styles.entry(line, 79)[0].plain == "model  [red]no[/red] [link=http://x]link[/link] :smile:"
