"""The pytest fixtures `live_server` and `live_server_of_module`.

pytest loads this file in every run, so it imports little.

@pytest.mark.live_server(faults="drop@2s")
def test_my_client_reconnects(live_server): ...
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from livechat.testing import LiveServer

_MARK = "live_server(**options): options of livechat.testing.LiveServer for the fixture of this name"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def live_server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """A Live server for this test. The mark `live_server` gives its options."""
    from livechat.testing import LiveServer

    mark = request.node.get_closest_marker("live_server")
    with LiveServer(**(mark.kwargs if mark else {})) as server:
        yield server


@pytest.fixture(scope="module")
def live_server_of_module() -> Iterator[LiveServer]:
    """One Live server for all tests of a module."""
    from livechat.testing import LiveServer

    with LiveServer() as server:
        yield server
