"""An agent that understands speech, for tests of something else: its models are loaded once a process."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from unittest import mock

import pytest

from livechat.server import speech_agent
from livechat.server.agent_choice import make_agent
from livechat.server.speech_agent import SpeechAgent

_MODELS = {name: cache(getattr(speech_agent, name)) for name in ("Recogniser", "SileroVad", "Synthesiser")}


def loaded_agent() -> SpeechAgent:
    """Models keep nothing of what they heard, and serve several threads. Loading them takes a second.

    The test is skipped where the packages of the models are not installed.
    """
    with ExitStack() as patches:
        for name, model in _MODELS.items():
            patches.enter_context(mock.patch.object(speech_agent, name, model))
        agent, lacking = make_agent()
    if lacking:
        pytest.skip(lacking)
    assert isinstance(agent, SpeechAgent)
    return agent
