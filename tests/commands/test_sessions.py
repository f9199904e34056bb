"""`livechat sessions` as a person or a script runs it, also while a conversation goes on."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from livechat.commands import sessions
from livechat.commands.sessions_view import as_lines, as_table
from livechat.conversations.records import Entry
from livechat.conversations.rows import FILE
from livechat.conversations.store import Store
from livechat.errors import UsageError
from livechat.events import Summary
from livechat.session.events import Resumption
from tests.commands.test_talk import talking
from tests.support.program import livechat
from tests.support.terminal import LIVECHAT, Terminal

HOSTILE = "go \x1b[31mred\x1b]0;owned\x07 \N{OWL} now and for ever and ever and ever and ever and ever and ever"


def filled(env: dict[str, str], *words: str) -> list[str]:
    """The ids of conversations in which this was said, oldest first."""
    store = Store(Path(env["LIVECHAT_STATE"]) / FILE, on_trouble=lambda *told: None)
    identities = []
    for said in words:
        identities.append(store.begin("gemini", "gemini-3.8-live", {}))
        store.turn(identities[-1], 0, said, f"You said {said}.")
        store.keep(identities[-1], Resumption(f"handle of {said}", 1), 7200.0)
    store.close()
    return identities


def newest(env: dict[str, str]) -> str:
    return str(json.loads(livechat("sessions", "--all", "--json", env=env).stdout.splitlines()[0])["id"])


def test_a_pipe_gets_aligned_lines_newest_first_and_nothing_is_cut_in_an_escape(env: dict[str, str]) -> None:
    first, second = filled(env, "hello", HOSTILE)
    done = livechat("sessions", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    heads, newest, oldest = done.stdout.splitlines()
    assert heads.split()[:4] == ["id", "last", "used", "long"]
    assert heads.index("model") == newest.index("gemini-3.8-live")
    assert newest.startswith(f"{second}  20")
    assert oldest.startswith(f"{first}  20")
    assert newest.index("gemini-3.8-live (gemini)") == oldest.index("gemini-3.8-live (gemini)")
    assert oldest.endswith("  hello")
    assert "\x1b" not in newest
    assert newest.endswith("…")
    assert "␛[31mred␛]0;owned" in newest


def test_what_a_conversation_cost_is_a_column_where_it_is_known(env: dict[str, str]) -> None:
    first, _ = filled(env, "hello", "again")
    assert "cost" not in livechat("sessions", env=env).stdout
    store = Store(Path(env["LIVECHAT_STATE"]) / FILE, on_trouble=lambda *told: None)
    store.measure(first, time.time(), Summary(1.0, 1, 1, 0, 0, 0, 0, 0, first, "", 0, cost=0.125))
    store.close()
    heads, newest, oldest = livechat("sessions", env=env).stdout.splitlines()
    assert oldest.index("0.12") == heads.index("cost")
    assert newest.endswith("again")
    assert [json.loads(line)["cost"] for line in livechat("sessions", "--json", env=env).stdout.splitlines()] == [
        None, 0.125,
    ]  # fmt: skip
    assert "cost 0.12" in livechat("sessions", "show", first, env=env).stdout


def test_what_cannot_be_erased_is_one_line_with_a_documented_exit_code(env: dict[str, str]) -> None:
    (identity,) = filled(env, "hello")
    with contextlib.closing(sqlite3.connect(Path(env["LIVECHAT_STATE"]) / FILE)) as db:
        db.execute("CREATE TRIGGER kept BEFORE DELETE ON turns BEGIN SELECT raise(ABORT, 'not this one'); END")
        db.commit()
    done = livechat("sessions", "forget", identity, env=env)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the kept conversations cannot be changed: not this one\nhint: ")


def test_what_may_only_be_read_is_listed_and_that_is_said(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not as a process: the tests may run as root, whom no mode of a file stops."""

    def refuse(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & os.O_RDWR:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, *more, **named)

    (identity,) = filled(env, "hello")
    real = os.open
    monkeypatch.setattr("livechat.database.os.open", refuse)
    monkeypatch.setenv("LIVECHAT_STATE", env["LIVECHAT_STATE"])
    assert sessions.sessions(as_json=False) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].startswith(identity)
    assert err == "the kept conversations can only be read: Read-only file system\n"
    assert sessions.show(None, as_json=False) == 0
    assert sessions.export(None, form="txt", output=None) == 0
    assert capsys.readouterr().out.endswith("you: hello\nmodel: You said hello.\n")
    with pytest.raises(UsageError, match="the kept conversations cannot be changed: Read-only file system"):
        sessions.forget([identity], older_than=None, as_json=False)


@pytest.mark.parametrize(("columns", "heads"), [(60, 4), (80, 6), (120, 7)])
def test_a_terminal_gets_the_columns_it_has_room_for_each_conversation_one_line(
    columns: int, heads: int, env: dict[str, str]
) -> None:
    identities = filled(env, HOSTILE, "hello")
    terminal = Terminal(columns, 24, [LIVECHAT, "sessions"], env | {"TERM": "xterm"})
    try:
        assert terminal.until_ended() == 0
        head, *rows = [row for row in terminal.rows() if row.strip()]
    finally:
        terminal.close()
    known = ("id", "last used", "long", "turns", "resumable until", "model", "first words")
    assert len([name for name in known if name in head]) == heads
    assert [row.split()[0] for row in rows] == identities[::-1]
    assert head.index("first words") == rows[0].index("hello") == rows[1].index("go ␛[31mred")
    assert rows[1].endswith("…")


def test_an_expired_handle_means_transcript_only() -> None:
    entry = Entry("abc234", 0.0, 0.0, 3_600.0, "vertex", "m", 3, 1_000.0, "hello")
    for show in (as_lines, as_table):
        out = io.StringIO()
        show(out, [entry], 999.0)
        assert "transcript only" not in out.getvalue()
        show(out, [entry], 1_000.0)
        assert "transcript only" in out.getvalue().splitlines()[-1]
        assert "1:00:00" in out.getvalue()


def test_one_without_a_word_is_shown_only_when_asked_for(env: dict[str, str]) -> None:
    store = Store(Path(env["LIVECHAT_STATE"]) / FILE, on_trouble=lambda *told: None)
    empty = store.begin("gemini", "gemini-3.8-live", {})
    store.keep(empty, Resumption("handle", 0), 7200.0)
    store.close()
    done = livechat("sessions", env=env)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "1 without a word said: --all shows them too\n"
    (spoken,) = filled(env, "hello")
    done = livechat("sessions", "--json", env=env)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [spoken]
    done = livechat("sessions", "--all", env=env)
    assert [line[:6].strip() for line in done.stdout.splitlines()] == ["id", spoken, empty]
    assert done.stderr == ""


def test_words_are_found_in_what_either_side_said(env: dict[str, str]) -> None:
    first, second = filled(env, "a rose", HOSTILE)
    done = livechat("sessions", "find", "ROS", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(line.partition(" ")[0] for line in done.stdout.splitlines()) == [first, first]
    assert [line[26:] for line in done.stdout.splitlines()] == ["you: a rose", "model: You said a rose."]
    hostile = livechat("sessions", "find", "owned", "go", env=env).stdout
    assert "\x1b" not in hostile
    assert hostile.startswith(second)
    found = [
        json.loads(line) for line in livechat("sessions", "find", "said rose", "--json", env=env).stdout.splitlines()
    ]
    assert [(each["conversation"], each["n"], each["who"], each["text"]) for each in found] == [
        (first, 1, "model", "You said a rose.")
    ]
    nothing = livechat("sessions", "find", "tulip", env=env)
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "nobody said tulip\n")


def test_what_was_forgotten_is_not_found(env: dict[str, str]) -> None:
    first, _ = filled(env, "a rose", "a tulip")
    livechat("sessions", "find", "rose", env=env)
    assert livechat("sessions", "forget", first, env=env).returncode == 0
    assert livechat("sessions", "find", "rose", env=env).stdout == ""
    left = b"".join(file.read_bytes() for file in Path(env["LIVECHAT_STATE"]).rglob("*") if file.is_file())
    assert b"a rose" not in left


def test_a_terminal_breaks_what_was_said_at_words(env: dict[str, str]) -> None:
    filled(env, "one two three four five six seven eight nine ten eleven twelve")
    with contextlib.closing(Terminal(40, 20, [LIVECHAT, "sessions", "show"], env)) as terminal:
        assert terminal.until_ended() == 0
        rows = [row.rstrip() for row in terminal.rows()]
    (first,) = (n for n, row in enumerate(rows) if "  you: " in row)
    assert rows[first].endswith("you: one two three four five")
    assert rows[first + 1] == " " * 10 + "six seven eight nine ten"


def test_without_conversations_there_is_one_line_and_no_error(env: dict[str, str]) -> None:
    done = livechat("sessions", env=env)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "there are no conversations: `livechat talk` begins one\n"
    assert livechat("sessions", "--json", env=env).stdout == ""
    assert livechat("sessions", "forget", "--older-than", "1s", env=env).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["show"], "there are no conversations"),
        (["export", "nope"], "there is no conversation nope"),
        (["export", "--format", "pdf"], "--format does not know 'pdf'"),
        (["export", "--json", "--format", "md"], "--json does not go with --format md"),
        (["forget"], "say which conversations to forget"),
        (["forget", "abc", "--older-than", "1d"], "say which conversations to forget"),
        (["forget", "nope"], "there is no conversation nope"),
        (["forget", "--older-than", "soon"], "not a duration: 'soon'"),
        (["--json", "show"], "--json does not go with show"),
        (["--all", "show"], "--all does not go with show"),
        (["find"], "Missing argument"),
        (["find", "?"], "there is no word to find"),
        (["burn"], "No such command 'burn'"),
    ],
)
def test_bad_input_is_one_line_and_a_hint(arguments: list[str], error: str, env: dict[str, str]) -> None:
    done = livechat("sessions", *arguments, env=env)
    first, hint = done.stderr.splitlines()
    assert done.returncode == 2
    assert first.startswith("error: ")
    assert error in first
    assert hint.startswith("hint: ")
    assert done.stdout == ""


def test_a_conversation_is_shown_with_its_times_and_how_continuous_it_was(env: dict[str, str]) -> None:
    flags = ["--offline", "--faults", "#1:drop@1s", "--lines"]
    assert livechat("talk", *flags, stdin="hello\n\x1b[2J\n", env=env).returncode == 0
    done = livechat("sessions", "show", env=env)
    head, *said, run = done.stdout.splitlines()
    assert "gemini-3.8-live (offline)" in head
    assert "turns 2 · resumable until 20" in head
    assert said[0][8:] == "  you: hello"
    assert said[1][8:].startswith("  model: Hello")
    assert said[2][8:] == "  you: ␛[2J"
    assert all(time.strptime(line[:8], "%H:%M:%S") for line in said)
    assert run.startswith("run of 20")
    assert "links 2" in run
    kinds = [json.loads(line)["type"] for line in livechat("sessions", "show", "--json", env=env).stdout.splitlines()]
    assert kinds == ["conversation", "turn", "turn", "run"]


def test_a_document_goes_to_stdout_or_into_a_new_file(env: dict[str, str], tmp_path: Path) -> None:
    first, _ = filled(env, "hello", "newer")
    assert "**Model**: You said newer." in livechat("sessions", "export", env=env).stdout
    name = str(tmp_path / "a.srt")
    into_file = ("sessions", "export", first[:5], "--format", "srt", "--output", name)
    done = livechat(*into_file, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert Path(name).read_text().splitlines()[2] == "You: hello"
    again = livechat(*into_file, env=env)
    assert again.returncode == 2
    assert "is there already, and is not written over" in again.stderr
    assert livechat("sessions", "export", "--output", "/dev/null/a", env=env).returncode == 2
    to_stdout = livechat("sessions", "export", "--output", "/dev/stdout", env=env)
    assert (to_stdout.returncode, to_stdout.stdout) == (0, livechat("sessions", "export", env=env).stdout)
    assert livechat("sessions", "export", "--output", "/dev/null", env=env).returncode == 0
    as_json = livechat("sessions", "export", "--json", env=env).stdout
    assert as_json == livechat("sessions", "show", "--json", env=env).stdout


def test_while_one_goes_on_the_rest_is_listed_and_forgotten_and_it_is_not(env: dict[str, str]) -> None:
    (old,) = filled(env, "old")
    talk, said = talking("hello", env)
    said.readline()
    going = newest(env)
    assert going != old
    done = livechat("sessions", "forget", going, old[:5], old, env=env)
    assert done.returncode == 2
    assert done.stdout == f"forgot {old}\n"
    assert done.stderr.splitlines()[0] == f"error: {going}: going on in another livechat, not forgotten"
    assert "hello" in livechat("sessions", "show", going, env=env).stdout
    talk.communicate()
    gone = livechat("sessions", "forget", "--older-than", "0s", "--json", env=env)
    assert [json.loads(line) for line in gone.stdout.splitlines()] == [{"type": "forgotten", "id": going}]
    assert livechat("sessions", env=env).stdout == ""


def test_an_offline_conversation_is_forgotten_by_the_embedded_server_too(env: dict[str, str]) -> None:
    livechat("talk", "--offline", stdin="my name is Xanthippe\n", env=env)
    folder = Path(env["LIVECHAT_STATE"])
    assert any(b"Xanthippe" in file.read_bytes() for file in folder.glob("offline-server*"))
    assert livechat("sessions", "forget", "--older-than", "0s", env=env).returncode == 0
    assert not [file for file in folder.rglob("*") if file.is_file() and b"Xanthippe" in file.read_bytes()]


def test_a_conversation_is_resumed_by_the_beginning_of_its_id(env: dict[str, str]) -> None:
    livechat("talk", "--offline", stdin="hello\n", env=env)
    identity = newest(env)
    done = livechat("resume", identity[:4], "--offline", stdin="what did I say\n", env=env)
    assert "hello" in done.stdout
    assert done.stderr.splitlines()[-1] == f"livechat resume {identity}"


@pytest.mark.parametrize("command", ["resume", "sessions show", "sessions export", "sessions forget"])
def test_a_shell_completes_ids_and_is_given_no_words(command: str, env: dict[str, str]) -> None:
    first, second = filled(env, "hello", "$(touch owned)")
    asked = {"_LIVECHAT_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": f"livechat {command} "}
    script = "import sys; sys.argv[0] = 'livechat'; from livechat.cli import app; app(prog_name='livechat')"
    done = subprocess.run([sys.executable, "-c", script], env=env | asked, capture_output=True, text=True, check=True)
    assert first in done.stdout
    assert second in done.stdout
    assert "hello" not in done.stdout
    assert "touch" not in done.stdout


def test_completion_loads_nothing_heavy(env: dict[str, str]) -> None:
    names = "google.genai sounddevice numpy rich prompt_toolkit websockets soundfile asyncio cryptography"
    loaded = f"[n for n in {names!r}.split() if n in sys.modules]"
    script = f"import sys, livechat.commands.sessions as s; s.complete(''); print({loaded})"
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_reader_that_goes_away_is_no_error(env: dict[str, str]) -> None:
    filled(env, *("hello " * 50 for _ in range(60)))
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "livechat", "sessions", "--json"],
        stdout=writer, stderr=subprocess.PIPE, env=env, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
