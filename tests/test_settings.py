"""What a conversation is made with: precedence of flag, environment and default, and what is refused and how."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat import models
from livechat.errors import ConfigError, LivechatError, UsageError
from livechat.settings import Settings, resolve

KEY = "AIzaSyNotARealKey0123456789"


def refused(kind: type[LivechatError], environ: dict[str, str], **flags: Any) -> LivechatError:
    """The error that these settings are refused with, which has a remedy."""
    with pytest.raises(kind) as caught:
        resolve(environ, **flags)
    assert caught.value.hint
    return caught.value


# ---------------------------------------------------------------------------------------------- backend


def test_with_nothing_configured_the_server_is_the_embedded_one() -> None:
    settings = resolve({})
    assert (settings.backend, settings.endpoint, settings.model) == ("offline", None, models.DEFAULT_MODEL)


@pytest.mark.parametrize("name", ["GEMINI_API_KEY", "GOOGLE_API_KEY"])
def test_a_key_means_gemini(name: str) -> None:
    settings = resolve({name: KEY})
    assert (settings.backend, settings.key, settings.api_version) == ("gemini", KEY, "v1")


def test_of_two_keys_googles_wins_as_in_the_sdk() -> None:
    assert resolve({"GEMINI_API_KEY": "a", "GOOGLE_API_KEY": "b"}).key == "b"
    assert resolve({"GEMINI_API_KEY": "a", "GOOGLE_API_KEY": ""}).key == "a"


@pytest.mark.parametrize("name", ["GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"])
@pytest.mark.parametrize("value", ["1", "true", "True", " TRUE "])
def test_vertex_is_asked_for_by_the_sdks_own_variables(name: str, value: str) -> None:
    settings = resolve({name: value, "GOOGLE_CLOUD_PROJECT": "p", "GEMINI_API_KEY": KEY})
    assert (settings.backend, settings.project, settings.location) == ("vertex", "p", "us-central1")
    assert (settings.key, settings.api_version, settings.handle_ttl_s) == ("", None, 24 * 3600)


@pytest.mark.parametrize("value", ["0", "false", "", "no"])
def test_a_variable_that_says_no_is_not_a_yes(value: str) -> None:
    assert resolve({"GOOGLE_GENAI_USE_VERTEXAI": value, "GEMINI_API_KEY": KEY}).backend == "gemini"


def test_vertex_takes_a_key_where_there_is_no_project() -> None:
    settings = resolve({"GOOGLE_GENAI_USE_VERTEXAI": "1", "GOOGLE_API_KEY": KEY})
    assert (settings.backend, settings.project, settings.key) == ("vertex", None, KEY)


def test_vertex_without_a_project_is_a_configuration_error() -> None:
    error = refused(ConfigError, {"GOOGLE_GENAI_USE_VERTEXAI": "1"})
    assert "GOOGLE_CLOUD_PROJECT" in error.hint
    assert error.exit_code == 3


def test_an_endpoint_wins_over_vertex_and_key_and_the_flag_over_the_variable() -> None:
    environ = {"GOOGLE_GEMINI_BASE_URL": "https://b:1", "GEMINI_API_KEY": KEY, "GOOGLE_GENAI_USE_VERTEXAI": "1"}
    settings = resolve(environ)
    assert (settings.backend, settings.endpoint, settings.key) == ("endpoint", "https://b:1", KEY)
    assert resolve(environ, endpoint="https://a:2").endpoint == "https://a:2"
    assert resolve({}, endpoint="https://a:2").key  # the SDK wants one, this server none


def test_offline_wins_over_everything_configured_and_lets_no_key_out() -> None:
    environ = {"GOOGLE_GEMINI_BASE_URL": "https://b:1", "GEMINI_API_KEY": KEY, "GOOGLE_GENAI_USE_VERTEXAI": "1"}
    settings = resolve(environ, offline=True)
    assert (settings.backend, settings.endpoint, settings.key) == ("offline", None, "offline")


@pytest.mark.parametrize("name", ["GEMINI_API_KEY", "GOOGLE_API_KEY"])
@pytest.mark.parametrize("key", ["with space", "two\nlines", "ключ", "tab\there", "AIza\x7f", "AIza\xa0x", "“AIza”"])
def test_a_key_that_no_key_looks_like_is_refused_without_being_repeated(name: str, key: str) -> None:
    error = refused(ConfigError, {name: key})
    assert key not in error.message + error.hint
    assert name in error.message
    assert "https://aistudio.google.com/apikey" in error.hint


@pytest.mark.parametrize(
    "around",
    ['"{}"', "'{}'", " {} ", "{}\n", "{}\r\n", "\ufeff{}", '\ufeff"{}"\r', '" {} "', '"{}', "\xa0{}", "\t{}\t"],
)
def test_what_an_env_file_leaves_around_a_value_is_not_of_it(around: str) -> None:
    assert resolve({"GEMINI_API_KEY": around.format(KEY)}).key == KEY
    vertex = {"GOOGLE_GENAI_USE_VERTEXAI": around.format("true"), "GOOGLE_CLOUD_PROJECT": around.format("p")}
    assert (resolve(vertex).backend, resolve(vertex).project) == ("vertex", "p")
    assert resolve({"GEMINI_API_KEY": around.format("")}).backend == "offline"


def test_of_two_keys_the_one_that_is_used_is_named_and_neither_is_shown() -> None:
    settings = resolve({"GEMINI_API_KEY": "first", "GOOGLE_API_KEY": "second"})
    (notice,) = settings.warnings
    assert notice.message == "GOOGLE_API_KEY and GEMINI_API_KEY are both set: GOOGLE_API_KEY is used"
    assert notice.hint
    assert settings.key_from == "GOOGLE_API_KEY"
    assert resolve({"GEMINI_API_KEY": "same", "GOOGLE_API_KEY": '"same"'}).warnings == ()
    assert resolve({"GEMINI_API_KEY": "a", "GOOGLE_API_KEY": ""}).warnings == ()
    assert resolve({"GEMINI_API_KEY": "a", "GOOGLE_API_KEY": "b"}, offline=True).warnings == ()
    assert resolve({"GEMINI_API_KEY": "a", "GOOGLE_API_KEY": "b"}, endpoint="https://h").warnings != ()


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ({"GEMINI_API_KEY": KEY}, "GEMINI_API_KEY"),
        ({"GEMINI_API_KEY": KEY, "GOOGLE_API_KEY": "''"}, "GEMINI_API_KEY"),
        ({"GOOGLE_GEMINI_BASE_URL": "https://h", "GOOGLE_API_KEY": KEY}, "GOOGLE_API_KEY"),
        ({"GOOGLE_GEMINI_BASE_URL": "https://h"}, ""),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "1", "GOOGLE_API_KEY": KEY}, "GOOGLE_API_KEY"),
        (
            {"GOOGLE_GENAI_USE_VERTEXAI": "1", "GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_APPLICATION_CREDENTIALS": "/f"},
            "GOOGLE_APPLICATION_CREDENTIALS",
        ),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "1", "GOOGLE_CLOUD_PROJECT": "p"}, "the application default credentials"),
        ({}, ""),
    ],
)
def test_where_the_key_or_the_credentials_are_from_is_known(environ: dict[str, str], where: str) -> None:
    assert resolve(environ).key_from == where


@pytest.mark.parametrize(
    ("environ", "flags"),
    [
        ({}, {"offline": True}),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "1", "GOOGLE_CLOUD_PROJECT": "p"}, {}),
    ],
)
def test_a_bad_key_does_not_matter_where_no_key_is_used(environ: dict[str, str], flags: dict[str, Any]) -> None:
    assert resolve({**environ, "GEMINI_API_KEY": "bad key\n"}, **flags).key in ("", "offline")


def test_an_ephemeral_token_is_served_by_v1alpha() -> None:
    assert resolve({"GEMINI_API_KEY": "auth_tokens/abc"}).api_version == "v1alpha"


def test_an_api_version_of_ones_own_is_left_to_the_sdk() -> None:
    assert resolve({"GEMINI_API_KEY": KEY, "GOOGLE_GENAI_API_VERSION": "v1beta"}).api_version is None


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=12, max_size=60))
def test_no_key_is_ever_in_a_representation(key: str) -> None:
    settings = resolve({"GEMINI_API_KEY": f"AIza{key}"})
    assert f"AIza{key}" not in repr(settings) + str(settings)
    assert key not in repr(settings) or key in repr(Settings())  # it may spell the name of a field


# -------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "url",
    [
        "host", "host:443", "http://host", "ftp://host", "https://", "https://:443", "https://host:0",
        "https://host:99999", "https://host:port", "https://[::1", "https://ho st", "https://host\n.example",
        "https://host/\u200b", "https://user:secret@host", "https://host?key=secret", "https://host#part",
    ],
)  # fmt: skip
def test_what_is_not_the_address_of_a_server_is_refused(url: str) -> None:
    by_flag = refused(UsageError, {}, endpoint=url)
    by_variable = refused(ConfigError, {"GOOGLE_GEMINI_BASE_URL": url})
    assert (by_flag.exit_code, by_variable.exit_code) == (2, 3)
    assert "GOOGLE_GEMINI_BASE_URL" in by_variable.message
    assert "secret" not in by_flag.message + by_variable.message


def test_an_empty_variable_is_none() -> None:
    assert resolve({"GOOGLE_GEMINI_BASE_URL": "", "GEMINI_API_KEY": "", "LIVECHAT_MODEL": ""}).backend == "offline"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:8443",
        "https://host",
        "wss://host:1",
        "https://[::1]:65535",
        "https://host/path/",
        "https://hôst",
    ],
)
def test_the_address_of_a_server_is_taken_as_it_is(url: str) -> None:
    assert resolve({}, endpoint=url).endpoint == url


def test_a_certificate_must_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    assert resolve({}, endpoint="https://h", ca_file=str(tmp_path / "ca.pem")).ca_file == str(tmp_path / "ca.pem")
    refused(UsageError, {}, endpoint="https://h", ca_file=str(tmp_path))
    refused(UsageError, {}, endpoint="https://h", ca_file=str(tmp_path / "none.pem"))


# ---------------------------------------------------------------------------------------------- flags


def test_a_flag_wins_over_the_environment_and_the_environment_over_the_default() -> None:
    environ = {"LIVECHAT_MODEL": "gemini-3.1-flash-live-preview"}
    assert resolve(environ).model == "gemini-3.1-flash-live-preview"
    assert resolve(environ, model="gemini-3.8-live").model == "gemini-3.8-live"
    assert resolve({"LIVECHAT_MODEL": ""}).model == models.DEFAULT_MODEL


@pytest.mark.parametrize(
    "model", ["gemini-2.0-flash-live-001", "gemini-3.5-transcribe-live", "two words", "modèle", "gemini-3.8-live\n"]
)
def test_a_model_that_cannot_hold_a_conversation_is_refused_by_name(model: str) -> None:
    assert refused(UsageError, {}, model=model).exit_code == 2
    error = refused(ConfigError, {"LIVECHAT_MODEL": model})
    assert error.exit_code == 3
    assert "LIVECHAT_MODEL" in error.message + error.hint


@pytest.mark.parametrize(
    "environ", [{"GEMINI_API_KEY": KEY}, {"GOOGLE_GENAI_USE_VERTEXAI": "1", "GOOGLE_CLOUD_PROJECT": "p"}]
)
def test_google_is_not_hurried(environ: dict[str, str]) -> None:
    assert "Gemini" in refused(UsageError, environ, input="a.wav", fast=True).message
    assert resolve(environ, input="a.wav", fast=True, offline=True).fast
    assert resolve(environ, input="a.wav", fast=True, endpoint="https://h").fast


def test_a_voice_is_spelt_as_the_api_does_and_an_unknown_one_is_worth_a_word() -> None:
    assert resolve({}, voice="kore").voice == "Kore"
    assert resolve({}, voice="kore").warnings == ()
    assert refused(UsageError, {}, voice="Koree").hint == "the nearest it has is Kore"
    settings = resolve({}, voice="Koree", model="gemini-9-live")
    assert settings.voice == "Koree"
    (notice,) = settings.warnings
    assert "Koree" in notice.message
    assert "Kore" in notice.hint


def test_a_system_instruction_is_text_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "system.txt"
    file.write_text("Be brief, é.", encoding="utf-8")
    assert resolve({}, system="Be kind.").system == "Be kind."
    assert resolve({}, system=f"@{file}").system == "Be brief, é."
    assert resolve({}).system is None
    file.write_bytes(b"\xff\xfe\x00")
    for wrong in (f"@{file}", f"@{tmp_path}", f"@{tmp_path}/none", "@"):
        assert refused(UsageError, {}, system=wrong).exit_code == 2


@pytest.mark.parametrize(
    "flags",
    [
        {"text": True, "input": "a.wav"},
        {"text": True, "mic": "1"},
        {"offline": True, "endpoint": "https://h"},
        {"endpoint": "https://h", "faults": "drop@1s"},
        {"no_compression": True, "trigger_tokens": 10_000},
        {"no_compression": True, "target_tokens": 0},
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags: dict[str, Any]) -> None:
    assert refused(UsageError, {}, **flags).exit_code == 2


def test_faults_go_with_the_embedded_server_only() -> None:
    assert resolve({}, faults="drop@1s").faults == "drop@1s"
    assert resolve({"GEMINI_API_KEY": KEY}, offline=True, faults="drop@1s").faults == "drop@1s"
    refused(UsageError, {"GEMINI_API_KEY": KEY}, faults="drop@1s")


# ----------------------------------------------------------------------------------------- compression


@pytest.mark.parametrize(
    ("trigger", "target", "applied"),
    [
        (None, None, (104_857, 52_428)),
        (5_000, None, (5_000, 2_500)),
        (128_000, None, (128_000, 64_000)),
        (128_000, 127_999, (128_000, 127_999)),
        (5_000, 0, (5_000, 0)),
        (None, 104_856, (104_857, 104_856)),
    ],
)
def test_compression_within_the_limits_is_taken(
    trigger: int | None, target: int | None, applied: tuple[int, int]
) -> None:
    settings = resolve({}, trigger_tokens=trigger, target_tokens=target)
    assert settings.applied_compression == applied
    assert (settings.trigger_tokens, settings.target_tokens) == (trigger, target)


@pytest.mark.parametrize(
    ("trigger", "target", "named"),
    [
        (4_999, None, "--trigger-tokens 4999"),
        (128_001, None, "--trigger-tokens 128001"),
        (0, None, "--trigger-tokens 0"),
        (-1, None, "--trigger-tokens -1"),
        (None, -1, "--target-tokens -1"),
        (None, 128_001, "--target-tokens 128001"),
        (None, 128_000, "--target-tokens 128000"),
        (None, 104_857, "--target-tokens 104857"),
        (5_000, 5_000, "--target-tokens 5000"),
        (3, 9, "--trigger-tokens 3"),
    ],
)
def test_compression_beyond_the_limits_is_refused_by_name(
    trigger: int | None, target: int | None, named: str
) -> None:
    error = refused(UsageError, {}, trigger_tokens=trigger, target_tokens=target)
    assert error.message.startswith(named)
    assert error.exit_code == 2


def test_compression_may_be_off() -> None:
    settings = resolve({}, no_compression=True)
    assert (settings.compression, settings.applied_compression) == (False, None)


@given(st.integers(-10, 200_000) | st.none(), st.integers(-10, 200_000) | st.none())
def test_whatever_is_accepted_is_what_the_server_accepts_and_all_else_is_refused(
    trigger: int | None, target: int | None
) -> None:
    used, cut = models.compression(trigger, target)
    if 5_000 <= used <= 128_000 and 0 <= cut <= 128_000 and cut < used:
        assert resolve({}, trigger_tokens=trigger, target_tokens=target).applied_compression == (used, cut)
    else:
        refused(UsageError, {}, trigger_tokens=trigger, target_tokens=target)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().model = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"ptt": True, "input": "x.wav"}, "--ptt does not go with --input"),
        ({"ptt": True, "text": True}, "--ptt does not go with --text"),
        ({"ptt": True, "silence_ms": 300}, "--ptt does not go with the server's voice detection"),
        ({"start_sensitivity": "medium"}, "--start-sensitivity medium is neither low nor high"),
        ({"silence_ms": -1}, "--silence-ms -1 is out of range"),
        ({"prefix_ms": 10_001}, "--prefix-ms 10001 is out of range"),
    ],
)
def test_what_voice_detection_cannot_do(flags: dict[str, Any], message: str) -> None:
    assert refused(UsageError, {}, **flags).message == message


def test_voice_detection_as_asked_for() -> None:
    assert resolve({}).vad == {}
    settings = resolve({}, start_sensitivity="low", end_sensitivity="HIGH", prefix_ms=0, silence_ms=300)
    assert settings.vad == {"start": "LOW", "end": "HIGH", "prefix_ms": 0, "silence_ms": 300}


@pytest.mark.parametrize(
    ("flag", "modes", "hint"),
    [
        ("echo", ["cancel", "duck", "off"], "it takes cancel, duck or off"),
        ("barge_in", ["local", "server"], "it takes local or server"),
    ],
)
def test_a_flag_with_a_few_values_takes_those_and_its_default_is_the_first(
    flag: str, modes: list[str], hint: str
) -> None:
    assert getattr(resolve({}), flag) == modes[0]
    given: list[dict[str, Any]] = [{flag: mode} for mode in modes]
    assert [getattr(resolve({}, **one), flag) for one in given] == modes
    wrong: dict[str, Any] = {flag: "loud"}
    error = refused(UsageError, {}, **wrong)
    assert (error.exit_code, error.hint) == (2, hint)


def test_a_model_that_does_not_tell_its_thoughts_is_worth_a_word() -> None:
    (notice,) = resolve({}, thoughts=True).warnings
    assert notice.message == "gemini-3.8-live does not tell what it thinks"
    assert resolve({}, thoughts=True, model=notice.hint.split()[-1]).warnings == ()
