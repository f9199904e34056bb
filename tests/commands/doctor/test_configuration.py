"""The settings are those of a conversation, and what is odd about them is said."""

from livechat.commands.doctor.configuration import settings
from livechat.commands.doctor.finding import Subject


def test_the_settings_are_what_a_conversation_would_have() -> None:
    environ = {"LIVECHAT_CONFIG": "/dev/null"}
    assert settings(Subject(environ, terminal=False)).summary == "gemini-3.8-live, offline"
    both = environ | {"GEMINI_API_KEY": "a" * 30, "GOOGLE_API_KEY": "b" * 30}
    found = settings(Subject(both, terminal=False))
    assert (found.status, found.summary) == ("warn", "gemini-3.8-live, gemini")
    assert "unset" in found.remedy
