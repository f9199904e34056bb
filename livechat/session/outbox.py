"""What the person said or typed and has no answer yet: none of it is lost with a link.

Everything is queued first and sent from here. An item stays after it was sent, until the question it
belongs to is answered; a new link therefore starts by sending again what still waits for an answer
(`rewind`). Answered turns are never sent again as sound: the runner gives them to the next session as text
where its handle does not cover them. Speech is kept and silence is not: of silence only the moment before
and after speech is replayed, so that no first syllable is clipped. Where a server says how far its newest
handle reaches into what it was sent (`consumed`), a link resumed by that handle is given only what follows.

Invariants, true after each method:
 - indices grow; speech and text leave `_items` only by `answered`, or by the bound, counted in `dropped_ms`;
   what the living link was given and the bound takes counts once that link is lost without an answer
 - silence stays only while it is unsent on a working link, BACKLOG frames of it at most, or is one of the
   newest LEAD frames
 - while held, nothing is listed as unsent: `rewind` makes the list anew
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple

from livechat.audio.interfaces import FRAME_MS
from livechat.session.events import Replay, Signal

LEAD = 20  # frames of silence kept before speech, 400 ms: after digital silence voice detection takes 280 to notice
BLOCK = 2  # frames in one message: as many as a microphone gives at once
PACK = 5  # frames of silence in one message, 100 ms: a message costs the same, however short its sound is
PACKED_AFTER = 50  # frames, 1 s, without speech: the server must hear at once that a question has ended
BACKLOG = 250  # frames unsent, 5 s: the link is slow then, and silence is left out so that speech is not late
COUGH_MS = 1_200  # of speech, with the delay of voice detection and the LEAD: no question is shorter
APART = 25  # frames of silence between two questions, at least, which are not sent; within a question it is less
TRACKED = 6_000  # messages to this link whose place is remembered, 120 s; servers that count report sooner
BOUND_MS = 120_000  # of speech that waits for an answer; beyond that the oldest is dropped


@dataclass(slots=True)
class Item:
    """One 20 ms frame (`audio`), one typed message (`text`), or one signal, in the order they came."""

    index: int
    audio: bytes
    text: str
    speech: bool
    signal: Signal | None = None
    idle: bool = False  # silence for which nobody waits
    sent: bool = False  # on some link, at least once

    @property
    def kept(self) -> bool:
        """Whether a later link must be given it too."""
        return self.speech or bool(self.text) or self.signal in ("start", "end")

    @property
    def packs(self) -> bool:
        """Whether it may wait for the silence behind it, to be sent in one message."""
        return self.idle and not self.speech


class Mark(NamedTuple):
    """How far a question goes: the last index of text that belongs to it, and of speech."""

    text: int
    speech: int


class Outbox:
    """Ordered, replayable, bounded; held until the first `rewind`. All durations in ms."""

    def __init__(self, bound_ms: int = BOUND_MS) -> None:
        self._bound = bound_ms
        self._items: dict[int, Item] = {}  # in order of index
        self._unsent: deque[int] = deque()  # may name items that have left meanwhile
        self._lead: deque[int] = deque()  # the newest silence, at most LEAD frames, that no speech has claimed
        self._held = True
        self._next = 0
        self._last_sent = -1  # on this link, or held by the handle that it was resumed with
        self._sent: deque[int] = deque()  # to this link, in order: the newest TRACKED of them
        self._count = 0  # of messages this link was given, its setup among them
        self._consumed = -1  # the last index that the newest handle holds
        self._forgone_ms = 0  # speech this link was given, unanswered, that the bound took
        self._forgone_to = -1  # the last index of it
        self._speech_from: int | None = None  # first index of the speech going on now
        self._silence = 0  # frames since the last speech
        self._waiting_ms = 0  # speech in `_items`
        self._settled: list[Item] = []  # what the last answer retired
        self.captured_ms = 0
        self.sent_ms = 0
        self.replayed_ms = 0
        self.dropped_ms = 0

    def add_audio(self, frame: bytes, *, speech: bool) -> None:
        """Queue one frame of FRAME_BYTES."""
        self.captured_ms += FRAME_MS
        if speech:
            if self._speech_from is None:
                self._speech_from = self._lead[0] if self._lead else self._next
            for index in self._lead:
                self._items[index].speech = True
            self._waiting_ms += FRAME_MS * (1 + len(self._lead))
            self._lead.clear()
            self._silence = 0
        else:
            self._speech_from = None
            self._silence += 1
            self._lead.append(self._next)
            if len(self._lead) > LEAD:
                oldest = self._lead.popleft()
                if self._held or self._items[oldest].sent:
                    del self._items[oldest]
                elif len(self._unsent) > BACKLOG:
                    del self._items[oldest]
                    self._unsent.remove(oldest)
        self._put(Item(self._next, frame, "", speech, idle=self._silence > PACKED_AFTER))
        self._enforce_bound()

    def add_text(self, text: str) -> None:
        self._put(Item(self._next, b"", text, speech=False))

    def add_signal(self, signal: Signal) -> None:
        """Queue a signal. From "start" to "end" all is speech; silence before it is none of it."""
        if signal == "start":
            for index in self._lead:
                if self._items[index].sent:
                    del self._items[index]
            self._lead.clear()
            self._speech_from = self._next
        else:
            self._speech_from = None
        self._put(Item(self._next, b"", "", speech=False, signal=signal))

    def next(self) -> Item | None:
        """What the next message holds, now counted as sent; None when nothing is to be sent yet.

        Sound that waits is sent PACK frames at a time. Silence that goes on waits for so much, but never makes
        anything else wait.
        """
        items = self._pack()
        if not items:
            return None
        for item in items:
            if item.audio and not item.sent:
                self.sent_ms += FRAME_MS
            item.sent = True
            if not item.kept and item.index not in self._lead:
                del self._items[item.index]
        last = items[-1]
        self._last_sent = max(self._last_sent, last.index)
        self._count += 1
        self._sent.append(last.index)
        if len(self._sent) > TRACKED:
            self._sent.popleft()
        return last if len(items) == 1 else replace(last, audio=b"".join(item.audio for item in items))

    def _pack(self) -> list[Item]:
        """Take what the next message holds from `_unsent`: all sound that is there, but not silence alone."""
        items: list[Item] = []
        while self._unsent:
            item = self._items.get(self._unsent[0])
            if item is not None and items and not item.audio:
                return items
            self._unsent.popleft()
            if item is not None:
                items.append(item)
                if not item.audio or len(items) >= (PACK if item.packs else BLOCK):
                    return items
        if items and not items[-1].packs:
            return items
        self._unsent.extend(item.index for item in items)
        return []

    def count_message(self) -> None:
        """The link is given a message that is none of these items: a server that counts messages counts it too."""
        self._count += 1
        self._sent.append(self._last_sent)

    def sent_mark(self) -> Mark:
        """Up to where an answer that begins now can be about: not the speech going on, or perhaps just beginning."""
        begins = self._speech_from if self._speech_from is not None else next(iter(self._lead), self._next)
        return Mark(self._last_sent, min(self._last_sent, begins - 1))

    def heard_mark(self) -> Mark:
        """The same where the server has shown that it heard what was said last: the speech going on counts too.

        Our voice detection may notice its end later than a server that answers at once.
        """
        mark = self.sent_mark()
        before = self._asked(mark)  # of a question answered so there is a rest, as short as a cough
        before_ms = FRAME_MS * len(before)
        alone = before_ms <= COUGH_MS < self._waiting_ms - before_ms and not any(item.text for item in before)
        return Mark(self._last_sent, self._last_sent) if self._speech_from is not None and alone else mark

    def answered(self, mark: Mark) -> None:
        """The question up to and including `mark` has its answer: it is never sent again."""
        self._settled = self._asked(mark)
        for item in self._settled:
            self._remove(item.index)
        if mark.speech >= self._forgone_to:
            self._forgone_ms = 0

    def reopened(self, *, after: int = -1) -> None:
        """What was answered last, `after` this index, has no whole answer: it waits, and a later link is given it."""
        again = {item.index: item for item in self._settled if item.index > after}
        self._items = dict(sorted((self._items | again).items()))
        self._waiting_ms += FRAME_MS * sum(item.speech for item in again.values())
        self._settled = []

    def first_utterance(self, mark: Mark) -> int | None:
        """Where the first of several questions up to `mark` ends; None where it is one, or more was asked since."""
        if any((item.speech or item.text) and at > max(mark) for at, item in self._items.items()):
            return None
        end: int | None = None
        apart = APART  # from the end of a question to the next; speech after a text is another question
        for item in sorted(self._asked(mark), key=lambda item: item.index):
            if item.speech:
                if end is not None and item.index > end + apart:
                    return end
                end, apart = item.index, APART
            elif item.text and (end is None or not apart):
                end, apart = item.index, 0
        return None

    def asks_since(self, mark: Mark) -> bool:
        """Whether this link was given a question, up to `mark`, that has no answer yet."""
        return any(item.speech or item.text for item in self._asked(mark))

    def again(self, mark: Mark) -> None:
        """Send the question up to `mark` once more on this link, before whatever comes."""
        asked = self._asked(mark)
        self._unsent.extendleft(item.index for item in reversed(asked))
        self.replayed_ms += FRAME_MS * sum(item.speech for item in asked)

    def _asked(self, mark: Mark) -> list[Item]:
        """What of the question up to `mark` waits for an answer and was sent."""
        items = self._items.items()
        return [
            item for at, item in items if item.kept and item.sent and at <= (mark.text if item.text else mark.speech)
        ]

    def consumed(self, message: int) -> None:
        """The newest handle holds what this link was sent up to this message, its setup being number 0.

        A number that this link has not been sent counts something else, and says nothing.
        """
        at = message - (self._count - len(self._sent))
        if 0 <= at < len(self._sent):
            self._consumed = self._sent[at]
            for _ in range(at + 1):
                self._sent.popleft()

    def only_later_speech(self, mark: Mark) -> bool:
        """Whether the question up to `mark`, not answered yet, was not spoken, and something was since."""
        first = next((index for index, item in self._items.items() if item.speech), None)
        return first is not None and first > mark.speech

    def unsent(self) -> int:
        """How many items the link has not been given yet, those included that have left meanwhile."""
        return len(self._unsent)

    def waiting(self) -> bool:
        """Whether anything said or typed has no answer yet."""
        return any(item.speech or item.text for item in self._items.values())

    def asks(self) -> bool:
        """Whether that is more than a cough."""
        return self._waiting_ms > COUGH_MS or any(item.text for item in self._items.values())

    def give_up(self) -> int:
        """The end: speech that no link was ever given is counted as dropped. Returns how many texts were not."""
        unsent = [item for item in self._items.values() if not item.sent]
        self.dropped_ms += FRAME_MS * sum(item.speech for item in unsent)
        return sum(bool(item.text) for item in unsent)

    def hold(self) -> None:
        """No link: nothing is to be sent, and silence need not wait for one."""
        self._held = True
        self._unsent.clear()
        self.dropped_ms += self._forgone_ms
        self._forgone_ms = 0
        for index in [i for i, item in self._items.items() if not item.kept and i not in self._lead]:
            del self._items[index]

    def rewind(self, replay: Replay = "all", *, given: int = 0) -> int:
        """A new link: queue, in order, what waits for an answer. Returns its ms of speech.

        `replay` "missing": not what the newest handle holds; "none": speech that an earlier link was given is
        given up, and counted, because a link died of it. `given`: messages this link had already, but for setup.
        """
        if not self._held:
            self.hold()
        if replay == "none":
            # What is going on keeps its "start", without which the rest of it would not be heard.
            for index in [i for i, item in self._items.items() if item.sent and not item.text and item.kept]:
                if index != self._speech_from or not self._items[index].signal:
                    self._drop(index)
        if replay != "missing":
            self._consumed = -1
        self._held = False
        self._last_sent = self._consumed
        self._count = 1 + given
        self._sent.clear()
        self._unsent = deque(index for index in self._items if index > self._consumed)
        replayed = FRAME_MS * sum(self._items[index].speech for index in self._unsent)
        self.replayed_ms += replayed
        return replayed

    def _put(self, item: Item) -> None:
        self._items[item.index] = item
        self._next += 1
        if not self._held:
            self._unsent.append(item.index)

    def _remove(self, index: int) -> None:
        if self._items.pop(index).speech:
            self._waiting_ms -= FRAME_MS

    def _drop(self, index: int) -> None:
        if self._items[index].speech:
            self.dropped_ms += FRAME_MS
        self._remove(index)

    def _enforce_bound(self) -> None:
        while self._waiting_ms > self._bound:
            oldest = next(i for i, item in self._items.items() if item.speech)
            if not self._held and oldest <= self._last_sent:
                self._remove(oldest)
                self._forgone_ms += FRAME_MS
                self._forgone_to = oldest
            else:
                self._drop(oldest)
        if len(self._unsent) > 2 * len(self._items):  # a link that takes nothing: what has left need not be listed
            self._unsent = deque(i for i in self._unsent if i in self._items)
