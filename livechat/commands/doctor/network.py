"""The key, and the way to the server: proxy, name, TLS, clock, and a session that is set up and closed again.

A session that is set up uses no tokens. Without a key nothing of this is needed, so what fails is a warning.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from livechat.commands.doctor.finding import Finding, Status, Subject
from livechat.errors import KEY_PAGE
from livechat.session import proxy, trust
from livechat.session.events import Dial, Ended, Opened, Wire
from livechat.session.verdicts import judge
from livechat.settings import KEYS, Settings, bare, could_be_key

_GOOGLE = "generativelanguage.googleapis.com"
_SETUP_S = 20.0
_LATE_S, _WRONG_S = 30.0, 300.0  # of the clock; certificates and tokens are refused by one that is far out
_SHORTEST_KEY = 20
_NO_SERVER = "without a key livechat talks to its embedded server"


def key(subject: Subject) -> Finding:
    """Its form alone: whether it is accepted, `server` finds."""
    given = {name: value for name in KEYS if (value := subject.environ.get(name))}
    used = subject.settled()
    if used is not None and used.backend == "vertex":
        return Finding("ok", f"Vertex AI, with {used.key_from or 'a key'}")
    if not given:
        remedy = f"for Gemini make a key at {KEY_PAGE}, and set GEMINI_API_KEY; or talk --offline"
        return Finding("warn", "none is set", _NO_SERVER, remedy)
    name, value = next(iter(given.items()))
    stripped = bare(value)
    if not could_be_key(stripped):
        return Finding("fail", f"{name} holds a character that no key has", remedy=f"copy it again from {KEY_PAGE}")
    if len(stripped) < _SHORTEST_KEY:
        return Finding("fail", f"{name} is too short for a key", remedy=f"copy it again from {KEY_PAGE}")
    if len(set(map(bare, given.values()))) > 1:
        return Finding(
            "warn", f"{' and '.join(given)} differ: {name} is used", remedy="unset the one you do not mean"
        )
    if stripped != value:
        return Finding(
            "warn", f"{name} has quotes, spaces or line ends around it", "they are left out", f"set {name} anew"
        )
    return Finding("ok", f"{name} has the form of a key")


def proxied(subject: Subject) -> Finding:
    host, port = _server(subject)
    try:
        found = proxy.proxy_for(host, port)
    except proxy.Blocked as error:
        return Finding("fail", error.why, remedy=error.hint)
    if found is None:
        return Finding("ok", f"none: {host} is dialled directly")
    return Finding("ok", f"{found.shown} ({found.source})", "with a login" if found.login else "without a login")


def dns(subject: Subject) -> Finding:
    host, port = _server(subject)
    through = None if "proxy" in subject.failed else proxy.proxy_for(host, port)
    if through is not None:
        host = urlsplit(through.address).hostname or host
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        remedy = "look at the network; or name a proxy in https_proxy, if there is one here"
        return Finding(_bad(subject), f"{host} cannot be looked up", error.strerror or str(error), remedy)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    return Finding("ok", f"{host} is {addresses[0]}", f"{len(addresses)} addresses")


def tls(subject: Subject) -> Finding:
    answered = _answer(subject)
    if isinstance(answered, Finding):
        return answered
    subject.greeting = answered
    return Finding("ok", f"{_server(subject)[0]} answers, and its certificate is trusted")


def clock(subject: Subject) -> Finding:
    """This computer's clock against the server's."""
    if "tls" in subject.failed:
        return Finding("skip", "it needs TLS")
    answered = _answer(subject) if subject.greeting is None else subject.greeting
    if isinstance(answered, Finding):
        return Finding("skip", "it needs TLS")
    told = answered.get("date")
    if not told:
        return Finding("skip", "the server does not tell the time")
    off = time.time() - parsedate_to_datetime(told).timestamp()
    if abs(off) < _LATE_S:
        return Finding("ok", f"it differs from the server's by less than {_LATE_S:.0f} s")
    summary = f"it is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the server's"
    return Finding("fail" if abs(off) > _WRONG_S else "warn", summary, remedy="let the system set its clock (NTP)")


def session(subject: Subject) -> Finding:
    """A real session: dialled, set up, and closed."""
    used = subject.settled()
    if used is None:
        return Finding("skip", "it needs settings that can be used")
    if used.backend == "offline":
        return Finding("skip", _NO_SERVER, "`call` tries that one")
    told = asyncio.run(_set_up(used))
    if isinstance(told, Opened):
        return Finding("ok", f"{used.model} is set up in {told.setup_ms:.0f} ms")
    verdict = judge(told, setting_up=True, age_s=0.0)
    return Finding("fail", verdict.why, f"{told.how} {told.code or ''} {told.reason}".strip(), verdict.hint)


async def _set_up(used: Settings) -> Opened | Ended:
    from livechat.session.link import Dialler

    told: asyncio.Queue[Wire] = asyncio.Queue()
    link = Dialler(used).dial(Dial(1, None, transparent=False), told.put_nowait)
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(_SETUP_S):
            while not isinstance(first := await told.get(), Opened | Ended):
                pass
            return first
    except TimeoutError:
        return Ended(1, "timeout")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _server(subject: Subject) -> tuple[str, int]:
    """Host and port of the server that is configured; Gemini's where none is."""
    used = subject.settled()
    if used is not None and used.endpoint:
        parts = urlsplit(used.endpoint)
        return parts.hostname or "", parts.port or 443
    if used is not None and used.backend == "vertex":
        return f"{used.location}-aiplatform.googleapis.com", 443
    return _GOOGLE, 443


def _bad(subject: Subject) -> Status:
    used = subject.settled()
    return "warn" if used is not None and used.backend == "offline" else "fail"


def _answer(subject: Subject) -> Mapping[str, str] | Finding:
    """The headers that the server answers with, or a Finding where it does not answer."""
    from livechat.session.dialling import greeting
    from livechat.session.link import load_sdk
    from livechat.session.link_end import ended

    if lacking := {"proxy", "dns"} & subject.failed:
        return Finding("skip", f"it needs {' and '.join(sorted(lacking))}")
    load_sdk()
    used = subject.settled()
    try:
        return asyncio.run(greeting(*_server(subject), trust.context(None, used.ca_file if used else None)))
    except Exception as error:  # noqa: BLE001 - anything that the network, a proxy or a library raises
        verdict = judge(ended(1, error), setting_up=True, age_s=0.0)
        return Finding(_bad(subject), verdict.why, str(error), verdict.hint or "look at the network and the firewall")
