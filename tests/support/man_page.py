"""Writes docs/livechat.1 out of the commands: `python -m tests.support.man_page docs/livechat.1`.

The page is roff with the macros named man. What it says is what --help says.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from livechat import __version__, cli
from livechat.commands.command_parts import metavar
from livechat.commands.print_error import __doc__ as exit_codes
from livechat.errors import KEY_PAGE

ENVIRONMENT = {
    "GEMINI_API_KEY, GOOGLE_API_KEY": f"The key, from {KEY_PAGE}. The second counts where both are set.",
    "LIVECHAT_MODEL": "The model, as with --model.",
    "LIVECHAT_CONFIG": "The configuration file.",
    "LIVECHAT_STATE": "The folder in which conversations are kept.",
    "GOOGLE_GEMINI_BASE_URL": "Another Live server, as with --endpoint.",
}
PAGES = "README.md and docs/ in the source: sessions, sound, scripting, tools, serving, events, faults."


def page() -> str:
    """The whole page."""
    rows = [
        f'.TH LIVECHAT 1 "" "livechat {__version__}" "User Commands"',
        ".SH NAME",
        r"livechat \- a voice chat with the Gemini Live API whose line does not drop",
        ".SH SYNOPSIS",
        r".B livechat",
        r"\fICOMMAND\fR [\fIOPTIONS\fR]",
        ".SH DESCRIPTION",
        "Without a key livechat talks to a Live server inside it, without a network.",
        ".SH COMMANDS",
    ]
    for path, command in _commands(typer.main.get_command(cli.app), ("livechat",)):
        rows += _command(path, command)
    rows.append(".SH ENVIRONMENT")
    for name, meaning in ENVIRONMENT.items():
        rows += _item(name, meaning)
    rows.append(".SH EXIT STATUS")
    for code, meaning in re.findall(r"^\| (\d+) \| ([^|]+?) \|", exit_codes or "", re.MULTILINE):
        rows += _item(code, meaning)
    rows += [".SH SEE ALSO", _escaped(PAGES)]
    return "\n".join(rows) + "\n"


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, part in command.commands.items():
        yield (*path, name), part
        if hasattr(part, "commands"):
            yield from _commands(part, (*path, name))


def _command(path: tuple[str, ...], command: Any) -> list[str]:
    context = command.make_context(path[-1], [], resilient_parsing=True)
    usage = " ".join((*path, *command.collect_usage_pieces(context)))
    about, _, examples = (command.help or "").partition("\b")
    rows = [f".SS {_escaped(usage)}", _escaped(" ".join(about.split()))]
    if examples:
        rows += [".nf", *(_escaped(line.strip()) for line in examples.strip().splitlines()), ".fi"]
    for parameter in command.get_params(context):
        if parameter.param_type_name == "argument":
            rows += _item(metavar(parameter), parameter.help or "")
        elif (record := parameter.get_help_record(context)) and "--help" not in record[0]:
            rows += _item(*record)
    return rows


def _item(name: str, meaning: str) -> list[str]:
    return [".TP", rf"\fB{_escaped(name)}\fR", _escaped(" ".join(meaning.split()))]


def _escaped(text: str) -> str:
    """As roff reads it: a hyphen is one that can be copied, and no line is a macro."""
    plain = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
