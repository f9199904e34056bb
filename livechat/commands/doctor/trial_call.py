"""A whole conversation with the embedded server, by the program itself: two questions, and a GoAway between them."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from livechat.commands.doctor.finding import Finding, Subject

_SAYING = "hello\nwhat did I say before?\n"
_HEADER = 1_000  # bytes; a file without sound has fewer
_PATIENCE_S = 60.0  # it takes some five; the first start of a fresh installation compiles its modules
_AGAIN = "report it, with what `livechat talk --offline --text --log-file livechat.log` writes into livechat.log"


def call(subject: Subject) -> Finding:
    """Two answers, and sound, across the end of a connection."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {name: value for name, value in subject.environ.items() if not name.startswith("LIVECHAT_")}
        config = Path(folder, "config.toml")
        config.touch()
        environ |= {"LIVECHAT_STATE": folder, "LIVECHAT_CONFIG": str(config)}
        sound = Path(folder, "answers.wav")
        options = ("--offline", "--json", "--lines", "--faults", "#1:goaway@1s:2s", "--output", str(sound))
        command = [sys.executable, "-m", "livechat", "talk", *options]
        try:
            done = subprocess.run(  # noqa: S603 - this program, with arguments of its own
                command, input=_SAYING, env=environ, cwd=os.getcwd(), capture_output=True, text=True,  # noqa: PTH109
                encoding="utf-8", timeout=_PATIENCE_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Finding("fail", f"it did not end within {_PATIENCE_S:.0f} s", remedy=_AGAIN)
        heard = sound.stat().st_size if sound.exists() else 0
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        return Finding("fail", f"it ended with {done.returncode}: {said[0]}", remedy=_AGAIN)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    answers = [event["text"] for event in events if event["type"] == "model" and event["final"]]
    (summary,) = [event for event in events if event["type"] == "summary"]
    found = f"{summary['turns']} answers over {summary['links']} connections in {summary['duration_s']:.0f} s"
    # The second answer repeats the first question: the session went on over the end of a connection.
    if summary["turns"] == 2 and "hello" in answers[-1] and summary["links"] > 1 and heard > _HEADER:
        return Finding("ok", found)
    return Finding("fail", f"{found}; 2 were expected over 2, with sound", "; ".join(answers), _AGAIN)
