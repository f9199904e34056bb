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

# Single files first, then whole rooms. The layer below, and nothing above it.
MAY_KNOW = {
    "errors.py": (),
    "models.py": (),
    "prices.py": ("models",),
    "leaving.py": ("errors", "process", "ui.typed_ahead"),
    "events.py": ("errors",),
    "paths.py": ("errors",),
    "process.py": ("errors", "worker"),
    "worker.py": (),
    "flag.py": ("errors",),
    "flags.py": ("errors", "flag", "models"),
    "settings.py": ("errors", "flags", "models", "paths", "prices"),
    "config_file.py": ("errors", "flags", "paths", "settings"),
    "database.py": ("errors",),
    "durations.py": ("errors",),
    "installed.py": (),
    "testing.py": ("server",),
    "pytest_plugin.py": ("testing",),
    "ticks.py": (),
    "audio/": ("audio", "errors", "paths", "process", "ticks", "worker"),
    # What is kept is what a session is resumed and told the past with. A terminal may show what is kept.
    "conversations/": (
        "conversations", "database", "errors", "events", "session.context_replay", "session.events", "ui.safe_text",
    ),
    # Outputs only: how links are kept is not its business.
    "ui/": ("ui", "errors", "events", "paths", "process", "ticks"),
    # It shares no code with session/: one bug cannot hide in both.
    "server/": ("server", "errors", "database", "durations"),
    "captions/": ("captions", "session", "errors", "events", "models", "audio.interfaces"),
    "video/": ("video", "errors", "events", "paths", "worker"),
    "session/": ("session", "errors", "events", "models", "prices", "settings", "ticks", "audio.interfaces"),
}  # fmt: skip
# What puts the parts together: the commands.
JOINS = {
    "__init__.py",
    "__main__.py",
    "cli.py",
    *(file for file in FILES if file.startswith("commands/")),
}

# Files that neither wait nor look at a clock, a file, a socket or a die, and what each may use of others' code.
PURE: dict[str, set[str]] = {
    "durations.py": set(),
    "errors.py": set(),
    "events.py": set(),
    "session/events.py": set(),
    "flag.py": set(),
    "flags.py": set(),
    "models.py": set(),
    "prices.py": set(),
    "conversations/records.py": set(),
    "conversations/rows.py": set(),
    "conversations/export.py": set(),
    "audio/interfaces.py": set(),
    "audio/device_choice.py": set(),
    "audio/remedies.py": set(),
    "audio/chirp.py": {"numpy"},  # samples
    "audio/prebuffer.py": set(),
    "audio/fifo.py": set(),
    "audio/ring.py": {"numpy"},  # samples
    "audio/dsp.py": {"numpy"},  # samples
    "audio/vad.py": {"numpy", "pywebrtc_audio"},  # samples, and voice detection
    "captions/backlog.py": set(),
    "captions/sentences.py": set(),
    "captions/words.py": set(),
    "session/video.py": set(),
    "session/push_to_talk.py": set(),
    "audio/echo.py": set(),
    "audio/echo_canceller.py": {"numpy", "pywebrtc_audio", "random"},  # WebRTC's canceller; a seed: always the same
    "audio/echo_filter.py": {"numpy"},  # samples, here and below
    "audio/echo_gate.py": {"numpy"},
    "audio/gcc_phat.py": {"numpy"},
    "audio/headphones.py": set(),
    "audio/reference.py": {"numpy"},
    "audio/residual_echo.py": {"numpy"},
    "audio/spectrum.py": {"numpy"},
    "server/actions.py": set(),
    "server/brain_messages.py": set(),
    "server/tool_calls.py": set(),
    "server/web_search.py": set(),
    "session/awaited.py": set(),
    "session/aftermath.py": set(),
    "session/answer.py": set(),
    "session/compression.py": set(),
    "session/current_turn.py": set(),
    "session/failures.py": set(),
    "session/fast_pacing.py": set(),
    "session/last_words.py": set(),
    "session/listening.py": set(),
    "session/question.py": set(),
    "session/sleep_watch.py": set(),
    "session/time_limit.py": set(),
    "session/turn_record.py": set(),
    "session/turns.py": set(),
    "session/barge_in.py": set(),
    "session/dialect.py": set(),
    "session/interaction.py": set(),
    "session/ladder.py": set(),
    "session/machine.py": set(),
    "session/outbox.py": set(),
    "session/pulse.py": set(),
    "session/turn_end_reasons.py": set(),
    "session/context_replay.py": set(),
    "session/budget.py": set(),
    "session/transcript.py": set(),
    "session/verdicts.py": set(),
    "server/replies.py": set(),
    "server/close_reasons.py": set(),
    "server/models.py": set(),
    "server/fault_plan.py": {"random"},  # Random with a seed: the same each time
    "server/deadlines.py": set(),
    "server/history.py": set(),
    "server/proactive.py": set(),
    "server/translation.py": set(),
    "server/usage.py": set(),
    "server/live_session.py": set(),
    "server/shapes.py": set(),
    "server/terms.py": set(),
    "server/utterances.py": {"numpy"},  # samples
    "server/frame_faults.py": set(),
    "server/wire.py": set(),
    "ui/status_bar.py": set(),
    "ui/context_gauge.py": set(),
    "ui/details.py": set(),
    "ui/shortcuts.py": set(),
    "ui/kitty_keyboard.py": set(),
    "ui/safe_text.py": set(),
    "ui/transcript_lines.py": set(),
    "ui/status.py": set(),
    "ui/styles.py": {"rich"},  # Text with styles: values, no terminal
    "ui/line_editor.py": {"prompt_toolkit"},  # its line editor, fed with keys: no terminal
}
IMPURE = {
    "asyncio", "atexit", "concurrent", "ctypes", "fcntl", "io", "logging", "multiprocessing", "os", "pathlib",
    "queue", "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl",
    "subprocess", "sys", "tempfile", "termios", "threading", "time", "tty", "urllib", "uuid",
}  # fmt: skip

# The files of each library. More than one only for a reason.
HOMES = {
    "PIL": {  # decodes what the agent is shown, and makes what the model is shown
        "server/vision.py", "video/picture.py", "video/sources.py",
    },
    "cv2": {"video/sources.py"},
    "mss": {"video/sources.py"},
    "cryptography": {"server/tls.py"},
    "filelock": {"conversations/claims.py"},
    "google": {  # google-auth; google-genai: its configuration, its connection, its exceptions
        "session/credentials.py", "session/live_config.py", "session/link.py", "session/link_end.py",
        "testing.py",  # what its client is configured with
        "server/schema.py",  # the SDK's types are the schema of what clients send
    },
    "h11": {"server/connection.py"},
    "hibari": {"server/speech_models.py"},
    "mcp": {"session/mcp_servers.py"},
    "numpy": {  # an array of samples is the common coin of everything that touches sound
        "audio/chirp.py", "audio/dsp.py", "audio/echo_canceller.py", "audio/echo_filter.py", "audio/echo_gate.py",
        "audio/gcc_phat.py", "audio/loopback_test.py", "audio/recording.py", "audio/reference.py",
        "audio/residual_echo.py", "audio/ring.py", "audio/sinks.py", "audio/speaker.py", "audio/spectrum.py",
        "audio/vad.py", "server/utterances.py", "server/speech_models.py", "server/speech_agent.py",
    },
    "openai": {"server/brain.py"},
    "onnxruntime": {"server/speech_models.py"},
    "platformdirs": {"config_file.py", "paths.py"},  # where configuration and conversations lie
    # The line, and the terminal it is typed at.
    "prompt_toolkit": {"commands/devices_view.py", "ui/line_editor.py", "ui/screen.py", "ui/terminal.py"},
    "pydantic": {"session/live_config.py"},  # the schema of a function's parameters
    "pytest": {"pytest_plugin.py"},
    "pulsectl": {"audio/pulse_routes.py"},  # libpulse
    "pywebrtc_audio": {"audio/vad.py", "audio/echo_canceller.py"},  # who speaks, and what is an echo
    # What is drawn, and where.
    "rich": {
        "commands/captions.py", "commands/devices_view.py", "commands/sessions_view.py", "ui/screen.py",
        "ui/styles.py",
    },
    "sounddevice": {"audio/portaudio.py"},
    "soundfile": {"audio/containers.py", "audio/sound_file.py"},  # reads, and writes FLAC
    "typer": {"cli.py", "commands/command_parts.py", "commands/sessions_group.py"},
    # Client: how it dials, and its exceptions pass through the SDK. Server: who listens, and one connection.
    "websockets": {
        "session/dialling.py", "session/link.py", "session/link_end.py", "server/addresses.py",
        "server/connection.py", "server/http_requests.py", "server/link.py", "server/serve.py",
        "server/transport.py", "server/wire_recording.py",
    },
}  # fmt: skip

# Slow or absent on some machines: `livechat --help` is instant, and a missing PortAudio is a sentence.
LAZY = {
    "PIL",
    "cv2",
    "mss",
    "mcp",
    "openai",
    "filelock",
    "google",
    "requests",
    "sounddevice",
    "soundfile",
    "platformdirs",
    "onnxruntime",
    "hibari",
    "pulsectl",
    "pywebrtc_audio",
}


# How long a file and a function may be, in lines. ruff judges how complex a function may be (C901 in pyproject.toml).
MAX_LINES = 400
MAX_FUNCTION_LINES = 60
TOO_LONG = {  # each with its reason
    "session/machine.py",  # the states, the rules and the table of one machine are read together
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
    """Commands are known to the command line alone, and to one another."""
    knowers = {file for file in FILES if any(m.split(".")[0] in {"cli", "commands", "__main__"} for m in own(file))}
    assert {file for file in knowers if not file.startswith("commands/")} == {"cli.py", "__main__.py"}
    assert {file for file in FILES if "cli" in own(file)} == {"__main__.py"}


@pytest.mark.parametrize("file", sorted(PURE))
def test_a_pure_file_neither_waits_nor_looks_around(file: str) -> None:
    assert ({m.split(".")[0] for m in imports(file)} & IMPURE) - PURE[file] == set()
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


def test_links_and_devices_are_joined_by_the_command_alone() -> None:
    """The runner is given a `dial`: it knows neither the SDK nor a device."""
    assert own("session/runner.py") & {"session.link", "audio.card", "store"} == set()
    assert {file for file in FILES if "session.link" in own(file)} == {
        "commands/make_runner.py",
        "commands/doctor/network.py",
    }
    runs = {"commands/make_runner.py", "commands/hold_conversation.py"}  # it makes one, it runs one
    assert {file for file in FILES if "session.runner" in own(file)} == runs


def test_importing_the_program_loads_nothing_heavy() -> None:
    names = "google.genai sounddevice numpy rich prompt_toolkit websockets soundfile asyncio cryptography sqlite3"
    script = f"import sys, livechat, livechat.cli; print([n for n in {names.split()} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_file_and_no_function_is_long() -> None:
    long = set()
    for file in FILES:
        source = (ROOT / file).read_text(encoding="utf-8")
        if len(source.splitlines()) > MAX_LINES:
            long.add(file)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long.add(f"{file} {node.name}")
    assert long == TOO_LONG


def test_every_file_is_accounted_for() -> None:
    assert {file for file in PURE if file not in FILES} == set()
    layers = tuple(layer for layer in MAY_KNOW if layer.endswith("/"))
    assert [f for f in FILES if f not in JOINS and f not in MAY_KNOW and not f.startswith(layers)] == []
