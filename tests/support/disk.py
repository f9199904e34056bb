"""A disk that fills up, for this process alone."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def small_disk() -> Iterator[Callable[[int], None]]:
    """Gives what limits any file to so many bytes; the limit goes with the block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        yield lambda room: resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
