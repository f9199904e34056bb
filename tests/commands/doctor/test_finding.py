"""What a check finds is shown without secrets; what is asked for may be wrong."""

from livechat.commands.doctor.finding import Finding, Subject, settings


def test_values_of_secret_variables_and_logins_are_left_out() -> None:
    environ = {"MY_TOKEN": "abcdefgh", "GEMINI_API_KEY": "'k1k2k3k4'\n", "SHORT_KEY": "no", "PATH": "/usr/bin"}
    found = Finding("fail", "abcdefgh at /usr/bin, no", "k1k2k3k4 http://me:pw@host:1/x", "unset abcdefgh")
    shown = found.redacted(environ)
    assert shown.summary == "[secret] at /usr/bin, no"
    assert shown.detail == "[secret] http://[secret]@host:1/x"
    assert shown.remedy == "unset [secret]"


def test_the_settings_are_what_a_conversation_would_have() -> None:
    environ = {"LIVECHAT_CONFIG": "/dev/null"}
    assert settings(Subject(environ, terminal=False)).summary == "gemini-3.8-live, offline"
    both = environ | {"GEMINI_API_KEY": "a" * 30, "GOOGLE_API_KEY": "b" * 30}
    found = settings(Subject(both, terminal=False))
    assert (found.status, found.summary) == ("warn", "gemini-3.8-live, gemini")
    assert "unset" in found.remedy
