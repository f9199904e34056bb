"""Runs every program in turn, and prints a table: `python -m benchmarks.peers`. Some four minutes for each."""

from __future__ import annotations

import argparse
import platform
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.echo import speech_of
from benchmarks.peers.programs import programs, sdk_version
from benchmarks.peers.stage import Figures, goaways, minute

# "links" and what follows it: of the call over several GoAways. The rest: of the calm one.
HEADS = (
    "program", "version", "start s", "CPU %", "RSS MB", "word errors", "silence s", "links", "once", "lost", "twice",
)  # fmt: skip


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--cookbook", type=Path, help="quickstarts/Get_started_LiveAPI.py of Google's cookbook")
    parser.add_argument("--examples", type=Path, help="command-line/python/main.py of Google's live-api examples")
    parser.add_argument("--only", help="programs whose names hold this")
    parser.add_argument("--sentences", type=int, default=12, help="in each of the two calls")
    parser.add_argument("--trials", type=int, default=5, help="interruptions")
    parser.add_argument("--speech", help="a folder of NAME.wav (16 kHz mono) and NAME.txt")
    parser.add_argument("--environments", type=Path, help="where the packages of the others are kept")
    return parser.parse_args()


def main(wanted: argparse.Namespace) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.platform()}, Python {platform.python_version()},", end=" ")
    print(f"google-genai {sdk_version()}")
    speech = speech_of(wanted.speech)
    rows: list[tuple[str, ...]] = [HEADS]
    with tempfile.TemporaryDirectory() as scratch:
        folder = wanted.environments or Path(scratch)
        for program in programs(wanted.cookbook, wanted.examples):
            if wanted.only and wanted.only not in program.name:
                continue
            try:
                python = program.python(folder)
            except (OSError, subprocess.CalledProcessError) as error:
                print(f"{program.name}: cannot be installed ({error})", flush=True)
                continue
            command = [python, *program.arguments]
            calm = minute(command, speech, wanted.sentences, wanted.trials)
            ends = goaways(command, speech, wanted.sentences, lifetime=15.0, notice=5.0)
            if trouble := calm.trouble or ends.trouble:
                print(f"{program.name}: {trouble}", flush=True)
            rows.append((program.name, program.version(python), *_cells(calm, ends)))
            _print(rows[-1:], rows)
    print()
    _print(rows, rows)


def _cells(calm: Figures, ends: Figures) -> tuple[str, ...]:
    def number(value: float | None, digits: int) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    figures = (number(calm.start_s, 1), number(calm.cpu, 1), number(calm.rss, 0), number(calm.errors, 2))
    counts = (ends.links, ends.once, ends.lost, ends.twice)
    return (*figures, number(calm.silence_s, 2), *map(str, counts))


def _print(shown: list[tuple[str, ...]], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEADS))]
    for row in shown:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True)


if __name__ == "__main__":
    main(options())
