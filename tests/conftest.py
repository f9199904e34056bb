"""What every test begins with, and how the tests are spread over the processors.

Each of pytest-xdist's workers takes the next test. Tests that hear a sound card are one group: one worker runs them
in turn, and mostly waits for sound to be played. Others wait for programs they start. So there are two workers more
than processors. The others give way to the group, as sound that is late is lost.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.examples import USUAL
from tests.support.program import environment
from tests.support.virtual_card import virtual_card

__all__ = ["virtual_card"]  # the fixture `card`

settings.register_profile("thorough", max_examples=10 * USUAL)


def pytest_configure() -> None:
    """A run in the background, or under nohup, ignores signals; the programs that tests start would inherit that."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """No worker for one file: most files are done before a worker is ready."""
    return 0 if len(config.args) == 1 and ".py" in config.args[0] else (os.cpu_count() or 1) + 2


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A worker gives way from its first test without the card. The card's group comes first."""
    if "PYTEST_XDIST_WORKER" in os.environ and not hears(item):
        os.nice(max(0, 10 - os.nice(0)))


def hears(item: pytest.Item) -> bool:
    """The test uses the sound card, or compares real sound in real time (`real_time`): a late block spoils both."""
    return "card" in getattr(item, "fixturenames", ()) or item.get_closest_marker("real_time") is not None


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group what late sound would spoil. What takes longest comes first, so that nothing is waited for alone."""
    for item in items:
        if hears(item):
            item.add_marker(pytest.mark.xdist_group("card"))
    items.sort(key=lambda item: (not hears(item), item.path.parent.name != "whole"))


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The environment of a program that this test starts: without keys, and with a state of its own."""
    return environment(tmp_path)
