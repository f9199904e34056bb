"""One picture on its way to the model: made small, compressed, and compared with the one before. Pillow does it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST = 768  # pixels of the longer side: the model sees no more (docs/wire.md 7)
QUALITY = 80
SMALL = (32, 18)  # pixels: what is compared, and the preview
CHANGED = 2.0  # mean difference of two small pictures, of 255, from which on they are not the same
MOVED = 40  # and in one of its pixels: a word that was typed


@dataclass(frozen=True, slots=True)
class Picture:
    """`jpeg` has `width` and `height` in pixels. `small`: the same at SMALL, as red, green and blue bytes."""

    jpeg: bytes
    width: int
    height: int
    small: bytes

    def differs(self, other: Picture) -> bool:
        """Whether it shows something else."""
        apart = [abs(a - b) for a, b in zip(self.small, other.small, strict=True)]
        resized = (self.width, self.height) != (other.width, other.height)
        return resized or max(apart) >= MOVED or sum(apart) / len(apart) >= CHANGED


def picture(image: Image) -> Picture:
    """`image` as it is sent. Raises OSError for one that is damaged."""
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(image)
    upright.draft("RGB", (LONGEST, LONGEST))  # a large JPEG is decoded no larger than that needs
    upright.thumbnail((LONGEST, LONGEST), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if upright.mode in ("RGBA", "LA", "PA", "P"):  # what is transparent is shown as white
        layer = upright.convert("RGBA")
        upright = Image.new("RGB", layer.size, "white")
        upright.paste(layer, mask=layer.getchannel("A"))
    flat = upright.convert("RGB")
    held = io.BytesIO()
    flat.save(held, "JPEG", quality=QUALITY)
    small = flat.resize(SMALL, Image.Resampling.BOX)
    return Picture(held.getvalue(), *flat.size, small.tobytes())
