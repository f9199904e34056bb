"""One program on a virtual card and a local server: what it is told, and what is measured of it."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.calls import _cpu_s
from benchmarks.echo import Speech, _words, edits
from benchmarks.rig import virtual_card
from livechat.audio.interfaces import INPUT_RATE, OUTPUT_RATE
from livechat.testing import LiveServer
from tests.support.virtual_card import Ear, VirtualCard

SLOT_S = 5.0  # a sentence is said in each: twelve a minute
PATIENCE_S = 60.0  # for the first link
SETTLE_S = 3.0  # after it
LOUD, QUIET_S = 200.0, 0.25  # the root mean square of what is heard; silence is quiet for so long
CUT_IN_S = 1.0  # into the answer
MODEL = "gemini-3.8-live"


@dataclass
class Figures:
    """What was measured. CPU in per cent of a core, RSS in MB, times in seconds; None where it was not."""

    start_s: float | None = None
    cpu: float | None = None
    rss: float | None = None
    errors: float | None = None  # of the words that the server heard
    silence_s: float | None = None  # from the beginning of an interruption; the middle of the trials
    links: int = 0
    once: int = 0
    lost: int = 0
    twice: int = 0
    asked: int = 0
    trouble: str = ""


class Running:
    """A program at a pseudo-terminal that somebody reads."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: str) -> None:
        ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=cwd, start_new_session=True
        )
        os.close(theirs)
        self._ours = ours
        self.said = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while part := os.read(self._ours, 65536):
                self.said = (self.said + part)[-4000:]

    def tree(self) -> list[int]:
        """This process and all below it."""
        parents = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        found = [self.process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def cpu_s(self) -> float:
        used = 0.0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                used += _cpu_s(pid)
        return used

    def rss_mb(self) -> float:
        pages = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def end(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)


@contextlib.contextmanager
def _on_stage(command: list[str], server: LiveServer) -> Iterator[tuple[Running, VirtualCard]]:
    """The program with a card of its own and this server, which it finds by the SDK's variables."""
    with virtual_card() as card, tempfile.TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if not name.startswith("LIVECHAT_")}
        env |= card.environment | server.environment
        env |= {
            "GOOGLE_API_KEY": "local",
            "GEMINI_API_KEY": "local",
            "LIVE_MODEL": MODEL,
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
        }
        env |= {"LIVECHAT_STATE": folder, "LIVECHAT_CONFIG": os.devnull}
        running = Running(command, env, folder)
        try:
            yield running, card
        finally:
            running.end()


def minute(command: list[str], speech: Speech, sentences: int, trials: int) -> Figures:
    """A call without disturbance: start, CPU, RSS, words, and how soon an interruption silences the speaker."""
    figures = Figures()
    with LiveServer(speech=True) as server:
        began = time.monotonic()
        with _on_stage(command, server) as (running, card):
            if not _connected(server, running, figures):
                return figures
            figures.start_s = time.monotonic() - began
            time.sleep(SETTLE_S)
            begun, used = time.monotonic(), running.cpu_s()
            sizes = []
            for n in range(sentences):
                _say_in_slot(card, speech, n)
                sizes.append(running.rss_mb())
            figures.cpu = (running.cpu_s() - used) / (time.monotonic() - begun) * 100
            figures.rss = max(sizes)
            wanted = [word for n in range(sentences) for word in _words(speech[n % len(speech)][0])]
            found = [word for text in _heard(server) for word in _words(text)]
            figures.errors = edits(wanted, found) / len(wanted)
            silences = [_cut_in(card, speech, n) for n in range(trials)]
            if measured := [silence for silence in silences if silence is not None]:
                figures.silence_s = statistics.median(measured)
    return figures


def goaways(command: list[str], speech: Speech, sentences: int, lifetime: float, notice: float) -> Figures:
    """A call over several ends of connections: how often each question was asked."""
    figures = Figures(asked=sentences)
    with LiveServer(speech=True, lifetime=lifetime, notice=notice) as server:
        with _on_stage(command, server) as (running, card):
            if not _connected(server, running, figures):
                return figures
            time.sleep(1.0)
            for n in range(sentences):
                _say_in_slot(card, speech, n)
            time.sleep(SETTLE_S)
        figures.links = len(server.links)
        times = [0] * len(speech)
        for text in _heard(server):
            distances = [edits(_words(sentence), _words(text)) / len(_words(sentence)) for sentence, _ in speech]
            times[int(np.argmin(distances))] += 1
    for at, heard in enumerate(times):
        said = len(range(at, sentences, len(speech)))
        figures.once += min(said, heard)
        figures.lost += max(0, said - heard)
        figures.twice += max(0, heard - said)
    return figures


def _connected(server: LiveServer, running: Running, figures: Figures) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not any(link.open for link in server.links):
        if running.process.poll() is not None or time.monotonic() > until:
            lines = running.said.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            figures.trouble = f"no connection: {lines[-1].strip()[:100]}"
            return False
        time.sleep(0.02)
    return True


def _say_in_slot(card: VirtualCard, speech: Speech, n: int) -> None:
    until = time.monotonic() + SLOT_S
    card.say(speech[n % len(speech)][1], INPUT_RATE)
    time.sleep(max(0.0, until - time.monotonic()))


def _heard(server: LiveServer) -> list[str]:
    """What people said in all sessions, as the server understood it."""
    return [turn.text for turns in server.sessions.values() for turn in turns if turn.role == "user" and turn.text]


def _cut_in(card: VirtualCard, speech: Speech, n: int) -> float | None:
    """Seconds from the beginning of an interruption to silence; None if there was no answer, or no silence."""
    first, second = speech[n % len(speech)][1], speech[(n + 1) % len(speech)][1]
    with card.listen(OUTPUT_RATE) as ear:
        card.say(first, INPUT_RATE)
        if not _until(lambda: _loudness(ear, 0.1) > LOUD, 8.0):
            return None
        time.sleep(CUT_IN_S)
        if _loudness(ear, 0.5) < LOUD:
            return None  # it was over already
        begun = time.monotonic()
        saying = threading.Thread(target=card.say, args=(second, INPUT_RATE))
        saying.start()
        silent = _until(lambda: _loudness(ear, QUIET_S) < LOUD, 8.0)
        taken = time.monotonic() - begun - QUIET_S
        saying.join()
        time.sleep(SLOT_S)  # the answer to it
    return taken if silent else None


def _loudness(ear: Ear, seconds: float) -> float:
    heard = ear.sound[-round(seconds * OUTPUT_RATE) :].astype(float)
    return float(np.sqrt(np.mean(heard**2))) if len(heard) else 0.0


def _until(true: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return False
