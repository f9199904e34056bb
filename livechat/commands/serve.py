"""`livechat serve`: the embedded Live server for other programs, until it is told to stop."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from livechat import leaving
from livechat.commands.choose_brain import brain
from livechat.durations import seconds
from livechat.errors import Notice, UsageError, reason
from livechat.installed import speech_models
from livechat.process import Outlet
from livechat.server import fault_plan
from livechat.server.agent_choice import make_agent
from livechat.server.serve import Server
from livechat.server.wire_recording import Recorder, Replay

_LAST_WORDS_S = 1.0  # for a slow reader of the events, after the server has ended


def serve(
    *,
    port: int = 0,
    tls: bool = True,
    ca_out: str | None = None,
    as_model: str | None = None,
    lifetime: str = "590s",
    notice: str = "50s",
    handle_ttl: str = "2h",
    faults: str = "",
    allowed: Sequence[str] = (),
    record: str | None = None,
    replay: str | None = None,
    brain_url: str | None = None,
    brain_model: str | None = None,
    as_json: bool = False,
) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit code; raises UsageError.

    It says on stderr where it listens and how to point an SDK there. With `as_json` it writes each event to stdout,
    as one object a line. The certificate goes to `ca_out`, or to a temporary file that is removed at the end.
    """
    if not seconds(lifetime):
        raise UsageError(f"--lifetime {lifetime} leaves no time to talk", "write 590s, 10m or 2h")
    if ca_out and not tls:
        raise UsageError(
            "--ca-out has nothing to write: with --no-tls there is no certificate", "leave one of them out"
        )
    said = _Said(as_json=as_json)
    agent, lacking = make_agent(brain=brain(brain_url, brain_model, os.environ), notify=said.note)
    recorder = Recorder(record) if record else None
    server = Server(
        agent,
        port=port,
        tls=tls,
        lifetime=seconds(lifetime),
        notice=seconds(notice),
        handle_ttl=seconds(handle_ttl),
        faults=fault_plan.parse(faults),
        as_model=as_model,
        allowed=allowed,
        replay=Replay(replay) if replay else None,
        recorder=recorder,
        on_event=said.event if as_json else None,
    )
    code = leaving.run(_until_told(server, lacking, ca_out))
    if recorder is not None:
        recorder.close()
        if recorder.warning:
            said.note(Notice(recorder.warning))
    said.outlet.drain(_LAST_WORDS_S)
    return code


class _Said:
    """What the command says while it serves: notes on stderr; with `as_json` they are events on stdout, too."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.outlet = Outlet()

    def event(self, event: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.outlet.write(sys.stdout, json.dumps(event, ensure_ascii=False) + "\n")

    def note(self, notice: Notice) -> None:
        hint = f" Hint: {notice.hint}." if notice.hint else ""
        sys.stderr.write(f"Note: {notice.message}.{hint}\n")
        if self._as_json:
            self.event({"type": "note", "message": notice.message})


async def _until_told(server: Server, lacking: str, ca_out: str | None) -> int:
    stop = asyncio.Event()
    with leaving.told(stop.set):
        async with server:
            with contextlib.ExitStack() as files:
                certificate = _certificate(server.ca_pem, ca_out, files) if server.ca_pem else None
                _introduce(server, lacking, certificate)
                await stop.wait()
    return 0


def _certificate(pem: bytes, wanted: str | None, files: contextlib.ExitStack) -> Path:
    """The file in which the certificate is now."""
    path = Path(wanted or Path(files.enter_context(tempfile.TemporaryDirectory(prefix="livechat-")), "ca.pem"))
    try:
        path.write_bytes(pem)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {path}: {reason(error)}", "choose another --ca-out") from None
    return path


def _introduce(server: Server, lacking: str, certificate: Path | None) -> None:
    lines = [
        f"Live API server at {server.url} ({server.agent.name}). Ctrl-C ends it.",
        "Point an SDK at it with:",
        f"  export GOOGLE_GEMINI_BASE_URL={server.url}",
        "  export GEMINI_API_KEY=any",
    ]
    if certificate:
        lines.append(f"  export SSL_CERT_FILE={certificate}")
    else:
        lines.append("Note: the Python SDK and `livechat talk` use TLS whatever the address says. They need a server")
        lines.append("that was started without --no-tls.")
    lines.append(f"{server.url} in a browser shows its links and sessions.")
    if lacking:
        lines.append(f"Note: {lacking}. Hint: {speech_models()}")
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()
