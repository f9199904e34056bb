"""The commands: they parse, call and exit. What they do is in app.py and server/serve.py.

Typer with plain help, and everything else imported inside the commands: `livechat --help` is instant.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Optional, TypeVar

import typer
from typer.core import TyperCommand

from livechat import __version__
from livechat.errors import INTERRUPTED, UsageError
from livechat.exits import exit_with
from livechat.process import prepare

if TYPE_CHECKING:
    from livechat.process import Journal


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


class _Commands(typer.Typer):
    def command(self, name: str | None = None, **more: Any) -> Callable[[_Function], _Function]:
        """As Typer's, for functions that return the exit code."""
        return super().command(name, cls=_Command, **more)


app = _Commands(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A voice chat with the Gemini Live API whose line does not drop.",
)

# What the parser raises for wrong options; Typer exports this subclass of it, and the class itself not.
_ParserError: Any = typer.BadParameter.__base__

Text = Optional[str]  # noqa: UP045, typer reads this at run time
Number = Optional[int]  # noqa: UP045
Amount = Optional[float]  # noqa: UP045

_Input = Annotated[
    Text,
    typer.Option(
        "--input",
        metavar="FILE|-",
        help="A sound file instead of the microphone; - is stdin: a file, or raw 16 kHz s16le.",
    ),
]
_Fast = Annotated[
    bool, typer.Option("--fast", help="Go through --input up to ten times faster, for the same answers.")
]
_Output = Annotated[Text, typer.Option("--output", metavar="FILE", help="A WAV or FLAC file instead of the speaker.")]
_Compact = Annotated[bool, typer.Option("--compact", help="Leave the silence between answers out of --output.")]
_Record = Annotated[
    Text, typer.Option("--record", metavar="FILE", help="Record both voices: a stereo WAV or FLAC, you on the left.")
]
_TextOnly = Annotated[bool, typer.Option("--text", help="Type and read: neither microphone nor speaker.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
_Plain = Annotated[bool, typer.Option("--plain", help="Lines instead of a screen, as screen readers like them.")]
_Thoughts = Annotated[
    bool, typer.Option("--thoughts", help="Show what the model thinks, where it tells; it is never kept.")
]
_PriceIn = Annotated[
    Amount, typer.Option("--price-in", metavar="X", help="What a million tokens cost on the way in.")
]
_PriceOut = Annotated[Amount, typer.Option("--price-out", metavar="X", help="And in answers; the bar shows the sum.")]
_MaxTokens = Annotated[
    Number, typer.Option("--max-tokens-total", metavar="N", help="Leave, resumably, once N tokens are spent.")
]
_MaxCost = Annotated[
    Amount, typer.Option("--max-cost", metavar="X", help="Leave, resumably, once they have cost so much.")
]
_Quiet = Annotated[bool, typer.Option("--quiet", help="Nothing but what was said, and errors.")]
_Offline = Annotated[
    bool, typer.Option("--offline", help="Talk to the server inside livechat, without network or key.")
]
_Endpoint = Annotated[
    Text, typer.Option("--endpoint", metavar="URL", help="Another Live server, as https://HOST:PORT.")
]
_CaFile = Annotated[Text, typer.Option("--ca-file", metavar="PEM", help="The certificate to trust for --endpoint.")]
_Model = Annotated[Text, typer.Option("--model", metavar="NAME", help="The Live model (default: gemini-3.8-live).")]
_Voice = Annotated[
    Text, typer.Option("--voice", metavar="NAME", help="One of the model's voices, such as Puck or Kore.")
]
_System = Annotated[Text, typer.Option("--system", metavar="TEXT|@FILE", help="How the model is to behave.")]
_Trigger = Annotated[
    Number,
    typer.Option(
        "--trigger-tokens",
        metavar="N",
        help="Compress the context when it reaches N tokens (5000 to 128000).",
    ),
]
_Target = Annotated[
    Number,
    typer.Option(
        "--target-tokens", metavar="N", help="Compress it down to N tokens (0 to 128000, below the trigger)."
    ),
]
_NoCompression = Annotated[
    bool, typer.Option("--no-compression", help="Let the session end when its context is full.")
]
_Mic = Annotated[
    Text,
    typer.Option(
        "--mic",
        metavar="NAME|ID",
        help="The microphone, by part of its name or number; kept for later. `default` goes back.",
    ),
]
_Speaker = Annotated[
    Text,
    typer.Option(
        "--speaker",
        metavar="NAME|ID",
        help="The speaker, by part of its name or number; kept for later. `default` goes back.",
    ),
]
_Ptt = Annotated[bool, typer.Option("--ptt", help="Push to talk: the microphone is open while you hold space.")]
_StartSensitivity = Annotated[
    Text, typer.Option("--start-sensitivity", metavar="low|high", help="How easily the server hears you begin.")
]
_EndSensitivity = Annotated[
    Text, typer.Option("--end-sensitivity", metavar="low|high", help="How easily it takes you to have ended.")
]
_PrefixMs = Annotated[
    Number, typer.Option("--prefix-ms", metavar="N", help="Speech before it counts as begun, in milliseconds.")
]
_SilenceMs = Annotated[
    Number, typer.Option("--silence-ms", metavar="N", help="Silence that ends what you say, in milliseconds.")
]
_Echo = Annotated[
    Text,
    typer.Option(
        "--echo",
        metavar="cancel|duck|off",
        help="The model's voice in the microphone: cancel it, hear nobody meanwhile, or leave it (headphones).",
    ),
]
_BargeIn = Annotated[
    Text,
    typer.Option(
        "--barge-in",
        metavar="local|server",
        help="Pause the model as soon as you speak over it, or when the server says so.",
    ),
]
_Profile = Annotated[
    Text, typer.Option("--profile", metavar="NAME", help="Settings of this name from the configuration file.")
]
_LogFile = Annotated[
    Text, typer.Option("--log-file", metavar="FILE", help="Write a log, without speech, keys or handles.")
]
_Trace = Annotated[
    Text, typer.Option("--trace", metavar="FILE", help="Write each step of the session, without speech or keys.")
]
_Faults = Annotated[
    Text,
    typer.Option("--faults", metavar="PLAN", help="Break the embedded server's connections, as in 'drop@12s'."),
]


def _conversations(incomplete: str) -> list[tuple[str, str]]:
    from livechat.sessions import complete

    return complete(incomplete)


_Conversation = Annotated[
    Text,
    typer.Argument(
        metavar="[ID]", help="A conversation, by the beginning of its id; nothing: the newest.",
        autocompletion=_conversations,
    ),
]  # fmt: skip


@app.command()
def talk(
    input: _Input = None,  # noqa: A002, the flag's name
    fast: _Fast = False,
    output: _Output = None,
    compact: _Compact = False,
    record: _Record = None,
    text: _TextOnly = False,
    json: _Json = False,
    plain: _Plain = False,
    quiet: _Quiet = False,
    thoughts: _Thoughts = False,
    price_in: _PriceIn = None,
    price_out: _PriceOut = None,
    max_tokens_total: _MaxTokens = None,
    max_cost: _MaxCost = None,
    offline: _Offline = False,
    endpoint: _Endpoint = None,
    ca_file: _CaFile = None,
    model: _Model = None,
    voice: _Voice = None,
    system: _System = None,
    trigger_tokens: _Trigger = None,
    target_tokens: _Target = None,
    no_compression: _NoCompression = False,
    mic: _Mic = None,
    speaker: _Speaker = None,
    ptt: _Ptt = False,
    start_sensitivity: _StartSensitivity = None,
    end_sensitivity: _EndSensitivity = None,
    prefix_ms: _PrefixMs = None,
    silence_ms: _SilenceMs = None,
    echo: _Echo = None,
    barge_in: _BargeIn = None,
    profile: _Profile = None,
    log_file: _LogFile = None,
    faults: _Faults = None,
    trace: _Trace = None,
) -> int:
    """Talk: speak and hear the answer, for as long as you like."""
    return _converse(locals())


@app.command()
def resume(
    conversation: Annotated[
        Text,
        typer.Argument(
            metavar="[HANDLE|CONVERSATION]",
            help="What to go on with; nothing: the newest.",
            autocompletion=_conversations,
        ),
    ] = None,
    input: _Input = None,  # noqa: A002
    fast: _Fast = False,
    output: _Output = None,
    compact: _Compact = False,
    record: _Record = None,
    text: _TextOnly = False,
    json: _Json = False,
    plain: _Plain = False,
    quiet: _Quiet = False,
    thoughts: _Thoughts = False,
    price_in: _PriceIn = None,
    price_out: _PriceOut = None,
    max_tokens_total: _MaxTokens = None,
    max_cost: _MaxCost = None,
    offline: _Offline = False,
    endpoint: _Endpoint = None,
    ca_file: _CaFile = None,
    model: _Model = None,
    voice: _Voice = None,
    system: _System = None,
    trigger_tokens: _Trigger = None,
    target_tokens: _Target = None,
    no_compression: _NoCompression = False,
    mic: _Mic = None,
    speaker: _Speaker = None,
    ptt: _Ptt = False,
    start_sensitivity: _StartSensitivity = None,
    end_sensitivity: _EndSensitivity = None,
    prefix_ms: _PrefixMs = None,
    silence_ms: _SilenceMs = None,
    echo: _Echo = None,
    barge_in: _BargeIn = None,
    profile: _Profile = None,
    log_file: _LogFile = None,
    faults: _Faults = None,
    trace: _Trace = None,
) -> int:
    """Go on with an earlier conversation."""
    flags = locals()
    return _converse(flags, resume=flags.pop("conversation"), resuming=True)


@app.command()
def devices(
    mic: _Mic = None,
    speaker: _Speaker = None,
    profile: _Profile = None,
    test: Annotated[
        bool, typer.Option("--test", help="Play a chirp, listen for it, and say what that means.")
    ] = False,
    json: _Json = False,
) -> int:
    """List microphones and speakers, and show the level of the one in use."""

    from livechat import devices as sound

    return sound.main(mic=mic, speaker=speaker, profile=profile, json=json, test=test)


@app.command()
def serve(
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", min=0, max=65535, help="Listen on 127.0.0.1:N; 0 takes a free port."),
    ] = 0,
    no_tls: Annotated[bool, typer.Option("--no-tls", help="Speak plain ws://.")] = False,
    ca_out: Annotated[
        Text, typer.Option("--ca-out", metavar="PEM", help="Write the certificate to trust here.")
    ] = None,
    as_model: Annotated[
        Text, typer.Option("--as", metavar="MODEL", help="Behave as this model, whatever is asked for.")
    ] = None,
    lifetime: Annotated[
        str, typer.Option("--lifetime", metavar="TIME", help="End each connection after this time.")
    ] = "590s",
    goaway: Annotated[str, typer.Option("--goaway", metavar="TIME", help="Say so this long before.")] = "50s",
    handle_ttl: Annotated[
        str,
        typer.Option("--handle-ttl", metavar="TIME", help="Forget a session this long after its last link."),
    ] = "2h",
    faults: Annotated[
        str,
        typer.Option("--faults", metavar="PLAN", help="Break connections, as in 'drop@12s; #2:stall@5s'."),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
    log_file: _LogFile = None,
) -> int:
    """Run the embedded Live API server for other programs."""

    from pathlib import Path

    from livechat import leaving
    from livechat.server.faults import duration, parse
    from livechat.server.serve import run_serve

    _log_to(log_file)
    if not duration(lifetime):
        raise UsageError(f"--lifetime {lifetime} leaves no time to talk", "write 590s, 10m or 2h")
    return leaving.run(
        run_serve(
            port=port,
            tls=not no_tls,
            ca_out=Path(ca_out) if ca_out else None,
            as_model=as_model,
            lifetime=duration(lifetime),
            notice=duration(goaway),
            handle_ttl=duration(handle_ttl),
            faults=parse(faults),
            json_lines=json,
        )
    )


_sessions = _Commands(invoke_without_command=True, help="List, show, export and forget earlier conversations.")
app.add_typer(_sessions, name="sessions")


@_sessions.callback()
def _list(context: typer.Context, json: _Json = False) -> None:
    if context.invoked_subcommand is not None:
        if json:
            raise typer.BadParameter(f"--json goes behind {context.invoked_subcommand}")
        return
    from livechat import sessions

    exit_with(partial(sessions.show_all, as_json=json))


@_sessions.command()
def show(conversation: _Conversation = None, json: _Json = False) -> int:
    """Show what was said and when, and how continuous it was."""

    from livechat import sessions

    return sessions.show(conversation, as_json=json)


@_sessions.command()
def export(
    conversation: _Conversation = None,
    form: Annotated[
        Text, typer.Option("--format", metavar="md|txt|srt|json", help="Markdown, lines, subtitles or JSON.")
    ] = None,
    output: Annotated[Text, typer.Option("--output", metavar="FILE", help="A new file instead of stdout.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> int:
    """Write what was said as a document."""

    from livechat import sessions

    if json and form not in (None, "json"):
        raise UsageError(f"--json does not go with --format {form}", "leave one of them out")
    return sessions.write_out(conversation, form="json" if json else form or "md", output=output)


@_sessions.command()
def forget(
    conversations: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar="[ID]...", help="Conversations, by the beginnings of their ids.",
                       autocompletion=_conversations),
    ] = None,
    older_than: Annotated[
        Text, typer.Option("--older-than", metavar="TIME", help="Those not used for so long: 30d, 12h.")
    ] = None,
    json: _Json = False,
) -> int:  # fmt: skip
    """Erase conversations for good."""

    from livechat import sessions

    return sessions.forget(conversations or [], older_than=older_than, as_json=json)


_config = _Commands(help="What is set, where that is written, and a way to change it.")
app.add_typer(_config, name="config")


@_config.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())  # noqa: T201, it is what was asked for


@_config.command("show")
def config_show(profile: _Profile = None) -> int:
    """Print the settings a conversation would have now, and where each comes from."""

    from livechat import configure

    return configure.show(profile)


@_config.command("path")
def config_path() -> int:
    """Print the name of the configuration file."""

    from livechat import configure

    return configure.where()


@_config.command("edit")
def config_edit() -> int:
    """Open the configuration file in your editor ($VISUAL or $EDITOR), and check it."""

    from livechat import configure

    return configure.edit()


def _converse(flags: dict[str, Any], *, resume: str | None = None, resuming: bool = False) -> int:
    log_file, profile = flags.pop("log_file"), flags.pop("profile")
    given = {name: value for name, value in flags.items() if value is not None and value is not False}

    from livechat import app as conversation
    from livechat.config import load

    config = load(os.environ, profile)
    log = _log_to(log_file or config.values.get("log_file"))
    return conversation.main(given, config, resume=resume, resuming=resuming, log=log)


def _log_to(path: str | None) -> Journal | None:
    """Log into this file from now on; returns it."""
    import logging

    if path is None:
        # Without any handler Python would print warnings, of any library, into the screen.
        logging.getLogger().addHandler(logging.NullHandler())
        return None

    from livechat.process import Journal

    journal = Journal(path, "--log-file", "log", append=True)
    logging.basicConfig(stream=journal, level=logging.DEBUG, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.raiseExceptions = False  # a record that cannot be written is no reason for a traceback on the screen
    for chatty in ("websockets", "google", "google_genai", "httpx", "urllib3", "filelock", "asyncio"):
        # They log frames and headers: speech and keys, which never reach a log.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return journal


def _version(wanted: bool) -> None:
    if wanted:
        print(f"livechat {__version__}")  # noqa: T201, it is what was asked for
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())  # noqa: T201, it is what was asked for


def main() -> NoReturn:
    """The program's entry point."""

    def run() -> int:
        prepare(os.environ)
        try:
            return int(app(standalone_mode=False) or 0)
        except _ParserError as error:
            command = getattr(getattr(error, "ctx", None), "command_path", "livechat")
            raise UsageError(error.format_message(), f"see `{command} --help`") from None
        except typer.Abort:
            return INTERRUPTED

    exit_with(run)
