"""The help of every command: what it is for, examples that are right, and its options in panels."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from livechat import cli
from livechat.flags import FLAGS


def helped(*command: str) -> str:
    return (
        CliRunner(env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
        .invoke(cli.app, [*command, "--help"], prog_name="livechat")
        .stdout
    )


def every(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, part in getattr(command, "commands", {}).items():
        yield from every(part, (*path, name))


COMMANDS = dict(every(typer.main.get_command(cli.app)))


def examples(path: tuple[str, ...]) -> list[str]:
    return [found[1].strip() for found in re.finditer(r"^  (livechat .*?)(?:  +.*)?$", helped(*path), re.MULTILINE)]


def test_the_first_page_fits_a_screen_of_24_rows_with_what_a_newcomer_needs() -> None:
    page = helped()
    assert len(page.splitlines()) <= 23  # and the prompt
    assert {"talk", "talk --offline", "resume"} <= {each.removeprefix("livechat ") for each in examples(())}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_fits_80_columns_and_cuts_no_sentence(path: tuple[str, ...]) -> None:
    page = helped(*path)
    assert max(map(len, page.splitlines())) <= 80
    assert not re.search(r"\w\.\.\.$", page, re.MULTILINE)
    assert "  -h, --help" in page


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_an_example_is_a_command_that_the_parser_takes(path: tuple[str, ...]) -> None:
    for example in examples(path):
        words = shlex.split(example.partition(" > ")[0])[1:]
        command = COMMANDS[(words[0],)]
        if words[1:] and (*words[:2],) in COMMANDS:
            command, words = COMMANDS[(*words[:2],)], words[1:]
        command.make_context(words[0], words[1:])


@pytest.mark.parametrize("path", [("talk",), ("resume",), ("transcribe",), ("translate",)], ids=" ".join)
def test_three_examples_come_before_the_options(path: tuple[str, ...]) -> None:
    page = helped(*path)
    assert len(examples(path)) == 3
    assert page.index("  livechat ") < page.index(":\n  -")


def test_the_argument_is_named_before_the_options() -> None:
    page = helped("resume")
    assert page.startswith("Usage: livechat resume [HANDLE|CONVERSATION] [OPTIONS]\n")
    assert page.index("Arguments:") < page.index(":\n  -")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("echo", "[default: cancel]"),
        ("fps", "[default: 1]"),
        ("trigger_tokens", "[default: 104857]"),
        ("model", "[default: gemini-3.8-live] [env: LIVECHAT_MODEL]"),
        ("endpoint", "[env: GOOGLE_GEMINI_BASE_URL]"),
        ("voice", "Kore."),
    ],
)
def test_a_default_and_a_variable_are_shown(name: str, shown: str) -> None:
    assert FLAGS[name].described.endswith(shown)
    assert shown in " ".join(helped("talk").split())
