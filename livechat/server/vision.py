"""What the offline agent sees: how many pictures came, how large the last is, its colour, and whether it changed.

Pillow decodes the pictures. Without it (extra `video`) they are only counted.
"""

import base64
import io
from dataclasses import dataclass
from importlib.util import find_spec

SMALL = (8, 8)  # pixels; what is compared
CHANGED = 8.0  # mean difference of two pictures, of 255, from which on they are not the same

_COLOURS = {
    "black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128), "red": (200, 40, 40),
    "green": (40, 160, 60), "blue": (50, 80, 200), "yellow": (230, 210, 50), "orange": (230, 130, 40),
    "brown": (110, 70, 40), "purple": (130, 60, 160), "pink": (240, 160, 190), "cyan": (60, 200, 210),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded picture. `small`: its pixels at SMALL, row by row, as (red, green, blue)."""

    width: int
    height: int
    small: tuple[tuple[int, int, int], ...]

    @property
    def colour(self) -> str:
        """The name that comes nearest to its mean colour."""
        mean = [sum(pixel[i] for pixel in self.small) / len(self.small) for i in range(3)]
        return min(_COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(mean, _COLOURS[name], strict=True)))

    def differs(self, other: "Picture") -> bool:
        """Whether a person would call it another picture."""
        pairs = zip(self.small, other.small, strict=True)
        apart = [abs(a - b) for one, two in pairs for a, b in zip(one, two, strict=True)]
        return sum(apart) / len(apart) > CHANGED or (self.width, self.height) != (other.width, other.height)


class Vision:
    """The pictures of one link. They are decoded only when somebody asks for them."""

    def __init__(self) -> None:
        self.frames = 0
        self._last: list[str] = []  # base64 of the newest two

    def see(self, data: str) -> None:
        """A picture came, in base64."""
        self.frames += 1
        self._last = [*self._last[-1:], data]

    def describe(self) -> str:
        """In a sentence or two."""
        if not self.frames:
            return "I have seen nothing: no picture has come."
        seen = f"I have seen {self.frames} frame{'s' if self.frames > 1 else ''}"
        if find_spec("PIL") is None:
            return f"{seen}. I cannot look into them: Pillow is not installed."
        pictures = [decoded(data) for data in self._last]
        if (last := pictures[-1]) is None:
            return f"{seen}. The last one is no picture that I can read."
        told = f"{seen}, the last {last.width} by {last.height}. It is mostly {last.colour}"
        before = pictures[0] if len(pictures) > 1 else None
        if before is None:
            return f"{told}."
        return f"{told}, and {'not like' if last.differs(before) else 'the same as'} the one before."


def decoded(data: str) -> Picture | None:
    """The picture in base64 of either alphabet; None if it is none."""
    from PIL import Image

    try:
        raw = base64.b64decode(data.replace("-", "+").replace("_", "/") + "==")
        with Image.open(io.BytesIO(raw)) as image:
            width, height = image.size
            image.draft("RGB", SMALL)  # a JPEG is decoded no larger than that needs
            small = image.convert("RGB").resize(SMALL, Image.Resampling.BOX)
    except (ValueError, OSError, Image.DecompressionBombError):
        return None
    pixels = small.tobytes()
    return Picture(width, height, tuple((r, g, b) for r, g, b in zip(*[iter(pixels)] * 3, strict=True)))
