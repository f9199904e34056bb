"""Why a link ended, as the real SDK and a real socket tell it."""

from __future__ import annotations

import socket
import struct
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection

from livechat.session.events import Ended
from livechat.session.link_end import ended, system_words
from tests.support.scripted_link import frames, link_against


def test_a_close_keeps_its_code_and_reason() -> None:
    seen = link_against(frames(close=(1008, "The operation was aborted.")))
    assert seen.end == Ended(7, "close", 1008, "The operation was aborted.")


def test_a_cut_connection_is_a_network_failure() -> None:
    async def cut(ws: ServerConnection) -> None:
        raw = ws.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ws.transport.abort()

    seen = link_against(cut)
    assert (seen.end.how, seen.end.code) == ("network", 1006)


def test_a_setup_that_is_never_answered_ends_in_ten_seconds() -> None:
    seen = link_against(None)
    assert seen.posted == [Ended(7, "timeout")]


@pytest.mark.parametrize(
    "status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE]
)
def test_a_refused_upgrade_keeps_its_status(status: HTTPStatus) -> None:
    assert link_against(frames(), status=status).posted == [Ended(7, "http", status.value)]


def test_a_certificate_nobody_trusts_is_said_to_be_that() -> None:
    seen = link_against(frames(), trust=False)
    assert seen.end.how == "tls"
    assert "certificate" in seen.end.reason


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('192.0.2.1', 443)"), "connection refused"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('192.0.2.1', 443), [Errno 113] x"),
         "connection refused"),
        (OSError("Connect call failed ('192.0.2.1', 443)"), ""),
    ],
)  # fmt: skip
def test_the_systems_words_hold_no_address(error: OSError, words: str) -> None:
    assert system_words(error) == words
    assert ended(7, error) == Ended(7, "network", reason=words)
