"""The command line of `livechat sessions`: commands and options. What they do is in commands/sessions.py."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from livechat.commands.command_parts import Commands, Json
from livechat.commands.print_error import exit_with
from livechat.errors import UsageError


def conversations(incomplete: str) -> list[tuple[str, str]]:
    """Ids that begin so, each with when it was last used, for a shell."""
    from livechat.commands.sessions import complete

    return complete(incomplete)


_Conversation = Annotated[
    str | None,
    typer.Argument(
        metavar="ID", help="A conversation, by the beginning of its id. [default: the newest]",
        autocompletion=conversations,
    ),
]  # fmt: skip

SESSIONS = Commands("List, find, show, export and forget conversations.", invoke_without_command=True)


@SESSIONS.callback()
def _list(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also those in which nothing was said.")] = False,
    json: Json = False,
) -> None:
    if context.invoked_subcommand is not None:
        if json or every:
            raise typer.BadParameter(f"{'--json' if json else '--all'} does not go with {context.invoked_subcommand}")
        return
    from livechat.commands import sessions as command

    exit_with(partial(command.sessions, as_json=json, every=every))


@SESSIONS.command()
def show(conversation: _Conversation = None, json: Json = False) -> int:
    """Show what was said and when, and how continuous it was."""
    from livechat.commands import sessions as command

    return command.show(conversation, as_json=json)


@SESSIONS.command()
def find(
    words: Annotated[
        list[str], typer.Argument(metavar="WORD", help="Words, or their beginnings; all must be there.")
    ],
    json: Json = False,
) -> int:
    """Find what was said, by its words.

    \b
    livechat sessions find tomato         What was said about tomatoes.
    livechat sessions find new york       What holds both words.
    """
    from livechat.commands import sessions as command

    return command.find(" ".join(words), as_json=json)


@SESSIONS.command()
def export(
    conversation: _Conversation = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="md|txt|srt|vtt|json", help="Markdown, lines, subtitles or JSON. [default: md]"
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="FILE", help="A new file instead of stdout.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> int:
    """Write what was said as a document."""
    from livechat.commands import sessions as command

    if json and form not in (None, "json"):
        raise UsageError(f"--json does not go with --format {form}", "leave one of them out")
    return command.export(conversation, form="json" if json else form or "md", output=output)


@SESSIONS.command()
def forget(
    conversations: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Conversations, by the beginnings of their ids.",
                       autocompletion=conversations),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="Those not used for this long: 30d, 12h.")
    ] = None,
    json: Json = False,
) -> int:  # fmt: skip
    """Erase conversations for good."""
    from livechat.commands import sessions as command

    return command.forget(conversations or [], older_than=older_than, as_json=json)
