"""What was played lately. Also the type of 16-bit sound."""

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]


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
