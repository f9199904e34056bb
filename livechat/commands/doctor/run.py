"""`livechat doctor`: runs the checks in their order, and shows each as soon as it is known."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace

from livechat.commands.doctor import (
    configuration,
    installation,
    network,
    pictures,
    sound,
    storage,
    terminal,
    trial_call,
)
from livechat.commands.doctor.finding import Check, Finding, Subject, failed
from livechat.errors import ConfigError, LivechatError
from livechat.ui.display import colored, tolerant
from livechat.ui.safe_text import clean

# In this order: what comes later may need what comes before.
CHECKS: dict[str, Check] = {
    "python": installation.python,
    "packages": installation.packages,
    "speech-models": installation.speech_models,
    "portaudio": sound.portaudio,
    "microphone": sound.microphone,
    "speaker": sound.speaker,
    "echo": sound.echo,
    "screen": pictures.screen,
    "camera": pictures.camera,
    "terminal": terminal.terminal,
    "keys": terminal.keys,
    "settings": configuration.settings,
    "key": network.key,
    "proxy": network.proxied,
    "dns": network.dns,
    "tls": network.tls,
    "clock": network.clock,
    "server": network.session,
    "conversations": storage.conversations,
    "disk": storage.disk,
    "call": trial_call.call,
}
_WAITED_FOR = {
    "echo": "listening, then playing a chirp",
    "server": "setting up a session",
    "call": "holding a conversation with the embedded server",
}
_COLORS = {"ok": "32", "warn": "33", "fail": "31", "skip": "2"}
_STATUS, _ID = 6, max(map(len, CHECKS)) + 2  # cells


def doctor(*, as_json: bool) -> int:
    """Run every check. Returns the exit code: that of ConfigError if one failed."""
    tolerant(sys.stdout)
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    counted = {"ok": 0, "warn": 0, "fail": 0, "skip": 0}
    for finding in _findings(Subject(os.environ, at_terminal), quiet=as_json or not sys.stderr.isatty()):
        counted[finding.status] += 1
        if as_json:
            first = {"type": "check", "id": finding.id}
            print(json.dumps(first | dataclasses.asdict(finding)), flush=True)  # noqa: T201
        else:
            _print(finding)
    if not as_json:
        print(_conclusion(counted))  # noqa: T201
    return ConfigError.exit_code if counted["fail"] else 0


def _findings(subject: Subject, *, quiet: bool) -> Iterator[Finding]:
    for identity, check in CHECKS.items():
        waited_for = "" if quiet else _WAITED_FOR.get(identity, "")
        if waited_for:
            sys.stderr.write(f"      {waited_for} ...")
            sys.stderr.flush()
        finding = _found(check, subject)
        if waited_for:
            sys.stderr.write("\r\x1b[K")
        if finding.status == "fail" or (finding.status == "warn" and identity in ("dns", "tls")):
            subject.failed.add(identity)
        yield replace(finding, id=identity).redacted(subject.environ)


def _found(check: Check, subject: Subject) -> Finding:
    """What the check finds. One that fails itself is a finding too: the others still run."""
    try:
        return check(subject)
    except LivechatError as error:
        return failed(error)
    except Exception as error:  # noqa: BLE001 - what is wrong with a machine may raise anything
        return Finding("fail", f"it could not be checked: {type(error).__name__}", str(error), "report it")


def _print(finding: Finding) -> None:
    """The summary in a row of the table; below it what is to be known where something is wrong."""
    color = _COLORS[finding.status] if colored(os.environ, tty=sys.stdout.isatty()) else ""
    status = finding.status.ljust(_STATUS)
    head = f"\x1b[{color}m{status}\x1b[0m" if color else status
    rows = _rows(finding.summary)
    print(f"{head}{finding.id:<{_ID}}{rows[0]}")  # noqa: T201
    more = rows[1:]
    if finding.status != "ok":
        more += _rows(finding.detail) if finding.detail else []
        more += _rows(f"-> {finding.remedy}") if finding.remedy else []
    for row in more:
        print(" " * (_STATUS + _ID) + row)  # noqa: T201
    sys.stdout.flush()


def _rows(text: str) -> list[str]:
    """Broken at words at a terminal; one row in a pipe."""
    if not sys.stdout.isatty():
        return [clean(text)]
    room = max(20, shutil.get_terminal_size().columns - _STATUS - _ID - 1)
    return textwrap.wrap(clean(text), room, break_on_hyphens=False) or [""]


def _conclusion(counted: dict[str, int]) -> str:
    if counted["fail"]:
        return f"{counted['fail']} failed, {counted['warn']} to look at"
    return f"nothing failed, {counted['warn']} to look at" if counted["warn"] else "all is well"
