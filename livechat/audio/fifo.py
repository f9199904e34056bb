"""What will be played: the buffer between the event loop and PortAudio's callback thread.

It needs no lock, because each counter has one owner. The writer owns `written` and the flush mark, the reader owns
`read` and the oldest blocks. Either side may see the other's counter a moment late. Then the writer sees less room
than there is, or the reader less sound. Both are harmless.
"""

from collections import deque

from livechat.audio.ring import Samples


class Fifo:
    """Mono int16 samples, first in first out, for one writer and one reader on different threads.

    The counters count samples from the beginning. `capacity` is in samples. Memory holds what is queued, and the last
    `kept` samples that were read, so that the reader can go back to them. What was flushed stays until the next read.
    """

    def __init__(self, capacity: int, kept: int = 0) -> None:
        # A buffer of ten minutes would be touched from end to end, and be 29 MB, after ten minutes of speech.
        self._blocks: deque[Samples] = deque()
        self._oldest = 0  # place of their first sample
        self._capacity, self._kept = capacity, kept
        self._flushed = 0
        self._furthest = 0  # of `read`
        self.written = 0
        self.read = 0

    @property
    def pending(self) -> int:
        """How many samples were written and neither read nor flushed."""
        return max(0, self.written - max(self.read, self._flushed))

    # ------------------------------------------------------------------------------------ the writer's side

    def write(self, samples: Samples) -> int:
        """Queue what fits, and return how many samples that was."""
        # Flushed sound takes room until the reader has passed it: the reader may be copying it just now.
        taken = max(0, min(len(samples), self._capacity - (self.written - self.read)))
        if taken:
            self._blocks.append(samples[:taken].copy())
            self.written += taken  # last: the reader may use the samples from here on
        return taken

    def flush(self) -> int:
        """Drop all that is queued, from the reader's next call on. Returns how many samples that was."""
        forgotten = self.pending
        self._flushed = self.written
        return forgotten

    # ------------------------------------------------------------------------------------ the reader's side

    def read_into(self, out: Samples) -> int:
        """Fill `out` with the oldest samples, then with zeros. Returns how many were samples."""
        flushed = self._flushed  # once: the writer may flush meanwhile
        start = max(self.read, flushed)
        end = min(start + len(out), self.written)
        self._forget(max(flushed, self._furthest - self._kept))
        place, number = self._oldest, 0
        while place < end:
            block = self._blocks[number]
            part = block[max(0, start - place) : end - place]
            at = max(0, place - start)
            out[at : at + len(part)] = part
            place, number = place + len(block), number + 1
        out[end - start :] = 0
        self._furthest = max(self._furthest, end)
        self.read = end  # last: the writer may take the room from here on
        return end - start

    def _forget(self, place: int) -> None:
        """Give back the blocks that end before `place`."""
        while self._blocks and self._oldest + len(self._blocks[0]) <= place:
            self._oldest += len(self._blocks.popleft())

    def go_back(self, count: int) -> None:
        """Read the last `count` samples again, as far as they are kept and were not flushed.

        What is kept counts from the furthest sample ever read: going back twice must not reach what was given back.
        """
        self.read -= min(count, max(0, self.read - max(self._flushed, self._furthest - self._kept)))
