"""The details of the links: what each row says, and how many there are."""

from __future__ import annotations

from collections.abc import Callable

from livechat import events as ev
from livechat.ui.details import Details
from tests.ui.test_screen import START, Driven, at, opened

__all__ = ["at"]  # a fixture


def test_details_open_and_close(at: Callable[..., Driven]) -> None:
    terminal = opened(at)
    terminal.press("/details\r")
    terminal.until_shown("handle    a, 0:00 old, valid 2h00; 1 so far")
    terminal.show(ev.Usage(2000, 30, 2030))
    terminal.until_shown("tokens    2.0k in the context, 30 in the last answer")
    terminal.press("hello\r")
    terminal.until(lambda: terminal.reports() == ["typed hello"])
    assert "handle    a" in "\n".join(terminal.rows())  # while one goes on
    terminal.press("\x0c")
    terminal.until(lambda: "handle    a" not in "\n".join(terminal.rows()))


def test_details_of_two_links() -> None:
    details = Details()
    for now, event in (
        (100, START),
        (100, ev.LinkState(1, "connecting")),
        (101, ev.LinkState(1, "open", setup_ms=300)),
        (101, ev.HandleState("3fa2", True, 7200)),
        (102, ev.Turn(1, 800)),
        (103, ev.Turn(2, 1200)),
        (104, ev.Usage(26_000, 600, 26_600)),
        (104, ev.Spent(90_000, 0.5)),
        (105, ev.Compression(102_400, 51_200)),
        (161, ev.LinkState(1, "closing")),
        (162, ev.LinkState(1, "closed", code=1011, reason="Internal\x1b[2J", why="the server failed")),
        (162, ev.LinkState(2, "connecting")),
        (162.2, ev.LinkState(2, "open", resumed=True, setup_ms=250)),
        (162.2, ev.Handover(2, "the server failed", "resumed", 230, 1500, 0)),
    ):
        details.apply(event, now)
    assert details.rows(170) == [
        "link 2    since 1:02, open for 0:07, resumed after 0.2 s, set up in 0.2 s",
        "link 1    since 0:00, lasted 1:01, set up in 0.3 s, ended: the server failed: 1011 Internal␛[2J",
        "handle    3fa2, 1:09 old, valid 1h58; 1 so far",
        "handovers 1, longest gap 0.2 s, 1.5 s sent again, nothing lost",
        "tokens    26k in the context, 600 in the last answer",
        "spent     90k 0.5000",
        "compressed 1 times, last 102k→51k",
        "replies   1.2 s the last, 0.8 s to 1.2 s",
    ]


def test_details_stay_few_over_many_links() -> None:
    details = Details()
    for n in range(1, 500):
        details.apply(ev.LinkState(n, "connecting"), n)
        details.apply(ev.LinkState(n, "closed", why="no network"), n)
    rows = details.rows(500)
    assert len(rows) == 4
    assert rows[0] == "link 499  since 8:18, never open, ended: no network"
