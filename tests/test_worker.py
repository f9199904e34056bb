"""Blocking calls on a thread that nobody waits for."""

from __future__ import annotations

import threading

import pytest

from livechat.worker import Worker
from tests.support.sound_line import python


def test_calls_run_one_after_the_other_on_one_thread_and_give_their_results() -> None:
    worker = Worker("test")
    done: list[int] = []

    def call(number: int) -> str:
        done.append(number)
        return threading.current_thread().name

    names = [worker.submit(call, number) for number in range(50)]
    assert {name.result(10) for name in names} == {"test"}
    assert done == list(range(50))


def test_a_call_that_fails_gives_its_error_and_the_next_one_runs() -> None:
    worker = Worker("test")
    failed, next_one = worker.submit(int, "no number"), worker.submit(int, "7")
    assert next_one.result(10) == 7
    with pytest.raises(ValueError, match="no number"):
        failed.result(10)


def test_a_call_that_was_cancelled_before_its_turn_does_not_run() -> None:
    worker, go_on = Worker("test"), threading.Event()
    ran: list[str] = []
    worker.submit(go_on.wait)
    cancelled = worker.submit(ran.append, "cancelled")
    assert cancelled.cancel()
    go_on.set()
    worker.submit(ran.append, "next").result(10)
    assert ran == ["next"]


def test_a_call_that_hangs_does_not_keep_the_process_from_ending() -> None:
    program = (
        "import threading\n"
        "from livechat.worker import Worker\n"
        "Worker('test').submit(threading.Event().wait)\n"
        "print('the end')\n"
    )
    with python(program) as process:
        assert process.communicate(timeout=20) == ("the end\n", "")
    assert process.returncode == 0
