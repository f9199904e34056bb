"""One picture on its way to the model."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageDraw

from livechat.video.picture import LONGEST, SMALL, picture


@pytest.mark.parametrize(
    ("size", "sent"),
    [((1600, 900), (768, 432)), ((900, 1600), (432, 768)), ((320, 200), (320, 200)), ((1, 3000), (1, 768))],
)
def test_a_picture_is_a_jpeg_of_at_most_768_pixels(size: tuple[int, int], sent: tuple[int, int]) -> None:
    made = picture(Image.new("RGB", size, "red"))
    with Image.open(io.BytesIO(made.jpeg)) as read:
        assert (read.format, read.size) == ("JPEG", sent)
    assert (made.width, made.height) == sent
    assert max(sent) <= LONGEST
    assert len(made.small) == 3 * SMALL[0] * SMALL[1]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_every_kind_of_picture_is_sent(mode: str) -> None:
    assert picture(Image.new(mode, (40, 30))).jpeg.startswith(b"\xff\xd8")


def test_what_is_transparent_is_white() -> None:
    made = picture(Image.new("RGBA", (64, 64), (0, 0, 0, 0)))
    assert set(made.small) == {255}


def test_a_photograph_lies_as_it_was_taken() -> None:
    turned = Image.new("RGB", (200, 100))
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was held upright
    held = io.BytesIO()
    turned.save(held, "JPEG", exif=exif)
    made = picture(Image.open(held))
    assert (made.width, made.height) == (100, 200)


def test_a_typed_word_is_a_change_and_noise_is_none() -> None:
    page = Image.new("RGB", (1280, 720), "white")
    before = picture(page)
    assert not picture(page.copy()).differs(before)
    noisy = page.copy()
    noisy.putpixel((3, 3), (250, 250, 250))
    assert not picture(noisy).differs(before)
    ImageDraw.Draw(page).rectangle((600, 300, 660, 330), fill="black")
    assert picture(page).differs(before)
    assert picture(Image.new("RGB", (640, 720), "white")).differs(before)
