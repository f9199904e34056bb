"""Resuming: which conversation goes on, whether it fits the server of now, and what a later run begins with."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from livechat.conversations.archive import Archive
from livechat.conversations.records import Resumable
from livechat.errors import KEY_PAGE, ConfigError, Notice, Notify, UsageError
from livechat.flags import FLAGS
from livechat.models import can_be_handle
from livechat.session.events import Resumption
from livechat.settings import Settings

_UNKNOWN_HANDLE_S = 24 * 3600.0  # how long a handle that was not seen here is tried: no server's lives longer


def find(archive: Archive, wanted: str | None, notify: Notify) -> Resumable:
    """The conversation that `wanted` names, or the newest for None. Raises UsageError if there is none.

    A handle that is not kept here makes a conversation without an id, which nothing is kept of.
    """
    kept = archive.find(wanted and wanted.strip())
    if kept is not None:
        for conversation, what in archive.flaws(wanted and kept.id):
            notify(Notice(f"conversation {conversation}: {what} cannot be read (skipped)"))
        return replace(kept, options=known_options(kept.options, notify))
    if wanted is None:
        raise UsageError("there is no conversation to resume", "begin one with `livechat talk`")
    if not can_be_handle(wanted.strip()):
        raise UsageError(f"there is no conversation {wanted}", "`livechat resume` alone takes up the newest")
    return Resumable("", "", "", {}, [], [(wanted.strip(), 0, time.time() + _UNKNOWN_HANDLE_S)])


def fitting(kept: Resumable, settings: Settings, notify: Notify) -> Resumable:
    """`kept` without what this server cannot use: a handle belongs to one backend and one model.

    Raises ConfigError where the conversation was held with a server that needs a key, and there is none now.
    """
    if not kept.id or (kept.backend, kept.model) == (settings.backend, settings.model):
        return kept
    if kept.backend != settings.backend and settings.backend == "offline" and "offline" not in kept.options:
        raise ConfigError(
            f"this conversation was held with {kept.backend}, which is not configured now",
            f"set GEMINI_API_KEY (a key: {KEY_PAGE}), or begin another with `livechat talk`",
        )
    if kept.handles:
        notify(Notice("the model or the server is not the one of before", "the new one is told the transcript"))
    return replace(kept, handles=[])


def resumptions(kept: Resumable | None) -> tuple[Resumption, ...]:
    """The kept handles. They expire by the wall's clock in the store, and by the loop's in the session."""
    if kept is None:
        return ()
    shift = asyncio.get_running_loop().time() - time.time()
    return tuple(Resumption(handle, covers, expires + shift, stored=True) for handle, covers, expires in kept.handles)


def options_to_keep(settings: Settings) -> dict[str, Any]:
    """The flags that a resumed conversation begins with, by name."""
    kept = {name: getattr(settings, name) for name, flag in FLAGS.items() if flag.kept}
    options = {name: value for name, value in kept.items() if value is not None and value is not False}
    if settings.system and settings.system.startswith("@"):
        options["system"] = f"@{settings.system}"  # it is the text itself: without a second @ it would name a file
    if settings.ca_file:
        options["ca_file"] = str(Path(settings.ca_file).resolve())  # a later run may have another working folder
    if settings.backend == "offline":
        options["offline"] = True
    return options


def known_options(options: dict[str, Any], notify: Notify) -> dict[str, Any]:
    """The kept options that this livechat knows. The others are named: a later livechat may have written them."""
    known = {name: value for name, value in options.items() if _is_flag(name, value)}
    if unknown := sorted(options.keys() - known.keys()):
        notify(Notice(f"the conversation was made with options this livechat does not know: {', '.join(unknown)}"))
    return known


def _is_flag(name: str, value: object) -> bool:
    # JSON can hold halves of characters, which nothing else can.
    storable = not isinstance(value, str) or value.encode(errors="replace").decode() == value
    return name in FLAGS and FLAGS[name].kept and type(value) is FLAGS[name].kind and storable
