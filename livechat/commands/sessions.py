"""`livechat sessions`: lists, shows, exports and forgets kept conversations."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import stat
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from livechat.conversations.archive import Archive, completions
from livechat.conversations.export import FORMATS, json_lines, listed, local
from livechat.conversations.store import state_folder
from livechat.durations import seconds
from livechat.errors import UsageError, reason
from livechat.paths import look
from livechat.ui.safe_text import clean


def sessions(*, as_json: bool) -> int:
    """List all conversations, newest first. Returns the exit code."""
    from livechat.commands import sessions_view as ui

    with _archive() as archive:
        entries = archive.entries()
        _name_flaws(archive)
    if as_json:
        for entry in entries:
            print(json.dumps(listed(entry)))  # noqa: T201
    elif not entries:
        print("there are no conversations: `livechat talk` begins one", file=sys.stderr)  # noqa: T201
    else:
        (ui.as_table if sys.stdout.isatty() else ui.as_lines)(sys.stdout, entries, time.time())
    return 0


def show(wanted: str | None, *, as_json: bool) -> int:
    """Show one conversation in full. Returns the exit code."""
    from livechat.commands import sessions_view as ui

    with _archive() as archive:
        kept = archive.read(wanted)
        _name_flaws(archive, wanted and kept.entry.id)
    if as_json:
        sys.stdout.write(json_lines(kept))
    else:
        ui.in_full(sys.stdout, kept, time.time())
    return 0


def export(wanted: str | None, *, form: str, output: str | None) -> int:
    """Write one conversation in another format to a new file or stdout. Returns the exit code."""
    from livechat.ui.display import tolerant

    if form not in FORMATS:
        raise UsageError(f"--format does not know {form!r}", f"it takes {', '.join(FORMATS)}")
    with _archive() as archive:
        kept = archive.read(wanted)
        _name_flaws(archive, wanted and kept.entry.id)
    written = FORMATS[form](kept)
    found = look(output, "--output") if output is not None else None
    if output is None or (found and os.path.samestat(found, os.fstat(1))):  # /dev/stdout is no file of its own
        tolerant(sys.stdout)
        sys.stdout.write(written)
        return 0
    if found and stat.S_ISREG(found.st_mode):
        raise UsageError(f"--output {output} is there already, and is not written over", "give it another name")
    try:
        # A pipe or a device, such as >(...), holds nothing that could be written over.
        with Path(output).open("w" if found else "x", encoding="utf-8") as file:
            file.write(written)
    except (OSError, ValueError) as error:
        raise UsageError(f"--output {output} cannot be written: {reason(error)}", "name another file") from None
    return 0


def forget(wanted: Sequence[str], *, older_than: str | None, as_json: bool) -> int:
    """Erase these conversations, or those that were not used for that time. Returns the exit code."""
    if bool(wanted) == (older_than is not None):
        raise UsageError("say which conversations to forget", "give their ids, or --older-than 30d")
    with _archive() as archive:
        if older_than is not None:
            going = [entry.id for entry in archive.entries(seen_before=time.time() - seconds(older_than))]
            _name_flaws(archive)
        else:
            going = list(dict.fromkeys(archive.to_forget(each) for each in wanted))
        in_use: list[str] = []
        for identity in going:
            try:
                archive.claim(identity)
            except UsageError:
                in_use.append(identity)
                continue
            _forget(archive, identity)
            shown = json.dumps({"type": "forgotten", "id": identity}) if as_json else f"forgot {clean(identity)}"
            print(shown, flush=True)  # noqa: T201
        if not going:
            print("there is nothing to forget", file=sys.stderr)  # noqa: T201
    if in_use:
        raise UsageError(f"{', '.join(in_use)}: going on in another livechat, not forgotten", "leave it there first")
    return 0


def complete(incomplete: str) -> list[tuple[str, str]]:
    """Ids for the shell, each with when it was last used."""
    # And no more: what somebody said is not given to a shell, which evaluates it.
    found = completions(os.environ)
    return [(identity, local(seen)) for identity, seen in found if identity.startswith(incomplete)]


def _archive() -> contextlib.closing[Archive]:
    return contextlib.closing(Archive(state_folder(os.environ)))


def _name_flaws(archive: Archive, identity: str | None = None) -> None:
    """Say what cannot be read, of one conversation or of all."""
    flaws = archive.flaws(identity)
    for conversation, what in flaws:
        print(  # noqa: T201
            f"conversation {clean(conversation)}: {what} cannot be read (skipped)", file=sys.stderr
        )
    if flaws:
        conversation = clean(flaws[0][0])
        named = ("-- " if conversation.startswith("-") else "") + shlex.quote(conversation)
        print(f"hint: `livechat sessions forget {named}` erases all of it", file=sys.stderr)  # noqa: T201


def _forget(archive: Archive, identity: str) -> None:
    """Erase what the embedded server remembers, then what is kept here. The kept handles lead to the former."""
    memory = state_folder(os.environ) / "offline-server.sqlite3"
    if archive.backend(identity) in ("offline", "") and memory.exists():
        from livechat.server.session_memory import SessionMemory

        with contextlib.closing(SessionMemory(memory, time.time)) as server:
            for handle in archive.handles(identity):
                server.forget(handle)
            if server.warning:
                raise UsageError(f"{identity} cannot be forgotten: {server.warning}", f"look at {memory}")
    archive.forget(identity)
