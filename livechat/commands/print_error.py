"""How every command ends: with its exit code and, where something went wrong, an error and a hint on stderr.

| code | meaning | raised as |
|---|---|---|
| 0 | done | |
| 1 | a bug in livechat | any other exception |
| 2 | a wrong flag, argument or file | UsageError |
| 3 | the key or the configuration is missing or refused | ConfigError |
| 4 | a microphone, a speaker or a sound file cannot be used | DeviceError |
| 5 | the conversation is lost | LostError |
| 130 | interrupted | KeyboardInterrupt |
"""

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from livechat import process
from livechat.errors import INTERRUPTED, LivechatError, UsageError

# A full disk, and a stream that is open for reading alone.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def exit_with(run: Callable[[], int]) -> NoReturn:
    """Run, and end the program with the code that this returns, or that stands for what it raises."""
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:  # `livechat sessions | head -1`
        _write_no_more()
        code = 0
    except LivechatError as error:
        code = print_error(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as error:
        if error.errno in _FULL:
            _write_no_more()
            full = UsageError(f"writing failed: {error.strerror}", "free some space, or write somewhere else")
            code = print_error(full)
        elif error.filename is not None:  # the system may refuse any path
            name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
            code = print_error(UsageError(f"{name} cannot be used: {error.strerror}", "name another file or folder"))
        else:
            code = _print_bug(error)
    except Exception as error:  # noqa: BLE001 - the last resort: a traceback helps nobody who sees it
        code = _print_bug(error)
    process.ending(code)


def print_error(error: LivechatError) -> int:
    """Write `error: …` and, with a remedy, `hint: …` to stderr. Returns the exit code."""
    from livechat.ui.display import colored, tolerant
    from livechat.ui.plain import error_lines

    tolerant(sys.stderr)
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(error_lines(error, color=colored(os.environ, tty=sys.stderr.isatty())))
        sys.stderr.flush()
    return error.exit_code


def _print_bug(error: Exception) -> int:
    """Say that there is a bug. Log where, but not the exception's message, which may hold what somebody said."""
    import logging
    import traceback

    where = "".join(traceback.format_tb(error.__traceback__))
    logging.getLogger(__name__).error("%s\n%s", type(error).__name__, where)
    sys.stderr.write(
        f"error: livechat has a bug: {type(error).__name__}\nhint: please report it; --log-file shows where\n"
    )
    return 1


def _write_no_more() -> None:
    from livechat.ui.display import write_no_more

    write_no_more(sys.stdout)
