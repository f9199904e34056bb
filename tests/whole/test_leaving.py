"""Leaving and coming back: the terminal is as it was, whoever ends or stops the program."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.program import environment
from tests.support.terminal import PROMPT, SHELL, Terminal

TALK = f"{shlex.quote(sys.executable)} -m livechat talk --text --offline"
Shell = Callable[[], Terminal]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """Starts an interactive shell with job control, whose terminal is its own."""
    begun: list[Terminal] = []

    def begin() -> Terminal:
        terminal = Terminal(100, 30, SHELL, environment(tmp_path, **PROMPT), cwd=tmp_path)
        begun.append(terminal)
        terminal.until_shown("$")
        return terminal

    yield begin
    for terminal in begun:
        terminal.close()


def modes(terminal: Terminal, name: str) -> None:
    """Have the shell note the terminal's modes in the file `name`."""
    terminal.press(f"stty -a > {name}; echo noted-{name} | tr - ' '\n")
    terminal.until_shown(f"noted {name}")


def pid_of(terminal: Terminal) -> int:
    """The process id of livechat, a child of the shell or of one that the shell started."""
    talks = (path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if b"livechat\0talk\0" in path.read_bytes())
    (talk,) = (int(path.name) for path in talks if os.getsid(int(path.name)) == terminal.child.pid)
    return talk


# livechat, whose end takes a while and may go wrong, after the terminal was given back.
SLOW = """
import os, time
import livechat.commands.talk
from livechat.cli import main
from livechat.errors import LostError

converse = livechat.commands.talk.converse

async def slow(parts):
    code = await converse(parts)
    print("closing", "files", flush=True)
    time.sleep(0.7)
    if end := os.environ.get("END"):
        raise LostError("all is lost") if end == "lost" else ValueError(end)
    return code

livechat.commands.talk.converse = slow
main()
"""


@pytest.mark.parametrize(
    ("leave", "end", "more", "said"),
    [
        ("\x03", "", "", "livechat resume"),
        ("\x03\x03", "", "", "livechat resume"),
        ("\x1a\x03", "", "", "livechat resume"),  # after it was stopped, and went on
        ("/quit\rhow are you\r", "", "", "livechat resume"),
        ("\x03", "lost", "", "error: all is lost"),
        ("\x03", "bug", "", "error: livechat has a bug"),
        ("\x03", "", "--plain", "livechat resume"),
        ("/quit\n", "", "--plain", "livechat resume"),
        ("terminate", "", "", "livechat resume"),
        ("terminate", "", "--plain", "livechat resume"),
    ],
)
def test_what_is_typed_to_it_while_it_ends_is_not_for_the_shell(
    shell: Shell, tmp_path: Path, leave: str, end: str, more: str, said: str
) -> None:
    terminal = shell()
    modes(terminal, "before")
    (tmp_path / "livechat").write_text(SLOW)
    terminal.press(f"END={end} {shlex.quote(sys.executable)} livechat talk --text --offline {more}\n")
    if more:
        terminal.until_shown("embedded server")
        terminal.press("hello\n")
        terminal.until_shown("model:")
    else:
        terminal.until_shown("typing only")
    if leave.startswith("\x1a"):
        terminal.press("\x1a")
        terminal.until_shown("Stopped")
        shown = len(terminal.raw)
        terminal.press("fg\n")
        terminal.until(lambda: b"\x1b[?2004h" in terminal.raw[shown:])
    talk = pid_of(terminal)
    if leave == "terminate":
        os.kill(talk, signal.SIGTERM)
    else:
        terminal.press(leave.removeprefix("\x1a"))
    terminal.press("touch leaked1\n\r")  # while the screen still reads, or already not
    terminal.until_shown("closing files")
    terminal.press("uick\ntouch leaked2\n\rtouch lea")  # while nobody reads
    terminal.until(lambda: not Path(f"/proc/{talk}").exists())
    modes(terminal, "after")
    assert said in "\n".join(terminal.all_rows())
    assert "command not found" not in "\n".join(terminal.all_rows())
    assert not list(tmp_path.glob("lea*"))
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()


def test_stopped_and_continued(shell: Shell, tmp_path: Path) -> None:
    terminal = shell()
    modes(terminal, "before")
    terminal.press(f"{TALK}\n")
    terminal.until_shown("typing only")
    terminal.press("half a line\x1a")
    terminal.until_shown("Stopped")
    assert terminal.raw.rfind(b"\x1b[?2004l") > terminal.raw.rfind(b"\x1b[?2004h")
    assert not terminal.screen.cursor.hidden
    modes(terminal, "stopped")
    shown = terminal.raw
    terminal.press("fg\n")
    terminal.until(lambda: b"\x1b[?2004h" in terminal.raw[len(shown) :])
    terminal.until_shown("› half a line")
    terminal.press("\x15how much is 6 times 7\r")
    terminal.until_shown("42")
    terminal.press("/save\r")
    terminal.until_shown("saved as")
    terminal.press("\x1a")  # and once more
    terminal.until(lambda: "\n".join(terminal.all_rows()).count("Stopped") == 2)
    terminal.press("fg\n")
    terminal.until(lambda: [row for row in terminal.rows() if row][-1].startswith("› typing only"))
    terminal.press("\x03")
    terminal.until_shown("livechat resume")
    modes(terminal, "after")
    before = (tmp_path / "before").read_text()
    assert before == (tmp_path / "stopped").read_text() == (tmp_path / "after").read_text()
    (saved,) = tmp_path.glob("livechat-*.txt")
    assert saved.read_text().startswith("you: how much is 6 times 7\nmodel: ")


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGTERM, signal.SIGHUP])
def test_told_by_another_program(shell: Shell, tmp_path: Path, stop: signal.Signals) -> None:
    terminal = shell()
    modes(terminal, "before")
    terminal.press(f"{TALK}\n")
    terminal.until_shown("typing only")
    os.kill(pid_of(terminal), stop)
    terminal.until_shown("Stopped" if stop == signal.SIGTSTP else "livechat resume")
    modes(terminal, "after")
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()
    assert not terminal.screen.cursor.hidden


def test_the_shell_around_it_is_killed(shell: Shell, tmp_path: Path) -> None:
    terminal = shell()
    modes(terminal, "before")
    terminal.press(f"bash -c '{TALK}; true'\n")
    terminal.until_shown("typing only")
    talk = pid_of(terminal)
    parent = int(Path(f"/proc/{talk}/stat").read_text().rpartition(")")[2].split()[1])
    assert parent != terminal.child.pid
    os.kill(parent, signal.SIGKILL)
    terminal.until(lambda: not Path(f"/proc/{talk}").exists())
    modes(terminal, "after")
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()
    assert not terminal.screen.cursor.hidden
