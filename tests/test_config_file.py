"""The configuration file: what wins over what, and how each mistake in it is refused."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from livechat import cli
from livechat.commands import talk
from livechat.commands.config import EXAMPLE
from livechat.config_file import config_path, layered, load, read
from livechat.conversations.records import Resumable
from livechat.errors import ConfigError
from livechat.flags import FLAGS
from livechat.settings import Settings
from tests.commands.test_talk import GO_FORWARD
from tests.support.program import livechat

PROFILES = """\
voice = "Puck"
trigger_tokens = 20000
compact = true
[profiles.pair]
voice = "Kore"
no-compression = true
[profiles.text]
text = true
"""


@pytest.fixture
def file(tmp_path: Path, env: dict[str, str]) -> Path:
    """A configuration file that `env` names."""
    path = tmp_path / "folder" / "config.toml"
    path.parent.mkdir()
    path.write_text(PROFILES)
    env["LIVECHAT_CONFIG"] = str(path)
    return path


def settled(
    env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    profile: str | None = None,
    kept: Resumable | None = None,
    **flags: Any,
) -> Settings:
    """What a conversation would be made with."""
    monkeypatch.setattr(os, "environ", env)
    return talk.settings_for(load(env, profile), kept, flags)


def held(**options: Any) -> Resumable:
    return Resumable("abc234", "offline", "m", options, [], [])


# ------------------------------------------------------------------------------------------- what wins


def test_every_flag_of_talk_can_be_set_and_nothing_else() -> None:
    assert set(FLAGS) == set(inspect.signature(cli.talk).parameters) - {"profile"}


def test_a_flag_wins_over_the_profile_and_that_over_the_top(
    env: dict[str, str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settled(env, monkeypatch).voice == "Puck"
    assert settled(env, monkeypatch, "pair").voice == "Kore"
    assert settled(env, monkeypatch, "text").voice == "Puck"
    assert settled(env, monkeypatch, "pair", voice="Zephyr").voice == "Zephyr"


def test_what_is_asked_for_later_leaves_out_what_does_not_go_with_it(
    env: dict[str, str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settled(env, monkeypatch).trigger_tokens == 20_000
    pair = settled(env, monkeypatch, "pair")
    assert (pair.compression, pair.trigger_tokens) == (False, None)
    asked = settled(env, monkeypatch, "pair", trigger_tokens=6_000)
    assert (asked.compression, asked.trigger_tokens) == (True, 6_000)
    assert settled(env, monkeypatch, "text").text
    assert not settled(env, monkeypatch, "text", mic="1").text
    file.write_text('endpoint = "https://127.0.0.1:1"\nca_file = "config.toml"\n')
    assert settled(env, monkeypatch).backend == "endpoint"
    assert settled(env, monkeypatch, offline=True).ca_file is None
    file.write_text("offline = true\n[profiles.net]\noffline = false\n")
    env["GEMINI_API_KEY"] = "AIza"
    assert settled(env, monkeypatch).backend == "offline"
    assert settled(env, monkeypatch, "net").backend == "gemini"
    assert settled(env, monkeypatch, endpoint="https://127.0.0.1:2").endpoint == "https://127.0.0.1:2"


def test_what_needs_another_flag_waits_for_it(
    env: dict[str, str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not settled(env, monkeypatch).compact
    assert settled(env, monkeypatch, "pair", output="a.wav").compact
    assert layered({"fast": True}, {"voice": "Puck"}) == {"voice": "Puck"}
    assert layered({"voice": "Puck"}, {"fast": True}) == {"voice": "Puck", "fast": True}  # to be refused


def test_the_environment_wins_over_the_file(env: dict[str, str], file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('model = "a"\nendpoint = "https://127.0.0.1:1"\nca_file = "nowhere.pem"\n')
    env |= {"LIVECHAT_MODEL": "b", "GOOGLE_GEMINI_BASE_URL": "https://127.0.0.1:2"}
    settings = settled(env, monkeypatch)
    assert (settings.model, settings.endpoint, settings.ca_file) == ("b", "https://127.0.0.1:2", None)


def test_a_resumed_conversation_keeps_what_it_was_made_with(
    env: dict[str, str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('voice = "Puck"\nendpoint = "https://127.0.0.1:1"\necho = "off"\n')
    resumed = settled(env, monkeypatch, kept=held(voice="Kore", offline=True))
    assert (resumed.voice, resumed.backend, resumed.echo) == ("Kore", "offline", "off")
    assert settled(env, monkeypatch, kept=held()).backend == "offline"  # that of a key, which is gone
    assert settled(env, monkeypatch, kept=held(voice="Kore"), voice="Zephyr").voice == "Zephyr"
    assert settled(env, monkeypatch, kept=held(no_compression=True), trigger_tokens=6_000).compression


def test_names_of_files_count_from_the_file_and_from_home(env: dict[str, str], file: Path) -> None:
    file.write_text('ca_file = "a.pem"\nsystem = "@p.txt"\nrecord = "~/r.wav"\ninput = "-"\ntrace = "/t"\n')
    values = load(env).values
    assert values["ca_file"] == str(file.parent / "a.pem")
    assert values["system"] == f"@{file.parent / 'p.txt'}"
    assert values["record"] == str(Path.home() / "r.wav")
    assert (values["input"], values["trace"]) == ("-", "/t")
    file.write_text('system = "@@ is a sign"\n')
    assert load(env).values["system"] == "@@ is a sign"


def test_without_a_file_nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load({}).values == {}
    assert config_path({}).name == "config.toml"
    assert config_path({"LIVECHAT_CONFIG": ""}) == config_path({})
    with pytest.raises(ConfigError, match="there is no profile pair"):
        load({}, "pair")


def test_the_example_is_right_once_its_comments_are_taken_away(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(EXAMPLE)
    assert read(tmp_path / "c.toml") == {"": {}}
    prose, rest = EXAMPLE.split("\n\n", 1)
    settings = "\n".join(line.removeprefix("# ") for line in rest.splitlines() if not line.endswith(":"))
    (tmp_path / "c.toml").write_text(f"{prose}\n{settings}\n")
    for profile in (None, "pair"):
        config = load({"LIVECHAT_CONFIG": str(tmp_path / "c.toml")}, profile)
        config.check({})
        assert config.values["voice"] == "Puck"
    assert config.values["ptt"] is True


# ----------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("written", "error", "hint"),
    [
        ("voice = Puck", "(at line 1, column 9)", "config edit"),
        ("model = 'm'\nvoic = 'Puck'", "there is no setting voic", "the nearest is voice"),
        ("triger-tokens = 6000", "there is no setting triger-tokens", "the nearest is trigger_tokens"),
        ("xyz = 1", "there is no setting xyz", "there are voice, language"),
        ("trigger_tokens = 'many'", "trigger_tokens is of the wrong type", "takes a whole number"),
        ("trigger_tokens = true", "trigger_tokens is of the wrong type", "takes a whole number"),
        ("offline = 1", "offline is of the wrong type", "takes true or false"),
        ("voice = 3", "voice is of the wrong type", "takes a text, in quotes"),
        ('voice = "a\\u0000b"', "voice is of the wrong type", "takes a text, in quotes"),
        ("ca-file = 'a'\nca_file = 'b'", "ca_file is set twice", "leave one of them out"),
        ("[pair]\nvoice = 'Puck'", "there is no table pair", "a profile begins with [profiles.pair]"),
        ("profiles = 3", "profiles are not written so", "[profiles.pair]"),
        ("[profiles]\nvoice = 'Puck'", "profiles are not written so", "[profiles.pair]"),
        ("[profiles.'']", "a profile has no name", "[profiles.pair]"),
        ("[profiles.pair]\nvoic = 'Puck'", "profile pair: there is no setting voic", "the nearest is voice"),
        ("api_key = 'AIzaSecret'", "api_key is not read from a file", "GEMINI_API_KEY in the environment"),
        ("[profiles.p]\nGEMINI-API-KEY = 'AIzaSecret'", "GEMINI-API-KEY is not read from a file", "environment"),
        ("echo = 'loud'", "--echo does not know 'loud'", "cancel, duck or off"),
        ("trigger_tokens = 3", "--trigger-tokens 3 is out of range", "give 5000"),
        ("system = '@none.txt'", "cannot read", "--system takes"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_that_names_it_and_a_hint(
    written: str, error: str, hint: str, env: dict[str, str], file: Path
) -> None:
    file.write_text(written)
    done = livechat("talk", "--text", env=env)
    first, second = done.stderr.splitlines()
    assert done.returncode == 3
    assert first.startswith(f"error: {file}")
    assert error in first
    assert second.startswith("hint: ")
    assert hint in second
    assert "AIza" not in done.stderr


def test_a_file_or_a_profile_that_is_not_there_is_refused(env: dict[str, str], file: Path, tmp_path: Path) -> None:
    done = livechat("talk", "--profile", "paris", env=env)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [f"error: {file}: there is no profile paris", "hint: the nearest is pair"]
    assert livechat("devices", "--profile", "paris", env=env).returncode == 3
    file.write_bytes(b"voice = '\xff'")
    assert "is not UTF-8 text" in livechat("talk", env=env).stderr
    for wrong in (tmp_path / "none.toml", tmp_path):
        done = livechat("talk", env=env | {"LIVECHAT_CONFIG": str(wrong)})
        assert done.returncode == 3
        assert "cannot be read" in done.stderr.splitlines()[0]


def test_a_wrong_flag_is_no_fault_of_the_file(env: dict[str, str], file: Path) -> None:
    done = livechat("talk", "--trigger-tokens", "3", env=env)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --trigger-tokens 3 is out of range")


# ------------------------------------------------------------------------------------------- the commands


def test_a_conversation_is_held_as_the_file_says(env: dict[str, str], file: Path) -> None:
    file.write_text(f'[profiles.pair]\ninput = "{GO_FORWARD}"\noutput = "a.wav"\njson = true\nlog_file = "log"\n')
    done = livechat("talk", "--profile", "pair", env=env)
    assert done.returncode == 0
    assert '"text": "Go forward ten meters."' in done.stdout
    assert (file.parent / "a.wav").exists()
    assert (file.parent / "log").read_text()


def test_push_to_talk_of_the_file_is_for_terminals(env: dict[str, str], file: Path) -> None:
    file.write_text("ptt = true")
    assert livechat("talk", "--offline", stdin="hello\n", env=env).returncode == 0
    assert livechat("talk", "--offline", "--ptt", env=env).returncode == 2


def test_show_says_each_setting_and_where_it_comes_from_and_no_key(env: dict[str, str], file: Path) -> None:
    file.write_text(PROFILES.replace("[profiles.pair]", '[profiles.pair]\nmic = "Desk \\u001b[31m"'))
    env |= {"GEMINI_API_KEY": "AIzaSecret", "LIVECHAT_MODEL": "gemini-x-live"}
    done = livechat("config", "show", "--profile", "pair", env=env)
    assert done.returncode == 0
    rows = {name: (value, source) for name, value, source in (
        [cell.strip() for cell in line.split("  ") if cell] for line in done.stdout.splitlines()
    )}  # fmt: skip
    assert set(rows) == {"server", *FLAGS}
    assert rows["server"] == ("gemini", "GEMINI_API_KEY")
    assert rows["model"] == ("gemini-x-live", "LIVECHAT_MODEL")
    assert rows["voice"] == ("Kore", "profile pair")
    assert rows["no_compression"] == ("true", "profile pair")
    assert rows["trigger_tokens"] == ("-", "default")
    assert rows["mic"] == ("Desk ␛[31m", "profile pair")
    assert rows["echo"] == ("cancel", "default")
    assert "AIza" not in done.stdout
    top = livechat("config", "show", env=env).stdout
    assert ["trigger_tokens", "20000", "top", "level"] in [line.split() for line in top.splitlines()]
    file.write_text("trigger_tokens = 3")
    assert livechat("config", "show", env=env).returncode == 3


def test_config_alone_lists_its_commands(env: dict[str, str]) -> None:
    done = livechat("config", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "edit" in done.stdout


def test_path_says_where_the_file_is_or_would_be(env: dict[str, str], tmp_path: Path) -> None:
    wanted = str(tmp_path / "none.toml")
    assert livechat("config", "path", env=env | {"LIVECHAT_CONFIG": wanted}).stdout == f"{wanted}\n"


def editor(tmp_path: Path, writes: str) -> str:
    """What VISUAL is set to for an editor that leaves this in the file."""
    (tmp_path / "an editor.py").write_text(
        f"import sys\nwith open(sys.argv[2], 'a') as file:\n    file.write({writes!r})\n"
    )
    return f"{sys.executable} '{tmp_path / 'an editor.py'}' --wait"


def test_edit_makes_the_file_opens_it_and_checks_every_profile(env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    env |= {"LIVECHAT_CONFIG": str(path), "VISUAL": editor(tmp_path, 'voice = "Puck"\n'), "EDITOR": "false"}
    done = livechat("config", "edit", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text() == EXAMPLE + 'voice = "Puck"\n'
    env["VISUAL"] = editor(tmp_path, '[profiles.one]\n[profiles.two]\necho = "loud"\n')
    done = livechat("config", "edit", env=env)
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: {path}, profile two: --echo does not know 'loud'\nhint: ")


@pytest.mark.parametrize(
    ("visual", "error"),
    [
        ("", "neither VISUAL nor EDITOR names an editor"),
        ("no-such-editor", "the editor no-such-editor cannot be started"),
        ("quote'", "the editor quote' cannot be started"),
        ("false", "the editor false ended with 1"),
    ],
)
def test_without_an_editor_that_works_it_is_said_how(
    visual: str, error: str, env: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    done = livechat("config", "edit", env=env | {"LIVECHAT_CONFIG": str(path), "VISUAL": visual, "EDITOR": ""})
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"error: {error}"
    assert path.read_text() == EXAMPLE


def test_edit_says_where_the_file_cannot_be_made(env: dict[str, str]) -> None:
    done = livechat("config", "edit", env=env | {"LIVECHAT_CONFIG": "/dev/null/config.toml", "VISUAL": "true"})
    assert done.returncode == 3
    assert "cannot be made" in done.stderr
