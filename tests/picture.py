"""Takes the README's picture of the screen from a real conversation: `python -m tests.picture docs/screen.svg`."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import wave
from pathlib import Path

import hibari
import numpy as np
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.terminal import Terminal

COLUMNS, ROWS = 92, 14
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


def picture(terminal: Terminal) -> str:
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
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="livechat talk"), flags=re.DOTALL)


def main(path: Path) -> None:
    """Hold the conversation and take the picture in the middle of its story."""
    with tempfile.TemporaryDirectory() as folder:
        speech = Path(folder) / "questions.wav"
        questions(speech)
        env = {
            **os.environ,
            "LIVECHAT_STATE": folder,
            "LIVECHAT_CONFIG": os.devnull,
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
        }
        command = [sys.executable, "-m", "livechat", "talk", "--input", str(speech), "--output", f"{folder}/a.wav"]
        terminal = Terminal(COLUMNS, ROWS, [*command, "--offline", "--faults", "#1:goaway@9s:30s"], env)
        try:
            terminal.until_shown("her small brass bell", seconds=60)
            path.parent.mkdir(exist_ok=True)
            path.write_text(picture(terminal))
        finally:
            terminal.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
