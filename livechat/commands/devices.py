"""`livechat devices`: lists microphones and speakers, tests them, and shows the level of the one in use."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from livechat import leaving
from livechat.audio.device_choice import WIRE_RATE, WORD, Device, Kind, choose
from livechat.audio.quiet_stderr import quiet_stderr
from livechat.audio.remedies import MISSING
from livechat.commands.notices import Notices
from livechat.commands.remember_devices import Choices, open_preferred, open_store
from livechat.config_file import load
from livechat.errors import DeviceError, Notice
from livechat.ui.display import colored

if TYPE_CHECKING:
    from livechat.audio.card import Card
    from livechat.commands.devices_view import DeviceRow

_METER_S = 5.0


def devices(
    *,
    mic: str | None = None,
    speaker: str | None = None,
    profile: str | None = None,
    as_json: bool = False,
    test: bool = False,
) -> int:
    """List the devices. Returns the exit code; raises DeviceError, UsageError or ConfigError."""
    config = load(os.environ, profile)
    notify = Notices()
    with quiet_stderr(), contextlib.closing(open_store(notify)) as store:
        choices = Choices(store, config)
        return leaving.run(_devices({"input": mic, "output": speaker}, choices, notify, as_json=as_json, test=test))


async def _devices(
    wanted: dict[Kind, str | None], choices: Choices, notify: Notices, *, as_json: bool, test: bool
) -> int:
    from livechat.audio.card import Card
    from livechat.audio.portaudio import list_devices, platform
    from livechat.commands import devices_view as view

    card = Card(notify)
    found = card.call(list_devices)
    chosen: dict[Kind, Device] = {}
    lacking: list[DeviceError] = []
    for kind, name in wanted.items():
        fitting = partial(choose, found, kind=kind, where=platform())
        try:
            chosen[kind] = open_preferred(fitting, kind, name, choices, notify)
        except DeviceError as error:
            if name is not None:
                raise
            lacking.append(error)
            notify(error.notice)
    if not chosen:
        raise DeviceError("there is neither microphone nor speaker", MISSING[platform()])
    rows = card.call(partial(_rows, found, chosen))
    if as_json:
        for row in rows:
            view.as_json(sys.stdout, "device", row)
    else:
        (view.as_tables if sys.stdout.isatty() else view.as_lines)(sys.stdout, rows)
    notify.show_on(_print_json if as_json else _print)
    if test and lacking:
        raise lacking[0]
    if test:
        await _test(card, chosen, as_json=as_json)
    elif "input" in chosen and not as_json and sys.stdin.isatty() and sys.stdout.isatty():
        await _meter(card, chosen["input"], notify)
    return 0


async def _test(card: Card, chosen: dict[Kind, Device], *, as_json: bool) -> None:
    """Play a chirp, listen for it, and say what that means."""
    from livechat.audio.loopback_test import measure
    from livechat.commands import devices_view as view

    tested = await measure(card, str(chosen["input"].index), str(chosen["output"].index))
    if as_json:
        view.as_json(sys.stdout, "test", tested)
    else:
        view.say_test(sys.stdout, tested.verdict, tested.hint)


async def _meter(card: Card, device: Device, notify: Notices) -> None:
    """Show the level of this microphone for a while."""
    from livechat.audio.dsp import level
    from livechat.audio.microphone import Microphone
    from livechat.commands import devices_view as view

    with contextlib.closing(Microphone(card, str(device.index))) as microphone:
        notify.wait()  # a notice would tear the moving line
        await view.meter(sys.stdout, microphone.name, (level(frame) async for frame in microphone.frames()), _METER_S)
        notify.show_on(_print)


def _print(notice: Notice) -> None:
    from livechat.ui.plain import Plain

    color = colored(os.environ, tty=sys.stderr.isatty())
    with contextlib.closing(Plain(sys.stdout, sys.stderr, color=color)) as plain:
        plain.show(notice)


def _print_json(notice: Notice) -> None:
    from livechat.commands import devices_view as view

    view.as_json(sys.stdout, notice.type, notice)


def _rows(found: Sequence[Device], chosen: dict[Kind, Device]) -> list[DeviceRow]:
    """Each device once for each direction. Call it on PortAudio's thread: it tries each device out."""
    from livechat.audio.portaudio import supported_format
    from livechat.commands.devices_view import DeviceRow

    rows = []
    for kind, wire_rate in WIRE_RATE.items():
        for device in found:
            if channels := device.channels(kind):
                opens = supported_format(device, kind, wire_rate)
                rows.append(
                    DeviceRow(
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
