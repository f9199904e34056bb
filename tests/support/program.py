"""The program as a process, in an environment of its own; and a quick way to begin many of them.

`Program` is `python -m livechat`, and a test uses it like subprocess.Popen. But its process is forked from one in
which the modules are loaded already: a fresh one computes for a second before it begins, and hundreds of tests run
the program. It has its own streams, environment, folder and signals, and ends as any process does. How the program
is loaded is proved by tests that start it afresh: test_process.py, test_leaving.py, test_gone.py, test_readme.py.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import IO, Any

from tests import ROOT

PIPE = subprocess.PIPE
# Not sounddevice: PortAudio looks for devices, and at the environment, when it is loaded.
LIBRARIES = ("filelock", "google.genai.live", "hibari", "onnxruntime", "pywebrtc_audio", "requests", "soundfile")
REQUEST = 1 << 18  # bytes; arguments and an environment are fewer
# What a machine may have set that changes what the program does: keys, proxies, folders, sizes and colours.
BEGINNINGS = ("GEMINI_", "GOOGLE_", "LIVECHAT_", "XDG_")
NAMES = {"CLICOLOR", "COLUMNS", "EDITOR", "FORCE_COLOR", "LINES", "NO_COLOR", "PULSE_LATENCY_MSEC", "VISUAL"}


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What a program that a test starts finds: no key, and no home, state or configuration but in `folder`.

    Warnings are errors in it, as they are in the tests. `more` is added.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not (name.startswith(BEGINNINGS) or name in NAMES or name.lower().endswith("_proxy"))
    }
    home = folder / "home"
    home.mkdir(exist_ok=True)
    ours = {
        "HOME": str(home), "LANG": "C.UTF-8", "LIVECHAT_CONFIG": os.devnull, "LIVECHAT_STATE": str(folder / "state"),
        "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "TERM": "xterm-256color",
    }  # fmt: skip
    return kept | ours | more


class Program:
    """A running `livechat`. `stdin`, `stdout` and `stderr` are pipes, or None where a descriptor was given."""

    def __init__(
        self,
        *arguments: str,
        env: dict[str, str],
        stdin: int = PIPE,
        stdout: int = PIPE,
        stderr: int = PIPE,
        cwd: Path | None = None,
    ) -> None:
        self.returncode: int | None = None
        self._report, report = os.pipe()
        streams, made = [], [report]
        self._pipes: list[IO[bytes] | None] = []
        for given, mode in ((stdin, "wb"), (stdout, "rb"), (stderr, "rb")):
            if given == PIPE:
                ends = os.pipe()
                ours, theirs = ends if mode == "rb" else ends[::-1]
                made.append(theirs)
                self._pipes.append(os.fdopen(ours, mode))
            else:
                theirs = given
                self._pipes.append(None)
            streams.append(theirs)
        self.stdin, self.stdout, self.stderr = self._pipes
        request = {"argv": ["livechat", *arguments], "env": env, "cwd": os.fspath(cwd or Path.cwd())}
        try:
            socket.send_fds(_loaded(), [json.dumps(request).encode()], [*streams, report])
        finally:
            for descriptor in made:
                os.close(descriptor)
        self.pid = int(self._line())

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self._report, 1)
            assert byte, "the process from which programs are forked is gone"
            line += byte
        return line

    def poll(self) -> int | None:
        """The exit code, or minus the signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended; raises TimeoutExpired after so many seconds."""
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("livechat", timeout or 0)
            self.returncode = int(self._line())
            os.close(self._report)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """As a crash would end it."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, said: bytes = b"", timeout: float = 60) -> tuple[bytes, bytes]:
        """Write `said`, close its stdin, and read the rest of its two outputs until it has ended."""
        read: list[bytes] = [b"", b""]

        def listen(number: int, stream: IO[bytes]) -> None:
            with stream:
                read[number] = stream.read()

        outputs = [(number, stream) for number, stream in enumerate((self.stdout, self.stderr)) if stream]
        threads = [threading.Thread(target=listen, args=pair, daemon=True) for pair in outputs if not pair[1].closed]
        for thread in threads:
            thread.start()
        if self.stdin and not self.stdin.closed:
            with contextlib.suppress(BrokenPipeError):  # it did not want all of it
                self.stdin.write(said)
            with contextlib.suppress(BrokenPipeError):
                self.stdin.close()
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        for thread in threads:
            thread.join()
        return read[0], read[1]


def livechat(
    *arguments: str, env: dict[str, str], stdin: str | bytes = b"", cwd: Path | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, which is no traceback."""
    program = Program(*arguments, env=env, cwd=cwd)
    out, err = program.communicate(stdin.encode() if isinstance(stdin, str) else stdin, timeout)
    assert b"Traceback" not in err, err.decode()
    return subprocess.CompletedProcess(arguments, program.wait(), out.decode(), err.decode())


@cache
def _loaded() -> socket.socket:
    """The process with the modules; it ends when this one does, as its socket is closed then."""
    ours, theirs = socket.socketpair()
    with theirs:
        single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # a process with threads is not safely forked
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.support.program", str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, **single},
        )  # fmt: skip
    atexit.register(process.wait)
    atexit.register(ours.close)  # first
    return ours


def _serve(requests: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Fork for each request. Returns only in what is to become a program: the request, and its three streams."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, REQUEST, 4)
        if not request:
            sys.exit()
        if os.fork() == 0:
            break
        for each in descriptors:
            os.close(each)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    # A parent for each, which says how its program ended: the one with the modules cannot wait.
    requests.close()
    *streams, report = descriptors
    if pid := os.fork():
        for each in streams:
            os.close(each)
        os.write(report, b"%d\n" % pid)
        os.write(report, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os._exit(0)
    os.close(report)
    return json.loads(request), streams


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Run the program in this process, as the interpreter does."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    for descriptor in streams:
        if descriptor > 2:
            os.close(descriptor)
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        like, buffering = getattr(sys, name), 1 if number == 2 or os.isatty(number) else -1
        setattr(sys, name, open(number, mode, buffering, like.encoding, like.errors, closefd=False))  # noqa: SIM115
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = request["argv"]
    runpy.run_module("livechat", run_name="__main__", alter_sys=True)


def _load() -> None:
    import livechat

    names = (module.name for module in pkgutil.walk_packages(livechat.__path__, "livechat."))
    for name in (*(name for name in names if not name.endswith("__main__")), *LIBRARIES):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # else each that is forked copies all of it, to look for what nobody needs any more


if __name__ == "__main__":
    _load()
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        wanted = _serve(connection)
    _become(*wanted)
