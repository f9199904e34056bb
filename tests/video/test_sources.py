"""Where pictures come from: files, a real X server, and a camera that is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from livechat.errors import DeviceError, LivechatError, UsageError
from livechat.video.sources import CameraSource, FileSource, FolderSource, ScreenSource, source_of

RED, BLUE = (200, 40, 40), (50, 80, 200)


def saved(path: Path, colour: tuple[int, int, int]) -> Path:
    Image.new("RGB", (64, 48), colour).save(path)
    return path


def test_a_file_is_read_again_for_each_picture(tmp_path: Path) -> None:
    source = source_of(str(saved(tmp_path / "a.png", RED)), "", "")
    assert isinstance(source, FileSource)
    assert source.grab().getpixel((0, 0)) == RED
    saved(tmp_path / "a.png", BLUE)
    assert source.grab().getpixel((0, 0)) == BLUE
    (tmp_path / "a.png").unlink()
    with pytest.raises(DeviceError, match=r"a\.png cannot be read"):
        source.grab()
    source.close()


def test_a_folder_is_shown_in_order_and_its_last_picture_stays(tmp_path: Path) -> None:
    saved(tmp_path / "b.PNG", BLUE)
    saved(tmp_path / "a.jpg", RED)
    (tmp_path / "notes.txt").write_text("no picture")
    source = source_of(str(tmp_path), "", "")
    assert isinstance(source, FolderSource)
    seen = [source.grab().convert("RGB").getpixel((0, 0)) for _ in range(3)]
    assert seen[1:] == [BLUE, BLUE]
    assert seen[0] != BLUE
    source.close()


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"GIF89a"])
def test_a_file_that_is_no_picture_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        source_of(str(tmp_path / "x.png"), "", "")
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_what_is_not_there_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    for what in (tmp_path / "none.png", tmp_path):
        with pytest.raises(UsageError):
            source_of(str(what), "", "")


@pytest.mark.parametrize(("package", "what"), [("PIL", "screen"), ("mss", "screen"), ("cv2", "camera")])
def test_a_package_that_is_missing_is_named_with_its_remedy(
    package: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else found(name))
    with pytest.raises(UsageError) as caught:
        source_of(what, "install it", "install it")
    assert caught.value.hint == "install it"


@pytest.mark.skipif(sys.platform != "linux", reason="it has a display of another kind")
@pytest.mark.parametrize(
    ("variables", "says"), [({}, "there is no display"), ({"WAYLAND_DISPLAY": "wayland-0"}, "Wayland")]
)
def test_without_a_display_it_says_so(variables: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DeviceError, match=says):
        source_of("screen", "", "")


def test_a_display_that_is_gone_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    with pytest.raises(DeviceError, match="the screen cannot be shown"):
        ScreenSource("")


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real X server with a red root window."""
    if shutil.which("Xvfb") is None:
        message = "no virtual screen: apt install xvfb"
        if os.environ.get("LIVECHAT_REQUIRE_CARD"):
            pytest.fail(message)
        pytest.skip(message)
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-wr", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as said:
        name = f":{said.readline().strip()}"
    monkeypatch.setenv("DISPLAY", name)
    yield name
    server.terminate()
    server.wait()


@pytest.mark.usefixtures("display")
def test_the_screen_is_seen_as_it_is() -> None:
    source = source_of("screen", "", "")
    seen = source.grab()
    assert seen.size == (1280, 800)
    assert seen.getpixel((640, 400)) == (255, 255, 255)  # -wr: the root window is white
    source.close()
    source.close()


class FakeCamera:
    """What cv2.VideoCapture gives: `opens`, and frames until it is unplugged."""

    opens, frames, released = True, 1, 0

    def __init__(self, number: int) -> None:
        assert number == 0

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opens

    def read(self) -> tuple[bool, Any]:
        type(self).frames -= 1
        return self.frames >= 0, np.full((48, 64, 3), (200, 80, 50), np.uint8)

    def release(self) -> None:
        type(self).released += 1


def camera(monkeypatch: pytest.MonkeyPatch, *, opens: bool = True) -> type[FakeCamera]:
    kind = type("Camera", (FakeCamera,), {"opens": opens, "frames": 1, "released": 0})
    module = types.ModuleType("cv2")
    module.VideoCapture = kind  # type: ignore[attr-defined]
    module.__spec__ = __import__("importlib.machinery").machinery.ModuleSpec("cv2", None)
    monkeypatch.setitem(sys.modules, "cv2", module)
    return kind


def test_a_camera_is_seen_in_its_colours_until_it_is_unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = camera(monkeypatch)
    source = source_of("camera", "", "")
    assert isinstance(source, CameraSource)
    assert source.grab().getpixel((3, 3)) == BLUE
    with pytest.raises(DeviceError, match="the camera gives no picture"):
        source.grab()
    source.close()
    source.close()
    assert kind.released == 1


def test_a_camera_that_cannot_be_opened_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = camera(monkeypatch, opens=False)
    with pytest.raises(LivechatError) as caught:
        source_of("camera", "", "")
    assert (caught.value.exit_code, kind.released) == (4, 1)
