"""What every test begins with."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """A run in the background, or under nohup, ignores signals; the programs that tests start would inherit that."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
