"""One flag of `talk` and `resume`: what is known of it, and how a field of flags.Flags says so."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from livechat.errors import UsageError


@dataclass(frozen=True, slots=True)
class Trait:
    """Something that some families of models can do and others cannot.

    `name`: the field of models.Family. `lack`: what is said of a model without it. `found`: a model that has it.
    """

    name: str
    lack: str
    found: str


@dataclass(frozen=True, slots=True)
class Flag:
    """What the table says of one flag.

    `name` is also its key in the configuration file, where "-" may stand for "_". `kind`: bool, int, float or str.
    `panel`: the part of --help it stands in. `metavar`: its value in --help; "" for a bool.
    `file`: whether the value is the name of a file, or one after an "@".
    `kept`: a resumed conversation begins with the value it was made with.
    `shown`: its default in --help; "" for none, or off.
    `variable`: of the environment. It wins over the configuration file.
    `choices`: all values, in lower case; upper case is taken as well. The first is the default.
    `within`: the least and the greatest number. `trait`: the model families that take it; None for all.
    """

    name: str
    kind: type
    panel: str
    help: str
    metavar: str = ""
    file: Literal["no", "yes", "after @"] = "no"
    kept: bool = False
    shown: str = ""
    variable: str = ""
    choices: tuple[str, ...] = ()
    within: tuple[float, float] | None = None
    trait: Trait | None = None

    @property
    def option(self) -> str:
        """As it is written on the command line."""
        return option_of(self.name)

    @property
    def described(self) -> str:
        """Its line of --help."""
        default = f" [default: {self.shown}]" if self.shown else ""
        return f"{self.help}{default}{f' [env: {self.variable}]' if self.variable else ''}"

    def trouble(self, value: Any) -> UsageError | None:
        """The error where the flag does not take this value by itself."""
        if self.choices and value not in self.choices:
            *most, last = self.choices
            if len(most) == 1:
                wrong = f"{self.option} {value} is neither {most[0]} nor {last}"
            else:
                wrong = f"{self.option} does not know {value!r}"
            return UsageError(wrong, f"it takes {', '.join(most)} or {last}")
        if self.within:
            low, high = self.within
            if not low <= value <= high or value == math.inf:  # not a number is never within
                return UsageError(
                    f"{self.option} {value} is out of range",
                    f"give {low} or more" if high == math.inf else f"give {low} to {high}",
                )
        return None


def option_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def flag(panel: str, text: str, *, usual: Any = None, choices: tuple[str, ...] = (), **more: Any) -> Any:
    """A field of Flags. `usual`: its default. `more`: for Flag."""
    shown = "" if usual in (None, False) else usual if isinstance(usual, str) else f"{usual:g}"
    about = {"panel": panel, "help": text, "choices": choices, "metavar": "|".join(choices), "shown": shown}
    return field(default=usual, metadata=about | more)


def switch(panel: str, text: str, **more: Any) -> Any:
    """A field of Flags that is on or off. `more`: for Flag."""
    return flag(panel, text, usual=False, **more)
