"""A person for tests: speaks recorded human sentences, and is heard exactly.

Each time a sentence is said it gets a number and a grain of noise of its own, so that no two of its 20 ms
frames are alike. What reached a server is therefore known to the frame, and an agent that looks frames up
writes down which sentences it was told, without a recogniser that could be wrong.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from livechat.audio.dsp import SILENCE_DBFS, level
from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS, INPUT_RATE
from tests.support.conversation import samples

FRAME = INPUT_RATE * FRAME_MS // 1000  # samples
SILENCE = bytes(FRAME_BYTES)
SPEECH_DBFS = -40.0  # a frame so loud nobody calls silence
UNDERSTOOD = 0.9  # of a sentence's loud frames

Mark = tuple[int, int]  # (number of the saying, number of its frame)


@dataclass
class Sayings:
    """Everything said so far: which frame is which."""

    marks: dict[bytes, Mark] = field(default_factory=dict)  # of the loud frames
    loud: dict[int, int] = field(default_factory=dict)  # how many of them a saying has
    count: int = 0

    def new(self, sentence: str) -> tuple[int, list[bytes]]:
        """Its number, and the frames of `sentence` said once more."""
        n, self.count = self.count, self.count + 1
        clip = samples(sentence)
        clip = np.pad(clip, (0, -len(clip) % FRAME)).astype(np.int32)
        clip += np.random.default_rng(n).integers(-3, 4, len(clip))
        frames = [part.tobytes() for part in np.clip(clip, -32768, 32767).astype(np.int16).reshape(-1, FRAME)]
        marks = {frame: (n, i) for i, frame in enumerate(frames) if level(frame) > SPEECH_DBFS}
        assert not marks.keys() & self.marks.keys()
        self.marks |= marks
        self.loud[n] = len(marks)
        return n, frames

    def forget(self, before: int) -> None:
        """All sayings below this number: hours of talk need no memory."""
        self.marks = {frame: mark for frame, mark in self.marks.items() if mark[0] >= before}
        self.loud = {n: count for n, count in self.loud.items() if n >= before}

    def marks_in(self, pcm: bytes) -> list[Mark]:
        """The loud frames in one message, which may hold several frames."""
        parts = (pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES))
        return [self.marks[part] for part in parts if part in self.marks]

    def words(self, pcm: bytes) -> str:
        """What a perfect listener writes down: for each saying its word, or a word for a scrap of it."""
        found: dict[int, set[Mark]] = defaultdict(set)
        for mark in self.marks_in(pcm):
            found[mark[0]].add(mark)
        heard = [spoken(n) if len(marks) >= UNDERSTOOD * self.loud[n] else f"scrap{n}" for n, marks in found.items()]
        return " and ".join(heard) or "noise"


def spoken(number: int) -> str:
    """The word that stands for a saying in every transcript."""
    return f"saying{number}"


@dataclass(frozen=True, slots=True)
class Off:
    """The microphone gives nothing for so many seconds, as a pipe may."""

    seconds: float


class Voice:
    """A microphone: the person says `script`, sentences and seconds of silence, and then ends, unless `endless`."""

    name = "person"

    def __init__(self, sayings: Sayings, script: Iterable[str | float | Off], *, endless: bool = False) -> None:
        self._sayings, self._script, self._endless = sayings, script, endless
        self.captured: list[tuple[float, Mark]] = []  # loud frames that were handed over, and when
        self.said: list[int] = []  # sayings that were handed over whole
        self.frames_out = 0

    async def frames(self) -> AsyncIterator[bytes]:
        """See livechat.audio.interfaces.Source."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for item in self._items():
            if isinstance(item, Off):
                due += item.seconds
                continue
            await asyncio.sleep(due - loop.time())
            due += FRAME_MS / 1000
            self.frames_out += 1
            if mark := self._sayings.marks.get(item):
                self.captured.append((loop.time(), mark))
            yield item

    def _items(self) -> Iterator[bytes | Off]:
        for step in self._script:
            if isinstance(step, Off):
                yield step
            elif isinstance(step, str):
                number, frames = self._sayings.new(step)
                yield from frames
                self.said.append(number)
            else:
                for _ in range(round(step * 1000 / FRAME_MS)):
                    yield SILENCE
        while self._endless:
            yield SILENCE

    def close(self) -> None:
        """Nothing to give back."""


class Loudspeaker:
    """Plays in the loop's time, to nobody."""

    name = "loudspeaker"

    def __init__(self) -> None:
        self._until = 0.0
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Wait to be cancelled."""
        await self._loop.create_future()

    def play(self, pcm: bytes, rate: int) -> None:
        """More to be heard after what is queued."""
        self._until = max(self._until, self._loop.time()) + len(pcm) / (2 * rate)

    def finish(self) -> None:
        """It waits for nothing."""

    def pause(self) -> None:
        """It goes on: nobody listens."""

    def resume(self) -> None:
        """It went on."""

    def flush(self) -> float:
        """Silence, at once."""
        pending, self._until = self.pending_ms(), 0.0
        return pending

    def pending_ms(self) -> float:
        """What is not heard yet."""
        return max(0.0, self._until - self._loop.time()) * 1000

    def level(self) -> float:
        """Nobody measures it."""
        return SILENCE_DBFS

    def close(self) -> None:
        """Nothing to give back."""
