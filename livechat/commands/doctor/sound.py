"""PortAudio, microphone and speaker, and the way of the sound from one to the other."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

from livechat.audio.card import Card
from livechat.audio.device_choice import WIRE_RATE, Device, Kind, choose
from livechat.audio.dsp import SILENCE_DBFS
from livechat.audio.portaudio import list_devices, platform, sounddevice, supported_format
from livechat.audio.quiet_stderr import quiet_stderr
from livechat.audio.remedies import SILENT, hands_free, is_hands_free, monitor, refused
from livechat.commands.doctor.finding import Finding, Subject, failed
from livechat.commands.remember_devices import Choices, open_preferred, open_store
from livechat.errors import DeviceError, Notice

_QUIET_DBFS, _NOISY_DBFS = -84.0, -35.0


def portaudio(_: Subject) -> Finding:
    try:
        version = sounddevice().get_portaudio_version()[1]
    except DeviceError as error:
        return failed(error)
    return Finding("ok", version.partition(",")[0])


def microphone(subject: Subject) -> Finding:
    return _device(subject, "input")


def speaker(subject: Subject) -> Finding:
    return _device(subject, "output")


def echo(subject: Subject) -> Finding:
    """What the microphone hears, while the speaker is silent and while it plays a chirp."""
    from livechat.audio.loopback_test import measure

    if lacking := {"portaudio", "microphone", "speaker"} & subject.failed:
        return Finding("skip", f"it needs {' and '.join(sorted(lacking))}")
    with quiet_stderr():
        card, chosen = _chosen(subject)
        tested = asyncio.run(measure(card, str(chosen["input"].index), str(chosen["output"].index)))
    noise = f"{tested.noise_dbfs:.0f} dBFS of noise"
    if tested.echo_db is None and tested.noise_dbfs <= SILENCE_DBFS:
        return Finding("fail", "the microphone gives digital silence", remedy=SILENT[platform()])
    if tested.noise_dbfs >= _NOISY_DBFS:
        return Finding("warn", f"the room is loud: {noise}", tested.verdict, "use a microphone nearer to you")
    if tested.echo_db is None:
        quiet = "turn the microphone up" if tested.noise_dbfs < _QUIET_DBFS else ""
        return Finding("warn" if quiet else "ok", tested.verdict, remedy=quiet or tested.hint)
    used = getattr(subject.settled(), "echo", "cancel")
    fits = tested.recommended in (used, "off")
    return Finding("ok" if fits else "warn", tested.verdict, noise, "" if fits else tested.hint)


def _device(subject: Subject, kind: Kind) -> Finding:
    if "portaudio" in subject.failed:
        return Finding("skip", "it needs PortAudio")
    with quiet_stderr():
        try:
            card, chosen = _chosen(subject, kind)
        except DeviceError as error:
            return failed(error)
        device = chosen[kind]
        opens = card.call(partial(supported_format, device, kind, WIRE_RATE[kind]))
    summary = f"{device.name} ({device.host})"
    if opens is None:
        return Finding("fail", f"{summary} does not open", remedy=refused(platform(), ()))
    rate, channels = opens
    detail = f"{rate} Hz, {channels} channel{'s' * (channels > 1)}"
    if kind == "input" and (remedy := monitor(device.name)):
        return Finding("warn", f"{summary} is no microphone", detail, remedy)
    if kind == "input" and is_hands_free(device.name, device.host, device.channels(kind), device.rate):
        notice = hands_free(device.name)
        return Finding("warn", notice.message, detail, notice.hint)
    return Finding("ok", summary, detail)


def _chosen(subject: Subject, *kinds: Kind) -> tuple[Card, dict[Kind, Device]]:
    """The devices that a conversation would use. Raises DeviceError where there is none."""
    told: list[Notice] = []
    card = Card(told.append)
    found = card.call(list_devices)
    with contextlib.closing(open_store(told.append)) as store:
        choices = Choices(store, subject.config)
        chosen: dict[Kind, Device] = {}
        for kind in kinds or WIRE_RATE:
            fitting = partial(choose, found, kind=kind, where=platform())
            chosen[kind] = open_preferred(fitting, kind, None, choices, told.append)
    return card, chosen
