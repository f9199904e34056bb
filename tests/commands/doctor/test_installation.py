"""What is not installed is named, with the command that installs it."""

import sys
from importlib import metadata

import pytest

from livechat.commands.doctor import installation
from livechat.commands.doctor.finding import Subject

SUBJECT = Subject({}, terminal=False)


def test_this_installation_is_whole() -> None:
    assert installation.python(SUBJECT).status == "ok"
    assert installation.packages(SUBJECT).status == "ok"
    assert installation.speech_models(SUBJECT).status == "ok"


def test_a_python_that_nobody_has_tested_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 2))
    found = installation.python(SUBJECT)
    assert (found.status, found.remedy) == ("warn", "install one of 3.11 to 3.14")


def test_packages_that_are_missing_or_do_not_load_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "rich":
            raise metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    found = installation.packages(SUBJECT)
    assert found.status == "fail"
    assert "rich is missing; soundfile: " in found.detail
    assert "pip install" in found.remedy


def test_without_speech_models_the_command_for_them_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = installation.speech_models(SUBJECT)
    assert found.status == "warn"
    assert "does not understand speech" in found.summary
    assert "[offline]" in found.remedy
