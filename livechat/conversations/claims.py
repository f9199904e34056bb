"""Which conversation this process has: two that went on at once would write over each other."""

import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from livechat.conversations.rows import is_id

if TYPE_CHECKING:
    from filelock import BaseFileLock

log = logging.getLogger(__name__)


class Claims:
    """At most one conversation, for as long as this process lives or until `close`."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` holds a file for each conversation that was ever claimed; None: nobody else can have one."""
        self._folder = folder
        self._lock: BaseFileLock | None = None

    def take(self, conversation: str) -> bool:
        """Claim it, and give back the one before. Returns False if another process has it. Raises nothing."""
        if self._folder is None or not is_id(conversation):
            return True
        from filelock import FileLock, Timeout

        lock = FileLock(self._folder / conversation, mode=0o600)
        try:
            self._folder.mkdir(exist_ok=True, mode=0o700)
            lock.acquire(blocking=False)
        except Timeout:
            log.info("conversation %s: another livechat has it", conversation)
            return False
        except (OSError, NotImplementedError) as error:
            log.warning("conversation %s: this file system has no locks (%s)", conversation, error)
            return True
        self.close()
        self._lock = lock
        return True

    def close(self) -> None:
        """Let other processes have it. Safe to call twice."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def erase(self, conversation: str) -> None:
        """Remove what is left of a claim on a conversation that is not there any more."""
        if self._folder is not None and is_id(conversation):
            with suppress(OSError):  # Windows keeps a file that is open
                (self._folder / conversation).unlink()
