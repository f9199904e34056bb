"""A sentence is never a command: at any speed it is sent whole or stands in the line. In virtual time."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prompt_toolkit.input import create_pipe_input
from rich.console import Console

from livechat import events as ev
from livechat.errors import Notice
from livechat.ui.safe_text import LONGEST, clean
from livechat.ui.screen import Screen
from livechat.ui.shortcuts import SLASHES
from tests.support.examples import examples
from tests.support.virtual_time import run

START = ev.Start("0.1", "gemini", "gemini-3.8-live", None, "mic", "speaker", None, "k3f9", 0)
OPEN = (START, ev.LinkState(1, "open"), ev.HandleState("a", True, 7200))
WAITING = (START, ev.LinkState(1, "closed", why="no network"), ev.LinkState(2, "waiting", why="no network"))
KITTY = "\x1b[?0u\x1b[?62c"
HELP = "\x1bOP"  # F1


@dataclass
class Outcome:
    """What came of some keys."""

    line: str = ""
    typed: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    left: bool = False
    helping: bool = False
    warned: str = ""


class Watched(Screen):
    """Keeps what it warned of."""

    warned = ""

    def show(self, event: ev.Output) -> None:
        super().show(event)
        if isinstance(event, Notice):
            self.warned += event.message


def pressed(
    *steps: str | float, shown: Iterable[ev.Output] = OPEN, ptt: bool = False, typing: bool = True
) -> Outcome:
    """Press keys, each string at once, with so many seconds between them, and wait for what comes of it."""

    async def main() -> Outcome:
        outcome = Outcome()
        console = Console(file=io.StringIO(), force_terminal=True, width=100, height=40, _environ={"TERM": "xterm"})
        loop = asyncio.get_running_loop()
        with create_pipe_input() as keyboard:
            screen = Watched(clock=loop.time, console=console, keyboard=keyboard, push_to_talk=ptt, typing=typing)

            async def lines() -> None:
                async for line in screen.lines():
                    outcome.typed.append(str(line))

            async def commands() -> None:
                async for command in screen.commands():
                    outcome.asked.append(command)

            tasks = [asyncio.create_task(work) for work in (screen.run(), lines(), commands())]
            await asyncio.sleep(0.2)
            for event in shown:
                screen.show(event)
            for step in steps:
                if isinstance(step, str):
                    for at in range(0, len(step), 1_024):  # what is read at once
                        keyboard.send_text(step[at : at + 1_024])
                        await asyncio.sleep(0)
                else:
                    await asyncio.sleep(step)
            await asyncio.sleep(3)
            outcome.line = "".join(screen._line.parts())
            outcome.left, outcome.helping = screen.quit.is_set(), screen._helping
            outcome.warned = screen.warned
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return outcome

    return run(main())


def slowly(text: str, pauses: Iterable[float]) -> list[str | float]:
    steps: list[str | float] = []
    for char, pause in zip(text, pauses, strict=False):
        steps += [char, pause]
    return steps


sentences = st.text(
    st.sampled_from("qmisdt?/ ha,.'-19") | st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1
) | st.sampled_from(
    ["quick", "save", "?", "mute", "i", "talk to me", "/etc/hosts", "//quit", "/quit smoking", "help"]
)
speeds = st.lists(st.floats(0.01, 2.0), min_size=15, max_size=15)


@settings(max_examples=examples(50), deadline=None)
@given(sentences, speeds, st.booleans(), st.sampled_from([OPEN, WAITING, (START,), ()]), st.sampled_from(["\r", ""]))
@example("quick", [0.4] * 15, False, OPEN, "")
@example("save", [2.0] * 15, False, OPEN, "\r")
@example("?", [1.0] * 15, True, OPEN, "\r")
@example("m", [1.0] * 15, False, WAITING, "")
@example("  two", [0.3] * 15, True, OPEN, "\r")
def test_a_sentence_is_sent_whole_or_stands_in_the_line(
    sentence: str, pauses: list[float], ptt: bool, shown: tuple[ev.Output, ...], end: str
) -> None:
    sentence = clean(sentence)[:15]
    outcome = pressed(*slowly(sentence, pauses), end, shown=shown, ptt=ptt)
    words = sentence.strip()
    if words.lower() in {f"/{wish}" for wish in SLASHES} and end:
        return
    sent = end and words and (not words.startswith("/") or words.startswith("//"))
    assert outcome.typed == ([words.removeprefix("/") if words.startswith("//") else words] if sent else [])
    # Space alone on an empty line is the key to talk, for whoever asked for it.
    stands = sentence.lstrip(" ") if ptt and shown else sentence
    assert outcome.line == ("" if sent or (end and not words) else stands)
    assert set(outcome.asked) <= {"talk"}
    assert not outcome.asked or (ptt and sentence.startswith(" "))
    assert (outcome.left, outcome.helping) == (False, False)


@pytest.mark.parametrize("pause", [0.01, 0.2, 0.45, 0.6, 2.0])
@pytest.mark.parametrize("sentence", ["mute", "quick", "Over there", "[A is an arrow", "?"])
def test_escape_before_a_sentence_takes_nothing_of_it(sentence: str, pause: float) -> None:
    outcome = pressed("\x1b", pause, *slowly(sentence, [pause] * 20), 1.0)
    if sentence.startswith("[A") and pause < 0.5:
        sentence = sentence[2:]  # byte for byte what a slow terminal sends for Up
    assert outcome == Outcome(line=sentence)


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.3])
def test_a_sequence_that_is_cut_in_two_is_one_key(pause: float) -> None:
    for sequence in ("\x1b[A", "\x1bOA"):
        for cut in range(1, len(sequence)):
            outcome = pressed("before\r", 1.0, sequence[:cut], pause, sequence[cut:])
            assert outcome == Outcome(typed=["before"], line="before")
    assert pressed("\x1b", pause, "OP").helping
    assert pressed("one", "\x1b", pause, "\rtwo") == Outcome(line="one\ntwo")
    paste = "\x1b[200~q?\rm\x1b[201~"
    for cut in range(1, len(paste)):
        assert pressed(paste[:cut], pause, paste[cut:]) == Outcome(line="q?\nm")


@pytest.mark.parametrize("cut", range(1, len(KITTY)))
def test_what_a_terminal_answers_is_no_text_however_it_is_cut(cut: int) -> None:
    assert pressed(KITTY[:cut], 0.05, KITTY[cut:], "hello", ptt=True) == Outcome(line="hello")


def test_keys_that_come_up_write_nothing() -> None:
    up = "\x1b[1;1:3A\x1b[3;1:3~\x1b[1;5:3C\x1b[97;1:3u"
    outcome = pressed(KITTY, "first\r", "\x1b[A", up, "!", "\x1b[1;1:2D", "\x1b", 1.0, "\r", ptt=True)
    assert outcome == Outcome(typed=["first", "first!"])


@pytest.mark.parametrize("opening", [HELP, "/help\r"])
@pytest.mark.parametrize(
    "key", ["q", "m", "?", " ", "\r", "\x0f", "\x07", "\x0c", "\x1b[A", "\x1b\r", "\x1bOP", "\x04", "\x7f", "\t"]
)
def test_help_swallows_the_key_that_closes_it(opening: str, key: str) -> None:
    for ptt in (False, True):
        outcome = pressed(opening, 1.0, key, 1.0, ptt=ptt)
        assert outcome == Outcome()
        assert pressed(opening, 1.0, key, 0.6, "quick", ptt=ptt) == Outcome(line="quick")


def test_help_does_not_swallow_a_paste_nor_the_wish_to_leave() -> None:
    assert pressed(HELP, 1.0, "\x1b[200~quick\x1b[201~") == Outcome(line="quick")
    assert pressed(HELP, 1.0, "\x03").left
    assert pressed(HELP, 1.0, "\x1b", 0.1, "quick") == Outcome(line="quick")


def test_a_paste_is_no_command() -> None:
    for paste in ("m", "q", "?", " ", "/mute", "save\x0f\x07\x03"):
        outcome = pressed(f"\x1b[200~{paste}\x1b[201~", ptt=True)
        assert outcome == Outcome(line=clean(paste))
    assert pressed("one\r two\r\ttabs\r  three", ptt=True) == Outcome(typed=["one", "two", "tabs"], line="  three")


def test_keys_ask_at_any_time() -> None:
    assert pressed("half a \x0fline\x07").asked == ["mute", "interrupt"]
    assert pressed("half a \x0fline\x07").line == "half a line"
    assert pressed("q", 1.0, "m", 1.0, "\x0f", typing=False) == Outcome(asked=["mute"])


@pytest.mark.parametrize("leave", ["\x03", "/quit\r", "\x04"])
def test_after_the_wish_to_leave_nothing_is_obeyed(leave: str) -> None:
    outcome = pressed("said\r", 0.5, f"{leave}quick\r/help\r\x0f", 0.5, "mute\r\x07\x1a")
    assert outcome == Outcome(typed=["said"], left=True)


def test_what_begins_with_a_slash_and_is_no_command_stands() -> None:
    for line in ("/etc/passwd", "/quit smoking, how?", "/", "/text", "/save notes.txt"):
        outcome = pressed(f"{line}\r")
        assert (outcome.line, outcome.typed, outcome.left) == (line, [], False)
        assert outcome.warned == f"there is no command {line}"
    assert pressed("/etc/passwd\r", 0.5, "\x01/\r").typed == ["/etc/passwd"]


@pytest.mark.parametrize("size", [7_999, 8_001, 20_000, 300_000])
def test_a_paste_is_whole(size: int) -> None:
    text = "".join(f"{n} " for n in range(size))[:size].strip()
    assert pressed(f"\x1b[200~{text}\x1b[201~", 1.0, "\r").typed == [text]
    assert pressed(text, 1.0, "\r").typed == [text]  # from a terminal that puts pastes into no brackets


def test_a_paste_that_is_too_long_is_refused_in_words() -> None:
    outcome = pressed("say: ", f"\x1b[200~{'x' * LONGEST}\x1b[201~", 1.0, "no\r")
    assert outcome.typed == ["say: no"]
    assert outcome.warned == "the paste is too long and was left out: a line holds 1,000,000 characters"
