"""The screen on a real pseudo-terminal, read through an emulator; and hostile text through the same paint."""

from __future__ import annotations

import asyncio
import io
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.input import create_pipe_input
from rich.console import Console

from livechat import events as ev
from livechat.errors import Notice
from livechat.ui import kitty_keyboard, styles
from livechat.ui.display import Display
from livechat.ui.screen import Screen, reflows
from livechat.ui.transcript_lines import lines
from tests import ROOT
from tests.support.terminal import Terminal
from tests.support.virtual_time import run

# The program under test: shows the events it is sent on one descriptor, reports on another what was typed.
DRIVER = """
import asyncio, os, signal, sys
from livechat.events import *
from livechat.ui.screen import Screen

SENT, SAID = map(int, sys.argv[1:])

async def main():
    now = 100.0
    os.chdir(os.environ.get("FOLDER", "."))
    screen = Screen(
        clock=lambda: now, push_to_talk="PTT" in os.environ,
        said=lambda conversation: [("hello", "Hi!\\nThere."), ("unanswered", "")] if "FOLDER" in os.environ else [],
    )
    loop, task, commands = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Queue()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    loop.add_reader(SENT, lambda: commands.put_nowait(os.read(SENT, 1 << 20).decode()))

    async def obey():
        nonlocal now
        rest = ""
        while chunk := await commands.get():
            *whole, rest = (rest + chunk).split("\\n")
            for line in whole:
                if line.startswith("at "):
                    now = float(line[3:])
                elif line == "crash":
                    raise ValueError("crash")
                else:
                    screen.show(eval(line))
        await screen.quit.wait()

    async def report():
        async for line in screen.lines():
            os.write(SAID, "typed {}\\n".format(line.replace("\\n", "|")).encode())
        os.write(SAID, b"left\\n")
        task.cancel()

    async def ask():
        async for command in screen.commands():
            os.write(SAID, f"asked {command}\\n".encode())

    try:
        async with asyncio.TaskGroup() as group:
            for job in screen.run(), obey(), report(), ask():
                group.create_task(job)
    finally:
        screen.show(Summary(724, 14, 2, 1, 1, 0, 0, 0, "k3f9", "livechat resume k3f9", 0))
        screen.close()

try:
    asyncio.run(main())
except asyncio.CancelledError:
    pass
"""

COMPRESSION = {"trigger_tokens": 102_400, "target_tokens": 51_200}
START = ev.Start("0.1", "gemini", "gemini-3.8-live", None, "mic", "speaker", COMPRESSION, "k3f9", 0)
OPEN = (START, ev.LinkState(1, "open"), ev.HandleState("a", True, 7200))


class Driven(Terminal):
    """A terminal of some size with the driver on it."""

    def __init__(self, columns: int, rows: int, **more: str) -> None:
        commands, self._commands = os.pipe()
        self._reports, reports = os.pipe()
        self._report = b""
        env = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "XTERM_VERSION": "pyte does not reflow"}
        super().__init__(
            columns, rows,
            [sys.executable, "-W", "error", "-c", DRIVER, str(commands), str(reports)],
            env | {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"} | more,
            pass_fds=(commands, reports),
        )  # fmt: skip
        os.close(commands)
        os.close(reports)

    def show(self, *events: ev.Output, at: float | None = None) -> None:
        command = "".join(f"{event!r}\n" for event in events)
        os.write(self._commands, (command if at is None else f"at {at}\n{command}").encode())

    def crash(self) -> None:
        os.write(self._commands, b"crash\n")

    def pump(self, timeout: float) -> None:
        super().pump(timeout)
        while select.select([self._reports], [], [], 0)[0] and (more := os.read(self._reports, 65_536)):
            self._report += more

    def reports(self) -> list[str]:
        """What the driver reported so far."""
        self.pump(0)
        return self._report.decode().splitlines()

    def bold_in_the_bar(self) -> list[str]:
        """The words in bold on the last row that is not empty."""
        bar = max((y for y, row in enumerate(self.rows()) if row), default=0)
        cells = (self.screen.buffer[bar][x] for x in range(self.screen.columns))
        return "".join(cell.data if cell.bold else " " for cell in cells).split()

    def close(self) -> None:
        super().close()
        for descriptor in (self._commands, self._reports):
            os.close(descriptor)


@pytest.fixture
def at() -> Iterator[Callable[..., Driven]]:
    made: list[Driven] = []

    def make(columns: int, rows: int, **more: str) -> Driven:
        made.append(Driven(columns, rows, **more))
        return made[-1]

    yield make
    for terminal in made:
        terminal.close()


def opened(at: Callable[..., Driven], columns: int = 80, rows: int = 24, **more: str) -> Driven:
    terminal = at(columns, rows, **more)
    terminal.show(*OPEN)
    terminal.until_shown("listening")
    return terminal


def expected(*events: ev.Output, width: int) -> list[str]:
    """The rows that finished lines leave behind, each exactly once."""
    found = (line for event in events for line in lines(event, newlines=True))
    return [row.plain.rstrip() for line in found for row in styles.entry(line, width - 1)]


def talk(count: int) -> list[ev.Output]:
    """A conversation of `count` turns, each with what is partial before it is final."""
    events: list[ev.Output] = []
    for n in range(count):
        words = f"Question {n}, and [bold]some[/bold] more words so that it is long enough to wrap at 60."
        answer = f"東京 answer {n} 👩 with wide characters, over\nmore than one line. {'And so on. ' * n}"
        for part, final in ((words[:30], False), (words, False), (words, True)):
            events.append(ev.UserText(part, final, "speech"))
        for part, final in ((answer[:30], False), (answer, False), (answer, True)):
            events.append(ev.ModelText(part, final))
        events.append(ev.Turn(n, 700 + n))
    return events


@pytest.mark.parametrize(("columns", "rows"), [(60, 20), (80, 24), (120, 40)])
def test_every_finished_line_is_there_once_whole_and_in_order(
    at: Callable[..., Driven], columns: int, rows: int
) -> None:
    terminal = at(columns, rows)
    terminal.show(*OPEN)
    terminal.until_shown("GoAway in about 9:50" if columns > 100 else "GoAway ~9:50")
    shown: list[ev.Output] = [START]
    for n, event in enumerate(talk(12)):
        terminal.show(event, at=100 + n / 5)
        shown.append(event)
        if n % 4 == 0:
            terminal.pump(0.02)
    terminal.until_shown("reply 0.7 s" if columns > 60 else "answer 11")
    terminal.until(lambda: "".join(terminal.rows()).count("answer 11") == 1)

    terminal.until(lambda: [row for row in terminal.rows() if row][-1].startswith("○ listening"))
    *_, last_but_one, bar = [row for row in terminal.rows() if row]
    write = {60: "type", 80: "type", 120: "type to write · Ctrl-O mutes"}[columns]
    assert last_but_one.startswith(f"› {write} · /help · Ctrl-C to leave")
    assert bar.startswith("○ listening")
    terminal.show(ev.ModelText("word " * 2_000 + "the end", False))
    terminal.until_shown("the end")
    # GoAway countdown, handle age, compression
    bold = ["9", "0", "1", "5"] if columns > 100 else ["~", "0", "1"]
    terminal.until(lambda: [word[0] for word in terminal.bold_in_the_bar()] == bold)
    terminal.show(ev.ModelText("short", True))
    terminal.until(lambda: "short" in "".join(terminal.rows()) and "the end" not in "".join(terminal.rows()))
    shown.append(ev.ModelText("short", True))

    terminal.press("\x03")
    assert terminal.until_ended() == 0
    assert terminal.restored()
    left = [row for row in terminal.all_rows() if row]
    assert left == [
        *(row for row in expected(*shown, width=columns) if row),
        "12:04 · 14 turns · 2 links", "nothing lost", "livechat resume k3f9",
    ]  # fmt: skip


def test_typing(at: Callable[..., Driven]) -> None:
    terminal = at(80, 24)
    terminal.show(*OPEN)
    terminal.until_shown("listening")
    terminal.press("q is no key here")
    terminal.until_shown("› q is no key here")
    terminal.press("\x17\x17now\x1b[D\x1b[D\x1b[D東京 \x1b[F!\r")  # Ctrl-W twice, left, End
    terminal.until(lambda: terminal.reports() == ["typed q is no 東京 now!"])
    terminal.press("\x1b[200~two\nlines\x1b[31m\x1b[201~")
    terminal.until_shown("› two⏎lines␛[31m")
    terminal.press("\x04")  # Ctrl-D leaves on an empty line only
    terminal.press("\x15gone\x01\x0b   \r")  # Ctrl-U, Ctrl-A, Ctrl-K: and a blank line is not sent
    terminal.press("x" * 200)
    terminal.until_shown("x" * 60)
    terminal.press("\x15")
    terminal.until_shown("› type · /help")
    terminal.press("\x04")
    terminal.until_ended()
    assert terminal.reports() == ["typed q is no 東京 now!", "left"]
    assert terminal.restored()


def test_commands_are_keys_that_write_nothing_and_words_after_a_slash(at: Callable[..., Driven]) -> None:
    terminal = at(120, 24)
    terminal.show(*OPEN)
    terminal.until_shown("Ctrl-O mutes")
    terminal.press("\x0f")
    terminal.until(lambda: terminal.reports() == ["asked mute"])
    terminal.show(ev.Mic("muted"))
    terminal.until_shown("× muted")
    terminal.until_shown("mic off")
    terminal.press("m")
    terminal.show(at=101)
    terminal.until_shown("› m")
    terminal.show(at=103)
    terminal.press("y name")
    terminal.until_shown("› my name")
    terminal.press(" is m\r")
    terminal.press("/mute\r")
    terminal.press("//slash\r")
    terminal.press("/nonsense\r")
    terminal.until_shown("there is no command /nonsense")
    terminal.until_shown("› /nonsense")
    terminal.press("\x07")
    terminal.until(lambda: len(terminal.reports()) == 5)
    asked = ["asked interrupt", "asked mute", "asked mute"]
    assert sorted(terminal.reports()) == [*asked, "typed /slash", "typed my name is m"]


def test_space_talks_and_held_down_it_does_not_chatter(at: Callable[..., Driven]) -> None:
    terminal = at(80, 24, PTT="1")
    terminal.show(*OPEN, ev.Mic("held"))
    terminal.until_shown("space to talk")
    terminal.until_shown("press space")
    terminal.press("   ")
    terminal.until(lambda: terminal.reports() == ["asked talk"])
    terminal.show(ev.Mic("open"), at=102)
    terminal.until_shown("listening")
    terminal.press(" ")
    terminal.until(lambda: terminal.reports() == ["asked talk", "asked talk"])
    terminal.press("a b\r")
    terminal.until(lambda: terminal.reports()[2:] == ["typed a b"])


def test_space_is_held_to_talk_where_the_terminal_tells_when_it_comes_up(at: Callable[..., Driven]) -> None:
    terminal = at(80, 24, PTT="1")
    terminal.until(lambda: kitty_keyboard.ASK.encode() in terminal.raw)
    terminal.press("\x1b[?0u\x1b[?62c")
    terminal.until(lambda: kitty_keyboard.REPORT.encode() in terminal.raw)
    terminal.show(*OPEN, ev.Mic("held"))
    terminal.until_shown("hold space to talk")
    terminal.press(" ")
    terminal.until(lambda: terminal.reports() == ["asked press"])
    terminal.press("\x1b[32;1:2u\x1b[32;1:2u")
    terminal.press(kitty_keyboard.RELEASED)
    terminal.until(lambda: terminal.reports() == ["asked press", "asked release"])
    terminal.press("hi\x1b[104;1:3u\x1b[105;1:3u\r\x1b[13;1:3u")
    terminal.until(lambda: terminal.reports()[2:] == ["typed hi"])
    terminal.press("\x03")
    terminal.until_ended()
    assert terminal.raw.rfind(kitty_keyboard.END.encode()) > terminal.raw.rfind(kitty_keyboard.REPORT.encode())
    assert terminal.restored()


def test_what_is_late_is_told_with_the_way_out(at: Callable[..., Driven]) -> None:
    terminal = at(80, 24)
    terminal.show(*OPEN)
    terminal.show(ev.LinkState(1, "closed", why="the network is unreachable"), at=200)
    terminal.show(at=207)
    terminal.until_shown("! no link for 7 s: the network is unreachable · Ctrl-C to leave")
    terminal.press("still there?")
    terminal.until_shown("› still there?")
    assert "no link for 7 s" in "".join(terminal.rows())


@pytest.mark.parametrize("end", ["crash", "terminate"])
def test_the_terminal_is_given_back_however_it_ends(at: Callable[..., Driven], end: str) -> None:
    terminal = at(80, 24)
    terminal.show(*OPEN, ev.ModelText("half an ans", False))
    terminal.until_shown("half an ans")
    assert terminal.screen.cursor.hidden
    getattr(terminal, end)()
    terminal.until_ended()
    assert terminal.restored()
    left = "\n".join(terminal.all_rows())
    assert left.count("half an ans") == 1
    assert "GoAway" not in left
    assert "livechat resume k3f9" in left


def test_resized_while_running(at: Callable[..., Driven]) -> None:
    terminal = at(80, 24)
    terminal.show(*OPEN)
    shown = talk(4)
    for n, (columns, rows) in enumerate([(120, 24), (60, 24), (100, 30), (50, 30), (80, 36)]):
        terminal.resize(columns, rows)
        terminal.show(*shown, ev.UserText(f"size {n}", True, "text"), ev.ModelText("as we spea", False))
        terminal.until_shown(f"size {n}")
        terminal.until_shown("as we spea")
    terminal.press("\x03")
    terminal.until_ended()
    assert terminal.restored()
    left = [row for row in terminal.all_rows() if row]
    assert [row for row in left if row.startswith("  you  size")] == [f"  you  size {n}" for n in range(5)]
    for n in range(4):
        assert sum(row.startswith(f"  you  Question {n}") for row in left) == 5
    # A bar drawn for a wider terminal may leave no trace.
    assert not any("GoAway" in row or "Ctrl-C" in row for row in left)


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is the terminal that reflows")
def test_resized_where_long_lines_reflow(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    fifo = tmp_path / "events"
    os.mkfifo(fifo)

    def tmux(*words: str) -> str:
        command = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null", *words]
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    def until_shown(*starts: str) -> list[str]:
        for _ in range(400):
            screen = tmux("capture-pane", "-p", "-S", "-")
            rows = [row for row in screen.splitlines() if row.strip()]
            if all(any(row.startswith(start) for row in rows) for start in starts):
                return rows
            time.sleep(0.05)
        pytest.fail(screen)

    program = f"{sys.executable} {script} 3 4 3<>{fifo} 4>/dev/null; sleep 60"
    tmux("new-session", "-d", "-x", "100", "-y", "30", program)
    try:
        with fifo.open("w") as commands:
            for event in (*OPEN, ev.ModelText("The first answer", True), ev.ModelText("partial", False)):
                print(repr(event), file=commands, flush=True)
            until_shown("model  partial")
            # A terminal tells its new size a moment after it has reflowed: wait until the bar has followed.
            narrow, broad = "○ listening  a", "○ listening     0:00"
            for columns, bar in ((40, narrow), (90, broad), (45, narrow)):
                tmux("resize-window", "-x", str(columns), "-y", "20")
                until_shown(bar)
                print(repr(ev.UserText(f"now at {columns}", True, "text")), file=commands, flush=True)
                rows = until_shown(f"  you  now at {columns}", "› type")
            for once in ("~9:50", "/help", "The first answer", "now at 40", "now at 90"):
                assert sum(once in row for row in rows) == 1
            assert rows[0].startswith("    ·  livechat")
    finally:
        tmux("kill-server")


def test_terminals_that_do_not_reflow_are_known() -> None:
    assert reflows({"TERM": "xterm-256color"})
    assert reflows({"TERM": "screen-256color", "TMUX": "socket,1,0"})
    assert not reflows({"TERM": "screen"})
    assert not reflows({"TERM": "xterm", "XTERM_VERSION": "XTerm(390)"})


def test_ten_updates_a_second_at_most_and_none_without_news() -> None:
    class Counted(io.StringIO):
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1

    async def main() -> tuple[int, int]:
        with create_pipe_input() as keyboard:
            loop = asyncio.get_running_loop()
            screen = Screen(clock=lambda: min(loop.time(), 1001), console=console, keyboard=keyboard)
            showing = asyncio.create_task(screen.run())
            for n in range(100):
                screen.show(ev.Levels(-n % 60, -20))
                screen.show(ev.UserText(f"word {n}", False, "speech"))
                await asyncio.sleep(0.01)
            busy = out.flushes
            await asyncio.sleep(1)
            settled = out.flushes
            await asyncio.sleep(5)
            idle = out.flushes - settled
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
        return busy, idle

    out = Counted()
    console = Console(file=out, force_terminal=True, width=80, height=24, _environ={"TERM": "xterm"})
    busy, idle = run(main())
    assert busy <= 10 + 2  # the first shows the cursor away and asks for bracketed pastes
    assert idle == 0


def test_hostile_text_anywhere(at: Callable[..., Driven]) -> None:
    evil = "\x1b]0;title\x07\x1b[2J\x1b[?25h\x9b2J\u202e\r\x1b]52;c;aGk=\x1b\\[red]"
    terminal = at(80, 24)
    terminal.show(ev.Start("0.1", evil, evil, evil, evil, evil, None, evil, 3), ev.LinkState(1, "open"))
    terminal.show(Notice(evil, evil), ev.Handover(2, evil, "fresh", 1, 1, 1))
    terminal.show(ev.UserText(evil, True, "text"), ev.ModelText(f"{evil} done", False))
    terminal.show(ev.LinkState(2, "closed", why=evil, reason=evil), at=200)
    terminal.show(at=210)
    terminal.until_shown("no link for 10 s")
    terminal.press(f"typed \x1b[200~{evil}\x1b[201~")
    terminal.until_shown("› typed ␛]0;title")
    assert terminal.screen.title == ""
    assert terminal.screen.cursor.hidden
    assert not re.search(rb"\x1b\]|\x07|\xc2\x9b|\xe2\x80\xae|\x1b\[2J", terminal.raw)
    terminal.press("\x15\x03")
    assert terminal.until_ended() == 0
    assert terminal.restored()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What is begun in the background by a script, such as this run of the tests, ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_asked_twice_it_is_an_interrupt() -> None:
    async def main() -> None:
        with create_pipe_input() as keyboard:
            console = Console(file=io.StringIO())
            screen: Display = Screen(clock=lambda: 0.0, console=console, keyboard=keyboard)
            showing = asyncio.create_task(screen.run())
            keyboard.send_text("\x03")
            await screen.quit.wait()
            assert [line async for line in screen.lines()] == []
            keyboard.send_text("\x03")
            await showing

    with pytest.raises(KeyboardInterrupt):
        run(main())
