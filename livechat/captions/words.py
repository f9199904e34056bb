"""The words of one utterance while they come: shown as they grow, and as lines once they are whole."""

from collections.abc import Callable

from livechat.captions.sentences import whole_sentences
from livechat.events import ModelText, Output, UserText
from livechat.session import events as ev


class Words:
    """Of one stream. `final`: words came that stay, as interim ones do not; `any`: words of either kind came."""

    def __init__(self, show: Callable[[Output], None], *, translating: bool) -> None:
        self._show, self._translating = show, translating
        self._heard = self._said = ""
        self._interim = ""
        self.lines = 0  # so many were complete

    @property
    def final(self) -> bool:
        return bool(self._heard.strip())

    @property
    def any(self) -> bool:
        return bool(self._heard.strip() or self._interim.strip())

    def add(self, event: ev.Interim | ev.Heard | ev.Said) -> None:
        """More words came."""
        if isinstance(event, ev.Interim):
            self._interim = event.text
            self._show(UserText(f"{self._heard} {event.text}".strip(), final=False, source="speech"))
        elif isinstance(event, ev.Heard):
            self._interim = ""
            glue = "" if self._translating or not self._heard else " "  # a transcript comes as a whole
            self._heard += glue + event.text
            if self._translating:  # by sentences, for it may flow for hours
                lines, self._heard = whole_sentences(self._heard)
                for line in lines:
                    self._show(UserText(line, final=True, source="speech"))
            if self._heard.strip():
                self._show(UserText(self._heard.strip(), final=False, source="speech"))
        else:
            lines, self._said = whole_sentences(self._said + event.text)
            for line in lines:
                self._line(ModelText(line, final=True))
            if self._said.strip():
                self._show(ModelText(self._said.strip(), final=False))

    def finish(self) -> None:
        """Nothing more comes to what is there."""
        heard, said = (self._heard or self._interim).strip(), self._said.strip()
        self.drop()
        if heard:
            shown = UserText(heard, final=True, source="speech")
            self._show(shown) if self._translating else self._line(shown)
        if said:
            self._line(ModelText(said, final=True))

    def drop(self) -> None:
        """What is there will come again."""
        self._heard = self._said = self._interim = ""

    def _line(self, line: Output) -> None:
        self.lines += 1
        self._show(line)
