"""What the offline agent says of pictures."""

import base64
import io

import pytest
from PIL import Image

from livechat.server.vision import Vision


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (64, 48), kind: str = "JPEG") -> str:
    """In base64."""
    held = io.BytesIO()
    Image.new("RGB", size, colour).save(held, kind)
    return base64.b64encode(held.getvalue()).decode()


RED, BLUE = (200, 30, 30), (30, 60, 210)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_it_tells_how_many_how_large_what_colour_and_whether_it_changed(kind: str) -> None:
    vision = Vision()
    vision.see(picture(BLUE, kind=kind))
    assert vision.describe() == "I have seen 1 frame, the last 64 by 48. It is mostly blue."
    vision.see(picture(RED, (640, 480), kind))
    told = "I have seen 2 frames, the last 640 by 480. It is mostly red, and not like the one before."
    assert vision.describe() == told
    vision.see(picture(RED, (640, 480), kind))
    assert vision.describe().endswith("red, and the same as the one before.")


@pytest.mark.parametrize("data", ["", "!!!", base64.b64encode(b"no picture").decode(), picture(RED)[:60]])
def test_what_is_no_picture_is_said_to_be_none(data: str) -> None:
    vision = Vision()
    assert vision.describe() == "I have seen nothing: no picture has come."
    vision.see(data)
    assert vision.describe() == "I have seen 1 frame. The last one is no picture that I can read."


def test_without_pillow_pictures_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livechat.server.vision.find_spec", lambda name: None)
    vision = Vision()
    vision.see(picture(RED))
    assert vision.describe() == "I have seen 1 frame. I cannot look into them: Pillow is not installed."


def test_url_safe_base64_is_read_as_well() -> None:
    vision = Vision()
    vision.see(picture(RED).replace("+", "-").replace("/", "_").rstrip("="))
    assert "mostly red" in vision.describe()
