"""Which microphone and speaker are used, and what they are like: the remembered choice, and `livechat devices`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from livechat import leaving
from livechat.audio.device_choice import FLAG, WORD, Device, Kind, choose
from livechat.audio.interfaces import INPUT_RATE, OUTPUT_RATE
from livechat.audio.quiet_stderr import quiet_stderr
from livechat.audio.remedies import missing
from livechat.config_file import Config, load
from livechat.conversations.store import Store, state_folder
from livechat.errors import DeviceError, LivechatError, Notice, Tell, UsageError
from livechat.ui.display import colored

if TYPE_CHECKING:
    from livechat.commands.devices_view import Row

_SYSTEM = "default"  # what --mic and --speaker take for the system's own choice

_METER_S = 5.0
_WIRE_RATES: dict[Kind, int] = {"input": INPUT_RATE, "output": OUTPUT_RATE}


class Named(Protocol):
    """A device, open or not."""

    @property
    def name(self) -> str:
        """PortAudio's name for it."""


Opened = TypeVar("Opened", bound=Named)


class Choices:
    """Which devices are usual: those that a flag named last in this profile, else those of the configuration."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store, self._profile = store, config.profile or "default"
        self._configured: dict[Kind, str | None] = {
            "input": config.values.get("mic"),
            "output": config.values.get("speaker"),
        }

    def usual(self, kind: Kind) -> tuple[str | None, str]:
        """(name, how to be rid of it); None for the system's default."""
        if name := self.remembered(kind):
            return name, f"`{FLAG[kind]} default` forgets {name}"
        name = self._configured[kind]
        return None if _is_default(name) else name, "`livechat config edit` changes it"

    def remembered(self, kind: Kind) -> str | None:
        """The device that a flag named last, if any."""
        return self._store.preferred(self._profile, kind)

    def remember(self, kind: Kind, name: str | None) -> None:
        """A flag named this device; None for none."""
        self._store.prefer(self._profile, kind, name)


def _is_default(name: str | None) -> bool:
    return name is not None and name.strip().lower() == _SYSTEM


def prefer(
    make: Callable[[str | None], Opened],
    kind: Kind,
    wanted: str | None,
    choices: Choices,
    notices: list[Notice],
) -> Opened:
    """Open the device asked for, and remember it; without one the usual, if it is there; else the default.

    Raises DeviceError or UsageError if what was asked for, or the default, cannot be opened.
    """
    if wanted is not None:
        system = _is_default(wanted)
        opened = make(None if system else wanted)
        choices.remember(kind, None if system else opened.name)
        return opened
    name, remedy = choices.usual(kind)
    if name:
        try:
            return make(name)
        except (UsageError, DeviceError) as error:
            why = error.message if isinstance(error, DeviceError) else f"the {WORD[kind]} {name} is not there"
            notices.append(Notice(f"{why}: the default is used", remedy))
    return make(None)


def main(
    *,
    mic: str | None = None,
    speaker: str | None = None,
    profile: str | None = None,
    json: bool = False,
    test: bool = False,
) -> int:
    """`livechat devices`. Returns the exit code; raises DeviceError, UsageError or ConfigError."""
    from livechat.commands import devices_view as ui
    from livechat.ui.plain import Plain

    def tell(notice: Notice) -> None:
        if json:
            ui.as_json(sys.stdout, notice.type, notice)
        else:
            color = colored(os.environ, tty=sys.stderr.isatty())
            with contextlib.closing(Plain(sys.stdout, sys.stderr, color=color)) as plain:
                plain.show(notice)

    config = load(os.environ, profile)
    with quiet_stderr(), contextlib.closing(open_store(tell)) as store:
        choices = Choices(store, config)
        return leaving.run(_main({"input": mic, "output": speaker}, choices, tell, json=json, test=test))


def open_store(tell: Tell) -> Store:
    """Where choices are kept; in memory alone, and `tell` is told, where nothing can be."""
    try:
        return Store(state_folder(os.environ) / "conversations.sqlite3", on_trouble=tell)
    except LivechatError as error:
        tell(error.notice)
        return Store(None, on_trouble=tell)


async def _main(
    wishes: dict[Kind, str | None],
    choices: Choices,
    tell: Tell,
    *,
    json: bool,
    test: bool,
) -> int:
    from livechat.audio.dsp import level
    from livechat.audio.loopback_test import measure
    from livechat.audio.microphone import Microphone
    from livechat.audio.portaudio import Card, list_devices, platform
    from livechat.commands import devices_view as ui

    card = Card(tell)
    found = card.call(list_devices)
    notices: list[Notice] = []
    chosen: dict[Kind, Device] = {}
    lacking: list[DeviceError] = []
    for kind, wanted in wishes.items():
        try:
            chosen[kind] = prefer(partial(choose, found, kind=kind, where=platform()), kind, wanted, choices, notices)
        except DeviceError as error:
            if wanted is not None:
                raise
            lacking.append(error)
    if not chosen:
        raise DeviceError("there is neither microphone nor speaker", missing(platform()))
    rows = card.call(partial(_rows, found, chosen))
    if json:
        for row in rows:
            ui.as_json(sys.stdout, "device", row)
    else:
        (ui.as_tables if sys.stdout.isatty() else ui.as_lines)(sys.stdout, rows)
    for notice in (*notices, *(error.notice for error in lacking)):
        tell(notice)
    if test:
        if lacking:
            raise lacking[0]
        tested = await measure(card, str(chosen["input"].index), str(chosen["output"].index))
        if json:
            ui.as_json(sys.stdout, "test", tested)
        else:
            ui.say_test(sys.stdout, tested.verdict, tested.hint)
    elif "input" in chosen and not json and sys.stdin.isatty() and sys.stdout.isatty():
        with contextlib.closing(Microphone(card, str(chosen["input"].index))) as microphone:
            later: list[Notice] = []
            card.notice = later.append  # not into the moving line
            levels = (level(frame) async for frame in microphone.frames())
            await ui.meter(sys.stdout, microphone.name, levels, _METER_S)
            for notice in later:
                tell(notice)
    return 0


def _rows(found: Sequence[Device], chosen: dict[Kind, Device]) -> list[Row]:
    """Each device once for each direction. On PortAudio's thread: it tries each out."""
    from livechat.audio.portaudio import taken
    from livechat.commands.devices_view import Row

    rows = []
    for kind, wire_rate in _WIRE_RATES.items():
        for device in found:
            if channels := device.channels(kind):
                opens = taken(device, kind, wire_rate)
                rows.append(
                    Row(
                        kind=WORD[kind],
                        number=device.index,
                        name=device.name,
                        host=device.host,
                        channels=channels,
                        rate=device.rate,
                        takes=opens[0] if opens else None,
                        default=device.is_default(kind),
                        chosen=device is chosen.get(kind),
                    )
                )
    return rows
