"""Every close that was ever seen (docs/wire.md 6.1), as the wire has it: what it means and what the person reads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.session.events import Ended
from livechat.session.verdicts import SLOW_S, STABLE_S, Kind, Verdict, judge

F, FRESH, RESUME, SLOW = Kind.FATAL, Kind.FRESH, Kind.RESUME, Kind.SLOW


def wire(reason: str) -> str:
    """A reason as it arrives: a close frame holds 123 bytes of it."""
    return reason.encode()[:123].decode(errors="ignore")


# (code, reason, verdict at setup, verdict of a link that had lived for minutes)
TABLE: list[tuple[int, str, Kind, Kind]] = [
    (1007, "API key not valid. Please pass a valid API key.", F, F),
    (1007, "API key expired. Please renew the API key.", F, F),
    (
        1008,
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or"
        " other form of API consumer identity to call this API.",
        F,
        F,
    ),
    (
        1008,
        "models/gemini-9-live is not found for API version v1beta, or is not supported for bidiGenerateContent."
        " Call ModelService.ListModels to see the list of available models.",
        F,
        F,
    ),
    (1007, "Invalid JSON payload received. Unknown name \"proactivity\" at 'setup': Cannot find field.", F, F),
    (1007, "Request contains an invalid argument.", F, FRESH),
    (1007, "Precondition check failed.", F, FRESH),
    (
        1007,
        "Explicit activity control is not supported when automatic activity detection is enabled.",
        F,
        F,
    ),
    (1007, "Thinking level is not supported for this model", F, F),
    (1007, "Thinking level must be specified for this model", F, F),
    (1007, "BLOCKING function calls are not supported for this model", F, F),
    (1007, "The requested combination of response modalities (TEXT) is not supported by the model.", F, F),
    (1007, "Cannot extract voices from a non-audio request.", F, F),
    (1007, "No matching speaker voice found", F, F),
    (1007, "Unsupported language code 'es'", F, F),
    (1007, "Code Execution tool is not supported for this model", F, F),
    (1007, "User location is not supported for the API use.", F, F),
    (1007, "Invalid session handle", FRESH, FRESH),
    (1008, "BidiGenerateContent session not found", FRESH, FRESH),
    (1008, "Requested entity was not found.", FRESH, FRESH),
    (
        1008,
        "Connection aborted because the client failed to close the connection after receiving a GoAway signal once"
        " the session duration limit was reached.",
        RESUME,
        RESUME,
    ),
    (1008, "The operation was aborted.", RESUME, RESUME),
    (1008, "Operation is not implemented, or supported, or enabled.", F, RESUME),
    (1011, "Internal error encountered.", RESUME, RESUME),
    (1011, "Internal error occurred.", RESUME, RESUME),
    (1011, "The service is currently unavailable.", RESUME, RESUME),
    (1011, "Deadline expired before operation could complete.", RESUME, RESUME),
    (
        1011,
        "You exceeded your current quota, please check your plan and billing details. For more information on this"
        " error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.",
        SLOW,
        SLOW,
    ),
    (
        1011,
        "Your project has exceeded its monthly spending cap. Please go to AI Studio at https://ai.studio/spend to"
        " manage your project spend cap.",
        F,
        F,
    ),
    (
        1011,
        "Request trace id: 9f3c2a11d0b7e645, [ORIGINAL ERROR] generic::resource_exhausted: RESOURCE_EXHAUSTED:"
        " Maximum concurrent sessions reached",
        SLOW,
        SLOW,
    ),
    (1011, "Resource has been exhausted (e.g. check quota).", SLOW, SLOW),
    (1011, "keepalive ping timeout", RESUME, RESUME),
    (1000, "", RESUME, RESUME),
    (1001, "going away", RESUME, RESUME),
    (1006, "", RESUME, RESUME),
    (1012, "", RESUME, RESUME),
]


def close(code: int | None, reason: str, *, age_s: float | None = None) -> Verdict:
    """`age_s`: for how long the link was open; None while it was being set up."""
    return judge(Ended(1, "close", code, wire(reason)), setting_up=age_s is None, age_s=age_s or 0.0)


@pytest.mark.parametrize(("code", "reason", "at_setup", "_"), TABLE, ids=lambda value: str(value)[:24])
def test_a_close_during_setup_means_what_the_table_says(code: int, reason: str, at_setup: Kind, _: Kind) -> None:
    assert close(code, reason).kind is at_setup


@pytest.mark.parametrize(("code", "reason", "_", "later"), TABLE, ids=lambda value: str(value)[:24])
def test_a_close_after_minutes_of_health_means_what_the_table_says(
    code: int, reason: str, _: Kind, later: Kind
) -> None:
    assert close(code, reason, age_s=300.0).kind is later


@pytest.mark.parametrize(("code", "reason", "_", "__"), TABLE, ids=lambda value: str(value)[:24])
def test_the_person_reads_plain_words_and_a_fatal_end_has_a_remedy(code: int, reason: str, _: Kind, __: Kind) -> None:
    for age_s in (None, 1.0, 300.0):
        verdict = close(code, reason, age_s=age_s)
        assert verdict.why
        assert str(code) not in verdict.why
        assert verdict.why[0].islower()
        if verdict.kind is F:
            assert verdict.hint


@pytest.mark.parametrize(("code", "reason", "_", "__"), TABLE, ids=lambda value: str(value)[:24])
def test_the_case_of_the_words_does_not_matter(code: int, reason: str, _: Kind, __: Kind) -> None:
    assert close(code, reason.upper()).kind is close(code, reason).kind


@pytest.mark.parametrize("code", [1007, 1008, 1011])
def test_the_words_decide_and_the_code_does_not(code: int) -> None:
    assert close(code, "API key not valid. Please pass a valid API key.").kind is F
    assert close(code, "BidiGenerateContent session not found").kind is FRESH
    assert close(code, "You exceeded your current quota").kind is SLOW


def test_a_model_that_does_not_exist_names_the_flag_that_chooses_another() -> None:
    verdict = close(1008, "models/x is not found for API version v1, or is not supported for bidiGenerateContent.")
    assert "--model" in verdict.hint


@pytest.mark.parametrize("reason", ["Request contains an invalid argument.", "Precondition check failed."])
def test_vague_words_are_the_setups_on_a_young_link_and_the_sessions_on_an_old_one(reason: str) -> None:
    young = close(1007, reason, age_s=STABLE_S - 0.001)
    assert (young.kind, young.vague) == (F, True)
    old = close(1007, reason, age_s=STABLE_S)
    assert (old.kind, old.vague) == (FRESH, False)


def test_clear_words_are_not_vague() -> None:
    vague = {reason for code, reason, _, _ in TABLE if close(code, reason).vague}
    assert vague == {
        "Request contains an invalid argument.",
        "Precondition check failed.",
        "Operation is not implemented, or supported, or enabled.",
    }


def test_words_nobody_has_seen_refuse_a_setup_and_are_repeated_as_they_came() -> None:
    verdict = close(1008, "Teapots cannot TALK.")
    assert verdict.kind is F
    assert "Teapots cannot TALK." in verdict.why
    assert close(1007, "").why.endswith("1007")


def test_words_nobody_has_seen_cut_a_living_link_and_cast_doubt_on_what_a_young_one_was_given() -> None:
    assert close(1008, "Teapots cannot talk.", age_s=300.0) == Verdict(RESUME, "the connection was cut")
    assert close(1007, "Teapots cannot talk.", age_s=1.0).vague


@pytest.mark.parametrize("code", [None, 1000, 1005, 1006, 3000, 4000])
def test_a_close_without_words_is_a_cut_at_any_moment(code: int | None) -> None:
    assert close(code, "").kind is RESUME
    assert close(code, "", age_s=1.0).kind is RESUME


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, F), (401, F), (403, F), (404, F), (429, SLOW), (500, RESUME), (502, RESUME), (503, RESUME),
        (504, RESUME), (302, RESUME), (200, RESUME), (None, RESUME),
    ],
)  # fmt: skip
def test_a_refused_upgrade_means_what_its_status_says(status: int | None, kind: Kind) -> None:
    verdict = judge(Ended(1, "http", status), setting_up=True, age_s=0.0)
    assert verdict.kind is kind
    if kind is F:
        assert verdict.hint


@pytest.mark.parametrize("how", ["dns", "network", "timeout"])
def test_a_network_that_is_away_comes_back(how: str) -> None:
    for setting_up in (True, False):
        end = Ended(1, how, reason="Name or service not known")  # type: ignore[arg-type]
        assert judge(end, setting_up=setting_up, age_s=0.0).kind is RESUME


def test_the_systems_own_words_about_the_network_are_passed_on() -> None:
    assert judge(Ended(1, "network", reason="No route to host"), setting_up=True, age_s=0.0).why == (
        "the server cannot be reached (No route to host)"
    )
    assert judge(Ended(1, "network"), setting_up=True, age_s=0.0).why == "the connection was cut"


def test_a_certificate_nobody_trusts_keeps_a_line_from_opening_but_is_not_why_an_open_one_broke() -> None:
    end = Ended(1, "tls", reason="self-signed certificate")
    first = judge(end, setting_up=True, age_s=0.0)
    assert first.kind is F
    assert "--ca-file" in first.hint
    assert "self-signed certificate" in first.why
    assert judge(end, setting_up=False, age_s=5.0).kind is RESUME


@pytest.mark.parametrize(
    "end",
    [
        Ended(1, "close", 1007, "API key not valid. Please pass a valid API key.", key_from="GOOGLE_API_KEY"),
        Ended(1, "close", 1007, "API key expired. Please renew the API key.", key_from="GOOGLE_API_KEY"),
        Ended(1, "http", 401, key_from="GOOGLE_API_KEY"),
        Ended(1, "http", 403, key_from="GOOGLE_API_KEY"),
    ],
)
def test_a_refused_key_is_said_to_be_from_where_it_is(end: Ended) -> None:
    verdict = judge(end, setting_up=True, age_s=0.0)
    assert verdict.why.endswith(" (from GOOGLE_API_KEY)")
    assert "aistudio" in verdict.hint


def test_refused_credentials_are_said_to_be_from_where_they_are_and_are_no_key() -> None:
    where = "GOOGLE_APPLICATION_CREDENTIALS"
    for end in (Ended(1, "http", 403, key_from=where), Ended(1, "auth", reason="refused", key_from=where)):
        verdict = judge(end, setting_up=True, age_s=0.0)
        assert verdict.why.endswith(f" (from {where})")
        assert "gcloud" in verdict.hint


def test_where_the_key_is_from_matters_to_nothing_else() -> None:
    for end in (Ended(1, "http", 503), Ended(1, "network"), Ended(1, "close", 1008, "session not found")):
        named = replace(end, key_from="GEMINI_API_KEY")
        assert judge(named, setting_up=True, age_s=0.0) == judge(end, setting_up=True, age_s=0.0)


def test_a_token_that_cannot_be_renewed_just_now_is_the_networks() -> None:
    verdict = judge(Ended(1, "token", reason="HTTP 503"), setting_up=True, age_s=0.0)
    assert verdict.kind is RESUME
    assert "HTTP 503" in verdict.why


def test_a_configuration_that_never_left_this_machine_is_fatal_in_its_own_words() -> None:
    verdict = judge(Ended(1, "bad", reason="Project ID is missing"), setting_up=True, age_s=0.0)
    assert (verdict.kind, verdict.why) == (F, "Project ID is missing")


def test_a_quota_is_waited_for_longer_than_its_minute() -> None:
    assert SLOW_S[0] >= 65.0
    assert SLOW_S[1] == 300.0


@given(
    code=st.one_of(st.none(), st.integers(0, 65_535)),
    reason=st.text(max_size=123),
    age_s=st.one_of(st.none(), st.floats(0, 1e6)),
)
def test_any_close_has_a_verdict_in_words(code: int | None, reason: str, age_s: float | None) -> None:
    verdict = close(code, reason, age_s=age_s)
    assert verdict.why
    assert verdict.kind is not F or verdict.hint
