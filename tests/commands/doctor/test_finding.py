"""What a check finds is shown without secrets."""

from livechat.commands.doctor.finding import Finding


def test_values_of_secret_variables_and_logins_are_left_out() -> None:
    environ = {"MY_TOKEN": "abcdefgh", "GEMINI_API_KEY": "'k1k2k3k4'\n", "SHORT_KEY": "no", "PATH": "/usr/bin"}
    found = Finding("fail", "abcdefgh at /usr/bin, no", "k1k2k3k4 http://me:pw@host:1/x", "unset abcdefgh")
    shown = found.redacted(environ)
    assert shown.summary == "[secret] at /usr/bin, no"
    assert shown.detail == "[secret] http://[secret]@host:1/x"
    assert found.redacted({"MY_KEY": '"' * 6}).summary == found.summary  # nothing but quotes is no secret
    assert shown.remedy == "unset [secret]"
