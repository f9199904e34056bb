"""The composition root: joins settings, devices, display, store, server and session to one conversation."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from livechat import __version__, leaving
from livechat.audio.interfaces import Sink, Source
from livechat.audio.quiet_stderr import quiet_stderr
from livechat.commands.devices import Choices, prefer
from livechat.config_file import Config, layered
from livechat.conversations.store import Book, Kept, Store, state_folder
from livechat.errors import INTERRUPTED, KEY_PAGE, ConfigError, DeviceError, LivechatError, Notice, Tell, UsageError
from livechat.events import Handover, LinkState, ModelText, Output, Start, Summary, Usage, UserText
from livechat.flags import FLAGS, SERVER
from livechat.models import can_be_handle
from livechat.process import Journal
from livechat.session.budget import Spend
from livechat.session.context_replay import Exchange
from livechat.session.events import Begin, Resumption
from livechat.settings import Settings, resolve
from livechat.ui import typed_ahead
from livechat.ui.display import Display, choose, colored
from livechat.ui.status import KEYBOARD

if TYPE_CHECKING:
    from livechat.server.agent import Agent
    from livechat.server.fault_plan import Plan
    from livechat.server.serve import Server
    from livechat.session.runner import Runner

_FAST = 10.0  # times faster than it sounds: the embedded server takes several times that
_CATCH_UP_S = 1.0  # between two looks at whether a locked store can be written to
_SHOWN_AGAIN = 6  # exchanges of a resumed conversation put on the screen


@dataclass
class Parts:
    """What one conversation is joined from. A test brings its own, the program makes them in `main`."""

    settings: Settings
    display: Display
    source: Source | None
    lines: AsyncIterator[str] | None
    one_at_a_time: bool
    sink: Sink
    store: Store
    resumed: Kept | None = None
    agent: Agent | None = None  # of the embedded server; None makes the best there is
    faults: Plan | None = None  # of the embedded server
    memory: Path | None = None  # what the embedded server remembers sessions in; None: as long as it runs
    notices: tuple[Notice, ...] = ()
    wall: Callable[[], float] = time.time  # the time of day, in seconds
    random: Callable[[], float] = random.random  # spreads the retries
    trace: Callable[[str], object] = len  # takes each line of the session's trace; this one forgets it


def main(
    flags: dict[str, Any],
    config: Config,
    *,
    resume: str | None = None,
    resuming: bool = False,
    log: Journal | None = None,
) -> int:
    """Hold a conversation at this terminal or pipe. Returns the exit code; raises LivechatError before it begins.

    `flags` are those of `settings.resolve`, given now. `resume`: what to go on with, None for the newest.
    """
    logging.captureWarnings(capture=True)  # a library's warning would tear the screen
    typed_ahead.hold()
    if sys.stdin.isatty():  # whatever display there is, and before there is one
        typed_ahead.last(partial(typed_ahead.discard, sys.stdin.fileno()))
    return leaving.run(_main(flags, config, resume, resuming=resuming, log=log))


async def _main(
    flags: dict[str, Any], config: Config, resume: str | None, *, resuming: bool, log: Journal | None
) -> int:
    notices: list[Notice] = []
    folder = state_folder(os.environ)

    def trouble(notice: Notice) -> None:
        display.show(notice)

    try:
        store = Store(folder / "conversations.sqlite3", on_trouble=trouble)
    except LivechatError as error:
        if resuming and (resume is None or not can_be_handle(resume.strip())):  # a handle may do without
            raise UsageError(error.message, error.hint) from None
        notices.append(error.notice)
        store = Store(None, on_trouble=trouble)
    with contextlib.closing(store):
        kept = _find(store, resume, notices) if resuming else None
        settings = _resolved(config, kept, flags)
        plan = _plan(settings.faults)
        if kept is not None:
            if kept.id:
                store.claim(kept.id)
            fitting = _fits(kept, settings)
            if kept.handles and not fitting.handles:
                notices.append(
                    Notice("the model or the server is not the one of before", "the new one is told the transcript")
                )
            kept = fitting
        notices += settings.warnings
        # PortAudio and ALSA print to descriptor 2 whatever happens to a device: not into the conversation.
        with (
            _trace(settings.trace, trouble) as trace,
            quiet_stderr(),
            contextlib.closing(_display(settings, store)) as display,
        ):
            if log is not None:
                log.on_trouble = _later(trouble)
            source, lines, sink = _sound(settings, display, Choices(store, config), notices)
            if settings.record:
                source, sink = _recorded(settings.record, source, sink, trouble)
            parts = Parts(
                settings=settings,
                display=display,
                source=source,
                lines=lines,
                one_at_a_time=not sys.stdin.isatty(),
                sink=sink,
                store=store,
                resumed=kept,
                faults=plan,
                memory=folder / "offline-server.sqlite3",
                notices=tuple(notices),
                trace=trace,
            )
            return await converse(parts)


async def converse(parts: Parts) -> int:
    """One conversation, first line to last. Returns the exit code; errors are shown, not raised."""
    settings, display, store = parts.settings, parts.display, parts.store
    loop = asyncio.get_running_loop()
    began, day = loop.time(), parts.wall()
    display_task = loop.create_task(display.run())
    runner: Runner | None = None
    interrupted = False
    kept = parts.resumed
    identity = kept.id if kept and kept.id else store.begin(settings.backend, settings.model, _options(settings))
    keeping = loop.create_task(_keep(store))
    error: LivechatError | None = None

    def summary(runner: Runner, code: int, *, resumable: bool) -> Summary:
        box = runner.outbox
        return Summary(
            duration_s=round(loop.time() - began, 1), turns=runner.turns.count, links=runner.links,
            captured_ms=box.captured_ms, sent_ms=box.sent_ms, replayed_ms=box.replayed_ms,
            dropped_ms=box.dropped_ms, longest_gap_ms=round(runner.longest_gap_ms, 1),
            conversation=identity, resume=f"livechat resume {identity}" if resumable else "", exit_code=code,
        )  # fmt: skip

    opened = asyncio.Event()
    spend = Spend(settings.price_in, settings.price_out, settings.max_tokens_total, settings.max_cost)
    over = False  # a limit is reached

    def show(event: Output) -> None:
        nonlocal over
        display.show(event)
        if isinstance(event, LinkState) and event.state == "open":
            opened.set()
        if isinstance(event, Usage) and runner is not None:
            display.show(spent := spend.add(event))
            if not over and (why := spend.over(spent)):
                display.show(Notice(f"{why}: the conversation ends here, and can be resumed"))
                over = True
                runner.leave_when_heard()
        if isinstance(event, Handover) and runner is not None:
            store.measure(identity, day, summary(runner, 0, resumable=store.on_disk))

    # A file before a device, which may hang. Each once, on whichever thread gets there (see `forced`).
    open_parts = [part for part in (parts.sink, parts.source) if part is not None]
    resumable = store.on_disk
    unsaid = [True]

    def close_parts() -> None:
        while open_parts:
            open_parts.pop(0).close()

    def say_summary() -> None:
        if runner is not None and unsaid:
            unsaid.pop()
            display.show(summary(runner, code(), resumable=resumable))

    def forced(code: int) -> None:
        """Finish in place of this loop's thread, which is stuck."""
        nonlocal interrupted
        interrupted = code == INTERRUPTED
        close_parts()
        say_summary()
        display.close()

    def code() -> int:
        return error.exit_code if error else INTERRUPTED if interrupted else 0

    def leave(*, signalled: bool) -> None:
        nonlocal interrupted
        interrupted = interrupted or signalled
        leaving.countdown(code())
        if runner is not None:
            runner.leave(hurry=True)

    leaving.prepare(forced)
    async with contextlib.AsyncExitStack() as stack:  # the embedded server ends last: it may have a voice to make
        try:
            turns = kept.turns if kept else []
            _introduce(parts, identity, turns)
            server = await _embedded(parts, stack) if settings.backend == "offline" else None
            runner = await _runner(parts, server, identity, turns, show, opened)
            quitting = loop.create_task(_leave_on(display.quit, partial(leave, signalled=False)))
            with leaving.told(partial(leave, signalled=True)):
                try:
                    error = await runner.run()
                finally:
                    quitting.cancel()
        except LivechatError as e:
            error = e
        finally:
            keeping.cancel()
            close_parts()
            if runner is not None:
                store.measure(identity, day, summary(runner, code(), resumable=store.on_disk))
            resumable = store.settle(identity)
            say_summary()
            display_task.cancel()
            await asyncio.gather(display_task, return_exceptions=True)
            display.close()  # however slow the reader of what was said: only a person who leaves does not wait
            leaving.countdown(code())
        if error is not None:
            from livechat.ui.plain import report

            report(error)
    return code()


@contextlib.contextmanager
def _trace(path: str | None, trouble: Tell) -> Iterator[Callable[[str], object]]:
    """What takes the lines of --trace."""
    if path is None:
        yield len
        return
    journal = Journal(path, "--trace", "trace", append=False)
    journal.on_trouble = _later(trouble)
    with contextlib.closing(journal):
        yield journal.write


def _later(trouble: Tell) -> Tell:
    """The same, on the loop, from any thread: a log is written to in the middle of anything."""
    loop = asyncio.get_running_loop()

    def say(notice: Notice) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed, and the screen with it
            loop.call_soon_threadsafe(trouble, notice)

    return say


def _resolved(config: Config, kept: Kept | None, flags: dict[str, Any]) -> Settings:
    """Flags above what the conversation was made with, above the configuration."""
    usual = config.flags(os.environ)
    if kept is not None and kept.id:  # it goes on with the server it was held with
        usual = {name: value for name, value in usual.items() if name not in SERVER}
    asked = {name for made in (usual, flags) for name, value in made.items() if value}
    if _kind(json="json" in asked, plain=bool(asked & {"plain", "quiet"})) != "screen":
        usual.pop("ptt", None)  # there are no keys; a flag would be refused
    try:
        return resolve(os.environ, **layered(usual, kept.options if kept else {}, flags))
    except UsageError as error:
        config.check(os.environ)  # where the file is to blame, it is named
        if kept is not None and kept.options.keys() - flags.keys():
            resolve(os.environ, **layered(usual, {}, flags))  # it raises where the flags are to blame
            raise UsageError(
                f"conversation {kept.id} was made with what is not possible now: {error.message}",
                f"{error.hint}; a flag wins over what it was made with",
            ) from None
        raise


def _plan(faults: str | None) -> Plan | None:
    if not faults:
        return None
    from livechat.server.fault_plan import parse

    return parse(faults)


async def _leave_on(quit_event: asyncio.Event, leave: Callable[[], None]) -> None:
    await quit_event.wait()
    leave()


async def _keep(store: Store) -> None:
    """Write, as soon as it can be written, what another program has kept from it; nothing may be said for long."""
    while True:
        await asyncio.sleep(_CATCH_UP_S)
        store.catch_up()


async def _embedded(parts: Parts, stack: contextlib.AsyncExitStack) -> Server:
    """The server in this process, for when no other is configured."""
    from livechat.server import serve, session_memory
    from livechat.server.agent import make_agent

    agent, lacking = (parts.agent, "") if parts.agent else make_agent()
    if lacking:
        from livechat.installed import speech_models

        parts.display.show(Notice(lacking, speech_models()))
    memory = None
    if parts.memory:
        memory = stack.enter_context(contextlib.closing(session_memory.Memory(parts.memory, time.time)))
        if memory.warning and parts.store.on_disk:  # else the store has said it
            parts.display.show(Notice(memory.warning, "its sessions end with this program"))
    return await stack.enter_async_context(serve.Server(agent, faults=parts.faults, memory=memory))


async def _once(opened: asyncio.Event, lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """The lines, from when there is somebody to take them."""
    await opened.wait()
    async for line in lines:
        yield line


async def _runner(
    parts: Parts,
    server: Server | None,
    identity: str,
    turns: list[Exchange],
    show: Callable[[Output], None],
    opened: asyncio.Event,
) -> Runner:
    from livechat.audio import dsp
    from livechat.audio.sources import SilenceSource
    from livechat.models import family
    from livechat.session.barge_in import BargeIn
    from livechat.session.link import Dialler, load_sdk
    from livechat.session.listening import Listening
    from livechat.session.push_to_talk import Gate
    from livechat.session.runner import Runner
    from livechat.session.trace import Traced
    from livechat.session.transcript import Transcript

    if "google.genai.live" not in sys.modules:
        await asyncio.to_thread(load_sdk)
    settings, model = parts.settings, family(parts.settings.model)
    dialler = Dialler(settings, url=server.url if server else None, ca_pem=server.ca_pem.decode() if server else None)
    stranger = parts.resumed is not None and not parts.resumed.id  # a handle of which nothing is kept here
    return Runner(
        begin=Begin(_resumptions(parts.resumed), len(turns), only_resume=stranger),
        dial=dialler.dial,
        listening=Listening(
            parts.source,
            SilenceSource(),
            gate=Gate(push_to_talk=settings.ptt),
            detector=dsp.SpeechDetector() if parts.source else None,
            barge_in=BargeIn(parts.sink) if settings.barge_in == "local" else None,
            level=dsp.level,
            fast=settings.fast,
        ),
        lines=_once(opened, parts.lines) if stranger and parts.lines else parts.lines,
        one_at_a_time=parts.one_at_a_time,
        commands=parts.display.commands(),
        sink=parts.sink,
        ledger=Book(parts.store, identity, settings.handle_ttl_s, parts.resumed.numbers if parts.resumed else (0,)),
        show=show,
        transcript=Transcript(turns),
        machine=Traced(
            write=parts.trace,
            random=parts.random,
            ttl=settings.handle_ttl_s,
            answer_s=model.answer_s,
            silent=model.silent,
        ),
        family=model,
        wall=parts.wall,
    )


def _introduce(parts: Parts, identity: str, turns: list[Exchange]) -> None:
    """The first line, which says who is at the other end; what was said before; what is worth a word."""
    settings, show = parts.settings, parts.display.show
    applied = settings.applied_compression
    show(Start(
        version=__version__, backend=settings.backend, model=settings.model, voice=settings.voice,
        input=parts.source.name if parts.source else KEYBOARD, output=parts.sink.name,
        compression={"trigger_tokens": applied[0], "target_tokens": applied[1]} if applied else None,
        conversation=identity, restored=len(turns),
    ))  # fmt: skip
    for notice in parts.notices:
        show(notice)
    for turn in turns[-_SHOWN_AGAIN:]:
        if turn.user:
            show(UserText(turn.user, final=True, source="restored"))
        if turn.model:
            show(ModelText(turn.model, final=True, restored=True))


def _options(settings: Settings) -> dict[str, Any]:
    """What a resume of this conversation begins with."""
    kept = {name: getattr(settings, name) for name, flag in FLAGS.items() if flag.kept}
    made = {name: value for name, value in kept.items() if value is not None and value is not False}
    if settings.system and settings.system.startswith("@"):
        made["system"] = f"@{settings.system}"  # it is the text itself, not a file's name
    if settings.ca_file:
        made["ca_file"] = str(Path(settings.ca_file).resolve())  # a resume may come from another folder
    if settings.backend == "offline":
        made["offline"] = True
    return made


def _resumptions(kept: Kept | None) -> tuple[Resumption, ...]:
    """The kept handles on the loop's clock instead of the wall's."""
    if kept is None:
        return ()
    shift = asyncio.get_running_loop().time() - time.time()
    return tuple(Resumption(handle, covers, expires + shift, stored=True) for handle, covers, expires in kept.handles)


def _find(store: Store, wanted: str | None, notices: list[Notice]) -> Kept:
    """The conversation to go on with; one without memory for a handle that we did not see ourselves."""
    kept = store.find(wanted and wanted.strip())
    if kept is not None:
        kept = replace(kept, options=_known(kept.options, notices))
        for conversation, what in store.flaws(wanted and kept.id):
            notices.append(Notice(f"conversation {conversation}: {what} cannot be read (skipped)"))
        return kept
    if wanted is None:
        raise UsageError("there is no conversation to resume", "begin one with `livechat talk`")
    if not can_be_handle(wanted.strip()):
        raise UsageError(f"there is no conversation {wanted}", "`livechat resume` alone takes up the newest")
    return Kept("", "", "", {}, [], [(wanted.strip(), 0, time.time() + 24 * 3600.0)])


def _known(made: dict[str, Any], notices: list[Notice]) -> dict[str, Any]:
    """Of what a conversation was made with, what this livechat knows; the rest is named."""
    known = {name: value for name, value in made.items() if _fits_flag(name, value)}
    if odd := sorted(made.keys() - known.keys()):
        notices.append(Notice(f"the conversation was made with what this livechat does not know: {', '.join(odd)}"))
    return known


def _fits_flag(name: str, value: object) -> bool:
    storable = not isinstance(value, str) or value.encode(errors="replace").decode() == value  # JSON can hold halves
    return name in FLAGS and FLAGS[name].kept and type(value) is FLAGS[name].kind and storable


def _fits(kept: Kept, settings: Settings) -> Kept:
    """`kept` as far as this server can use it: a handle belongs to one backend and one model."""
    if not kept.id or (kept.backend, kept.model) == (settings.backend, settings.model):
        return kept
    if kept.backend != settings.backend and settings.backend == "offline" and "offline" not in kept.options:
        raise ConfigError(
            f"this conversation was held with {kept.backend}, which is not configured now",
            f"set GEMINI_API_KEY (a key: {KEY_PAGE}), or begin another with `livechat talk`",
        )
    return replace(kept, handles=[])


def _kind(*, json: bool, plain: bool) -> Literal["screen", "plain", "json"]:
    typed_at, shown_at = sys.stdin.isatty(), sys.stdout.isatty()
    return choose(json=json, plain=plain, stdin_tty=typed_at, stdout_tty=shown_at, env=os.environ)


def _display(settings: Settings, store: Store) -> Display:
    from livechat.ui.plain import Json, Plain

    keyboard = None if settings.input else sys.stdin.buffer
    kind = _kind(json=settings.json, plain=settings.plain or settings.quiet)
    if settings.ptt and kind != "screen":
        raise UsageError("--ptt needs a terminal with its keys", "leave out --ptt, or run it at a terminal")
    if kind == "json":
        return Json(sys.stdout, clock=time.monotonic, stdin=keyboard)
    if kind == "plain":
        color = colored(os.environ, tty=sys.stderr.isatty())
        quiet, echoed = settings.quiet, sys.stdin.isatty() and sys.stdout.isatty()
        return Plain(sys.stdout, sys.stderr, color=color, quiet=quiet, stdin=keyboard, echoed=echoed)
    from livechat.models import LINK_LIFETIME_S
    from livechat.ui.screen import Screen

    def said(conversation: str) -> list[tuple[str, str]]:
        kept = store.find(conversation, patience_s=0.0)  # sound goes on meanwhile
        return [(turn.user, turn.model) for turn in kept.turns] if kept else []

    return Screen(
        clock=time.monotonic,
        lifetime_s=LINK_LIFETIME_S,
        typing=settings.input is None,
        push_to_talk=settings.ptt,
        said=said,
    )


def _sound(
    settings: Settings, display: Display, choices: Choices, notices: list[Notice]
) -> tuple[Source | None, AsyncIterator[str] | None, Sink]:
    """Where the voice comes from and goes to: what was asked for, or the best this machine has."""
    from livechat.audio.sources import NullSink, WavSink, source_of

    speed = _FAST if settings.fast else 1.0
    sink: Sink | None = WavSink(settings.output, compact=settings.compact) if settings.output else None
    if settings.input:
        spoken = source_of(settings.input, speed)
        if settings.input == "-":
            return spoken, None, sink or NullSink()
        return spoken, None, sink or _speaker(settings, display, choices, notices) or NullSink()
    piped = not sys.stdin.isatty() and not settings.mic
    if settings.text or piped:
        return None, display.lines(), sink or NullSink()
    try:
        from livechat.audio.echo import cleaner
        from livechat.audio.microphone import Microphone
        from livechat.audio.portaudio import Card
        from livechat.audio.speaker import Speaker

        card = Card(display.show)
        microphone = prefer(partial(Microphone, card), "input", settings.mic, choices, notices)
        source: Source | None = microphone
        if sink is None:
            sink = speaker = prefer(partial(Speaker, card), "output", settings.speaker, choices, notices)
            microphone.clean = cleaner(settings.echo, speaker, notices.append)
    except DeviceError as error:
        if settings.mic or settings.speaker:
            raise
        notices.append(Notice(f"{error.message}: type instead, and read the answers", error.hint))
        source = None
    return source, display.lines(), sink or NullSink()


def _recorded(path: str, source: Source | None, sink: Sink, on_trouble: Tell) -> tuple[Source | None, Sink]:
    """The same, both recorded. Where nothing is played, it is recorded as it would have been heard."""
    from livechat.audio.recording import Recording
    from livechat.audio.sources import NullSink, PacedSink

    recording = Recording(path, on_trouble)
    heard = PacedSink() if isinstance(sink, NullSink) else sink
    return source and recording.source(source), recording.sink(heard)


def _speaker(settings: Settings, display: Display, choices: Choices, notices: list[Notice]) -> Sink | None:
    from livechat.audio.portaudio import Card
    from livechat.audio.speaker import Speaker

    try:
        card = Card(display.show)
        return prefer(partial(Speaker, card), "output", settings.speaker, choices, notices)
    except DeviceError as error:
        if settings.speaker:
            raise
        notices.append(Notice(f"{error.message}: the answers are shown only", error.hint))
        return None
