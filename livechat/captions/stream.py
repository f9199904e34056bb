"""The stream of captions: sound goes to a link, words come back, and links follow one another with no word lost.

The models of captions have no session to resume, so a new link knows nothing. It needs to know nothing: an utterance
whose words have not come is sent again as a whole, and what a link said of it before is dropped. A link is left
between two utterances, once the words of the one before are there.

* Transcribing: this program marks each utterance itself, and sends the next one when the words of the one before have
  come. The server's own detection went deaf on noisy sound (docs/wire.md 5).
* Translating: the sound flows on, silence and all, and the translation follows it a few seconds later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from livechat.audio.interfaces import FRAME_MS, Sink, Source
from livechat.captions.backlog import Backlog, Begin, Item
from livechat.captions.link_keeper import LinkKeeper
from livechat.captions.words import Words
from livechat.errors import LivechatError, Notice
from livechat.events import GoAwayNotice, Output
from livechat.session import events as ev

GRACE_S = 1.5  # after the server has noted the end of an utterance: with no words by then it had none
DEAF_S = 10.0  # after an utterance was sent: a session that says nothing of it hears nothing
TRIES = 2  # links that may be deaf to one utterance; then it is the utterance
FOLLOW_S = (3.0, 8.0)  # a translation is there so long after its utterance: with nothing said for QUIET_S, or at most
QUIET_S = 1.5
LAG_S = 1.5  # words that come sooner before the end of an utterance may be of the one before
SHORT_MS = 1_500  # what is shorter may be a cough: that nothing comes of it proves nothing
JUST_S = 0.5  # a turn that is complete so soon after an utterance is one before it
HURRY_S = 6.0  # of notice: with less, what is being said is sent again instead of cut in two
MARGIN_S = 2.0  # before the server ends a link that was not left in time
FASTER = 4.0  # what has waited is sent so many times faster than it was said
LATE_MS = 1_000  # and counts as waiting from here on
_TICK_S = 0.25


class Detector(Protocol):
    """Tells whether somebody speaks (audio/vad.py)."""

    voiced: bool

    def feed(self, frame: bytes) -> bool: ...


class CaptionStream:
    """One of them: `run` it once."""

    def __init__(
        self,
        links: LinkKeeper,
        source: Source,
        detector: Detector,
        sink: Sink | None,
        show: Callable[[Output], None],
        *,
        translating: bool,
    ) -> None:
        """`sink`: where a translation is heard; None where nothing is spoken."""
        self._links, self._source, self._detector, self._sink = links, source, detector, sink
        self._show, self._translating = show, translating
        self.backlog = Backlog(whole=translating)
        self.words = Words(show, translating=translating)
        self._clock = asyncio.get_running_loop().time
        self._wake = asyncio.Event()
        self._ended = False  # the input
        # Utterances that are sent as a whole: when that was, and from when on words count as theirs.
        self._over: dict[int, tuple[float, float]] = {}
        self._noted: float | None = None  # when the server noted the end of an utterance
        self._said_at = 0.0  # when words or sound came last
        self._deaf = 0  # links in a row that said nothing of the utterance that is first now
        links.heard, links.lost = self._hear, self._lost

    async def run(self) -> LivechatError | None:
        """Until the input has ended and its words are there, or the line is lost for good: the error of that.

        Raises DeviceError for a source or a sink that fails.
        """
        listening = asyncio.create_task(self._listen())
        carrying = asyncio.create_task(self._carry())
        watching = asyncio.create_task(self._watch())
        playing = [asyncio.create_task(self._sink.run())] if self._sink else []
        tasks = [listening, carrying, watching, *playing]
        try:
            waiting = set(tasks)
            while not carrying.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._links.leave("the end of the input")
            self.words.finish()
        return self._links.error

    async def _listen(self) -> None:
        async for frame in self._source.frames():
            speaking = self._detector.feed(frame)
            self.backlog.feed(frame, speaking=speaking, voiced=self._detector.voiced)
            self._wake.set()
        self.backlog.finish()
        self._ended = True
        self._wake.set()

    # -------------------------------------------------------------------------------------------- sending

    async def _carry(self) -> None:
        """Send what there is to a link that is open, in order."""
        self._links.begin()
        while not self._links.error:
            self._wake.clear()
            item = self.backlog.peek()
            if self._links.due and not self.backlog.unsettled and not self.backlog.inside:
                await self._links.move()
                self.backlog.calm()
            elif item is None and self._ended and not self.backlog.unsettled:
                break
            elif item is None or not self._may_send(item):
                await self._wake.wait()
            elif not self._links.open:
                if self.backlog.speech:  # silence is no reason to dial
                    self._links.want()
                await self._wake.wait()
            else:
                await self._send(item)
        if self._sink and not self._links.error:
            self._sink.finish()
            left_ms = self._sink.pending_ms()
            while left_ms > 0:
                await asyncio.sleep(max(_TICK_S, left_ms / 1000))
                left_ms = self._sink.pending_ms()

    def _may_send(self, item: Item) -> bool:
        """The next utterance waits for the next link, and in a transcript for the words of the one before.

        Silence never waits: a server knows by it that the utterance is over.
        """
        if self.backlog.inside or not self.backlog.unsettled:
            return True
        return self._translating and not (self._links.due and isinstance(item, Begin))

    async def _send(self, item: Item) -> None:
        link = self._links.link
        late = self.backlog.behind_ms > LATE_MS
        self.backlog.sent()
        if isinstance(item, bytes):
            await link.send_audio(item)
            if late:
                await asyncio.sleep(FRAME_MS / 1000 / FASTER)
        elif isinstance(item, Begin):
            self._noted = None
            if not self._translating:
                await link.send_signal("start")
        else:
            now = self._clock()
            self._over[item.n] = now, now - min(item.ms / 2000, LAG_S)
            if not self._translating:
                await link.send_signal("end")

    # -------------------------------------------------------------------------------------------- hearing

    def _hear(self, event: ev.Wire) -> None:
        """What the link that is open says."""
        now = self._clock()
        match event:
            case ev.Interim() | ev.Heard() | ev.Said():
                self._said_at = now
                self._links.proved()
                self.words.add(event)
            case ev.Audio(_, pcm, rate) if self._sink:
                self._said_at = now
                self._sink.play(pcm, rate)
            case ev.Replied() | ev.TurnOver():
                if self._translating:
                    self._turn_over(now)
                elif self.words.final and self._over:  # else it is of the utterance before
                    self._settle(max(self._over))
            case ev.Noticed(_, whole) if whole and self._noted is None and self._over:
                self._noted = now
            case ev.GoAway(_, left):
                self._show(GoAwayNotice(left))
                self._links.notice(left - MARGIN_S)
                if left >= HURRY_S:
                    self.backlog.hurry(left / 2)
        self._wake.set()

    def _turn_over(self, now: float) -> None:
        """A translation is complete: that of what was said before, unless that ended just now."""
        self.words.finish()
        if said := [n for n, (since, _) in self._over.items() if now - since >= JUST_S]:
            self._settle(max(said))

    def _lost(self) -> None:
        """The link has ended before it was left."""
        self.words.drop()
        self.backlog.rewind()
        self.backlog.calm()
        self._over.clear()
        self._noted = None
        self._wake.set()

    def _settle(self, n: int) -> None:
        """The words of utterance `n` are there, and of all before it."""
        self._deaf = 0
        self._noted = None
        self._over = {it: at for it, at in self._over.items() if it > n}
        self.backlog.settle(n)
        if not self._translating:
            self.words.finish()

    # ------------------------------------------------------------------------------------------------ time

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            now = self._clock()
            if self._links.overdue:
                await self._links.leave("the server's time limit for one connection")
                self._lost()
            if self._translating:
                await self._watch_translation(now)
            elif self._over:
                await self._watch_utterance(now)
            self._wake.set()

    async def _watch_utterance(self, now: float) -> None:
        n, (since, _) = next(iter(self._over.items()))
        if self._noted is not None and not self.words.any and now - self._noted >= GRACE_S:
            self._settle(n)
        elif now - since >= DEAF_S:
            if self.words.final:  # it never said that this was all
                self._settle(n)
            else:
                await self._deafened(n)

    async def _watch_translation(self, now: float) -> None:
        soonest, latest = FOLLOW_S
        for n, (since, theirs) in list(self._over.items()):
            heard = self._said_at >= theirs or since - theirs < SHORT_MS / 2000
            quiet = now - self._said_at >= QUIET_S
            if not heard and now - since >= DEAF_S:
                return await self._deafened(n)
            if heard and ((now - since >= soonest and quiet) or now - since >= latest):
                self._settle(n)
                if not self._over and quiet:
                    self.words.finish()
        return None

    async def _deafened(self, n: int) -> None:
        """Nothing came of utterance `n`: another link is given it, and if that is deaf too, it is given up."""
        self._deaf += 1
        if self._deaf < TRIES:
            await self._links.leave("the server does not hear what is said")
            self._lost()
            return
        if not self.words.any:
            self._show(Notice("the server gave no words for something that was said"))
        self._settle(n)
