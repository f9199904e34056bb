"""Where pictures come from: the screen, a camera, a file, or the files of a folder.

A source is made, used and closed on one thread, which is not the loop's: grabbing may take long.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from livechat.errors import DeviceError, UsageError, reason
from livechat.paths import look

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 100_000_000  # of a file's picture; more is no photograph but an attack on the memory
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")


class PictureSource(Protocol):
    """What is shown. `name`: in words."""

    name: str

    def grab(self) -> Image:
        """The picture of this moment. Raises DeviceError."""

    def close(self) -> None:
        """Release the device. Safe to call twice."""


def source_of(what: str, remedy: str, camera_remedy: str) -> PictureSource:
    """The source that --video and /video name: screen, camera, a file or a folder.

    `remedy` and `camera_remedy`: how to install what is missing. Raises UsageError or DeviceError.
    """
    if importlib.util.find_spec("PIL") is None:
        raise UsageError("pictures need the package pillow, which is not installed", remedy)
    if what == "screen":
        return ScreenSource(remedy)
    if what == "camera":
        return CameraSource(camera_remedy)
    found = look(what, "--video")
    if found is None:
        raise UsageError(f"there is no picture {what}", "name screen, camera, a file or a folder of pictures")
    return FolderSource(Path(what)) if Path(what).is_dir() else FileSource(Path(what))


class FileSource:
    """One file, read again for each picture: it may be written anew. Raises UsageError if it is no picture."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = path.name, path
        try:
            opened(path)
        except DeviceError as error:
            raise UsageError(error.message, error.hint) from None

    def grab(self) -> Image:
        return opened(self._path)

    def close(self) -> None:
        """Nothing is held."""


class FolderSource:
    """The pictures of a folder in the order of their names, one for each grab; the last one stays."""

    def __init__(self, path: Path) -> None:
        self.name = f"{path.name or path}{os.sep}"
        self._paths = sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
        self._next = 0
        if not self._paths:
            raise UsageError(f"{self.name} holds no pictures", f"it is looked through for {', '.join(_SUFFIXES)}")

    def grab(self) -> Image:
        path = self._paths[min(self._next, len(self._paths) - 1)]
        self._next += 1
        return opened(path)

    def close(self) -> None:
        """Nothing is held."""


class ScreenSource:
    """The first screen of this computer, by the package mss."""

    name = "screen"

    def __init__(self, remedy: str) -> None:
        if importlib.util.find_spec("mss") is None:
            raise UsageError("the screen needs the package mss, which is not installed", remedy)
        if sys.platform == "linux" and not os.environ.get("DISPLAY"):
            wayland = bool(os.environ.get("WAYLAND_DISPLAY"))
            where = "Wayland lets no program see the screen" if wayland else "there is no display"
            raise DeviceError(f"{where}: the screen cannot be shown", "name a file or a folder of pictures instead")
        self._screens: Any = None
        self.grab()

    def grab(self) -> Image:
        from mss import MSS
        from mss.exception import ScreenShotError
        from PIL import Image

        try:
            self._screens = self._screens or MSS()
            monitors = self._screens.monitors
            shot = self._screens.grab(monitors[min(1, len(monitors) - 1)])
        except ScreenShotError as error:
            self.close()
            why = str(error).splitlines()[0][:200] if str(error) else "no reason is given"
            hint = "allow the terminal to record the screen in the system's privacy settings"
            raise DeviceError(
                f"the screen cannot be shown: {why}", hint if sys.platform == "darwin" else "look at DISPLAY"
            ) from None
        return Image.frombytes("RGB", shot.size, shot.bgra, "raw", "BGRX")

    def close(self) -> None:
        if self._screens is not None:
            self._screens.close()
            self._screens = None


class CameraSource:
    """The first camera, by the package opencv-python-headless."""

    name = "camera"

    def __init__(self, remedy: str) -> None:
        if importlib.util.find_spec("cv2") is None:
            raise UsageError("a camera needs the package opencv-python-headless, which is not installed", remedy)
        import cv2

        self._camera: Any = cv2.VideoCapture(0)
        if not self._camera.isOpened():
            self.close()
            allow = "allow the terminal to use it in the system's privacy settings"
            raise DeviceError(
                "there is no camera that can be opened", allow if sys.platform == "darwin" else "connect one"
            )

    def grab(self) -> Image:
        from PIL import Image

        there, frame = self._camera.read() if self._camera is not None else (False, None)
        if not there or frame is None:
            raise DeviceError("the camera gives no picture", "is it still connected?")
        return Image.fromarray(frame[:, :, ::-1])  # OpenCV's order is blue, green, red

    def close(self) -> None:
        if self._camera is not None:
            self._camera.release()
            self._camera = None


def opened(path: Path) -> Image:
    """The picture in a file. Raises DeviceError if there is none."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(path)
        if image.width * image.height > MOST_PIXELS:
            raise DeviceError(f"{path.name} is too large", f"at most {MOST_PIXELS // 1_000_000} megapixels are read")
        image.load()
    except (UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise DeviceError(f"{path.name} is no picture", "JPEG, PNG, WebP, BMP and GIF are read") from None
    except OSError as error:
        raise DeviceError(f"{path.name} cannot be read: {reason(error)}", "look at the file") from None
    return image
