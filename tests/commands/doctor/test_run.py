"""`livechat doctor` as a person and as a program meet it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from livechat.commands.doctor import run
from livechat.commands.doctor.finding import Finding, Subject
from livechat.testing import LiveServer
from tests.support.program import livechat
from tests.support.terminal import LIVECHAT, Terminal
from tests.support.virtual_card import VirtualCard

NO_SOUND = {"PULSE_SERVER": "unix:/nonexistent"}


def findings(env: dict[str, str]) -> tuple[int, dict[str, dict[str, str]]]:
    done = livechat("doctor", "--json", env=env)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {frozenset(line) for line in lines} == {frozenset({"type", "id", "status", "summary", "detail", "remedy"})}
    assert [line["id"] for line in lines] == list(run.CHECKS)
    assert done.stderr == ""
    return done.returncode, {line["id"]: line for line in lines}


def test_a_bare_machine_is_told_what_is_missing_and_the_remedy(env: dict[str, str]) -> None:
    code, found = findings(env | NO_SOUND)
    assert code == 3
    assert found["microphone"]["status"] == found["speaker"]["status"] == "fail"
    assert found["echo"]["status"] == found["server"]["status"] == "skip"
    assert "GEMINI_API_KEY" in found["key"]["remedy"]
    assert found["call"]["status"] == "ok"
    for each in found.values():
        assert each["remedy"] or each["status"] in ("ok", "skip")


def test_everything_is_well_with_a_card_and_a_server(card: VirtualCard, env: dict[str, str]) -> None:
    card.couple(-10)
    with LiveServer() as server:
        code, found = findings(env | card.environment | server.environment | {"GEMINI_API_KEY": "k" * 39})
        assert len(server.links) == 1
    assert code == 0
    sound = {name: found[name]["status"] for name in ("portaudio", "microphone", "speaker", "echo")}
    assert set(sound.values()) == {"ok"}, found
    line = {name: found[name]["status"] for name in ("key", "proxy", "dns", "tls", "clock", "server")}
    assert set(line.values()) == {"ok"}, found
    assert re.search(r"-1\d dB, after \d+ ms", found["echo"]["summary"])


def test_no_secret_is_shown(env: dict[str, str]) -> None:
    secret, password = "AIza" + "s3cr3t" * 6, "hunter2hunter2"
    proxy = {"https_proxy": f"http://me:{password}@127.0.0.1:9"}
    for key in (secret, f'"{secret}"\n', f"{secret}\u00e9"):
        done = livechat("doctor", env=env | NO_SOUND | proxy | {"GEMINI_API_KEY": key})
        assert done.returncode == 3
        assert secret not in done.stdout
        assert password not in done.stdout
        assert "127.0.0.1:9" in done.stdout


def test_at_a_terminal_no_row_is_broken_inside_a_word(env: dict[str, str]) -> None:
    terminal = Terminal(60, 80, [LIVECHAT, "doctor"], env | NO_SOUND)
    try:
        assert terminal.until_ended() == 3
        rows = [row.rstrip() for row in terminal.rows() if row.strip()]
    finally:
        terminal.close()
    assert [row[6:].split()[0] for row in rows if re.match(r"(ok|warn|fail|skip)\b", row)] == list(run.CHECKS)
    assert "the status bar leaves things out" in " ".join(row.strip() for row in rows)
    assert max(map(len, rows)) < 60
    assert rows[-1].startswith("2 failed")


def test_a_check_that_fails_itself_keeps_no_other_from_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: Subject) -> Finding:
        raise ZeroDivisionError("by 0")

    checks = {"one": breaks, "two": lambda subject: Finding("ok", str(subject.failed))}
    monkeypatch.setattr(run, "CHECKS", checks)
    one, two = run._findings(Subject({}, terminal=False), quiet=True)
    assert (one.status, one.id, one.detail) == ("fail", "one", "by 0")
    assert (two.status, two.summary) == ("ok", "{'one'}")


def test_a_configuration_that_cannot_be_used_is_one_finding(env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("voice = 3")
    _, found = findings(env | NO_SOUND | {"LIVECHAT_CONFIG": str(path)})
    assert found["settings"]["status"] == "fail"
    assert "voice" in found["settings"]["summary"]
    assert found["server"]["summary"] == "it needs settings that can be used"
