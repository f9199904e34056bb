"""The command line: what each command is called, and its options. What a command does is in commands/.

It is Typer with plain help. Everything else is imported inside the commands, so that `livechat --help` is instant.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from livechat import __version__
from livechat.commands.caption_flags import CAPTION_FLAGS
from livechat.commands.command_parts import Commands, Json, ParserError, option, with_flags
from livechat.commands.print_error import exit_with
from livechat.commands.sessions_group import SESSIONS, conversations
from livechat.errors import INTERRUPTED, UsageError
from livechat.process import prepare

if TYPE_CHECKING:
    from livechat.config_file import Config
    from livechat.process import Journal


app = Commands(
    """A voice chat with the Gemini Live API whose line does not drop.

    \b
    livechat talk --offline   Try it now, without a key or a network.
    livechat talk             Talk to Gemini. The key is in GEMINI_API_KEY.
    livechat resume           Continue the newest conversation.
    """,
)

_LogFile = Annotated[str | None, option("log_file")]
_Brain = Annotated[str | None, option("brain")]
_BrainModel = Annotated[str | None, option("brain_model")]
_HOSTS = "Serve requests for this host, and its web pages, too; * for all."
_PORT = "Listen on 127.0.0.1:N. [default: a free port]"
_Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, show_default=False, help=_PORT)]
_Hosts = Annotated[list[str] | None, typer.Option("--allow-host", metavar="NAME", help=_HOSTS)]
_Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="Settings of this name from the configuration file.")
]


@app.command()
@with_flags()
def talk(flags: dict[str, Any], profile: _Profile = None) -> int:
    """Start a voice conversation.

    \b
    livechat talk --offline                    Try it without a key or a network.
    livechat talk --voice Kore --language de   Choose the voice and your language.
    livechat talk --text                       Type and read, without sound.
    """
    from livechat.commands import talk as command

    return command.talk(flags, *_config_and_log(flags, profile))


@app.command()
@with_flags()
def resume(
    flags: dict[str, Any],
    conversation: Annotated[
        str | None,
        typer.Argument(
            metavar="HANDLE|CONVERSATION",
            help="What to continue: the beginning of an id of `livechat sessions`, or a handle of the Live API."
            " [default: the newest conversation]",
            autocompletion=conversations,
        ),
    ] = None,
    profile: _Profile = None,
) -> int:
    """Continue an earlier conversation.

    \b
    livechat resume                  Continue the newest conversation.
    livechat resume k7m2qd           Continue this one of `livechat sessions`.
    livechat resume --voice Kore     Continue the newest with another voice.
    """
    from livechat.commands import talk as command

    return command.resume(conversation, flags, *_config_and_log(flags, profile))


@app.command()
@with_flags(CAPTION_FLAGS["transcribe"])
def transcribe(
    flags: dict[str, Any],
    smart: Annotated[bool, typer.Option("--smart", help="Leave out false starts and filler words.")] = False,
    profile: _Profile = None,
) -> int:
    """Write down what is said, line by line.

    \b
    livechat transcribe                     Write what the microphone hears.
    livechat transcribe --input talk.wav    Write what a file says.
    livechat transcribe --json > lines      Write the lines with their times.
    """
    from livechat.commands import captions as command

    return command.captions("transcribe", flags, _config_and_log(flags, profile)[0], smart=smart)


@app.command()
@with_flags(CAPTION_FLAGS["translate"])
def translate(
    flags: dict[str, Any],
    to: Annotated[str, typer.Option("--to", metavar="CODE", help="The language to translate into, such as de.")],
    profile: _Profile = None,
) -> int:
    """Translate what is said into another language.

    \b
    livechat translate --to de                   Hear and read it in German.
    livechat translate --to en --input talk.wav  Translate a file.
    livechat translate --to fr --json > lines    Write the lines with their times.
    """
    from livechat.commands import captions as command

    return command.captions("translate", flags, _config_and_log(flags, profile)[0], to=to)


def _config_and_log(flags: dict[str, Any], profile: str | None) -> tuple[Config, Journal | None]:
    from livechat.config_file import load

    config = load(os.environ, profile)
    return config, _log_to(flags.get("log_file") or config.values.get("log_file"))


@app.command()
def devices(
    mic: Annotated[str | None, option("mic")] = None,
    speaker: Annotated[str | None, option("speaker")] = None,
    profile: _Profile = None,
    test: Annotated[
        bool, typer.Option("--test", help="Play a chirp, listen for it, and explain the result.")
    ] = False,
    json: Json = False,
) -> int:
    """List microphones and speakers, and test them."""
    from livechat.commands import devices as command

    return command.devices(mic=mic, speaker=speaker, profile=profile, as_json=json, test=test)


@app.command()
def serve(
    port: _Port = 0,
    no_tls: Annotated[bool, typer.Option("--no-tls", help="Use plain ws:// without a certificate.")] = False,
    ca_out: Annotated[
        str | None, typer.Option("--ca-out", metavar="PEM", help="Write the certificate to trust here.")
    ] = None,
    as_model: Annotated[
        str | None, typer.Option("--as", metavar="MODEL", help="Behave as this model, whatever is asked for.")
    ] = None,
    lifetime: Annotated[
        str, typer.Option("--lifetime", metavar="TIME", help="End each connection after this time.")
    ] = "590s",
    goaway: Annotated[
        str, typer.Option("--goaway", metavar="TIME", help="Send GoAway this long before the end.")
    ] = "50s",
    handle_ttl: Annotated[
        str, typer.Option("--handle-ttl", metavar="TIME", help="Forget a session this long after its last link.")
    ] = "2h",
    faults: Annotated[
        str, typer.Option("--faults", metavar="PLAN", help="Break connections, as in 'drop@12s; #2:stall@5s'.")
    ] = "",
    record: Annotated[
        str | None, typer.Option("--record", metavar="FILE", help="Write every frame to this file, as JSON lines.")
    ] = None,
    replay: Annotated[
        str | None, typer.Option("--replay", metavar="FILE", help="Answer with the frames of such a file.")
    ] = None,
    allow_host: _Hosts = None,
    brain: _Brain = None,
    brain_model: _BrainModel = None,
    json: Json = False,
    log_file: _LogFile = None,
) -> int:
    """Run the embedded Live server for other programs."""
    from livechat.commands import serve as command

    _log_to(log_file)
    return command.serve(
        port=port,
        tls=not no_tls,
        ca_out=ca_out,
        as_model=as_model,
        lifetime=lifetime,
        notice=goaway,
        handle_ttl=handle_ttl,
        faults=faults,
        allowed=allow_host or (),
        record=record,
        replay=replay,
        brain_url=brain,
        brain_model=brain_model,
        as_json=json,
    )


@app.command()
def doctor(json: Json = False) -> int:
    """Check this machine, and say what to do about what is missing."""
    from livechat.commands.doctor.run import doctor

    return doctor(as_json=json)


@app.command("models")
def list_models(profile: _Profile = None, json: Json = False) -> int:
    """List the Live models, and what each can do."""
    from livechat.commands import list_models as command

    return command.list_models(profile=profile, as_json=json)


app.add_typer(SESSIONS, name="sessions")

_config = Commands("Show the settings, name the configuration file, and edit it.")
app.add_typer(_config, name="config")


@_config.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())  # noqa: T201, it is what was asked for


@_config.command("show")
def config_show(profile: _Profile = None) -> int:
    """Print the settings of a conversation, and where each comes from."""
    from livechat.commands import config as command

    return command.show(profile)


@_config.command("path")
def config_path() -> int:
    """Print the name of the configuration file."""
    from livechat.commands import config as command

    return command.path()


@_config.command("edit")
def config_edit() -> int:
    """Open the configuration file in your editor, and check it."""
    from livechat.commands import config as command

    return command.edit()


def _log_to(path: str | None) -> Journal | None:
    """Log into this file from now on; returns it."""
    import logging

    if path is None:
        return None

    from livechat.process import Journal

    journal = Journal(path, "--log-file", "log", append=True)
    logging.basicConfig(stream=journal, level=logging.DEBUG, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.raiseExceptions = False  # a record that cannot be written is no reason for a traceback on the screen
    for chatty in ("websockets", "google", "google_genai", "httpx", "openai", "urllib3", "filelock", "asyncio"):
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
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())  # noqa: T201, it is what was asked for


def main() -> NoReturn:

    def run() -> int:
        import logging

        prepare(os.environ)
        logging.lastResort = logging.NullHandler()  # else Python prints warnings, of any library, into the screen
        try:
            return int(app(standalone_mode=False) or 0)
        except ParserError as error:
            command = getattr(getattr(error, "ctx", None), "command_path", "livechat")
            raise UsageError(error.format_message(), f"see `{command} --help`") from None
        except typer.Abort:
            return INTERRUPTED

    exit_with(run)
