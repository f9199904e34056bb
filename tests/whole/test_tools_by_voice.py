"""A spoken question has a Python function and an MCP server answer, in the offline call, from end to end."""

from __future__ import annotations

import sys
import wave
from pathlib import Path

import pytest

from livechat.server.speech_models import Synthesiser
from livechat.server.utterances import OUTPUT_RATE
from tests.support.program import environment, livechat

WEATHER = '''
def get_weather(city: str) -> str:
    """Look up the weather for a city."""
    return f"It is foggy in {city}."
'''


@pytest.mark.real_time
def test_a_function_and_an_mcp_server_answer_by_voice(tmp_path: Path) -> None:
    (tmp_path / "wx.py").write_text(WEATHER)
    voice = Synthesiser()
    with wave.open(str(tmp_path / "questions.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(OUTPUT_RATE)
        for question in ("What is the weather in London?", "What is the current time in the time zone of Europe?"):
            file.writeframes(voice.speak(question) + bytes(2 * OUTPUT_RATE * 6))
    done = livechat(
        "talk", "--offline", "--input", "questions.wav", "--output", "answers.wav", "--tool", "wx:get_weather",
        "--mcp", f"{sys.executable} -m mcp_server_time", "--confirm", "never",
        env=environment(tmp_path), cwd=tmp_path, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "It is foggy in London" in done.stdout
    assert "calls get_current_time(" in done.stderr
    assert (tmp_path / "answers.wav").stat().st_size > 4 * OUTPUT_RATE
