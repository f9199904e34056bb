"""`livechat transcribe` and `livechat translate`: the settings, the sound, and the stream between them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import re
import shutil
import sys
import time
from dataclasses import replace
from functools import partial
from typing import Any

from livechat import __version__, leaving
from livechat.audio.interfaces import Sink, Source
from livechat.audio.quiet_stderr import quiet_stderr
from livechat.captions.stream import CaptionStream
from livechat.commands.caption_flags import CAPTION_FLAGS
from livechat.commands.make_runner import caption_dialler
from livechat.commands.notices import Notices
from livechat.commands.open_parts import open_devices, sound_of
from livechat.commands.print_error import print_error
from livechat.commands.remember_devices import Choices, open_store
from livechat.config_file import Config, layered
from livechat.errors import INTERRUPTED, DeviceError, LivechatError, UsageError
from livechat.events import Output, Start, Summary
from livechat.models import Purpose
from livechat.settings import Settings, resolve
from livechat.ui.display import Display, colored

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def captions(purpose: Purpose, flags: dict[str, Any], config: Config, *, to: str = "", smart: bool = False) -> int:
    """Show the words of what is said until its end. Returns the exit code; raises LivechatError before it begins.

    `flags`: those given on the command line, by name. `to`: the language of a translation. `smart`: a transcript
    without false starts and filler words.
    """
    if purpose == "translate" and not _LANGUAGE.fullmatch(to):
        raise UsageError(f"--to {to} is not the code of a language", "give one such as de, en or pt-BR")
    # A model that was chosen for conversations is not meant here.
    usual = {name: value for name, value in config.flags(os.environ).items() if name in CAPTION_FLAGS[purpose]}
    usual.pop("model", None)
    settings = replace(resolve(os.environ, purpose, **layered(usual, flags)), to=to, smart=smart)
    logging.captureWarnings(capture=True)
    notify = Notices()

    async def main() -> int:
        with (
            contextlib.closing(open_store(notify)) as store,
            quiet_stderr(),
            contextlib.closing(_display(settings)) as display,
        ):
            source, sink = _sound(settings, Choices(store, config), notify)
            return await _Captions(settings, display, source, sink, notify).hold()

    return leaving.run(main())


def _display(settings: Settings) -> Display:
    from rich.cells import get_character_cell_size

    from livechat.ui.caption_lines import Captions
    from livechat.ui.plain import Json

    if settings.json:
        return Json(sys.stdout, clock=time.monotonic)
    return Captions(
        sys.stdout,
        sys.stderr,
        color=colored(os.environ, tty=sys.stderr.isatty()),
        quiet=settings.quiet,
        translating=settings.purpose == "translate",
        width=lambda: shutil.get_terminal_size().columns,
        cells=get_character_cell_size,
    )


def _sound(settings: Settings, choices: Choices, notify: Notices) -> tuple[Source, Sink | None]:
    """(what is said, where a translation is heard; None where nothing is spoken).

    Sound that is piped in needs no flag. Raises UsageError or DeviceError for a file or a device.
    """
    from livechat.audio.sinks import FileSink, NullSink

    speaks = settings.purpose == "translate"
    sink: Sink | None = FileSink(settings.output) if settings.output else None
    piped = not settings.input and not settings.mic and not sys.stdin.isatty()
    path = "-" if piped else settings.input
    if path:
        source: Source = sound_of(path, settings)
        speaker = None
        if speaks and sink is None and path != "-":
            with contextlib.suppress(DeviceError):  # then it is only shown
                _, speaker = open_devices(settings, choices, notify, listen=False, speak=True)
        return source, (sink or speaker or NullSink()) if speaks else None
    try:
        microphone, speaker = open_devices(settings, choices, notify, listen=True, speak=speaks and sink is None)
    except DeviceError as error:
        remedy = error.hint.partition("; or do without")[0]  # here there is nothing to type
        raise DeviceError(error.message, f"{remedy}; or do without: --input FILE") from None
    assert microphone is not None  # noqa: S101 - it was asked for
    return microphone, (sink or speaker or NullSink()) if speaks else None


class _Captions:
    """One run: who has ended it, and what is still to be closed and said."""

    def __init__(
        self, settings: Settings, display: Display, source: Source, sink: Sink | None, notices: Notices
    ) -> None:
        self._settings, self._display, self._notices = settings, display, notices
        self._source, self._sink = source, sink
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._stream: CaptionStream | None = None
        self._running: asyncio.Task[LivechatError | None] | None = None
        self._error: LivechatError | None = None
        self._interrupted = False
        self._to_say = ["summary"]

    async def hold(self) -> int:
        """Until the end. Returns the exit code."""
        loop = asyncio.get_running_loop()
        showing = loop.create_task(self._display.run())
        leaving.prepare(self._finish)
        async with contextlib.AsyncExitStack() as stack:
            try:
                await self._talk(stack)
            except LivechatError as error:
                self._error = error
            finally:
                self._close()
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)
                self._display.close()
                leaving.countdown(self._code)
            if self._error is not None:
                print_error(self._error)
        return self._code

    async def _talk(self, stack: contextlib.AsyncExitStack) -> None:
        from livechat.audio.vad import SpeechDetector
        from livechat.captions.link_keeper import LinkKeeper

        self._introduce()
        dial = await caption_dialler(self._settings, self._notices, stack)
        stream: CaptionStream

        def counted() -> tuple[int, int]:
            return stream.backlog.replayed_ms, stream.backlog.dropped_ms

        self._links = LinkKeeper(dial, self._display.show, counted, random.random)
        translating = self._settings.purpose == "translate"
        stream = self._stream = CaptionStream(
            self._links, self._source, SpeechDetector(hangover_ms=600), self._sink, self._display.show,
            translating=translating,
        )  # fmt: skip
        self._running = running = asyncio.ensure_future(stream.run())
        quitting = asyncio.ensure_future(self._leave_when_asked())
        with leaving.told(partial(self._leave, signalled=True)):
            try:
                self._error = await running
            except asyncio.CancelledError:
                if not running.cancelled():  # it is this program that is cancelled
                    raise
            finally:
                quitting.cancel()

    def _introduce(self) -> None:
        settings = self._settings
        self._display.show(Start(
            version=__version__, backend=settings.backend, model=settings.model, voice=None, input=self._source.name,
            output=self._sink.name if self._sink else "none", compression=None, conversation="", restored=0,
        ))  # fmt: skip
        self._notices.show_on(self._display.show)

    async def _leave_when_asked(self) -> None:
        await self._display.quit.wait()
        self._leave(signalled=False)

    def _leave(self, *, signalled: bool) -> None:
        self._interrupted = self._interrupted or signalled
        leaving.countdown(self._code)
        if self._running is not None:
            self._running.cancel()

    def _finish(self, code: int) -> None:
        """End in place of the loop's thread, which is stuck."""
        self._interrupted = code == INTERRUPTED
        self._close()
        self._display.close()

    @property
    def _code(self) -> int:
        return self._error.exit_code if self._error else INTERRUPTED if self._interrupted else 0

    def _close(self) -> None:
        """Close the sound, and say the summary once."""
        for part in (self._sink, self._source):
            if part is not None:
                part.close()
        if self._stream is not None and self._to_say:
            self._to_say.pop()
            self._display.show(self._summary(self._stream))

    def _summary(self, stream: CaptionStream) -> Output:
        box = stream.backlog
        return Summary(
            duration_s=round(self._clock() - self._began, 1), turns=stream.words.lines, links=self._links.n,
            captured_ms=box.captured_ms, sent_ms=box.sent_ms, replayed_ms=box.replayed_ms, dropped_ms=box.dropped_ms,
            longest_gap_ms=round(self._links.longest_gap_ms, 1), conversation="", resume="", exit_code=self._code,
            kept=box.dropped_ms == 0,
        )  # fmt: skip
