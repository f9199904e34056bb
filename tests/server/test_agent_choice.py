"""Which agent is chosen, by the packages that are installed."""

from __future__ import annotations

import asyncio
import importlib.util
import queue
from functools import partial

import pytest

from livechat.server import speech_agent
from livechat.server.agent_choice import make_agent
from livechat.server.parrot import Parrot
from livechat.server.speech_agent import SpeechAgent


def test_the_whole_extra_is_installed_here() -> None:
    agent, missing = make_agent()
    assert isinstance(agent, SpeechAgent)
    assert missing == ""
    asyncio.run(agent.close())


def test_who_will_be_spoken_to_loads_all_models_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: queue.Queue[str] = queue.Queue()
    for name in ("SileroVad", "Recogniser", "Synthesiser"):
        monkeypatch.setattr(speech_agent, name, partial(loaded.put, name))

    async def main() -> list[str]:
        agent, _ = make_agent(spoken_to=True)
        names = [await asyncio.to_thread(loaded.get) for _ in range(3)]
        await agent.close()
        return sorted(names)

    assert asyncio.run(main()) == ["Recogniser", "SileroVad", "Synthesiser"]


def test_without_the_packages_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "hibari" else find(name))
    agent, missing = make_agent()
    assert isinstance(agent, Parrot)
    assert "not installed: hibari" in missing
