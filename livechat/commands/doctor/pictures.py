"""What --video needs: packages, a screen that can be read, a camera. All of it is optional."""

import contextlib
from collections.abc import Callable

from livechat.commands.doctor.finding import Finding, Subject
from livechat.errors import DeviceError, UsageError
from livechat.installed import extra
from livechat.video.sources import CameraSource, PictureSource, ScreenSource


def screen(_: Subject) -> Finding:
    return _one_picture(lambda: ScreenSource(extra("video")), "screen")


def camera(_: Subject) -> Finding:
    return _one_picture(lambda: CameraSource(extra("camera")), "camera")


def _one_picture(opened: Callable[[], PictureSource], name: str) -> Finding:
    try:
        with contextlib.closing(opened()) as source:
            width, height = source.grab().size
    except (UsageError, DeviceError) as error:
        return Finding("skip", error.message, f"only --video {name} needs it", error.hint)
    return Finding("ok", f"{width}x{height}")
