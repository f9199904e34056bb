"""What livechat knows of models, voices and limits, against the table of docs/wire.md 0."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat import models


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("gemini-3.8-live", "v1"),
        ("gemini-3.8-live-extended-thinking", "v1"),
        ("models/gemini-3.8-live", "v1"),
        ("gemini-3.1-flash-live-preview", "v1beta"),
        ("gemini-2.5-flash-native-audio-latest", "v1beta"),
        ("gemini-2.5-flash-native-audio-preview-12-2025", "v1beta"),
    ],
)
def test_previews_and_aliases_are_served_by_v1beta_alone_and_tokens_by_v1alpha(model: str, version: str) -> None:
    assert models.api_version(model) == version
    assert models.api_version(model, alpha=True) == "v1alpha"


@pytest.mark.parametrize(
    ("model", "text", "thinking"),
    [
        ("gemini-3.8-live", "realtime", None),
        ("gemini-3.8-live-extended-thinking", "realtime", "LOW"),
        ("gemini-3.1-flash-live-preview", "realtime", None),
        ("gemini-2.5-flash-native-audio-latest", "content", None),
        ("gemini-live-2.5-flash-native-audio", "content", None),
        ("gemini-4-live-of-the-future", "realtime", None),
    ],
)
@pytest.mark.parametrize("prefix", ["", "models/", "projects/p/locations/l/publishers/google/models/"])
def test_a_family_is_known_by_the_models_own_name(prefix: str, model: str, text: str, thinking: str | None) -> None:
    family = models.family(prefix + model)
    assert (family.text, family.thinking_level, family.converses) == (text, thinking, True)


@pytest.mark.parametrize(
    "model", ["gemini-3.5-transcribe-live", "gemini-3.5-transcribe-live-preview", "gemini-3.5-live-translate-preview"]
)
def test_models_that_do_not_converse_are_known(model: str) -> None:
    assert models.family(model).purpose == ("translate" if "translate" in model else "transcribe")


def test_models_that_were_switched_off_are_known_and_their_successors_are_not_mistaken_for_them() -> None:
    assert models.is_gone("gemini-2.0-flash-live-001")
    assert models.is_gone("models/gemini-live-2.5-flash-preview")
    assert not models.is_gone("gemini-live-2.5-flash-native-audio")
    assert not models.is_gone(models.DEFAULT_MODEL)


def test_a_voice_is_found_however_it_is_spelt_and_an_unknown_one_kept_with_the_nearest_beside_it() -> None:
    assert models.voice("pUCK") == ("Puck", "")
    assert models.voice("Pucke") == ("Pucke", "Puck")
    assert {models.voice(name) for name in models.VOICES} == {(name, "") for name in models.VOICES}


@given(st.text(min_size=1))
def test_any_unknown_voice_has_a_nearest_one(name: str) -> None:
    spelt, near = models.voice(name)
    assert near in models.VOICES if near else spelt in models.VOICES


def test_compression_is_what_the_server_applies_by_itself() -> None:
    assert models.compression(None, None) == (104_857, 52_428)
    assert models.compression(10_000, None) == (10_000, 5_000)
    assert models.compression(10_000, 0) == (10_000, 0)
    assert models.compression(None, 7) == (104_857, 7)


def test_the_default_trigger_lies_in_the_range_a_person_may_ask_for() -> None:
    assert models.TRIGGER_RANGE[0] <= models.DEFAULT_TRIGGER <= models.TRIGGER_RANGE[1]


def test_our_own_mark_lies_between_the_servers_notice_and_its_end() -> None:
    assert 540.0 < models.ROTATE_AFTER_S < models.LINK_LIFETIME_S


@pytest.mark.parametrize(
    "handle",
    [
        "95e91930-b35b-482b-8880-17efc49ec2f2",
        "95E91930-B35B-482B-8880-17EFC49EC2F2",
        "CihvdGNnM2Z2cWF5b2x3azhpdXRyZTV6c2RmMGdoN2o2bTRuMmI5dg==",
        "CihvdGNnM2Z2cWF5b2x3azhpdXRyZTV6c2RmMGdoN2o2bTRuMmI5dg",
        "Cig2Z2-5dzRqa3B6bHFvdjN4aW1yYnRuMHU4YzdoZTlfYXlkNWYy-2s",
    ],
)
def test_what_has_the_form_of_a_handle_can_be_one(handle: str) -> None:
    assert models.can_be_handle(handle)


def test_any_wrapped_id_can_be_a_handle() -> None:
    """2.x: base64 of a protobuf of 40 characters."""
    draw = random.Random(2)
    for _ in range(1000):
        identity = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=40))
        assert models.can_be_handle(base64.b64encode(b"\n(" + identity.encode()).decode())


@pytest.mark.parametrize(
    "word",
    [
        "no-such-conversation",
        "the-conversation-that-we-had-last-night-about-the-boat-2",
        "4fk2mp",
        "",
        "95e91930-b35b-482b-8880-17efc49ec2f",
        "95e91930-b35b-482b-8880-17efc49ec2f22",
        "95e91930b35b482b888017efc49ec2f2",
        "95e91930-b35b-482b-8880-17efc49ec2fg",
        "95e91930_b35b_482b_8880_17efc49ec2f2",
        "/home/Ada/Documents/conversations/2026/09/boat-plans-number-42.txt",
        "../../etc/passwd",
        "C:\\Users\\Ada\\boat.txt",
        "https://example.com/95e91930-b35b-482b-8880-17efc49ec2f2",
        "conversations-and-other-Things-of-2026-and-before-it",
        "livechat resume 4fk2mp",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "a" * 64,
        "d41d8cd98f00b204e9800998ecf8427e" * 2,
        "CihvdGNnM2Z2cWF5b2x3azhpdXRyZTV6c2RmMGdoN2o2bTRuMmI5dg=====",
        "Cihvd GNnM2Z2cWF5b2x3azhpdXRyZTV6c2RmMGdoN2o2bTRuMmI5dg",
        "\u00e9" * 56,
        "\x00" * 56,
    ],
)
def test_a_name_a_path_or_a_mistyped_id_is_no_handle(word: str) -> None:
    assert not models.can_be_handle(word)
