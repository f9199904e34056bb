"""The way to the server, and what is in the way. test_run.py has the way that is free."""

from __future__ import annotations

import os
import socket
import time
from email.utils import formatdate

import pytest

from livechat.commands.doctor import network
from livechat.commands.doctor.finding import Finding, Subject
from livechat.testing import LiveServer


@pytest.fixture
def environ(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The proxy is read from the process's own environment."""
    monkeypatch.setattr(os, "environ", env)
    return env


@pytest.mark.parametrize(
    ("key", "status", "word"),
    [
        ({}, "warn", "none is set"),
        ({"GEMINI_API_KEY": "AIza" + "x" * 35}, "ok", "GEMINI_API_KEY has the form of a key"),
        ({"GEMINI_API_KEY": '"AIza' + "x" * 35 + '"\n'}, "warn", "quotes, spaces or line ends"),
        ({"GEMINI_API_KEY": "short"}, "fail", "too short"),
        ({"GEMINI_API_KEY": "AIza" + "x" * 20 + "\u2026"}, "fail", "a character that no key has"),
        ({"GEMINI_API_KEY": "a" * 39, "GOOGLE_API_KEY": "b" * 39}, "warn", "differ: GOOGLE_API_KEY is used"),
        ({"GEMINI_API_KEY": "a" * 39, "GOOGLE_API_KEY": "a" * 39}, "ok", "GOOGLE_API_KEY"),
    ],
)
def test_the_form_of_the_key(key: dict[str, str], status: str, word: str, environ: dict[str, str]) -> None:
    found = network.key(Subject(environ | key, terminal=False))
    assert found.status == status
    assert word in found.summary


def test_a_proxy_is_named_and_a_wrong_one_fails(environ: dict[str, str]) -> None:
    subject = Subject(environ, terminal=False)
    assert network.proxied(subject).summary.startswith("none: ")
    environ["https_proxy"] = "http://me:secret@127.0.0.1:9"
    found = network.proxied(subject)
    assert found.summary == "127.0.0.1:9 (https_proxy)"
    assert network.dns(subject).summary == "127.0.0.1 is 127.0.0.1"
    assert "127.0.0.1:9" in network.tls(subject).summary
    environ["https_proxy"] = "gopher://127.0.0.1"
    assert network.proxied(subject).status == "fail"


@pytest.mark.parametrize(("key", "status"), [({}, "warn"), ({"GEMINI_API_KEY": "a" * 39}, "fail")])
def test_a_name_that_cannot_be_looked_up_fails_only_where_it_is_needed(
    key: dict[str, str], status: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **more: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = network.dns(Subject(environ | key, terminal=False))
    assert (found.status, bool(found.remedy)) == (status, True)


def test_a_certificate_that_is_not_trusted_and_a_server_that_is_gone_fail_with_a_remedy(
    environ: dict[str, str],
) -> None:
    with LiveServer() as server:
        environ["GOOGLE_GEMINI_BASE_URL"] = server.url
        subject = Subject(environ, terminal=False)
        for check in (network.tls, network.session):
            found = check(subject)
            assert found.status == "fail"
            assert "not trusted" in found.summary
            assert "--ca-file" in found.remedy
    found = network.tls(subject)
    assert found.status == "fail"
    assert "cannot be reached" in found.summary
    assert found.remedy


@pytest.mark.parametrize(("off", "status"), [(0.0, "ok"), (100.0, "warn"), (-4000.0, "fail")])
def test_a_clock_that_is_wrong_is_said(
    off: float, status: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "_answer", lambda subject: {"date": formatdate(time.time() - off, usegmt=True)})
    assert network.clock(Subject(environ, terminal=False)).status == status
    monkeypatch.setattr(network, "_answer", lambda subject: Finding("fail", "no"))
    assert network.clock(Subject(environ, terminal=False)).status == "skip"


def test_a_model_that_the_server_does_not_have_is_refused(environ: dict[str, str]) -> None:
    with LiveServer() as server:
        more = server.environment | {"LIVECHAT_MODEL": "gemini-9-live"}
        environ.update(more)
        found = network.session(Subject(environ, terminal=False))
    assert found.status == "fail"
    assert found.remedy
