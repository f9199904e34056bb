"""What a person and a script see of each way in which a command ends."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import NoReturn

import pytest

from livechat.commands.print_error import exit_with
from livechat.errors import ConfigError, DeviceError, LostError, UsageError


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def run() -> NoReturn:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "first"),
    [
        (UsageError("a"), 2, "error: a"),
        (ConfigError("a"), 3, "error: a"),
        (DeviceError("a"), 4, "error: a"),
        (LostError("a"), 5, "error: a"),
        (KeyboardInterrupt(), 130, ""),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), 2, "error: /root/x cannot be used"),
        (ValueError("what somebody said"), 1, "error: livechat has a bug: ValueError"),
    ],
)
def test_each_error_has_its_code_and_one_line(
    error: BaseException, code: int, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        exit_with(raising(error))
    assert ended.value.code == code
    said = capsys.readouterr().err
    assert said.startswith(first)
    assert "what somebody said" not in said


def test_a_remedy_is_a_line_of_its_own_and_nothing_in_either_moves_the_cursor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        exit_with(raising(UsageError("no\x1b[2J", "do this")))
    assert capsys.readouterr().err == "error: no␛[2J\nhint: do this\n"


def test_a_command_that_ends_well_gives_its_own_code() -> None:
    with pytest.raises(SystemExit) as ended:
        exit_with(lambda: 7)
    assert ended.value.code == 7
