"""`livechat talk` and `livechat resume`: the settings, the parts of a conversation, and the conversation itself."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from livechat import leaving
from livechat.audio.quiet_stderr import quiet_stderr
from livechat.commands.given_context import given_context
from livechat.commands.hold_conversation import Parts, converse
from livechat.commands.notices import Notices
from livechat.commands.open_parts import kind_of_display, open_display, open_sound, recorded
from livechat.commands.remember_devices import Choices, open_store
from livechat.commands.resume_conversation import find, fitting
from livechat.config_file import Config, layered
from livechat.conversations.archive import Archive
from livechat.conversations.records import Resumable
from livechat.conversations.store import Store
from livechat.errors import Notice, Notify, UsageError
from livechat.flags import SERVER
from livechat.models import can_be_handle
from livechat.paths import state_folder
from livechat.process import Journal
from livechat.session.context_replay import Exchange
from livechat.settings import Settings, resolve
from livechat.ui import typed_ahead


def talk(flags: dict[str, Any], config: Config, log: Journal | None = None) -> int:
    """Hold a new conversation at this terminal or pipe. Returns the exit code; raises LivechatError before it begins.

    `flags`: those given on the command line, by name.
    """
    return _run(flags, config, log, None, needs_store=False)


def resume(wanted: str | None, flags: dict[str, Any], config: Config, log: Journal | None = None) -> int:
    """Go on with the conversation that `wanted` names, or the newest for None. Otherwise like `talk`."""
    a_handle_will_do = wanted is not None and can_be_handle(wanted.strip())
    return _run(
        flags, config, log, lambda archive, notify: find(archive, wanted, notify), needs_store=not a_handle_will_do
    )


def _run(
    flags: dict[str, Any],
    config: Config,
    log: Journal | None,
    find_kept: Callable[[Archive, Notify], Resumable] | None,
    *,
    needs_store: bool,
) -> int:
    logging.captureWarnings(capture=True)  # a library's warning would tear the screen
    typed_ahead.hold()
    if sys.stdin.isatty():  # for every display, and before there is one
        typed_ahead.last(partial(typed_ahead.discard, sys.stdin.fileno()))
    notify = Notices()

    async def main() -> int:
        with contextlib.closing(open_store(notify, needed=needs_store)) as store:
            kept = find_kept(store.archive(), notify) if find_kept else None
            settings = settings_for(config, kept, flags)
            if kept is not None:
                if kept.id and not store.claim(kept.id):
                    raise UsageError(
                        f"conversation {kept.id} is going on in another livechat",
                        "leave it there first, or begin another with `livechat talk`",
                    )
                kept = fitting(kept, settings, notify)
            told = given_context(settings, store.archive())
            return await _talk(settings, kept, told, store, Choices(store, config), log, notify)

    return leaving.run(main())


async def _talk(
    settings: Settings,
    kept: Resumable | None,
    told: list[Exchange],
    store: Store,
    choices: Choices,
    log: Journal | None,
    notify: Notices,
) -> int:
    """Open the parts of the conversation, and hold it. `told`: what the model is to know besides."""
    from livechat.commands.choose_brain import brain
    from livechat.server import fault_plan

    thinking = brain(settings.brain, settings.brain_model, os.environ)
    faults = fault_plan.parse(settings.faults or "")
    for notice in settings.warnings:
        notify(notice)
    # PortAudio and ALSA print to descriptor 2 whatever happens to a device: not into the conversation.
    with (
        _trace(settings.trace, notify) as trace,
        quiet_stderr(),
        contextlib.closing(open_display(settings, store)) as display,
    ):
        if log is not None:
            log.on_trouble = _on_loop(notify)
        source, lines, sink = open_sound(settings, display, choices, notify)
        if settings.record:
            source, sink = recorded(settings.record, source, sink, notify)
        parts = Parts(
            settings=settings,
            display=display,
            source=source,
            lines=lines,
            one_at_a_time=not sys.stdin.isatty(),
            sink=sink,
            store=store,
            resumed=kept,
            told=told,
            brain=thinking,
            faults=faults,
            memory=state_folder(os.environ) / "offline-server.sqlite3",
            notices=notify,
            trace=trace,
        )
        return await converse(parts)


def settings_for(config: Config, kept: Resumable | None, flags: dict[str, Any]) -> Settings:
    """The settings: a flag wins over what the conversation was made with, and that over the configuration file.

    Raises UsageError or ConfigError, which name whichever of the three is to blame.
    """
    usual = config.flags(os.environ)
    if kept is not None and kept.id:  # it goes on with the server it was held with
        usual = {name: value for name, value in usual.items() if name not in SERVER}
    asked = {name for layer in (usual, flags) for name, value in layer.items() if value}
    if kind_of_display(json="json" in asked, plain=bool(asked & {"plain", "quiet"})) != "screen":
        usual.pop("ptt", None)  # the file may ask for it without a keyboard; the flag may not
    try:
        return resolve(os.environ, **layered(usual, kept.options if kept else {}, flags))
    except UsageError as error:
        config.check(os.environ)  # it raises where the file is to blame
        if kept is not None and kept.options.keys() - flags.keys():
            resolve(os.environ, **layered(usual, {}, flags))  # it raises where the flags are to blame
            raise UsageError(
                f"conversation {kept.id} was made with what is not possible now: {error.message}",
                f"{error.hint}; a flag wins over what it was made with",
            ) from None
        raise


@contextlib.contextmanager
def _trace(path: str | None, notify: Notify) -> Iterator[Callable[[str], object]]:
    """What takes the lines of --trace."""
    if path is None:
        yield len  # it forgets the line
        return
    journal = Journal(path, "--trace", "trace", append=False)
    journal.on_trouble = _on_loop(notify)
    with contextlib.closing(journal):
        yield journal.write


def _on_loop(notify: Notify) -> Notify:
    """The same for any thread, in a later step of the loop: a log is written to in the middle of anything."""
    loop = asyncio.get_running_loop()

    def later(notice: Notice) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed, and the screen with it
            loop.call_soon_threadsafe(notify, notice)

    return later
