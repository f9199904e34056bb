"""How a source that is faster than speech (a file with `--fast`) is slowed down to what the conversation needs.

It waits for the link, so that the outbox does not overflow. It keeps the time of an answer: a pause is as long as it
sounds while an answer is awaited or given, so that what is said next cuts into it, or does not, as in real time.
"""

from livechat.audio.interfaces import FRAME_MS
from livechat.session.last_words import LAST_LINK_S, patience

AHEAD = 50  # frames unsent, 1 s: the source is further ahead of the link than it needs to be


class FastPacing:
    """Of one source, asked before each of its frames."""

    def __init__(self) -> None:
        self._waited_s = 0.0  # for an answer, since the person fell silent
        self._away_s = 0.0  # for a link

    def keeps_time(self, *, speaking: bool, answering: bool, waiting: bool, asks: bool) -> bool:
        """Whether the next frame takes as long as it sounds: something is answered, or `waiting` for it."""
        if speaking:
            self._waited_s = 0.0
            return False
        if not answering and not (waiting and self._waited_s < patience(asks=asks)):
            return False
        self._waited_s += FRAME_MS / 1000
        return True

    def waits_for_link(self, *, linked: bool, unsent: int) -> bool:
        """Whether the next frame waits until the link has caught up, or there is one."""
        if linked:
            self._away_s = 0.0
        return unsent > AHEAD if linked else self._away_s < LAST_LINK_S

    def waited_for_link(self) -> None:
        """It has waited for as long as it sounds."""
        self._away_s += FRAME_MS / 1000
