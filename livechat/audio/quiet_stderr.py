"""Keeps what C libraries print on standard error off the screen."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator

from livechat.process import text_to


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Inside it, file descriptor 2 leads nowhere, but Python's sys.stderr still writes to where it wrote before.

    PortAudio, ALSA and JACK print to descriptor 2 when they look for a device or lose one. May be nested.
    """
    before, stream = sys.stderr, None
    saved = os.dup(2)
    with contextlib.suppress(AttributeError, io.UnsupportedOperation):  # no stream, or one without a descriptor
        if before.fileno() == 2:
            before.flush()
            stream = text_to(os.dup(2), before, forgiving=True, owned=True)
            sys.stderr = stream
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        if stream:
            sys.stderr = before
            stream.close()
