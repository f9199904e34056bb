"""Which microphone and speaker are used: the one a flag names, the one it named last, or the system's default."""

import logging
import os
from collections.abc import Callable
from typing import Protocol, TypeVar

from livechat.audio.device_choice import FLAG, WORD, Kind
from livechat.config_file import Config
from livechat.conversations.rows import FILE
from livechat.conversations.store import Store
from livechat.errors import DeviceError, LivechatError, Notice, Notify, UsageError
from livechat.paths import state_folder

_log = logging.getLogger(__name__)

_SYSTEM = "default"  # what --mic and --speaker take for the system's own choice


class Named(Protocol):
    """A device, open or not."""

    @property
    def name(self) -> str:
        """PortAudio's name for it."""


Opened = TypeVar("Opened", bound=Named)


class Choices:
    """The usual devices of one profile: those that a flag named last, or else those of the configuration file."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store, self._profile = store, config.profile or _SYSTEM
        self._configured: dict[Kind, str | None] = {
            "input": config.values.get("mic"),
            "output": config.values.get("speaker"),
        }

    def usual(self, kind: Kind) -> tuple[str | None, str]:
        """(name, what makes it usual no more). None: the system's default."""
        if name := self.remembered(kind):
            return name, f"`{FLAG[kind]} default` forgets {name}"
        name = self._configured[kind]
        return None if _is_default(name) else name, "`livechat config edit` changes it"

    def remembered(self, kind: Kind) -> str | None:
        """The device that a flag named last, if any."""
        return self._store.preferred(self._profile, kind)

    def remember(self, kind: Kind, name: str | None) -> None:
        """A flag named this device; None for the system's default."""
        self._store.prefer(self._profile, kind, name)


def open_store(notify: Notify, *, needed: bool = False) -> Store:
    """The store of this computer, which also remembers devices. Where it cannot be used, one in memory, and a notice.

    Raises UsageError instead if it is `needed`.
    """
    try:
        return Store(state_folder(os.environ) / FILE, on_trouble=notify)
    except LivechatError as error:
        if needed:
            raise UsageError(error.message, error.hint) from None
        notify(error.notice)
        return Store(None, on_trouble=notify)


def open_preferred(
    make: Callable[[str | None], Opened], kind: Kind, wanted: str | None, choices: Choices, notify: Notify
) -> Opened:
    """Open the device that is `wanted`, and remember it. For None the usual one if it is there, or else the default.

    Raises DeviceError or UsageError if the device that is wanted, or the default, cannot be opened.
    """
    if wanted is not None:
        _log.info("the %s asked for is %s", WORD[kind], wanted)
        system = _is_default(wanted)
        opened = make(None if system else wanted)
        choices.remember(kind, None if system else opened.name)
        return opened
    name, remedy = choices.usual(kind)
    _log.info("no %s is asked for; the usual one is %s", WORD[kind], name or "the default")
    if name:
        try:
            return make(name)
        except (UsageError, DeviceError) as error:
            why = error.message if isinstance(error, DeviceError) else f"the {WORD[kind]} {name} is not there"
            notify(Notice(f"{why}: the default is used", remedy))
    return make(None)


def _is_default(name: str | None) -> bool:
    return name is not None and name.strip().lower() == _SYSTEM
