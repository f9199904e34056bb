"""The README's pictures and the cast are of this program: `python -m tests.support.picture docs` takes them again."""

from __future__ import annotations

import html
import json
import re
import wave
from collections.abc import Iterator
from pathlib import Path

import pyte

from tests import ROOT
from tests.support.picture import COLUMNS, ROWS, THEMES
from tests.support.program import environment
from tests.support.terminal import LIVECHAT, Terminal

DOCS = ROOT / "docs"


def frames() -> Iterator[list[str]]:
    """The screen after each piece of the cast."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    header, *pieces = map(json.loads, (DOCS / "talk.cast").read_text(encoding="utf-8").splitlines())
    assert (header["version"], header["width"], header["height"]) == (2, COLUMNS, ROWS)
    for _, kind, text in pieces:
        assert kind == "o"
        stream.feed(text)
        yield [row.rstrip() for row in screen.display]


def masked(row: str) -> str:
    """A row without what differs from one moment to the next."""
    return re.sub(r"[✓…]", "✓", re.sub("[─━]", "─", re.sub(r"\d", "0", row)))


def test_the_pictures_are_of_the_end_of_the_cast() -> None:
    *_, last = frames()
    for name in THEMES:
        svg = (DOCS / f"screen-{name}.svg").read_text(encoding="utf-8")
        shown = "".join(html.unescape(text) for text in re.findall(r"<text class=[^>]*>([^<]*)</text>", svg))
        assert "".join("".join(last).split()) in "".join(shown.split())
        assert "@font-face" not in svg  # the reader's browser fetches nothing


def test_this_program_looks_as_in_the_cast(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "questions.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(32_000 * 20))
    talk = [LIVECHAT, "talk", "--offline", "--input", "questions.wav", "--output", "a.wav"]
    known = {masked(row) for frame in frames() for row in frame}
    terminal = Terminal(COLUMNS, ROWS, talk, environment(tmp_path), cwd=tmp_path)
    try:
        terminal.until_shown("○ listening")
        terminal.until(lambda: "handle 0:0" in terminal.rows()[terminal.screen.cursor.y])
        terminal.until(lambda: {masked(row) for row in terminal.rows()} <= known)
    finally:
        terminal.close()
