"""Which microphone and speaker are used, and what they are like: the remembered choice, and `livechat devices`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from livechat.audio.choose import FLAG, WORD, Kind
from livechat.errors import DeviceError, UsageError
from livechat.store import Store

if TYPE_CHECKING:
    from livechat.audio.device import Stream

_PROFILE = "default"
_SYSTEM = "default"  # what --mic and --speaker take for the system's own choice

Opened = TypeVar("Opened", bound="Stream")


def prefer(
    make: Callable[[str | None], Opened],
    kind: Kind,
    wanted: str | None,
    store: Store,
    notices: list[tuple[str, str]],
) -> Opened:
    """Open the device asked for, and remember it; without one that remembered, if it is there; else the default.

    Raises DeviceError or UsageError if what was asked for, or the default, cannot be opened.
    """
    if wanted is not None:
        system = wanted.strip().lower() == _SYSTEM
        opened = make(None if system else wanted)
        store.prefer(_PROFILE, kind, None if system else opened.name)
        return opened
    if name := store.preferred(_PROFILE, kind):
        try:
            return make(name)
        except (UsageError, DeviceError) as error:
            why = error.message if isinstance(error, DeviceError) else f"the {WORD[kind]} {name} is not there"
            notices.append((f"{why}: the default is used", f"`{FLAG[kind]} default` forgets {name}"))
    return make(None)
