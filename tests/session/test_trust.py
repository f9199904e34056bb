"""Whom a link trusts: what is wrong with a certificate, and which file it is that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from livechat.errors import ConfigError, UsageError
from livechat.session.events import Ended, Opened, Wire
from livechat.session.link import Dialler
from livechat.session.verdicts import Kind, Verdict, judge
from livechat.settings import Settings
from tests.support.proxies import NAME, certified, dial, end_of, live_server
from tests.support.virtual_time import run

DAY = timedelta(days=1)
VARIABLES = (
    "SSL_CERT_FILE", "SSL_CERT_DIR", "GOOGLE_APPLICATION_CREDENTIALS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
)  # fmt: skip
ELSEWHERE = Settings(backend="gemini", key="k", api_version="v1")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def meet(*names: str, begins: timedelta = -DAY, ends: timedelta = DAY, trust: bool = True) -> Verdict:
    """What is said of a server on 127.0.0.1 that shows a certificate for these names."""

    async def main() -> Ended:
        async with live_server(*names, begins=begins, ends=ends) as live:
            return end_of(await dial("127.0.0.1", live.ca if trust else certified("x")[0].decode(), live.port))

    return judge(run(main()), setting_up=True, age_s=0.0)


@pytest.mark.parametrize(("begins", "ends"), [(-2 * DAY, -DAY), (DAY, 2 * DAY), (-DAY, -timedelta(minutes=5))])
def test_a_certificate_of_another_time_sends_one_to_the_clock(begins: timedelta, ends: timedelta) -> None:
    said = meet("127.0.0.1", begins=begins, ends=ends)
    assert said.kind is Kind.FATAL
    assert "clock" in said.hint
    assert ("out of date" if ends < timedelta() else "not valid yet") in said.why


@pytest.mark.parametrize("names", [(NAME,), ("10.0.0.1",), ("localhost", "*.test")])
def test_a_certificate_for_another_name_says_which_was_wanted(names: tuple[str, ...]) -> None:
    said = meet(*names)
    assert said.kind is Kind.FATAL
    assert "another name" in said.why
    assert "127.0.0.1" in said.why
    assert "--ca-file" not in said.hint


def test_a_certificate_nobody_vouches_for_asks_for_its_ca() -> None:
    said = meet("127.0.0.1", trust=False)
    assert "not trusted" in said.why
    assert "--ca-file" in said.hint


def test_a_server_without_tls_is_not_said_to_have_a_wrong_certificate() -> None:
    said = judge(Ended(1, "tls", reason="WRONG_VERSION_NUMBER"), setting_up=True, age_s=0.0)
    assert "certificate" not in said.why
    assert "wrong version number" in said.why


# ------------------------------------------------------------------------------------------ files


def nothing(path: Path) -> None:
    assert not path.exists()


def folder(path: Path) -> None:
    path.mkdir()


def words(path: Path) -> None:
    path.write_text("no certificate, and no JSON")


def empty(path: Path) -> None:
    path.touch()


def binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


@pytest.mark.parametrize("make", [nothing, folder, words, empty, binary])
@pytest.mark.parametrize("variable", VARIABLES)
def test_a_file_that_cannot_be_used_is_named_with_its_variable(
    variable: str, make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    make(path)
    if variable in ("SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") and path.is_dir():
        return  # a folder of certificates
    monkeypatch.setenv(variable, str(path))
    settings = Settings(backend="vertex", project="p", location="us-central1")
    with pytest.raises(ConfigError) as raised:
        Dialler(settings)
    assert raised.value.exit_code == 3
    assert variable in raised.value.message
    assert str(path) in raised.value.message
    assert variable in raised.value.hint


@pytest.mark.parametrize("held", [[], {}, "text", None, {"type": ""}])
def test_json_that_is_no_credentials_is_named(held: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "adc.json"
    path.write_text(json.dumps(held))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(ConfigError, match="it holds no credentials"):
        Dialler(Settings(backend="vertex", project="p", location="us-central1"))
    Dialler(ELSEWHERE)  # which has no use for them


def test_a_path_with_control_characters_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/none/\x1b[2J\udcff")
    with pytest.raises(ConfigError) as raised:
        Dialler(ELSEWHERE)
    assert raised.value.message.isprintable()


@pytest.mark.parametrize("make", [words, empty, binary, folder, nothing])
def test_a_ca_file_that_holds_no_certificate_is_named(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    make(path)
    with pytest.raises(UsageError) as raised:
        Dialler(Settings(backend="endpoint", endpoint="https://127.0.0.1:1", key="k", ca_file=str(path)))
    assert str(path) in raised.value.message
    assert "--ca-file" in raised.value.hint
    assert "[" not in raised.value.message.replace(str(path), "")  # OpenSSL's own words say nothing to a person


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_server_that_brings_its_certificate_does_not_need_these_files(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> list[Wire]:
        async with live_server("127.0.0.1") as live:
            return await dial("127.0.0.1", live.ca, live.port)

    monkeypatch.setenv(variable, str(tmp_path / "none"))
    assert isinstance(run(main())[0], Opened)


def test_ssl_cert_file_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[Wire]:
        async with live_server("127.0.0.1") as live:
            path = tmp_path / "ca.pem"
            path.write_text(live.ca)
            monkeypatch.setenv("SSL_CERT_FILE", str(path))
            return await dial("127.0.0.1", None, live.port)

    assert isinstance(run(main())[0], Opened)
