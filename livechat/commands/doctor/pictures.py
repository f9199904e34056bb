"""What --video needs: packages, a screen that can be read, a camera. All of it is optional."""

import contextlib

from livechat.commands.doctor.finding import Finding, Subject
from livechat.errors import DeviceError, UsageError
from livechat.installed import extra
from livechat.video.sources import CameraSource, ScreenSource


def screen(_: Subject) -> Finding:
    try:
        with contextlib.closing(ScreenSource(extra("video"))) as source:
            width, height = source.grab().size
    except (UsageError, DeviceError) as error:
        return Finding("skip", error.message, "only --video screen needs it", error.hint)
    return Finding("ok", f"{width}x{height}")


def camera(_: Subject) -> Finding:
    try:
        with contextlib.closing(CameraSource(extra("camera"))) as source:
            width, height = source.grab().size
    except (UsageError, DeviceError) as error:
        return Finding("skip", error.message, "only --video camera needs it", error.hint)
    return Finding("ok", f"{width}x{height}")
