"""`livechat sessions`: lists, searches, shows, exports and forgets kept conversations."""

import contextlib
import json
import os
import shlex
import stat
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from livechat.conversations.archive import Archive, completions, opened
from livechat.conversations.claims import Claims
from livechat.conversations.export import FORMATS, found_in, json_lines, listed, local
from livechat.conversations.rows import FILE
from livechat.conversations.search import search
from livechat.durations import seconds
from livechat.errors import UsageError, reason
from livechat.paths import look, state_folder
from livechat.ui.safe_text import clean


def sessions(*, as_json: bool, every: bool = False) -> int:
    """The conversations in which something was said, or `every` one; newest first. Returns the exit code."""
    from livechat.commands import sessions_view as ui

    with _archive() as archive:
        kept = archive.entries()
        _explain(archive)
    entries = kept if every else [entry for entry in kept if entry.turns]
    if as_json:
        for entry in entries:
            print(json.dumps(listed(entry)))  # noqa: T201
    elif not kept:
        print("there are no conversations: `livechat talk` begins one", file=sys.stderr)  # noqa: T201
    elif entries:
        (ui.as_table if sys.stdout.isatty() else ui.as_lines)(sys.stdout, entries, time.time())
    if hidden := len(kept) - len(entries):
        print(f"{hidden} without a word said: --all shows them too", file=sys.stderr)  # noqa: T201
    return 0


def find(words: str, *, as_json: bool) -> int:
    """What was said with these words in it, best first. Returns the exit code."""
    from livechat.commands import sessions_view as ui

    with _archive() as archive:
        found = search(archive.utterances(), words)
        _explain(archive)
    if as_json:
        for each in found:
            print(json.dumps(found_in(each.utterance)))  # noqa: T201
    elif found:
        ui.as_found(sys.stdout, found)
    else:
        print(f"nobody said {clean(words)}", file=sys.stderr)  # noqa: T201
    return 0


def show(wanted: str | None, *, as_json: bool) -> int:
    """One conversation in full. Returns the exit code."""
    from livechat.commands import sessions_view as ui

    with _archive() as archive:
        kept = archive.read(wanted)
        _explain(archive, wanted and kept.entry.id)
    if as_json:
        sys.stdout.write(json_lines(kept))
    else:
        ui.in_full(sys.stdout, kept, time.time())
    return 0


def export(wanted: str | None, *, form: str, output: str | None) -> int:
    """One conversation in another format, to a new file or stdout. Returns the exit code."""
    from livechat.ui.display import tolerant

    if form not in FORMATS:
        raise UsageError(f"--format does not know {form!r}", f"it takes {', '.join(FORMATS)}")
    with _archive() as archive:
        kept = archive.read(wanted)
        _explain(archive, wanted and kept.entry.id)
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
    """Erase these conversations, or those not used for that time, and say which. Returns the exit code."""
    if bool(wanted) == (older_than is not None):
        raise UsageError("say which conversations to forget", "give their ids, or --older-than 30d")
    claims = Claims(state_folder(os.environ) / "locks")
    with _archive(to_change=True) as archive, contextlib.closing(claims):
        if older_than is not None:
            going = [entry.id for entry in archive.entries(seen_before=time.time() - seconds(older_than))]
            _explain(archive)
        else:
            going = list(dict.fromkeys(archive.to_forget(each) for each in wanted))
        in_use: list[str] = []
        for identity in going:
            if not claims.take(identity):
                in_use.append(identity)
                continue
            _forget(archive, identity)
            claims.erase(identity)
            shown = json.dumps({"type": "forgotten", "id": identity}) if as_json else f"forgot {clean(identity)}"
            print(shown, flush=True)  # noqa: T201
        if not going:
            print("there is nothing to forget", file=sys.stderr)  # noqa: T201
    if in_use:
        raise UsageError(f"{', '.join(in_use)}: going on in another livechat, not forgotten", "leave it there first")
    return 0


def complete(incomplete: str) -> list[tuple[str, str]]:
    """Ids for the shell, each with when it was last used."""
    # What somebody said is left out: a shell may evaluate what it is given.
    found = completions(state_folder(os.environ) / FILE)
    return [(identity, local(seen)) for identity, seen in found if identity.startswith(incomplete)]


def _archive(*, to_change: bool = False) -> contextlib.closing[Archive]:
    return contextlib.closing(opened(state_folder(os.environ) / FILE, to_change=to_change))


def _explain(archive: Archive, identity: str | None = None) -> None:
    """Say what is passed over, of one conversation or of all, and whether all of it can only be read."""
    if archive.read_only:
        print(f"the kept conversations can only be read: {archive.read_only}", file=sys.stderr)  # noqa: T201
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
    """Forget the words, but first what the embedded server remembers: only the handles beside them lead to it."""
    memory = state_folder(os.environ) / "offline-server.sqlite3"
    if archive.backend(identity) in ("offline", "") and memory.exists():
        from livechat.server.session_memory import SessionMemory

        with contextlib.closing(SessionMemory(memory, time.time)) as server:
            for handle in archive.handles(identity):
                server.forget(handle)
            if server.warning:
                raise UsageError(f"{identity} cannot be forgotten: {server.warning}", f"look at {memory}")
    archive.forget(identity)
