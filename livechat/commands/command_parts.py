"""What each command is made of: how it runs, its help, and its options from the table of flags."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from functools import partial
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from livechat.commands.print_error import exit_with
from livechat.errors import UsageError
from livechat.flags import FLAGS

HELP = {"help_option_names": ["-h", "--help"]}

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Command(TyperCommand):
    """A command whose function returns the exit code of the program."""

    def invoke(self, ctx: Any) -> NoReturn:
        """Run the command, and end the program.

        Raises UsageError for an empty value: it is what `"$UNSET"` becomes, and not a wish for the default.
        """
        for parameter in self.params:
            given = ctx.params.get(parameter.name)
            values = given if isinstance(given, list | tuple) else (given,)
            asked = getattr(ctx.get_parameter_source(parameter.name), "name", "") == "COMMANDLINE"
            if asked and any(isinstance(value, str) and not value.strip() for value in values):
                flag = max(parameter.opts, key=len) if parameter.param_type_name == "option" else "the argument"
                raise UsageError(f"{flag} is empty", "give it a value, or leave it out")

        exit_with(partial(super().invoke, ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The argument before the options: it is what the command is about."""
        options, *_ = super().collect_usage_pieces(ctx)
        return [*(metavar(each) for each in self.params if each.param_type_name == "argument"), options]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Each panel under its name, as Typer shows panels only with rich, which this help does without."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        for parameter in self.get_params(ctx):
            panel = getattr(parameter, "rich_help_panel", None) or "Options"
            if parameter.param_type_name == "argument":
                sections["Arguments"].append((metavar(parameter), getattr(parameter, "help", "")))
            elif (record := parameter.get_help_record(ctx)) is not None:
                sections.setdefault(panel, []).append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def metavar(argument: Any) -> str:
    """An argument as help writes it: [ID] may be left out, WORD... may be there more than once."""
    name = argument.metavar if argument.required else f"[{argument.metavar}]"
    return f"{name}{'' if argument.nargs == 1 else '...'}"


class _Group(TyperGroup):
    """A group whose help names its commands before its options."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        # Without those of completion, which README.md describes: the first page of help fits a screen of 24 rows.
        shown = [each for each in self.get_params(ctx) if not str(each.name).endswith("_completion")]
        with formatter.section("Options"):
            formatter.write_dl([record for each in shown if (record := each.get_help_record(ctx))])


class Commands(typer.Typer):
    """A program of commands, or a group of them. `more`: as for Typer."""

    def __init__(self, help_text: str, **more: Any) -> None:
        super().__init__(
            cls=_Group, help=help_text, context_settings=HELP, rich_markup_mode=None, pretty_exceptions_enable=False,
            **more,
        )  # fmt: skip

    def command(self, name: str | None = None, **more: Any) -> Callable[[_Function], _Function]:
        """As Typer's, for functions that return the exit code."""
        return super().command(name, cls=_Command, context_settings=HELP, **more)


# What the parser raises for wrong options; Typer exports this subclass of it, and the class itself not.
ParserError: Any = typer.BadParameter.__base__


def option(name: str, *default: Any, panel: str | None = None) -> Any:
    """The option of a flag. `default`: where it is not the default of a parameter with this annotation."""
    flag = FLAGS[name]
    return typer.Option(
        *default, flag.option, metavar=flag.metavar or None, help=flag.described, rich_help_panel=panel
    )


Json = Annotated[bool, option("json")]


def with_flags(names: Collection[str] = FLAGS) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command an option for each flag of these names. It gets those that are given, by name, as `flags`."""
    return partial(_with_flags, names=names)


def _with_flags(command: Callable[..., int], names: Collection[str]) -> Callable[..., int]:
    own = inspect.signature(command, eval_str=True).parameters
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=option(name, False if flag.kind is bool else None, panel=flag.panel),
            annotation=flag.kind | None if flag.kind is not bool else bool,
        )
        for name, flag in FLAGS.items()
        if name in names
    ] + [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, parameter in own.items() if name != "flags"]

    @functools.wraps(command)
    def with_flags(**values: Any) -> int:
        flags = {name: value for name in names if (value := values.pop(name)) is not None and value is not False}
        return command(flags=flags, **values)

    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_flags.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_flags
