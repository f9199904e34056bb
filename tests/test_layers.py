"""The architecture of docs/design.md, read off the imports: who may know whom, and where each library lives.

Imports inside functions and under TYPE_CHECKING count: a dependency is one wherever it is written.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import livechat

ROOT = Path(livechat.__file__).parent
FILES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))
OWN = {"livechat"}

# Whole packages first, then single files. The layer below, and nothing above it.
MAY_KNOW = {
    "errors.py": (),
    "models.py": (),
    "leaving.py": ("errors", "ui.ending"),
    "events.py": ("errors",),
    "paths.py": ("errors",),
    "process.py": ("errors",),
    "exits.py": ("errors", "ui.base", "ui.plain"),  # it says an error as a conversation would
    "flags.py": ("errors", "models"),
    "settings.py": ("errors", "flags", "models", "paths"),
    "database.py": ("errors",),
    "installed.py": (),
    "rows.py": (),
    # What it keeps is what a session is seeded with.
    "store.py": ("database", "errors", "events", "rows", "session.seeding"),
    "config.py": ("errors", "flags", "paths", "settings"),
    "kept.py": (),
    "export.py": ("kept", "ui.text"),  # a terminal may show what is exported
    "archive.py": ("errors", "kept", "rows", "store", "ui.text"),  # an id may be read off the screen
    "audio/": ("audio", "errors", "paths", "process"),
    # Kept conversations are shown, and their times as exported.
    "ui/": ("ui", "errors", "events", "kept", "export", "paths", "process"),
    # It shares no code with session/: one bug cannot hide in both.
    "server/": ("server", "errors", "database", "installed", "leaving", "process"),
    "session/": ("session", "errors", "events", "models", "settings", "audio.base"),
}
# What puts the parts together.
JOINS = {"__init__.py", "__main__.py", "app.py", "cli.py", "configure.py", "devices.py", "sessions.py"}

# Files that neither wait nor look at a clock, a file, a socket or a die, and what each may use of others' code.
PURE: dict[str, set[str]] = {
    "errors.py": set(),
    "events.py": set(),
    "flags.py": set(),
    "models.py": set(),
    "kept.py": set(),
    "rows.py": set(),
    "export.py": set(),
    "audio/base.py": set(),
    "audio/choose.py": set(),
    "audio/remedies.py": set(),
    "audio/echo_path.py": {"numpy"},  # samples
    "audio/cushion.py": set(),
    "audio/ring.py": {"numpy"},  # samples
    "audio/dsp.py": {"numpy", "pywebrtc_audio"},  # samples, and voice detection
    "session/gate.py": set(),
    "audio/echo.py": {"numpy", "pywebrtc_audio"},  # samples, and echo cancelling
    "session/awaited.py": set(),
    "session/barge_in.py": set(),
    "session/dialect.py": set(),
    "session/interaction.py": set(),
    "session/ladder.py": set(),
    "session/machine.py": set(),
    "session/outbox.py": set(),
    "session/pulse.py": set(),
    "session/reasons.py": set(),
    "session/seeding.py": set(),
    "session/spend.py": set(),
    "session/transcript.py": set(),
    "session/verdicts.py": set(),
    "server/brain.py": set(),
    "server/closes.py": set(),
    "server/families.py": set(),
    "server/faults.py": set(),
    "server/history.py": set(),
    "server/model.py": set(),
    "server/setup.py": set(),
    "server/sound.py": {"numpy"},  # samples
    "server/tamper.py": set(),
    "server/wire.py": set(),
    "ui/bar.py": set(),
    "ui/context.py": set(),
    "ui/details.py": set(),
    "ui/shortcuts.py": set(),
    "ui/kitty.py": set(),
    "ui/text.py": set(),
    "ui/transcript.py": set(),
    "ui/view.py": set(),
    "ui/paint.py": {"rich"},  # Text with styles: values, no terminal
    "ui/keys.py": {"prompt_toolkit"},  # its line editor, fed with keys: no terminal
}
IMPURE = {
    "asyncio", "atexit", "concurrent", "ctypes", "fcntl", "io", "logging", "multiprocessing", "os", "pathlib",
    "queue", "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl",
    "subprocess", "sys", "tempfile", "termios", "threading", "time", "tty", "urllib", "uuid",
}  # fmt: skip

# The files of each library. More than one only for a reason.
HOMES = {
    "cryptography": {"server/tls.py"},
    "filelock": {"store.py"},
    "google": {"session/credentials.py", "session/link.py"},  # google-auth, google-genai
    "hibari": {"server/speech.py"},
    "numpy": {  # an array of samples is the common coin of everything that touches sound
        "audio/check.py", "audio/dsp.py", "audio/echo.py", "audio/echo_path.py", "audio/files.py",
        "audio/recording.py", "audio/ring.py", "audio/speaker.py", "server/sound.py", "server/speech.py",
        "server/spoken.py",
    },
    "onnxruntime": {"server/speech.py"},
    "platformdirs": {"config.py", "store.py"},  # each looks up its own folder
    # The line, and the terminal it is typed at.
    "prompt_toolkit": {"ui/devices.py", "ui/keys.py", "ui/screen.py", "ui/terminal.py"},
    "pywebrtc_audio": {"audio/dsp.py", "audio/echo.py"},  # who speaks, and what is an echo
    "rich": {"ui/devices.py", "ui/paint.py", "ui/screen.py", "ui/sessions.py"},  # what is drawn, and where
    "sounddevice": {"audio/device.py"},
    "soundfile": {"audio/containers.py", "audio/writer.py"},  # reads, and writes FLAC
    "typer": {"cli.py"},
    # Client: how it dials, and its exceptions pass through the SDK. Server: who listens, and one connection.
    "websockets": {"session/dialling.py", "session/link.py", "server/link.py", "server/line.py", "server/serve.py"},
}  # fmt: skip

# Slow or absent on some machines: `livechat --help` is instant, and a missing PortAudio is a sentence.
LAZY = {
    "filelock",
    "google",
    "requests",
    "sounddevice",
    "soundfile",
    "platformdirs",
    "onnxruntime",
    "hibari",
    "pywebrtc_audio",
}


def imports(file: str, *, lazy: bool = True) -> set[str]:
    """Every module a file names, in full. Without `lazy`: only those its own import loads."""
    package = ["livechat", *Path(file).parts[:-1]]
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree)) if lazy else list(tree.body)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *(node.module.split(".") if node.module else [])])
            for alias in node.names:
                submodule = ROOT.parent.joinpath(*module.split("."), f"{alias.name}.py")
                found.add(f"{module}.{alias.name}" if submodule.exists() else module)
    return found


def own(file: str) -> set[str]:
    """The parts of livechat that a file knows, without the package's name."""
    return {m.removeprefix("livechat").removeprefix(".") for m in imports(file) if m.split(".")[0] in OWN} - {""}


def foreign(file: str, *, lazy: bool = True) -> set[str]:
    """The top-level packages of others that a file uses."""
    tops = {m.split(".")[0] for m in imports(file, lazy=lazy)}
    return tops - OWN - set(sys.stdlib_module_names) - {"__future__"}


@pytest.mark.parametrize("file", [file for file in FILES if file not in JOINS])
def test_a_file_knows_its_own_layer_and_those_below(file: str) -> None:
    layer = next(layer for layer in MAY_KNOW if file == layer or (layer.endswith("/") and file.startswith(layer)))
    allowed = MAY_KNOW[layer]
    strangers = {m for m in own(file) if not any(m == a or m.startswith(f"{a}.") for a in allowed)}
    assert strangers == set(), f"{file} may know {allowed}"


def test_server_and_session_never_meet() -> None:
    for file in FILES:
        packages = {m.split(".")[0] for m in own(file)}
        assert not (file.startswith("server/") and "session" in packages), file
        assert not (file.startswith("session/") and "server" in packages), file


def test_nobody_knows_the_top() -> None:
    knowers = {file for file in FILES if own(file) & {"app", "cli", "__main__"}}
    assert knowers == {"cli.py", "__main__.py"}
    assert "cli" not in own("cli.py") | own("app.py")


@pytest.mark.parametrize("file", sorted(PURE))
def test_a_pure_file_neither_waits_nor_looks_around(file: str) -> None:
    assert {m.split(".")[0] for m in imports(file)} & IMPURE == set()
    assert foreign(file) <= PURE[file]


@pytest.mark.parametrize("file", sorted(PURE))
def test_a_pure_file_knows_only_pure_files(file: str) -> None:
    known = {f"{m.replace('.', '/')}.py" for m in own(file)}
    assert known <= set(PURE) | {"ui/__init__.py"}


def test_each_library_lives_where_it_is_written_down() -> None:
    found: dict[str, set[str]] = {}
    for file in FILES:
        for library in foreign(file):
            found.setdefault(library, set()).add(file)
    assert found == HOMES


@pytest.mark.parametrize("file", FILES)
def test_slow_libraries_are_imported_when_they_are_needed(file: str) -> None:
    assert foreign(file, lazy=False) & LAZY == set()


def test_links_and_devices_are_joined_by_the_app_alone() -> None:
    """The runner is given a `dial`: it knows neither the SDK nor a device."""
    assert own("session/runner.py") & {"session.link", "audio.device", "store"} == set()
    assert {file for file in FILES if "session.link" in own(file)} == {"app.py"}
    assert {file for file in FILES if "session.runner" in own(file)} == {"app.py"}


def test_importing_the_program_loads_nothing_heavy() -> None:
    names = "google.genai sounddevice numpy rich prompt_toolkit websockets soundfile asyncio cryptography sqlite3"
    script = f"import sys, livechat, livechat.cli; print([n for n in {names.split()} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_file_is_accounted_for() -> None:
    assert {file for file in PURE if file not in FILES} == set()
    layers = tuple(layer for layer in MAY_KNOW if layer.endswith("/"))
    assert [f for f in FILES if f not in JOINS and f not in MAY_KNOW and not f.startswith(layers)] == []
