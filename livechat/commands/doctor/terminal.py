"""What the screen of a conversation needs of a terminal: size, colours, letters, keys."""

import contextlib
import os
import re
import select
import shutil
import sys
import time

from livechat.commands.doctor.finding import Finding, Subject
from livechat.ui.display import choose, colored
from livechat.ui.kitty_keyboard import ASK, SUPPORTED

_COLUMNS, _ROWS = 80, 24  # with less the screen works, and leaves things out
_ANSWER_S = 0.5
_ATTRIBUTES = re.compile(r"\x1b\[\?[\d;]*c")


def terminal(subject: Subject) -> Finding:
    if not subject.terminal:
        return Finding("skip", "this is no terminal: talk writes lines")
    kind = subject.environ.get("TERM", "")
    columns, rows = shutil.get_terminal_size()
    encoding = sys.stdout.encoding or "ascii"
    color = "colours" if colored(subject.environ, tty=True) else "no colours"
    summary = f"{kind or 'TERM is not set'}, {columns}x{rows}, {color}, {encoding}"
    if choose(json=False, plain=False, stdin_tty=True, stdout_tty=True, env=subject.environ) != "screen":
        return Finding("warn", f"{summary}: lines instead of a screen", remedy="set TERM, such as xterm-256color")
    if "utf" not in encoding.lower():
        remedy = "set LANG to one that ends in UTF-8, such as C.UTF-8"
        return Finding("warn", f"{summary}: some letters become ?", remedy=remedy)
    if columns < _COLUMNS or rows < _ROWS:
        remedy = f"make it {_COLUMNS} columns by {_ROWS} rows"
        return Finding("warn", f"{summary}: the status bar leaves things out", remedy=remedy)
    return Finding("ok", summary)


def keys(subject: Subject) -> Finding:
    """Whether the terminal reports keys that are let go, which push to talk uses."""
    if not subject.terminal or sys.platform == "win32":
        return Finding("skip", "only a Unix terminal can be asked")
    if SUPPORTED.search(_asked(ASK)):
        return Finding("ok", "it reports keys that are let go (kitty keyboard protocol)")
    detail = "--ptt closes the microphone when space repeats no more, half a second late"
    remedy = "for --ptt use kitty, WezTerm, Ghostty, foot or iTerm2"
    return Finding("warn", "it does not report keys that are let go", detail, remedy)


def _asked(question: str) -> str:
    """What the terminal answers, up to its attributes."""
    import termios
    import tty

    answer, keyboard = "", sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    try:
        tty.setcbreak(keyboard)
        sys.stdout.write(question)
        sys.stdout.flush()
        until = time.monotonic() + _ANSWER_S
        while not _ATTRIBUTES.search(answer) and (left := until - time.monotonic()) > 0:
            if select.select([keyboard], [], [], left)[0]:
                answer += os.read(keyboard, 1024).decode(errors="replace")
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(keyboard, termios.TCSANOW, before)
    return answer
