"""What the person says, on its way to words: what has brought no words yet is kept, and can be sent again.

The sound is cut into utterances here, so that it is known which sound a text belongs to: a link may end at any time,
and the models of captions have no handles to go on with.
"""

from collections import deque
from dataclasses import dataclass

from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS

BEFORE_MS = 300  # of the sound before the voice was noticed: the first syllable
AFTER_MS = 2_000  # of the silence behind an utterance, by which a server knows its end
LONG_S = (20.0, 30.0)  # an utterance ends at the first short pause after so long, and then wherever it is
MOST_S = 600.0  # of sound that no link has taken; the oldest utterance goes first


@dataclass(frozen=True, slots=True)
class Begin:
    """Utterance `n` begins. `before`: its first syllable, where that was taken for silence and is sent."""

    n: int
    before: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """Utterance `n` is over; `ms` is its length."""

    n: int
    ms: int


Item = Begin | bytes | End


class Backlog:
    """Of one stream. An utterance is unsettled from its beginning until `settle` is told that its words are there."""

    def __init__(self, *, whole: bool) -> None:
        """`whole`: the silence between utterances is sent as well."""
        self._whole = whole
        self._items: list[Item] = []
        self._next = 0  # the item to send
        self._before: deque[bytes] = deque(maxlen=BEFORE_MS // FRAME_MS)
        self._n = 0
        self._frames = 0  # of the utterance under way; 0 outside one
        self._silent = 0  # silent frames at the end that are not sent
        self._limits_s = LONG_S
        self._cut = False  # the utterance before was ended here: the next one begins with a voice
        self.captured_ms = self.sent_ms = self.replayed_ms = self.dropped_ms = 0

    # ------------------------------------------------------------------------------------------- input

    def feed(self, frame: bytes, *, speaking: bool, voiced: bool) -> None:
        """The next frame. `speaking`: somebody does, short pauses included; `voiced`: in this very frame."""
        self.captured_ms += FRAME_MS
        if self._frames and (not speaking or self._too_long(voiced)):
            self._cut = speaking
            self.end()
        self._cut = self._cut and speaking and not voiced
        if speaking and not self._cut:
            self._speak(frame)
            return
        self._before.append(frame)
        if not self._whole:
            return
        self._items.append(frame)  # always the newest silence: the first syllable of what comes
        if self._silent * FRAME_MS < AFTER_MS:
            self._silent += 1
        else:
            self._forget_oldest_silence()

    def end(self) -> None:
        """The utterance under way is over."""
        if self._frames:
            self._items.append(End(self._n, self._frames * FRAME_MS))
            self._frames = 0

    def finish(self) -> None:
        """The input has ended. A server knows the end of the last utterance by the silence behind it."""
        self.end()
        if self._whole:
            self._items += [bytes(FRAME_BYTES)] * (AFTER_MS // FRAME_MS)

    def _speak(self, frame: bytes) -> None:
        if not self._frames:
            self._n += 1
            before = [] if self._whole else list(self._before)
            self._items += [Begin(self._n, tuple(self._before) if self._whole else ()), *before]
            self._frames = len(before)
            self._before.clear()
        self._items.append(frame)
        self._frames += 1
        self._silent = 0
        if (len(self._items) - self._next) * FRAME_MS > MOST_S * 1000:
            self._drop_oldest()

    def _too_long(self, voiced: bool) -> bool:
        soft, hard = self._limits_s
        seconds = self._frames * FRAME_MS / 1000
        return seconds >= hard or (seconds >= soft and not voiced)

    def hurry(self, within_s: float) -> None:
        """End the utterance under way at its next short pause, or after so many seconds."""
        self._limits_s = 0.0, min(LONG_S[1], self._frames * FRAME_MS / 1000 + within_s)

    def calm(self) -> None:
        """Utterances may be as long as they are."""
        self._limits_s = LONG_S

    def _forget_oldest_silence(self) -> None:
        at = len(self._items) - 1 - self._silent
        if at >= self._next:
            del self._items[at]
        else:
            self._silent = len(self._items) - self._next

    def _drop_oldest(self) -> None:
        """Make room. What is being sent just now stays whole."""
        ends = [at for at, item in enumerate(self._items) if isinstance(item, End) and at >= self._next]
        begins = [at for at, item in enumerate(self._items) if isinstance(item, Begin) and at >= self._next]
        if begins and ends and begins[0] < ends[0]:
            gone = self._items[begins[0] : ends[0] + 1]
            self.dropped_ms += sum(FRAME_MS for item in gone if isinstance(item, bytes))
            del self._items[begins[0] : ends[0] + 1]

    # ------------------------------------------------------------------------------------------ output

    def peek(self) -> Item | None:
        """What is to be sent next; None where all of it is."""
        return self._items[self._next] if self._next < len(self._items) else None

    def sent(self) -> None:
        """What `peek` gave is sent."""
        if isinstance(self._items[self._next], bytes):
            self.sent_ms += FRAME_MS
        self._next += 1
        self._silent = min(self._silent, len(self._items) - self._next)
        if not self.unsettled and not self._frames:
            del self._items[: self._next]
            self._next = 0

    @property
    def behind_ms(self) -> int:
        """How much sound waits to be sent."""
        return (len(self._items) - self._next) * FRAME_MS

    @property
    def unsettled(self) -> list[int]:
        """The utterances that are sent, or partly so, and have no words yet."""
        return [item.n for item in self._items[: self._next] if isinstance(item, Begin)]

    @property
    def speech(self) -> bool:
        """Whether any of what is kept is speech."""
        return any(isinstance(item, Begin) for item in self._items)

    @property
    def inside(self) -> bool:
        """Whether what is to be sent next belongs to an utterance that is partly sent."""
        for item in reversed(self._items[: self._next]):
            if not isinstance(item, bytes):
                return isinstance(item, Begin)
        return False

    def settle(self, n: int) -> None:
        """The words of utterance `n`, and of all before it, are there."""
        for at, item in enumerate(self._items[: self._next]):
            if isinstance(item, End) and item.n == n:
                del self._items[: at + 1]
                self._next -= at + 1
                return

    def rewind(self) -> None:
        """The link is gone: what has no words yet is to be sent again."""
        begin = next((at for at, item in enumerate(self._items) if isinstance(item, Begin)), self._next)
        begin = min(begin, self._next)  # one that is not sent has its first syllable in front of it
        self.replayed_ms += FRAME_MS * sum(isinstance(item, bytes) for item in self._items[begin : self._next])
        first = self._items[begin] if begin < len(self._items) else None
        self._items[:begin] = first.before if isinstance(first, Begin) else ()
        self._next = 0
