"""The display of captions: whole lines on stdout, and what is still growing in place, where a terminal shows it."""

from collections.abc import Callable
from dataclasses import replace
from typing import TextIO

from livechat.events import Handover, Levels, ModelText, Output, Speaking, UserText
from livechat.ui.plain import Plain
from livechat.ui.safe_text import clean, wrap

_ERASE = "\r\x1b[K"


class Captions(Plain):
    """The Display for `transcribe` and `translate`. With `translating` the words that were heard are only talk."""

    unit = "line"

    def __init__(
        self,
        out: TextIO,
        err: TextIO,
        *,
        color: bool,
        quiet: bool,
        translating: bool,
        width: Callable[[], int],
        cells: Callable[[str], int],
    ) -> None:
        """`width`: that of the terminal that `err` is, in cells; `cells` measures a character."""
        super().__init__(out, err, color=color, quiet=quiet)
        self._translating = translating
        self._width, self._cells = width, cells
        self._in_place = err.isatty() and not quiet
        self._growing = False

    def show(self, event: Output) -> None:
        if isinstance(event, Levels | Speaking):
            return
        if isinstance(event, UserText | ModelText):
            data = isinstance(event, ModelText) == self._translating
            if not event.final:
                if data and self._in_place:
                    self._grow(event.text)
                return
            self._erase()
            if data:
                self._write(clean(event.text))
            else:
                self._talk("note", clean(event.text))
            return
        self._erase()
        # What a session remembers is nothing to captions: the new one needs to know nothing.
        super().show(replace(event, how="resumed") if isinstance(event, Handover) else event)

    def close(self) -> None:
        self._erase()
        super().close()

    def _grow(self, text: str) -> None:
        """The end of `text` in the terminal's last line. The last cell stays free, else the line would wrap."""
        rows = wrap(clean(text), max(1, self._width() - 1), self._cells)
        self._err.write(_ERASE + (rows[-1] if rows else ""))
        self._err.flush()
        self._growing = True

    def _erase(self) -> None:
        if self._growing:
            self._growing = False
            self._err.write(_ERASE)
            self._err.flush()
