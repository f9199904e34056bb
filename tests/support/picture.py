"""Takes the README's pictures of the screen, and a cast, from a real conversation.

`python -m tests.support.picture docs` writes them.

The cast is asciicast v2: `asciinema play docs/talk.cast`.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import sys
import tempfile
import time
import wave
from pathlib import Path
from typing import Any

import hibari
import numpy as np
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME, TerminalTheme
from rich.text import Text

from tests.support.program import environment
from tests.support.terminal import LIVECHAT, Terminal

COLUMNS, ROWS = 92, 14
THEMES = {"light": DEFAULT_TERMINAL_THEME, "dark": SVG_EXPORT_THEME}
ASKED = ("How much is seventeen plus twenty five?", "Tell me a story.")


def questions(path: Path) -> None:
    """Two questions, spoken, with time for an answer between them."""
    voice = hibari.Hibari()
    pause = np.zeros(24_000 * 6, np.float32)
    sound = np.concatenate([pause[:24_000], *(part for words in ASKED for part in (voice(words, seed=0), pause))])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes((np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes())


class Recorded(Terminal):
    """Keeps what the program wrote, and when."""

    def __init__(self, *arguments: Any) -> None:
        self.written: list[tuple[float, str]] = []  # seconds since the beginning, text
        self._began = time.monotonic()
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        super().__init__(*arguments)

    def pump(self, timeout: float) -> None:
        before = len(self.raw)
        super().pump(timeout)
        if text := self._decoder.decode(self.raw[before:]):
            self.written.append((time.monotonic() - self._began, text))


def cast(terminal: Recorded) -> str:
    """What was written as asciicast v2: a header, and a line for each piece."""
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "livechat talk"}
    lines = [header, *([round(at, 2), "o", text] for at, text in terminal.written)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def picture(terminal: Terminal, theme: TerminalTheme) -> str:
    """The screen as SVG."""
    console = Console(width=COLUMNS, record=True, file=open(os.devnull, "w"), force_terminal=True)  # noqa: PTH123, SIM115
    for y in range(ROWS):
        row = Text()
        for x in range(COLUMNS):
            cell = terminal.screen.buffer[y][x]
            color = None if cell.fg == "default" else f"#{cell.fg}" if len(cell.fg) == 6 else cell.fg
            names = {"brown": "yellow", "brightbrown": "bright_yellow", "brightblack": "bright_black"}
            row.append(cell.data, Style(color=names.get(color or "", color), bold=cell.bold, italic=cell.italics))
        console.print(row)
    # Without the fonts that Rich would have the reader's browser fetch from elsewhere.
    return re.sub(
        r"@font-face \{.*?\}\s*", "", console.export_svg(title="livechat talk", theme=theme), flags=re.DOTALL
    )


def main(docs: Path) -> None:
    """Hold the conversation and take the pictures in the middle of its story."""
    with tempfile.TemporaryDirectory() as folder:
        speech = Path(folder) / "questions.wav"
        questions(speech)
        command = [LIVECHAT, "talk", "--input", str(speech), "--output", f"{folder}/a.wav"]
        told = ["--offline", "--faults", "#1:goaway@9s:30s"]
        terminal = Recorded(COLUMNS, ROWS, [*command, *told], environment(Path(folder)))
        try:
            terminal.until_shown("her small brass bell", seconds=60)
            for name, theme in THEMES.items():
                (docs / f"screen-{name}.svg").write_text(picture(terminal, theme))
            (docs / "talk.cast").write_text(cast(terminal))
        finally:
            terminal.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
