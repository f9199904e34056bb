"""`livechat transcribe` and `livechat translate` as a user runs them, with real speech, offline."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import soundfile

from livechat.testing import LiveServer
from tests.support.conversation import CLIPS
from tests.support.program import environment, livechat

CLIP = CLIPS["Go forward ten meters."]


def test_a_pipe_of_sound_becomes_lines_on_stdout(tmp_path: Path) -> None:
    done = livechat("transcribe", "--offline", env=environment(tmp_path), stdin=CLIP.read_bytes())
    assert done.returncode == 0
    assert re.fullmatch(r"Go forward (ten|10) meters\.?\n", done.stdout)
    assert "hears stdin" in done.stderr
    assert "nothing lost" in done.stderr


def test_json_has_words_while_they_grow(tmp_path: Path) -> None:
    done = livechat("transcribe", "--offline", "--json", "--input", str(CLIP), env=environment(tmp_path))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["type"] == "start"
    assert [it["final"] for it in events if it["type"] == "user"][-1] is True
    assert events[-1]["type"] == "summary"
    assert events[-1]["turns"] == 1


def test_a_translation_is_written_and_spoken_into_a_file(tmp_path: Path) -> None:
    output = tmp_path / "german.wav"
    flags = ["--to", "de", "--input", str(CLIP), "--output", str(output)]
    done = livechat("translate", *flags, env=environment(tmp_path))
    assert done.returncode == 0
    assert re.fullmatch(r"\[de\] Go forward (ten|10) meters\.?\n", done.stdout)
    sound, rate = soundfile.read(output)
    assert rate == 24_000
    assert abs(sound).max() > 0.05
    assert "\nGo forward " in done.stderr


def test_a_dropped_link_costs_no_words(tmp_path: Path) -> None:
    flags = ["--offline", "--input", str(CLIP), "--faults", "#1: drop@1s"]
    done = livechat("transcribe", *flags, env=environment(tmp_path))
    assert re.fullmatch(r"Go forward (ten|10) meters\.?\n", done.stdout)
    assert "link 2 after" in done.stderr
    assert "remembers nothing" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("translate",), 2, "--to"),
        (("translate", "--to", "the german"), 2, "is not the code of a language"),
        (("translate", "--to", "de", "--vocabulary", "x"), 2, "--vocabulary"),
        (("transcribe", "--speaker", "x"), 2, "--speaker"),
        (("transcribe", "--model", "gemini-3.8-live"), 2, "does not transcribe"),
        (("translate", "--to", "de", "--model", "gemini-3.5-transcribe-live"), 2, "`livechat transcribe`"),
        (("talk", "--model", "gemini-3.5-live-translate-preview"), 2, "`livechat translate`"),
        (("transcribe", "--input", "nothing.wav"), 2, "there is no such file"),
        (("transcribe", "--offline", "--mic", "no such microphone"), 4, "--input FILE"),
        (("transcribe", "--offline", "--faults", "setup-close:bad-key", "--input", str(CLIP)), 3, "API key"),
    ],
)
def test_what_cannot_be_is_one_line_with_a_hint(
    tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = livechat(*arguments, env=environment(tmp_path))
    assert done.returncode == code
    assert says in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize("command", [[], ["talk"], ["sessions"], ["sessions", "show"], ["config", "path"]])
def test_every_command_takes_the_short_flag_for_help(tmp_path: Path, command: list[str]) -> None:
    done = livechat(*command, "-h", env=environment(tmp_path))
    assert done.returncode == 0
    assert done.stdout == livechat(*command, "--help", env=environment(tmp_path)).stdout


def test_a_model_that_was_chosen_for_conversations_is_not_meant(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('model = "gemini-3.1-flash-live-preview"\nvoice = "Puck"\n')
    env = environment(tmp_path, LIVECHAT_CONFIG=str(tmp_path / "config.toml"), LIVECHAT_MODEL="gemini-3.8-live")
    done = livechat("transcribe", "--offline", env=env, stdin=CLIP.read_bytes())
    assert "gemini-3.5-transcribe-live" in done.stderr
    assert done.returncode == 0


def test_the_setup_holds_what_the_flags_ask_for(tmp_path: Path) -> None:
    with LiveServer() as server:
        flags = ["--endpoint", server.url, "--ca-file", str(server.ca_file), "--input", str(CLIP)]
        env = environment(tmp_path)
        done = livechat("transcribe", *flags, "--smart", "--language", "en,de", "--vocabulary", "meters", env=env)
        assert done.returncode == 0
        done = livechat("translate", *flags, "--to", "pt-BR", env=env)
        assert done.stdout.startswith("[pt-BR]")
        assert [link.model for link in server.links] == [
            "gemini-3.5-transcribe-live", "gemini-3.5-live-translate-preview",
        ]  # fmt: skip
