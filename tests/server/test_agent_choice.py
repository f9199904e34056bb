"""Which agent is chosen, by the packages that are installed."""

from __future__ import annotations

import asyncio
import importlib.util

import pytest

from livechat.server.agent_choice import make_agent
from livechat.server.parrot import Parrot
from livechat.server.speech_agent import SpeechAgent


def test_the_whole_extra_is_installed_here() -> None:
    agent, missing = make_agent()
    assert isinstance(agent, SpeechAgent)
    assert missing == ""
    asyncio.run(agent.close())


def test_without_the_packages_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "hibari" else find(name))
    agent, missing = make_agent()
    assert isinstance(agent, Parrot)
    assert "not installed: hibari" in missing
