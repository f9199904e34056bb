"""Pictures in a whole conversation: what the agent has seen, what they cost, and a link that ends meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.program import environment, livechat

QUESTION = "what do you see\n"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in (("a.png", (200, 40, 40)), ("b.png", (50, 80, 200))):
        Image.new("RGB", (1600, 900), colour).save(folder / name)
    return folder


def test_the_model_sees_a_picture_before_it_is_asked_about_it(tmp_path: Path, pictures: Path) -> None:
    done = livechat(
        "talk", "--offline", "--video", str(pictures / "a.png"), stdin=QUESTION, env=environment(tmp_path)
    )
    assert done.returncode == 0
    assert "I have seen 1 frame, the last 768 by 432. It is mostly red." in done.stdout
    assert "the model sees a.png: up to 258 tokens a second" in done.stderr


def test_json_has_what_is_seen_and_the_servers_count_agrees(tmp_path: Path, pictures: Path) -> None:
    flags = ["--video", str(pictures), "--media-resolution", "low", "--no-compression", "--json", "--lines"]
    done = livechat("talk", "--offline", *flags, stdin=QUESTION * 3, env=environment(tmp_path))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (seeing,) = [it for it in events if it["type"] == "seeing"]
    assert (seeing["on"], seeing["tokens_s"], seeing["holds_s"]) == (True, 66.0, None)
    sent = [it for it in events if it["type"] == "picture"]
    assert len(sent) >= 2
    *_, last = counts = [it for it in events if it["type"] == "usage"]
    asked = [it for it in events if it["type"] == "user"][len(counts) - 1]
    before = [it for it in sent if it["t"] <= asked["t"]]
    counted = last["prompt_details"].get("IMAGE", 0) + last["prompt_details"].get("VIDEO", 0)
    assert counted == pytest.approx(66 * len(before), abs=66)  # one may be on its way
    said = " ".join(it["text"] for it in events if it["type"] == "model" and it["final"])
    assert "mostly red" in said
    assert "mostly blue" in said


def test_pictures_go_on_over_the_end_of_a_link(tmp_path: Path, pictures: Path) -> None:
    flags = ["--video", str(pictures / "a.png"), "--fps", "0.5", "--json", "--lines", "--faults", "#1: drop@2s"]
    done = livechat("talk", "--offline", *flags, stdin=QUESTION * 3, env=environment(tmp_path))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (handover,) = [it for it in events if it["type"] == "handover"]
    assert handover["how"] == "resumed"
    assert len([it for it in events if it["type"] == "model" and it["final"] and not it["cut"]]) == 3
    assert len([it for it in events if it["type"] == "seeing"]) == 1


@pytest.mark.parametrize(
    ("what", "code", "says"),
    [("nowhere.png", 2, "there is no picture"), (__file__, 2, "is no picture"), ("screen", 4, "there is no display")],
)
def test_what_cannot_be_shown_is_one_line(tmp_path: Path, what: str, code: int, says: str) -> None:
    env = {name: value for name, value in environment(tmp_path).items() if "DISPLAY" not in name}
    done = livechat("talk", "--offline", "--video", what, stdin=QUESTION, env=env)
    assert done.returncode == code
    assert says in done.stderr
    assert "hint: " in done.stderr
    assert livechat("talk", "--offline", "--fps", "5", stdin=QUESTION, env=env).returncode == 2


def test_without_pictures_no_library_for_them_is_loaded(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "livechat", "talk", "--offline", "--text"]
    env = environment(tmp_path)
    done = subprocess.run(command, input="hello\n", capture_output=True, text=True, env=env, check=False)
    assert "model: " in done.stdout
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "livechat" in loaded
    assert not {"PIL", "mss", "cv2"} & loaded
