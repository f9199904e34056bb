"""The program as a person or a script runs it: a process with pipes, real time, real speech, no network."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.conversation import CLIPS, recognise, words
from tests.support.program import Program, livechat

GO_FORWARD = CLIPS["Go forward ten meters."]


def talking(words: str, env: dict[str, str]) -> tuple[Program, IO[bytes]]:
    """A typed conversation that goes on after these words, and its standard output."""
    talk = Program("talk", "--text", "--lines", "--offline", env=env)
    assert talk.stdin is not None
    assert talk.stdout is not None
    talk.stdin.write(words.encode() + b"\n")
    talk.stdin.flush()
    return talk, talk.stdout


def events(output: str, kind: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, output.splitlines()) if line["type"] == kind]


def test_a_pipe_is_answered_in_plain_lines(env: dict[str, str]) -> None:
    done = livechat("talk", "--lines", stdin="hello\nhow much is 17 plus 25\n", env=env)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "you: hello"
    assert lines[2] == "you: how much is 17 plus 25"
    assert "42" in lines[3]
    assert "embedded server, offline" in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[-1].startswith("livechat resume ")


def test_a_flag_may_be_nought(env: dict[str, str]) -> None:
    done = livechat("talk", "--target-tokens", "0", "--json", stdin="hello\n", env=env)
    (start,) = events(done.stdout, "start")
    assert start["compression"]["target_tokens"] == 0


def test_quiet_in_a_pipe_is_nothing_but_the_words(env: dict[str, str]) -> None:
    done = livechat("talk", "--quiet", stdin="how much is 17 plus 25\n", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "you: how much is 17 plus 25\nmodel: 17 plus 25 is 42.\n"
    wrong = livechat("talk", "--quiet", "--model", "gemini-2.0-flash-live-001", env=env)
    assert wrong.stderr.startswith("error: ")


def test_speech_in_a_file_is_answered_in_a_file(env: dict[str, str], tmp_path: Path) -> None:
    """The main job: human speech in, a spoken answer out that a recogniser reads back as it was printed."""
    answer = tmp_path / "a.wav"
    done = livechat("talk", "--input", str(GO_FORWARD), "--output", str(answer), "--json", "--offline", env=env)
    assert done.returncode == 0
    (summary,) = events(done.stdout, "summary")
    assert summary["dropped_ms"] == 0
    assert [e["text"] for e in events(done.stdout, "user") if e["final"]] == ["Go forward ten meters."]
    (printed,) = [e["text"] for e in events(done.stdout, "model") if e["final"]]
    with wave.open(str(answer)) as spoken:
        heard = recognise(spoken.readframes(spoken.getnframes()), spoken.getframerate())
    assert len(heard & words(printed)) >= 0.7 * len(words(printed))


def test_a_killed_conversation_is_remembered(env: dict[str, str]) -> None:
    talk, said = talking("My name is Grace.", env)
    assert said.readline() == b"you: My name is Grace.\n"
    assert b"Grace" in said.readline()
    talk.send_signal(signal.SIGKILL)
    talk.communicate()
    done = livechat("resume", stdin="what did I say\n", env=env)
    assert done.returncode == 0
    assert "My name is Grace." in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["--target-tokens", "9", "--trigger-tokens", "3"], 2, "--trigger-tokens 3 is out of range"),
        (["--trigger-tokens", "6000", "--target-tokens", "7000"], 2, "--target-tokens 7000 is not below"),
        (["--trigger-tokens", "many"], 2, "Invalid value for '--trigger-tokens'"),
        (["--bogus"], 2, "No such option"),
        (["--input", "nothing.wav"], 2, "--input nothing.wav"),
        (["--input", __file__], 2, "is not a sound file"),
        (["--output", "/dev/null/a.wav", "--text"], 2, "--output /dev/null/a.wav cannot be written"),
        (["--input", str(GO_FORWARD), "--output", str(GO_FORWARD)], 2, "would overwrite the --input"),
        (["--record", __file__], 2, "is there already, and is not written over"),
        (["--record", "/dev/null/a.wav", "--text"], 2, "--record /dev/null/a.wav cannot be written"),
        (["--record", "a.wav", "--output", "./a.wav"], 2, "--record and --output are both a.wav"),
        (["--fast"], 2, "--fast hurries through an --input"),
        (["--fast", "--input", str(GO_FORWARD), "--record", "a.wav"], 2, "--fast does not go with --record"),
        (["--compact"], 2, "--compact leaves silence out of the --output"),
        (["--faults", "nope"], 2, "not a fault: 'nope'"),
        (["--endpoint", "nowhere"], 2, "nowhere is not the address of a Live server"),
        (["--json", "--plain"], 2, "--json does not go with --plain"),
        (["--json", "--quiet"], 2, "--json does not go with --quiet"),
        (["--ca-file", "none.pem"], 2, "there is no file none.pem"),
        (["--model", "gemini-2.0-flash-live-001"], 2, "has been switched off"),
        (["--log-file", "/dev/null/log"], 2, "cannot write the log"),
        (["--trace", "/dev/null/trace"], 2, "cannot write the trace"),
    ],
)
def test_bad_input_is_one_line_and_a_hint(arguments: list[str], code: int, error: str, env: dict[str, str]) -> None:
    done = livechat("talk", *arguments, env=env)
    first, hint = done.stderr.splitlines()
    assert done.returncode == code
    assert first.startswith("error: ")
    assert error in first
    assert hint.startswith("hint: ")
    assert done.stdout == ""


def test_resuming_nothing_says_so(env: dict[str, str]) -> None:
    done = livechat("resume", env=env)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "error: there is no conversation to resume"


@pytest.mark.parametrize(
    "wanted",
    ["no-such-conversation", "95e91930-b35b-482b-8880-17efc49ec2f", "./talk/of-last-night", "\x1b[31mred"],
)
def test_what_cannot_be_a_handle_is_an_unknown_conversation(wanted: str, env: dict[str, str]) -> None:
    done = livechat("resume", wanted, "--offline", stdin="hello\n", env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there is no conversation ")
    assert "\x1b" not in done.stderr


def test_a_handle_that_is_refused_and_of_which_nothing_is_kept_ends_with_exit_5(env: dict[str, str]) -> None:
    wanted = "95e91930-b35b-482b-8880-17efc49ec2f2"
    done = livechat("resume", wanted, "--offline", "--json", stdin="hello\n", env=env)
    assert done.returncode == 5
    assert done.stderr.splitlines()[0].startswith("error: there is nothing to resume: ")
    (summary,) = events(done.stdout, "summary")
    assert (summary["exit_code"], summary["resume"], summary["turns"]) == (5, "", 0)
    assert events(done.stdout, "user") == events(done.stdout, "warning") == []
    assert wanted not in done.stdout + done.stderr
    assert livechat("sessions", env=env).stdout == ""  # no conversation is left behind
    assert livechat("resume", env=env).returncode == 2


def test_a_handle_of_which_nothing_is_kept_is_taken_up(env: dict[str, str], tmp_path: Path) -> None:
    """A pasted one: the server has the session, and this store does not."""
    livechat("talk", stdin="my name is Ada\n", env=env)
    state = Path(env["LIVECHAT_STATE"])
    with contextlib.closing(sqlite3.connect(state / "conversations.sqlite3")) as db:
        ((handle,),) = db.execute("SELECT handle FROM handles ORDER BY rowid DESC LIMIT 1").fetchall()
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM conversations")
        db.commit()
    done = livechat("resume", f" {handle}\n", stdin="what did I say\n", env=env)
    assert done.returncode == 0
    assert "my name is Ada" in done.stdout


def test_a_key_with_a_space_is_refused_before_it_is_sent(env: dict[str, str]) -> None:
    done = livechat("talk", "--text", env={**env, "GEMINI_API_KEY": "my secret key"})
    assert done.returncode == 3
    assert "secret" not in done.stderr


def test_without_a_place_to_write_the_call_goes_on(env: dict[str, str]) -> None:
    done = livechat("talk", stdin="hello\n", env={**env, "LIVECHAT_STATE": "/dev/null/state"})
    assert done.returncode == 0
    assert done.stdout.startswith("you: hello\nmodel: ")
    assert "warning: conversations cannot be kept in /dev/null/state" in done.stderr
    assert done.stderr.splitlines()[-1] == "not all of it kept"


@pytest.mark.parametrize("wanted", [[], ["4fk2mp"]])
def test_what_keeps_a_conversation_from_being_resumed_is_named(wanted: list[str], env: dict[str, str]) -> None:
    """It is there, and cannot be read: "there is no conversation" sent people looking for it."""
    done = livechat("resume", *wanted, env={**env, "LIVECHAT_STATE": "/dev/null/state"})
    assert done.returncode == 2
    assert done.stderr.startswith("error: conversations cannot be kept in /dev/null/state")


def test_a_database_that_is_locked_for_a_while_loses_no_word(env: dict[str, str]) -> None:
    """By a backup, say: the call goes on meanwhile, and nothing of it is missing afterwards."""
    talk, said = talking("hello", env)
    assert talk.stdin is not None
    assert said.readline() + said.readline()
    database = Path(env["LIVECHAT_STATE"]) / "conversations.sqlite3"
    memory = Path(env["LIVECHAT_STATE"]) / "offline-server.sqlite3"
    with (
        contextlib.closing(sqlite3.connect(database, isolation_level=None)) as one,
        contextlib.closing(sqlite3.connect(memory, isolation_level=None)) as two,
    ):
        one.execute("BEGIN EXCLUSIVE")
        two.execute("BEGIN EXCLUSIVE")
        talk.stdin.write(b"how much is 17 plus 25\n")
        talk.stdin.flush()
        assert said.readline() == b"you: how much is 17 plus 25\n"
        assert b"42" in said.readline()
        time.sleep(2)  # what is said of it is due after a second
        one.execute("ROLLBACK")
        two.execute("ROLLBACK")
    _, err = talk.communicate()
    assert talk.returncode == 0
    assert err.decode().count("another program has the kept conversations locked") == 1
    assert err.decode().splitlines()[-1].startswith("livechat resume ")
    assert "17 plus 25 is 42" in livechat("sessions", "show", env=env).stdout
    done = livechat("resume", stdin="what did I say\n", env=env)
    assert "17 plus 25" in done.stdout.splitlines()[-1]


def test_a_disk_that_fills_up_costs_the_memory_and_not_the_call(env: dict[str, str], tmp_path: Path) -> None:
    shell = f"ulimit -f 96; exec {sys.executable} -m livechat talk --lines"  # KB
    talk = "\n".join(f"hello {'x' * 3000} {n}" for n in range(3))
    done = subprocess.run(
        ["bash", "-c", shell], input=talk, capture_output=True, env=env, timeout=60, check=False, text=True
    )
    assert done.returncode == 0
    assert len([line for line in done.stdout.splitlines() if line.startswith("model: ")]) == 3
    assert done.stderr.count("warning: this conversation is no longer being kept") == 1


def test_an_output_that_cannot_grow_ends_the_call_with_exit_4(env: dict[str, str]) -> None:
    done = livechat("talk", "--input", str(GO_FORWARD), "--output", "/dev/full", env=env)
    assert done.returncode in (2, 4)
    assert any(line.startswith("error: ") for line in done.stderr.splitlines())
    assert any(line.startswith("hint: ") for line in done.stderr.splitlines())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", ["config path", "talk --offline"])
def test_a_disk_that_is_full_behind_stdout_is_one_line_and_a_hint(command: str, env: dict[str, str]) -> None:
    shell = f"echo hello | {sys.executable} -m livechat {command} > /dev/full"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, env=env, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-2:] == [
        "error: writing failed: No space left on device",
        "hint: free some space, or write somewhere else",
    ]


def test_a_reader_that_goes_away_ends_the_call_quietly(env: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-c", f"printf 'hello\\nhello\\nhello\\n' | {sys.executable} -m livechat talk --lines | head -1"],
        capture_output=True, env=env, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == b"you: hello\n"
    assert b"Traceback" not in done.stderr
    assert b"Broken pipe" not in done.stderr


def test_an_interrupt_leaves_at_once_resumably(env: dict[str, str]) -> None:
    talk, said = talking("hello", env)
    said.readline()
    began = time.monotonic()
    talk.send_signal(signal.SIGINT)
    _, err = talk.communicate(timeout=30)
    assert talk.returncode == 130
    assert time.monotonic() - began < 10
    assert err.decode().splitlines()[-1].startswith("livechat resume ")


def test_raw_sound_comes_through_stdin(env: dict[str, str]) -> None:
    with wave.open(str(GO_FORWARD)) as clip:
        pcm = clip.readframes(clip.getnframes())
    done = livechat("talk", "--input", "-", "--json", stdin=pcm, env=env)
    assert done.returncode == 0
    assert [e["text"] for e in events(done.stdout, "user") if e["final"]] == ["Go forward ten meters."]


def test_the_log_holds_no_speech_and_no_key(env: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = livechat("talk", "--log-file", str(log), stdin="xylophone\n", env=env)
    assert done.returncode == 0
    assert "HandleIn" in log.read_text()
    assert "xylophone" not in log.read_text()


def test_a_second_livechat_on_the_same_conversation_is_refused(env: dict[str, str]) -> None:
    talk, said = talking("hello", env)
    said.readline()
    done = livechat("resume", stdin="hello\n", env=env)
    assert done.returncode == 2
    assert "is going on in another livechat" in done.stderr.splitlines()[0]
    talk.communicate()
    assert livechat("resume", stdin="hello\n", env=env).returncode == 0


def test_a_trace_replays_to_the_same_answers(env: dict[str, str], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    flags = ["--trace", str(trace), "--faults", "#1:drop@1s", "--lines"]
    done = livechat("talk", *flags, stdin="hello\nhello\n", env=env)
    assert done.returncode == 0
    assert "hello" not in trace.read_text().lower()
    replayed = subprocess.run(
        [sys.executable, "-m", "livechat.session.trace", str(trace)], capture_output=True, text=True, check=True
    )
    assert replayed.stdout.endswith(" 0 answered otherwise\n")


def test_help_and_version(env: dict[str, str]) -> None:
    assert livechat("--version", env=env).stdout == "livechat 0.1.0\n"
    assert "resume" in livechat(env=env).stdout
    assert "--trigger-tokens" in livechat("talk", "--help", env=env).stdout
