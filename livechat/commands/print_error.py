"""How every command ends: with an exit code and, where something went wrong, one line and a hint."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from livechat.errors import INTERRUPTED, LivechatError, UsageError

# What a disk says that takes no more, and a stream that is open for reading alone.
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
        code = _say(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as error:
        if error.errno in _FULL:
            _write_no_more()
            code = _say(UsageError(f"writing failed: {error.strerror}", "free some space, or write somewhere else"))
        elif error.filename is not None:  # whatever a path is for, the system may refuse it
            name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
            code = _say(UsageError(f"{name} cannot be used: {error.strerror}", "name another file or folder"))
        else:
            code = _say_bug(error)
    except Exception as error:  # noqa: BLE001 - the last resort: a traceback helps nobody who sees it
        code = _say_bug(error)
    leaving = sys.modules.get("livechat.leaving")  # not before a command needs it: it loads asyncio
    if leaving is not None and leaving.held:
        leaving.gone(code)
    raise SystemExit(code)


def _say(error: LivechatError) -> int:
    """Write the error and its hint; returns its exit code."""
    from livechat.ui.plain import report

    report(error)
    return error.exit_code


def _say_bug(error: Exception) -> int:
    """Say that there is one; log where, but not its message: that may hold what somebody said."""
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
