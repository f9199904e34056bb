"""What goes wrong: a Notice where the conversation goes on, a LivechatError with an exit code where it does not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the person should know, in one line, the `message`; the conversation goes on.

    `hint`: what to do about it, or "".
    """

    message: str
    hint: str = ""
    type: Literal["warning"] = "warning"

    def __str__(self) -> str:
        return self.message


Notify = Callable[[Notice], object]


class LivechatError(Exception):
    """One clear line for the person, a remedy, and the exit code.

    `message` says what is wrong; `hint` what to do about it. Neither may hold a key, a handle or speech.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def notice(self) -> Notice:
        """The same, where it does not end anything."""
        return Notice(self.message, self.hint)


class UsageError(LivechatError):
    """A flag, an argument or a file named by one is wrong."""

    exit_code = 2


class ConfigError(LivechatError):
    """The key, the project or another part of the configuration is missing or refused."""

    exit_code = 3


class DeviceError(LivechatError):
    """A microphone, a speaker or an audio file that stands in for one cannot be used."""

    exit_code = 4


class LostError(LivechatError):
    """The conversation cannot go on: every rung of the ladder failed."""

    exit_code = 5


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group, of whatever depth."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


INTERRUPTED = 130  # Ctrl-C, as shells report it
KEY_PAGE = "https://aistudio.google.com/apikey"  # where Google gives out keys for the Gemini API


def reason(error: OSError | ValueError) -> str:
    """What the system has against a path, in a few words. A ValueError: it never got as far as the system."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "the name holds a character that no file name can hold"
