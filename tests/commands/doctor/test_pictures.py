"""The screen and the camera are optional: what they lack is named, and nothing fails."""

import pytest

from livechat.commands.doctor import pictures
from livechat.commands.doctor.finding import Check, Subject

SUBJECT = Subject({}, terminal=False)


@pytest.mark.parametrize(
    ("environ", "word"), [({}, "there is no display"), ({"WAYLAND_DISPLAY": "wayland-0"}, "Wayland")]
)
def test_a_screen_that_cannot_be_read_is_skipped_with_a_remedy(
    environ: dict[str, str], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    found = pictures.screen(SUBJECT)
    assert found.status == "skip"
    assert word in found.summary
    assert found.remedy


@pytest.mark.parametrize(("check", "extra"), [(pictures.screen, "video"), (pictures.camera, "camera")])
def test_packages_that_are_missing_are_named_with_their_command(
    check: Check, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = check(SUBJECT)
    assert found.status == "skip"
    assert "not installed" in found.summary
    assert f"[{extra}]" in found.remedy
