"""Lines for pipes, JSON for programs, lines from a pipe, and the choice of display."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from livechat import events as ev
from livechat.errors import ConfigError, Notice, UsageError
from livechat.ui.display import Display
from livechat.ui.plain import Json, Plain, error_lines, piped_lines, piped_text
from livechat.ui.safe_text import LONGEST
from tests.support.terminal import Terminal

START = ev.Start("0.1", "offline", "gemini-3.8-live", "Kore", "a.wav", "b.wav", None, "k3f9", 0)
SUMMARY = ev.Summary(724, 14, 2, 1, 1, 1200, 140, 5300, "k3f9", "livechat resume k3f9", 0)


def shown(*events: ev.Output, color: bool = False) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    plain: Display = Plain(out, err, color=color)
    for event in events:
        plain.show(event)
    plain.close()
    return out.getvalue(), err.getvalue()


def test_data_goes_to_stdout_and_talk_to_stderr() -> None:
    out, err = shown(
        START,
        ev.LinkState(1, "open"),
        ev.UserText("what time", False, "speech"),
        ev.UserText("what time is it", True, "speech"),
        ev.Levels(-20, -20),
        ev.ModelText("ten\npast four", True),
        ev.ModelText("an hour be", True, cut=True),
        Notice("the microphone is gone", "plug it in again"),
        ev.LinkState(1, "waiting", why="the network is unreachable", retry_in_s=2),
        ev.Handover(2, "the network was unreachable", "seeded", 5300, 1200, 140),
        SUMMARY,
    )
    assert out == "you: what time is it\nmodel: ten past four\nmodel: an hour be —\n"
    assert err.splitlines() == [
        "livechat 0.1 · embedded server, offline · gemini-3.8-live · voice Kore",
        "hint: for Gemini, set GEMINI_API_KEY from https://aistudio.google.com/apikey",
        "hears a.wav · plays to b.wav",
        "warning: the microphone is gone",
        "hint: plug it in again",
        "no link; next try in 2.0 s: the network is unreachable",
        "link 2 after 5.3 s (the network was unreachable), 1.2 s sent again, 0.1 s lost, "
        "a new session that was told the transcript",
        "12:04 · 14 turns · 2 links",
        "longest gap 5.3 s, 0.1 s lost, 1.2 s sent again",
        "livechat resume k3f9",
    ]


def test_what_was_said_in_an_earlier_run_is_talk() -> None:
    out, err = shown(ev.UserText("my name is Ada", True, "restored"), ev.ModelText("Hello Ada", True, restored=True))
    assert (out, err) == ("", "you: my name is Ada\nmodel: Hello Ada\n")


def test_thoughts_are_talk_and_not_data() -> None:
    assert shown(ev.ThoughtText("**A plan**\n\x1b[2J")) == ("", "thought: **A plan** ␛[2J\n")
    assert shown(ev.ThoughtText("A plan"), color=True)[1] == "\x1b[2mthought: \x1b[0mA plan\n"


def test_quiet_leaves_what_was_said() -> None:
    out, err = io.StringIO(), io.StringIO()
    plain = Plain(out, err, color=False, quiet=True)
    for event in (START, ev.ModelText("ten past four", True), Notice("late", "wait"), SUMMARY):
        plain.show(event)
    assert (out.getvalue(), err.getvalue()) == ("model: ten past four\n", "")


def test_hostile_text_stays_text_and_on_its_line() -> None:
    out, err = shown(ev.ModelText("a\x1b[2Jb\nyou: c\r\x07", True), Notice("\x1b]0;x\x07", "\u202eno"), color=True)
    assert out == "model: a␛[2Jb you: c ␇\n"
    assert err == "\x1b[33mwarning: \x1b[0m␛]0;x␇\n\x1b[2mhint: \x1b[0m�no\n"


def test_json_is_one_object_a_line_with_its_time() -> None:
    out, now = io.StringIO(), iter([100.0, 100.5, 101.23456, 102])
    display: Display = Json(out, clock=lambda: next(now))
    display.show(START)
    display.show(ev.Levels(-20, -20))
    display.show(ev.ModelText("\x1b[2J\u202e\ud83d", True))
    display.show(SUMMARY)
    lines = out.getvalue().splitlines()
    start, model, summary = map(json.loads, lines)
    assert list(start)[:2] == ["type", "t"]
    assert (start["type"], start["t"], start["compression"]) == ("start", 0.5, None)
    assert (model["t"], model["text"], model["cut"]) == (1.235, "\x1b[2J\u202e\ud83d", False)
    assert summary["resume"] == "livechat resume k3f9"
    assert out.getvalue().isascii()


def test_errors_have_a_hint() -> None:
    error = ConfigError("no key\x1b[2J", "set GEMINI_API_KEY")
    assert error_lines(error, color=False) == "error: no key␛[2J\nhint: set GEMINI_API_KEY\n"


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    script = (
        "import sys, time; from livechat.events import ModelText; from livechat.ui.plain import Plain, Json\n"
        "for display in Plain(sys.stdout, sys.stderr, color=False), Json(sys.stdout, clock=time.monotonic):\n"
        "    while not display.quit.is_set(): display.show(ModelText('word ' * 100, True))\n"
        "    break\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline().startswith(b"model: word")
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


def test_an_encoding_without_the_character_is_no_reason_to_fail() -> None:
    raw = io.BytesIO()
    plain = Plain(io.TextIOWrapper(raw, encoding="ascii"), io.StringIO(), color=False)
    plain.show(ev.ModelText("café", True))
    assert raw.getvalue() == b"model: caf?\n"


async def all_lines(stream: io.BufferedReader, canonical: int | None = None) -> list[str]:
    return [str(line) async for line in piped_lines(stream, canonical)]


def test_piped_lines_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "said.txt"
    path.write_bytes(b"what time is it\r\n\n  \ncaf\xff\n" + b"x" * 200_000 + b"\nlast")
    with path.open("rb") as stream:
        lines = asyncio.run(all_lines(stream))
    assert lines == ["what time is it", "caf�", "x" * 200_000, "last"]


def test_piped_lines_from_nothing() -> None:
    with Path(os.devnull).open("rb") as stream:
        assert asyncio.run(all_lines(stream)) == []


def test_piped_lines_come_as_they_are_written() -> None:
    reader, writer = os.pipe()

    async def main() -> list[str]:
        lines = piped_lines(stream)
        os.write(writer, b"one\ntw")
        seen = [str(await anext(lines))]
        os.write(writer, b"o\n")
        seen.append(str(await anext(lines)))
        os.close(writer)
        return [*seen, *[str(line) async for line in lines]]

    with os.fdopen(reader, "rb") as stream:
        assert asyncio.run(main()) == ["one", "two"]


def test_a_line_without_an_end_is_refused_in_words_and_the_next_is_taken() -> None:
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(b"x" * 9_000_000 + b"\nnext\n" + b"y" * 1_000_001 + b"\n" + b"z" * 5_000_000)

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reader, "rb") as stream:
        lines = asyncio.run(all_lines(stream))
    thread.join()
    refused = "a line of more than 1,000,000 characters was not sent"
    assert lines == [refused, "next", refused, refused]


@pytest.mark.parametrize("size", [4_000, 4_095, 20_000])
def test_a_line_that_the_terminal_cut_is_refused_in_words(size: int) -> None:
    """In a program at a real terminal: the kernel keeps 4,095 bytes of a line, and the newline.

    Without an echo: the kernel echoes into the middle of what a program writes, which then breaks at the edge.
    """
    script = (
        "import asyncio, sys, termios\n"
        "mode = termios.tcgetattr(0)\n"
        "mode[3] &= ~termios.ECHO\n"
        "termios.tcsetattr(0, termios.TCSANOW, mode)\n"
        "from livechat.events import *\n"
        "from livechat.ui.plain import Plain, Json\n"
        "async def main():\n"
        "    display = {}\n"
        "    print('ready', flush=True)\n"
        "    async for line in display.lines(): print(len(line), line[-4:], flush=True)\n"
        "asyncio.run(main())\n"
    )
    for display, refused in (
        ("Plain(sys.stdout, sys.stderr, color=False, quiet=True, stdin=sys.stdin.buffer)", "error: the terminal"),
        ("Json(sys.stdout, clock=lambda: 0.0, stdin=sys.stdin.buffer)", '"message": "the terminal'),
    ):
        terminal = Terminal(200, 80, [sys.executable, "-c", script.format(display)], dict(os.environ))
        try:
            terminal.until_shown("ready")
            terminal.press("x" * size + "\nnext\n/quit\n")
            terminal.until_ended()
            shown = "\n".join(terminal.all_rows())
        finally:
            terminal.close()
        assert (refused in shown) == (size > 4_000)
        assert ("4000 xxxx" in shown) == (size == 4_000)
        assert "4 next" in shown


def test_a_silent_writer_holds_up_neither_loop_nor_end() -> None:
    script = (
        "import asyncio, sys; from livechat.ui.plain import piped_lines\n"
        "async def main():\n"
        "    lines = piped_lines(sys.stdin.buffer)\n"
        "    try: await asyncio.wait_for(anext(lines), 0.05)\n"
        "    except TimeoutError: print('silent')\n"
        "asyncio.run(main())\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdout.read() == b"silent\n"
        assert child.wait(20) == 0


def test_lines_nobody_wants_any_more_are_dropped_quietly() -> None:
    script = (
        "import asyncio, sys, time; from livechat.ui.plain import piped_lines\n"
        "async def main():\n"
        "    async for line in piped_lines(sys.stdin.buffer):\n"
        "        print(line); break\n"
        "asyncio.run(main()); time.sleep(0.05)\n"
    )
    program = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(program, input=b"one\n" * 10_000, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"one\n", b"")


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b"one\r\n\r\n  two\n\n", ["one\n\n  two"]),
        (b"\xef\xbb\xbfone", ["one"]),
        ("zwei\nSätze".encode("utf-16"), ["zwei\nSätze"]),
        (b" \n\t\n", []),
        (b"", []),
        (b"word\n" * 20_000, ["\n".join(["word"] * 20_000)]),
    ],
)
def test_all_of_a_pipe_is_one_text(data: bytes, texts: list[str], tmp_path: Path) -> None:
    (tmp_path / "pipe").write_bytes(data)

    async def main() -> list[object]:
        with (tmp_path / "pipe").open("rb") as stream:
            return [text async for text in piped_text(stream)]

    assert asyncio.run(main()) == texts


def test_a_text_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pipe").write_bytes(b"x" * (LONGEST + 1))

    async def main() -> list[object]:
        with (tmp_path / "pipe").open("rb") as stream:
            return [text async for text in piped_text(stream)]

    (refused,) = asyncio.run(main())
    assert isinstance(refused, UsageError)
