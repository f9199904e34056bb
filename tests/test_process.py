"""Streams that are closed, full, slow or do not block, an odd environment, empty values and refused paths."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import pytest

from livechat.errors import Notice
from livechat.paths import Lines, decoded, look
from livechat.process import Journal, Outlet, prepare, read, text_to
from tests import ROOT
from tests.support.program import livechat

PROGRAM = shlex.join([sys.executable, "-m", "livechat"])
CODES = {0, 2, 3, 4, 5}
COMMANDS = [
    "--help", "--version", "talk --offline", "talk --offline --json", "talk --offline --plain",
    "talk --offline --text --quiet", "resume --offline", "sessions", "sessions --json", "sessions show",
    "sessions export", "sessions forget nothing", "devices", "devices --json", "config", "config show", "config path",
    "serve --port 70000",
]  # fmt: skip


def shell(command: str, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["bash", "-c", command], capture_output=True, env=env, timeout=110, check=False)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_nobody_and_never_a_file(closed: str, env: dict[str, str]) -> None:
    commands = COMMANDS if closed == "<&- >&- 2>&-" else ["--version", "talk --offline", "sessions"]
    script = "\n".join(f"echo hello | {PROGRAM} {command} {closed}; echo code $?" for command in commands)
    done = shell(f"{{ {script}\n}} 2>&1", env)
    assert b"bug" not in done.stdout
    assert b"Traceback" not in done.stdout
    codes = [int(line.split()[1]) for line in done.stdout.decode().splitlines() if line.startswith("code ")]
    assert len(codes) == len(commands)
    assert set(codes) <= CODES
    for file in Path(env["LIVECHAT_STATE"]).glob("*.sqlite3"):
        assert file.read_bytes()[:15] == b"SQLite format 3"
        assert b"hears" not in file.read_bytes()[:4096]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_stderr_costs_what_would_be_there(env: dict[str, str]) -> None:
    done = shell(f"echo hello | {PROGRAM} talk --offline 2>/dev/full; {PROGRAM} talk --input x.wav 2>/dev/full", env)
    assert done.returncode == 2
    assert done.stdout.startswith(b"you: hello\nmodel: Hello")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(("flag", "what"), [("--log-file", "log"), ("--trace", "trace")])
def test_a_full_disk_costs_the_log_or_trace_and_that_is_said_once(flag: str, what: str, env: dict[str, str]) -> None:
    done = livechat("talk", "--offline", "--text", "--lines", flag, "/dev/full", stdin="hello\nhello\n", env=env)
    assert done.returncode == 0
    assert done.stdout.count("model: ") == 2
    assert done.stderr.count(f"warning: the {what} /dev/full ends here: No space left on device") == 1
    assert "Logging error" not in done.stderr


@pytest.mark.parametrize("how", ["--json", "--plain"])
def test_all_of_stdout_reaches_a_slow_reader_of_a_pipe_that_does_not_block(how: str, env: dict[str, str]) -> None:
    """Several times what the pipe holds, to a reader that begins late."""
    said = [f"how much is {n} plus 1" for n in range(4)]
    reading, writing = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    os.write(writing, b"\n" * 4000)
    command = [sys.executable, "-m", "livechat", "talk", "--offline", "--text", "--lines", how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.DEVNULL, env=env) as talk:
        os.close(writing)
        assert talk.stdin is not None
        threading.Thread(target=_write, args=(talk.stdin, "\n".join(said).encode())).start()
        time.sleep(3)
        got = b""
        while chunk := os.read(reading, 100):
            got += chunk
            time.sleep(0.001)
        assert talk.wait(60) == 0
    os.close(reading)
    lines = got.decode().strip().splitlines()
    if how == "--json":
        texts = [e["text"] for e in map(json.loads, lines) if e["type"] == "user" and e["final"]]
    else:
        texts = [line.removeprefix("you: ") for line in lines if line.startswith("you: ")]
    assert texts == said


def _write(pipe: IO[bytes], data: bytes) -> None:
    with pipe:
        pipe.write(data)


def test_a_stdin_that_does_not_block_is_not_at_its_end_while_it_is_empty(env: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    command = [sys.executable, "-m", "livechat", "talk", "--offline", "--text", "--lines"]
    with subprocess.Popen(command, stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as talk:
        assert talk.stdout is not None
        os.close(reading)
        time.sleep(2)  # it would have ended by now
        os.write(writing, b"hello\n")
        assert talk.stdout.readline() == b"you: hello\n"
        os.write(writing, b"how much is 6 times 7\n")
        os.close(writing)
        assert b"42" in talk.stdout.read()
        assert talk.wait(60) == 0


def test_a_writer_waits_for_a_pipe_and_a_reader_for_a_byte() -> None:
    reading, writing = os.pipe()
    for descriptor in (reading, writing):
        os.set_blocking(descriptor, False)
    out = text_to(writing, None, forgiving=False, owned=True)
    text = "".join(f"{n}\n" for n in range(50_000))
    thread = threading.Thread(target=lambda: (out.write(text), out.close()))
    thread.start()
    got = b""
    while chunk := read(reading, 1000):
        got += chunk
    thread.join()
    os.close(reading)
    assert got.decode() == text


def test_an_outlet_keeps_the_order_and_does_not_wait() -> None:
    reading, writing = os.pipe()
    out, err = (text_to(os.dup(writing), None, forgiving=False, owned=True) for _ in range(2))
    os.close(writing)
    outlet, line = Outlet(), "x" * 999 + "\n"
    for n in range(100):  # more than the pipe holds, and nobody reads
        outlet.write(out if n % 2 else err, f"{n:03}{line}")
    assert not outlet.drain(0.01)
    got = b""
    while got.count(b"\n") < 100:
        got += os.read(reading, 65_536)
    assert outlet.drain(30)
    assert [int(row[:3]) for row in got.splitlines()] == [*range(100)]
    os.close(reading)
    outlet.write(out, "nobody reads\n")
    assert isinstance(outlet.broken.result(30), BrokenPipeError)
    assert outlet.drain(30)
    for stream in (out, err):
        stream.close()


def test_what_is_empty_or_nonsense_in_the_environment_is_not_set() -> None:
    environ = {"LIVECHAT_MODEL": "", "HOME": "/home/x", "COLUMNS": "0", "LINES": "-5", "EMPTY": ""}
    prepare(environ)
    assert environ == {"HOME": "/home/x"}
    for columns, kept in (("80", True), ("abc", False), ("1000000000", False), ("²", False), ("1e3", False)):
        environ = {"COLUMNS": columns}
        prepare(environ)
        assert bool(environ) == kept


@pytest.mark.parametrize(
    "command",
    [
        *(f"talk {flag}" for flag in ("--input", "--output", "--record", "--endpoint", "--model", "--mic")),
        *(f"resume {flag}" for flag in ("--profile", "--system", "--echo", "--faults", "--log-file", "--ca-file")),
        "resume", "sessions show", "sessions forget", "sessions export --output", "devices --speaker",
        "serve --ca-out", "serve --lifetime", "config show --profile",
    ],
)  # fmt: skip
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_value_is_a_mistake(command: str, empty: str, env: dict[str, str]) -> None:
    from typer.testing import CliRunner

    from livechat.cli import app
    from livechat.errors import UsageError

    result = CliRunner().invoke(app, [*command.split(), empty], env=env)
    assert isinstance(result.exception, UsageError)
    assert "is empty" in result.exception.message


@pytest.mark.parametrize(
    "arguments",
    [
        "serve --port 70000", "serve --port -1", "serve --lifetime 0s", "serve --lifetime 1e400s",
        "serve --goaway nan", "sessions forget --older-than 99999999999d", "talk --price-in nan",
        "talk --max-cost inf --price-in 1",
        "talk --max-tokens-total -1", f"talk --prefix-ms {'9' * 5000}", "talk --endpoint https://localhost:70000",
    ],
)  # fmt: skip
def test_a_number_out_of_range_is_one_line_and_a_hint(arguments: str, env: dict[str, str]) -> None:
    done = livechat(*arguments.split(), env=env)
    error, hint = done.stderr.splitlines()
    assert done.returncode == 2
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")


@pytest.mark.parametrize("path", ["x" * 5000, "loop/x", "bad\udcff/x"])
@pytest.mark.parametrize(
    ("command", "code"),
    [
        *((f"talk --offline {flag}", 2) for flag in ("--input", "--output", "--record", "--ca-file")),
        *((f"talk --offline {flag}", 2) for flag in ("--log-file", "--trace", "--system @")),
        ("sessions export --output", 2), ("LIVECHAT_STATE sessions", 2), ("LIVECHAT_CONFIG config show", 3),
        ("LIVECHAT_CONFIG talk --offline", 3), ("LIVECHAT_STATE talk --offline", 0),
    ],
)  # fmt: skip
def test_a_path_that_the_system_refuses_is_one_line(
    command: str, code: int, path: str, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "bad\udcff").write_bytes(b"")  # no folder
    if command == "sessions export --output":
        livechat("talk", "--offline", "--text", stdin="hello\n", env=env)
    first, *rest = command.split()
    if first.startswith("LIVECHAT_"):
        env[first] = path
        arguments = rest
    elif command.endswith("@"):
        arguments = [first, *rest[:-1], f"@{path}"]
    else:
        arguments = [first, *rest, path]
    done = livechat(*arguments, env=env, cwd=tmp_path)
    said = [line for line in done.stderr.splitlines() if line.startswith(("error: ", "warning: "))]
    assert done.returncode == code, done.stderr
    assert len(said) == 1
    assert "has a bug" not in said[0]


def test_a_working_directory_that_is_gone_is_no_reason_to_fail(env: dict[str, str], tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    for arguments, code in (("--text", 0), ("--record a.wav --output b.wav", 2), ("--input a.wav --output b.wav", 2)):
        gone.mkdir()
        command = f"cd {gone} && rmdir {gone} && echo hello | {PROGRAM} talk --offline {arguments}"
        done = shell(command, {**env, "PYTHONPATH": str(ROOT)})
        assert done.returncode == code, done.stderr
        assert done.stderr.count(b"error: ") == bool(code)


def test_a_path_is_looked_at_in_one_way(tmp_path: Path) -> None:
    from livechat.errors import UsageError

    assert look(tmp_path / "none", "--x") is None
    assert look(Path(__file__) / "none", "--x") is None
    assert look(tmp_path, "--x") is not None
    for path in ("x" * 5000, "a\0b", "\ud800"):
        with pytest.raises(UsageError, match=r"--x .* cannot be used: "):
            look(path, "--x")


def test_a_text_is_read_in_the_encoding_it_says_it_has() -> None:
    text = "Grüße 🙂\nund mehr\n"
    for name in ("utf-8", "utf-8-sig", "utf-16"):
        assert decoded(text.encode(name)) == text
        assert decoded(text.replace("\n", "\r\n").encode(name)) == text
    assert decoded("ä\n".encode("utf-16-be").join([b"\xfe\xff", b""])) == "ä\n"
    with pytest.raises(UnicodeDecodeError):
        decoded(b"caf\xe9")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_are_cut_in_any_encoding_however_they_come(encoding: str, size: int) -> None:
    data = "ä 🙂\r\nzwei\n\nlast".encode(encoding)
    cut = Lines()
    lines = [line for at in range(0, len(data), size) for line in cut.feed(data[at : at + size])]
    assert [*lines, *cut.feed(b"", final=True)] == ["ä 🙂\r", "zwei", "", "last"]


@pytest.mark.parametrize(
    "data", [b"\xef", b"\xef\xbb", b"\xff", b"\xff\xfea", b"\xc3", b"\x00\xff\xfe", b"\xff\xfe\x00\xd8"]
)
def test_what_is_no_text_is_shown_as_such_and_raises_nothing(data: bytes) -> None:
    cut = Lines()
    assert [*cut.feed(data), *cut.feed(b"", final=True)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mark_is_no_part_of_the_text_anywhere(encoding: str, env: dict[str, str], tmp_path: Path) -> None:
    config, system = tmp_path / "config.toml", tmp_path / "system.txt"
    config.write_bytes('model = "gemini-3.8-live"\r\nsystem = "@system.txt"\r\n'.encode(encoding))
    system.write_bytes("Be brief.\r\n".encode(encoding))
    env["LIVECHAT_CONFIG"] = str(config)
    done = livechat("talk", "--offline", "--text", stdin="how much is 6 times 7\r\n".encode(encoding), env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "you: how much is 6 times 7\nmodel: 6 times 7 is 42.\n"


def test_a_journal_says_once_that_it_can_take_no_more(tmp_path: Path) -> None:
    said: list[Notice] = []
    journal = Journal(str(tmp_path / "log"), "--log-file", "log", append=True)
    journal.on_trouble = said.append
    journal.write("one\n")
    journal.write("\udcff\n")
    journal.close()
    journal.close()
    journal.write("three\n")
    assert (tmp_path / "log").read_text() == "one\n\\udcff\n"
    assert said == []
    full = Journal("/dev/full", "--log-file", "log", append=True)
    full.on_trouble = said.append
    for _ in range(3):
        full.write("more\n")
    assert [notice.message for notice in said] == ["the log /dev/full ends here: No space left on device"]
