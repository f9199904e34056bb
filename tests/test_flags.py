"""The table of flags: each is an option, a setting of the file and a row of `config show`, and the rules hold."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from livechat import cli, models
from livechat.commands import config
from livechat.commands.resume_conversation import known_options, options_to_keep
from livechat.config_file import layered, load
from livechat.errors import Notice, UsageError
from livechat.flag import Flag
from livechat.flags import FLAGS, RULES, SERVER, Excludes, Flags, Needs, replaced_by
from livechat.settings import Backend, Settings, resolve

_VALUES: dict[str, Any] = {
    "endpoint": "https://127.0.0.1:1", "ca_file": __file__, "system": "Be brief.", "voice": "Kore",
    "temperature": 1.5, "fps": 0.5,
}  # fmt: skip
_OF_SOME_MODELS = {"thinking", "affective", "proactive"}
_ANY_MODEL = "gemini-9-live"  # of a family that nothing is known of, so nothing is refused


def value(flag: Flag) -> Any:
    """What this flag takes, and not by default."""
    numbers: dict[type, Any] = {bool: True, int: 6_000, float: 2.5, str: flag.choices[-1] if flag.choices else "x"}
    return _VALUES.get(flag.name, numbers[flag.kind])


def fitting(name: str) -> dict[str, Any]:
    """This flag, with the others it needs."""
    wanted, found = [name], {"model": _ANY_MODEL} if name in _OF_SOME_MODELS else {}
    if name == "max_cost":
        wanted.append("price_in")  # the embedded server has no prices
    while wanted:
        name = wanted.pop()
        found[name] = value(FLAGS[name])
        needed = [rule.others[0] for rule in RULES if isinstance(rule, Needs) and rule.flag == name]
        wanted += [other for other in needed if other not in found]
    return found


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration file of an environment without keys, whose state is the test's own."""
    path = tmp_path / "config.toml"
    monkeypatch.setattr(os, "environ", {"LIVECHAT_CONFIG": str(path), "LIVECHAT_STATE": str(tmp_path / "state")})
    return path


def options(command: str) -> dict[str, str]:
    """The options in the help of a command, and the panel of each."""
    panels: dict[str, str] = {}
    title = ""
    for line in CliRunner().invoke(cli.app, [command, "--help"], catch_exceptions=False).stdout.splitlines():
        if found := re.match(r"(\S.*):$", line):
            title = found[1]
        elif found := re.match(r"  (?:-h, )?(--[\w-]+)", line):
            panels[found[1]] = title
    return panels


# ------------------------------------------------------------------------------------------- each flag


@pytest.mark.parametrize("command", ["talk", "resume"])
def test_every_flag_is_in_the_help_under_its_panel(command: str) -> None:
    ours = {flag.option: flag.panel for flag in FLAGS.values()}
    assert options(command) == ours | {"--profile": "Options", "--help": "Options"}


@pytest.mark.parametrize("name", FLAGS)
def test_every_flag_can_be_set_in_the_file_and_is_shown(
    name: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = {
        key: f'"{given}"' if isinstance(given, str) else str(given).lower() for key, given in fitting(name).items()
    }
    file.write_text("".join(f"{key} = {given}\n" for key, given in written.items()))
    assert load(os.environ).values[name]
    assert config.show(None) == 0
    rows = {row[0]: row for row in (re.split(r"  +", line) for line in capsys.readouterr().out.splitlines())}
    where = file.parent / "x" if FLAGS[name].file == "yes" and name not in _VALUES else written[name].strip('"')
    assert rows[name] == [name, str(where), "top level"]


def test_every_flag_reaches_the_settings() -> None:
    for name in FLAGS:
        assert getattr(resolve({}, **fitting(name)), name) == value(FLAGS[name])
    assert {made.name for made in fields(Flags)} <= {made.name for made in fields(Settings)}


def test_a_resume_begins_with_what_is_kept_and_with_nothing_else() -> None:
    notices: list[Notice] = []
    for name, flag in FLAGS.items():
        made = options_to_keep(resolve({"GEMINI_API_KEY": "k"}, **fitting(name)))
        assert (name in made) == flag.kept, name
        assert known_options(made, notices.append) == made
    assert notices == []


def test_the_choices_of_a_flag_are_taken_in_capitals() -> None:
    for flag in FLAGS.values():
        for choice in flag.choices:
            assert getattr(resolve({}, model=_ANY_MODEL, **{flag.name: choice.upper()}), flag.name) == choice


def test_a_trait_is_one_of_families_and_the_model_it_names_has_it() -> None:
    traits = [flag.trait for flag in FLAGS.values() if flag.trait]
    assert traits
    for trait in traits:
        assert getattr(models.family(trait.found), trait.name) is True
        assert getattr(models.family(models.DEFAULT_MODEL), trait.name) is False


# ------------------------------------------------------------------------------------------- the rules


def test_the_rules_name_flags_and_servers_that_exist() -> None:
    for rule in RULES:
        assert rule.flag in FLAGS
        assert set(rule.others) <= FLAGS.keys() | (set(get_args(Backend)) if isinstance(rule, Needs) else set())
    assert set(SERVER) <= FLAGS.keys()


_PAIRS = [(rule, other) for rule in RULES if isinstance(rule, Excludes) for other in rule.others]


@pytest.mark.parametrize(("rule", "other"), _PAIRS, ids=lambda part: part if isinstance(part, str) else part.flag)
def test_what_a_rule_excludes_is_refused_and_said_later_wins(rule: Excludes, other: str) -> None:
    together = fitting(rule.flag) | fitting(other)
    with pytest.raises(UsageError) as caught:
        resolve({}, **together)
    assert caught.value.message.startswith(f"{FLAGS[rule.flag].option} does not go with ")
    assert caught.value.hint == "leave one of them out"
    for first, second in ((rule.flag, other), (other, rule.flag)):
        assert first in replaced_by(second)
        assert first not in layered(fitting(first), {second: value(FLAGS[second])})


@pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(rule, Needs)], ids=lambda rule: rule.flag)
def test_what_a_rule_needs_is_asked_for(rule: Needs) -> None:
    alone = {name: given for name, given in fitting(rule.flag).items() if name not in rule.others}
    with pytest.raises(UsageError) as caught:
        resolve({"GEMINI_API_KEY": "k"}, **alone)
    assert (caught.value.message, caught.value.hint) == (rule.message, rule.hint)
    assert (rule.flag in layered(alone, {})) != rule.waits


def test_another_server_has_another_certificate() -> None:
    certificate = fitting("ca_file")
    assert layered(certificate, {"offline": True}) == {"offline": True}
    assert layered(certificate, {"endpoint": "https://h"}) == {"endpoint": "https://h"}
    assert layered({"endpoint": "https://h"}, certificate).keys() == {"endpoint", "ca_file"}
