"""The functions that the model may call: Python functions that the person named with --tool, and others."""

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from livechat.errors import UsageError

_HINT = "write it as MODULE:FUNCTION; several are parted by commas"


@dataclass(frozen=True, slots=True)
class Tools:
    """The functions by name. `search`: the model may also search with Google.

    `risky`: those that may change something. `asked`: those that run only when the person says yes; `refused`: those
    of which nobody can be asked.
    `declared`: what the model is told of a function, and the JSON schema of its parameters, where these are not those
    of its docstring and its signature.
    """

    functions: dict[str, Callable[..., Any]]
    search: bool = False
    declared: Mapping[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    risky: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()

    def confirmed(self, which: str, *, somebody: bool) -> "Tools":
        """The same, with those that are `asked`, by --confirm. `somebody` can be asked; else they are refused."""
        names = {"always": frozenset(self.functions), "risky": self.risky, "never": frozenset[str]()}[which]
        return replace(self, asked=names if somebody else frozenset(), refused=frozenset() if somebody else names)


NO_TOOLS = Tools({})


def load(named: str | None, *, search: bool = False) -> Tools:
    """The functions of --tool. Modules are also found in the current folder. Raises UsageError."""
    functions: dict[str, Callable[..., Any]] = {}
    for name in filter(None, (part.strip() for part in (named or "").split(","))):
        function = _load(name)
        if function.__name__ in functions:
            raise UsageError(f"--tool names {function.__name__} twice", "give each function a name of its own")
        functions[function.__name__] = function
    return Tools(functions, search)


def _load(name: str) -> Callable[..., Any]:
    module_name, colon, function_name = name.partition(":")
    if not (module_name and colon and function_name):
        raise UsageError(f"--tool {name} names no function", _HINT)
    sys.path.insert(0, str(Path.cwd()))  # a console script does not look there
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # noqa: BLE001 - a module is anybody's code
        raise UsageError(f"--tool {name}: {module_name} cannot be imported ({_words(error)})", _HINT) from None
    finally:
        sys.path.pop(0)
    function = getattr(module, function_name, None)
    if not inspect.isroutine(function):
        raise UsageError(f"--tool {name}: {module_name} has no function {function_name}", _HINT)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise UsageError(
                f"--tool {name}: the model cannot give a value to {parameter}", "name each parameter, with its type"
            )
    return function


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
