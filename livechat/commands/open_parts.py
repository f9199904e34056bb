"""Opens what a conversation is seen and heard with: the display, devices or sound files, and the recording."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Literal

from livechat.audio.interfaces import Sink, Source
from livechat.commands.notices import first_time
from livechat.commands.remember_devices import Choices, open_preferred
from livechat.conversations.store import Store
from livechat.errors import DeviceError, Notice, Notify, UsageError
from livechat.events import Typed
from livechat.paths import state_folder
from livechat.settings import Settings
from livechat.ui.display import Display, choose, colored

if TYPE_CHECKING:
    from livechat.audio.microphone import Microphone
    from livechat.audio.speaker import Speaker

_log = logging.getLogger(__name__)

_FAST = 10.0  # times the pace of speech. The embedded server takes several times that


def kind_of_display(*, json: bool, plain: bool) -> Literal["screen", "plain", "json"]:
    """The display that fits these flags and the terminals at both ends."""
    typed_at, shown_at = sys.stdin.isatty(), sys.stdout.isatty()
    return choose(json=json, plain=plain, stdin_tty=typed_at, stdout_tty=shown_at, env=os.environ)


def open_display(settings: Settings, store: Store) -> Display:
    """The screen, plain lines or JSON. Raises UsageError for --ptt without a screen."""
    from livechat.ui.plain import Json, Plain

    keyboard = None if settings.input else sys.stdin.buffer
    kind = kind_of_display(json=settings.json, plain=settings.plain or settings.quiet)
    if settings.ptt and kind != "screen":
        raise UsageError("--ptt needs a terminal with its keys", "leave out --ptt, or run it at a terminal")
    if kind == "json":
        return Json(sys.stdout, clock=time.monotonic, stdin=keyboard, by_line=settings.lines)
    if kind == "plain":
        color = colored(os.environ, tty=sys.stderr.isatty())
        quiet, echoed = settings.quiet, sys.stdin.isatty() and sys.stdout.isatty()
        return Plain(
            sys.stdout, sys.stderr, color=color, quiet=quiet, stdin=keyboard, by_line=settings.lines, echoed=echoed
        )
    from livechat.models import LINK_LIFETIME_S
    from livechat.ui.screen import Screen

    def said(conversation: str) -> list[tuple[str, str]]:
        kept = store.archive(patience_s=0.0).find(conversation)  # sound goes on meanwhile
        return [(turn.user, turn.model) for turn in kept.turns] if kept else []

    return Screen(
        clock=time.monotonic,
        lifetime_s=LINK_LIFETIME_S,
        typing=settings.input is None,
        push_to_talk=settings.ptt,
        said=said,
    )


def open_sound(
    settings: Settings, display: Display, choices: Choices, notify: Notify
) -> tuple[Source | None, AsyncIterator[Typed] | None, Sink]:
    """(voice, typed lines, where answers go): what was asked for, or the best that this machine has.

    A device that was not named by a flag may be missing: `notify` is told, and the conversation does without it.
    Raises UsageError or DeviceError for a file or a device that was named and cannot be used.
    """
    from livechat.audio.sinks import FileSink, NullSink

    sink: Sink | None = FileSink(settings.output, compact=settings.compact) if settings.output else None
    if settings.input:
        source = sound_of(settings.input, settings)
        if sink is None and settings.input != "-":
            _, sink = _open_devices(settings, choices, notify, listen=False, speak=True)
        return source, None, sink or NullSink()
    if settings.text or (not sys.stdin.isatty() and not settings.mic):
        return None, display.lines(), sink or NullSink()
    microphone, speaker = _open_devices(settings, choices, notify, listen=True, speak=sink is None)
    return microphone, display.lines(), sink or speaker or NullSink()


def _open_devices(
    settings: Settings, choices: Choices, notify: Notify, *, listen: bool, speak: bool
) -> tuple[Microphone | None, Speaker | None]:
    """The same as `open_devices`; neither, and a notice, if one of them cannot be opened."""
    try:
        return open_devices(settings, choices, notify, listen=listen, speak=speak)
    except DeviceError as error:
        if settings.speaker or (listen and settings.mic):
            raise
        instead = "type instead, and read the answers" if listen else "the answers are shown only"
        # How to do without is done already; and the rest is read at each start by a person without a sound card.
        remedy = error.hint.partition("; or do without")[0]
        first = first_time("no-sound", state_folder(os.environ))
        notify(Notice(f"{error.message}: {instead}", remedy if first else "`livechat doctor` says what to do"))
        return None, None


def open_devices(
    settings: Settings, choices: Choices, notify: Notify, *, listen: bool, speak: bool
) -> tuple[Microphone | None, Speaker | None]:
    """The microphone and the speaker on one card, those that are asked for. Raises DeviceError."""
    from livechat.audio.card import Card
    from livechat.audio.echo import cleaner
    from livechat.audio.microphone import Microphone
    from livechat.audio.speaker import Speaker

    microphone = speaker = None
    card = Card(notify)
    if listen:
        microphone = open_preferred(partial(Microphone, card), "input", settings.mic, choices, notify)
    if speak:
        speaker = open_preferred(partial(Speaker, card), "output", settings.speaker, choices, notify)
    if microphone and speaker:
        _log.info("--echo %s; its reference is what %s plays", settings.echo, speaker.name)
        microphone.clean = cleaner(settings.echo, speaker, notify)
    return microphone, speaker


def sound_of(path: str, settings: Settings) -> Source:
    """What --input names. Raises UsageError."""
    from livechat.audio.sources import source_of

    return source_of(path, _FAST if settings.fast else 1.0)


def recorded(path: str, source: Source | None, sink: Sink, notify: Notify) -> tuple[Source | None, Sink]:
    """The same, both recorded. Answers that nobody hears are recorded at the pace at which they would be heard."""
    from livechat.audio.recording import Recording
    from livechat.audio.sinks import NullSink, PacedSink

    recording = Recording(path, notify)
    heard = PacedSink() if isinstance(sink, NullSink) else sink
    return source and recording.source(source), recording.sink(heard)
