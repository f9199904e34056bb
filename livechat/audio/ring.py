"""Buffers between the event loop and PortAudio's callback thread: what will be played, and what was.

They need no lock, because each counter has one owner. The writer owns `written` and the flush mark, the reader owns
`read`. Either side may see the other's counter a moment late. Then the writer sees less room than there is, or the
reader less sound. Both are harmless: sound that has not been read is never overwritten.
"""

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]


class Ring:
    """Mono int16 samples, first in first out, for one writer and one reader on different threads.

    The counters count samples from the beginning. `capacity` is in samples. The operating system provides the memory
    when it is first used, and its size never changes. The last `kept` samples that were read stay as well, so that
    the reader can go back to them.
    """

    def __init__(self, capacity: int, kept: int = 0) -> None:
        self._buffer: Samples = np.zeros(capacity + kept, np.int16)
        self._kept = kept
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
        room = len(self._buffer) - self._kept - (self.written - self.read)
        taken = max(0, min(len(samples), room))
        at = self.written % len(self._buffer)
        first = min(taken, len(self._buffer) - at)
        self._buffer[at : at + first] = samples[:first]
        self._buffer[: taken - first] = samples[first:taken]
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
        start = max(self.read, self._flushed)
        taken = min(len(out), self.written - start)
        at = start % len(self._buffer)
        first = min(taken, len(self._buffer) - at)
        out[:first] = self._buffer[at : at + first]
        out[first:taken] = self._buffer[: taken - first]
        out[taken:] = 0
        self._furthest = max(self._furthest, start + taken)
        self.read = start + taken  # last: the writer may reuse the room from here on
        return taken

    def go_back(self, count: int) -> None:
        """Read the last `count` samples again, as far as they are kept and were not flushed.

        What is kept counts from the furthest sample ever read: going back twice must not reach what was overwritten.
        """
        self.read -= min(count, max(0, self.read - max(self._flushed, self._furthest - self._kept)))


class History:
    """The last `length` samples of a stream, found by their place in it. One thread adds, any thread may look."""

    def __init__(self, length: int) -> None:
        self._length = length
        # Twice the length: so adding does not overwrite what is being looked at.
        self._buffer: Samples = np.zeros(2 * length, np.int16)
        self.count = 0

    def add(self, samples: Samples) -> None:
        """The stream goes on with these samples, at most `length`."""
        at = self.count % len(self._buffer)
        first = min(len(samples), len(self._buffer) - at)
        self._buffer[at : at + first] = samples[:first]
        self._buffer[: len(samples) - first] = samples[first:]
        self.count += len(samples)

    def silence(self, start: int) -> None:
        """What was added from place `start` on was not heard. Not to be called while another thread adds."""
        places = np.arange(max(start, self.count - self._length), self.count)
        self._buffer[places % len(self._buffer)] = 0

    def look(self, start: int, count: int) -> Samples:
        """`count` samples from place `start` on, with zeros for those that are not there yet or no longer."""
        at = start % len(self._buffer)
        if self.count - self._length <= start and start + count <= self.count and at + count <= len(self._buffer):
            return self._buffer[at : at + count].copy()
        places = np.arange(start, start + count)
        known = (places >= self.count - self._length) & (places < self.count)
        return np.where(known, self._buffer[places % len(self._buffer)], np.int16(0))
