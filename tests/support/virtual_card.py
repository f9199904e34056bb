"""A virtual sound card for tests: a private PulseAudio whose null sinks are a microphone and a speaker.

PortAudio reaches it through ALSA's pulse plugin. No root, no dbus, nothing outside a temporary directory. What is
said into the microphone and heard from the speaker goes through pacat and parec, so it is known sample by sample.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

PACKAGES = "libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins"
Sound = npt.NDArray[np.int16]

# Without norewinds a null sink renders two seconds at a time, and PortAudio stalls.
_SINK = "rate=48000 channels=1 format=s16le norewinds=1"
_ALSA = """
pcm.!default { type pulse }
ctl.!default { type pulse }
pcm.virtual_mic { type pulse device "virtual_mic.monitor" }
pcm.virtual_speaker { type pulse device "virtual_speaker" }
pcm.virtual_ear { type pulse device "virtual_speaker.monitor" }
"""


class VirtualCard:
    """The sound server. `environment` is what a process needs to use it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server = f"unix:{directory}/socket"
        self._process: subprocess.Popen[bytes] | None = None
        self._alsa = alsa = directory / "asound.conf"
        alsa.write_text(_ALSA)
        self.environment = {"PULSE_SERVER": self._server, "ALSA_CONFIG_PATH": str(alsa)}

    def start(self) -> None:
        """Start the server, and return when it answers."""
        (self._directory / "socket").unlink(missing_ok=True)  # a killed server leaves it
        private = dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH"), str(self._directory))
        environment = {**os.environ, **private}
        for name in ("PULSE_SERVER", "PULSE_LATENCY_MSEC"):
            environment.pop(name, None)
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"),
                    *("--disable-shm=yes", "--realtime=no", "--high-priority=yes", "--log-target=stderr"),
                    *("-L", f"module-native-protocol-unix auth-anonymous=1 socket={self._directory}/socket"),
                    *("-L", f"module-null-sink sink_name=virtual_speaker {_SINK}"),
                    *("-L", f"module-null-sink sink_name=virtual_mic {_SINK}"),
                ],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        end = time.monotonic() + 10
        while self.control("info").returncode:
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError((self._directory / "log").read_text())
            time.sleep(0.02)
        self.control("set-default-sink", "virtual_speaker").check_returncode()
        self.control("set-default-source", "virtual_mic.monitor").check_returncode()

    def control(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        """Tell the server something, as pactl does."""
        return subprocess.run(["pactl", "-s", self._server, *command], capture_output=True, check=False)

    def kill(self, with_signal: int = signal.SIGKILL) -> None:
        """End the server as a crash would, or send it another signal."""
        assert self._process
        self._process.send_signal(with_signal)
        if with_signal in {signal.SIGKILL, signal.SIGTERM}:
            self._process.wait(10)

    def unplug(self, device: str) -> None:
        """What ALSA calls `device` is not there when PortAudio next looks."""
        lines = self._alsa.read_text().splitlines(keepends=True)
        self._alsa.write_text("".join(line for line in lines if f"pcm.{device} " not in line))

    def add_microphone(self, name: str) -> None:
        """Another one, whose monitor people call "Monitor of NAME"."""
        named = (f"sink_name={name}", f"sink_properties=device.description={name}")
        self.control("load-module", "module-null-sink", *named, *_SINK.split()).check_returncode()

    def couple(self, decibels: float = -10, late_ms: int = 60) -> None:
        """From now on the microphone hears the speaker, so much later and quieter, until the server ends."""
        path = f"source=virtual_speaker.monitor sink=virtual_mic latency_msec={late_ms} adjust_time=0"
        fixed = "source_dont_move=yes sink_dont_move=yes"
        self.control("load-module", "module-loopback", *path.split(), *fixed.split()).check_returncode()
        stream = self.control("list", "short", "sink-inputs").stdout.split()[0].decode()
        self.control("set-sink-input-volume", stream, f"{decibels}dB").check_returncode()

    def say(self, sound: Sound, rate: int, microphone: str = "virtual_mic") -> None:
        """Speak into the microphone; returns when all of it was said."""
        subprocess.run(
            ["pacat", "-s", self._server, "-d", microphone, *_raw(rate), "--latency-msec=200"],
            input=sound.tobytes(),
            check=True,
        )

    @contextmanager
    def listen(self, rate: int) -> Iterator[Ear]:
        """Hear what the speaker plays meanwhile."""
        command = ["parec", "-s", self._server, "-d", "virtual_speaker.monitor", *_raw(rate), "--latency-msec=10"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            ear = Ear(process)
            try:
                ear.wait_for_sound()
                yield ear
            finally:
                process.terminate()
                ear.join()


class Ear:
    """What has been heard so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._heard = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of the recording: nothing may close its pipe before."""
        self._thread.join(10)

    def _read(self) -> None:
        assert self._process.stdout
        while chunk := os.read(self._process.stdout.fileno(), 65536):
            self._heard += chunk

    def wait_for_sound(self) -> None:
        """Until the first sample, silent or not, has come."""
        end = time.monotonic() + 10
        while not self._heard and time.monotonic() < end:
            time.sleep(0.01)

    @property
    def sound(self) -> Sound:
        """The samples heard so far."""
        heard = bytes(self._heard)
        return np.frombuffer(heard[: len(heard) // 2 * 2], np.int16)


def _raw(rate: int) -> list[str]:
    return ["--raw", f"--rate={rate}", "--channels=1", "--format=s16le"]


def likeness(heard: Sound, wanted: Sound) -> tuple[float, int]:
    """The best normalised cross-correlation of `wanted` with any stretch of `heard`, and where that begins."""
    if len(heard) < len(wanted):
        return 0.0, 0
    long, short = heard.astype(float), wanted.astype(float)
    size = 1 << (len(long) + len(short)).bit_length()
    product = np.fft.irfft(np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size)), size)
    power = np.cumsum(np.concatenate([[0.0], long * long]))
    scale = np.sqrt((power[len(short) :] - power[: -len(short)]) * np.sum(short * short))
    match = product[: len(scale)] / np.maximum(scale, 1.0)
    at = int(np.argmax(match))
    return float(match[at]), at


@pytest.fixture(name="card")
def virtual_card(monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualCard]:
    """A fresh virtual card, which PortAudio in this process uses until the test ends.

    Without the packages the test is skipped; with LIVECHAT_REQUIRE_CARD=1, as in CI, it fails.
    """
    if not (_portaudio() and all(map(shutil.which, ("pulseaudio", "pactl", "pacat", "parec")))):
        message = f"no virtual sound card: apt install {PACKAGES}"
        if os.environ.get("LIVECHAT_REQUIRE_CARD"):
            pytest.fail(message)
        pytest.skip(message)
    with tempfile.TemporaryDirectory(prefix="card-") as directory:
        virtual = VirtualCard(Path(directory))
        virtual.start()
        try:
            with monkeypatch.context() as patch:
                for name, value in virtual.environment.items():
                    patch.setenv(name, value)
                patch.delenv("PULSE_LATENCY_MSEC", raising=False)
                _restart_portaudio()
                yield virtual
            _restart_portaudio()
        finally:
            virtual.kill()


def _portaudio() -> bool:
    try:
        import sounddevice  # noqa: F401
    except OSError:
        return False
    return True


def _restart_portaudio() -> None:
    """It looks for devices, and at the environment, only when it begins."""
    import sounddevice

    sounddevice._terminate()
    sounddevice._initialize()
