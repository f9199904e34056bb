"""The tests mirror the package: livechat/ROOM/NAME.py has tests/ROOM/test_NAME.py, or a row here says why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import ROOT

PACKAGE, TESTS = ROOT / "livechat", ROOT / "tests"
MODULES = sorted(
    str(path.relative_to(PACKAGE))
    for path in PACKAGE.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
)
# Modules without a test file of their own, and why. A file that is named here exists.
ELSEWHERE = {
    "audio/interfaces.py": "protocols and constants",
    "captions/link_keeper.py": "captions/test_stream.py, with links that end in many ways",
    "captions/words.py": "captions/test_stream.py: what it shows is compared there",
    "commands/caption_flags.py": "a table; commands/test_captions.py gives each command a flag that it does not take",
    "commands/sessions_group.py": "commands/test_sessions.py runs its commands",
    "cli.py": "whole/test_readme.py, test_flags.py and commands/ run its commands",
    "commands/config.py": "test_config_file.py tests the file together with the command that shows and writes it",
    "commands/devices_view.py": "commands/test_devices.py compares what the command prints",
    "commands/hold_conversation.py": "it joins parts; commands/test_talk.py and whole/test_conversation.py hold one",
    "commands/make_runner.py": "it joins parts, as above",
    "commands/open_parts.py": "it joins parts; commands/test_talk.py and whole/test_call.py open each of them",
    "commands/sessions_view.py": "commands/test_sessions.py compares what the command prints",
    "conversations/records.py": "dataclasses; conversations/test_store.py reads them back",
    "flag.py": "test_flags.py, which takes every flag",
    "errors.py": "exception classes, each with its exit code",
    "events.py": "dataclasses; test_events_page.py checks what is written of each",
    "leaving.py": "whole/test_gone.py and whole/test_leaving.py: only a real process can be left",
    "prices.py": "session/test_budget.py",
    "pytest_plugin.py": "test_testing.py runs pytest with it",
    "server/actions.py": "dataclasses",
    "server/agent.py": "a protocol, and what goes through it",
    "server/connection.py": "server/test_http_requests.py sends it requests, server/test_wire_recording.py frames",
    "server/link_record.py": "a dataclass",
    "server/deadlines.py": "server/test_live_session.py, which asks each for its moment",
    "server/interim_words.py": "server/test_translation.py, with the final words",
    "server/usage.py": "server/test_live_session.py and server/test_link.py, which read what is sent",
    "server/models.py": "a table; server/test_terms.py tests what follows from it",
    "server/status_page.py": "server/test_http_requests.py fetches what it shows",
    "server/speech_models.py": "server/test_speech_agent.py: the models as the agent uses them",
    "server/web_search.py": "server/test_tool_calls.py: it stands for a tool",
    "session/current_turn.py": "session/test_turns.py, as above",
    "session/events.py": "dataclasses",
    "session/video.py": "a protocol",
    "ui/terminal.py": "whole/test_leaving.py and ui/test_screen.py: only a real terminal has modes",
    "ui/typed_ahead.py": "whole/test_leaving.py: a shell has to be there to take what is left",
}


def mirror(module: str) -> Path:
    path = Path(module)
    return TESTS / path.parent / f"test_{path.name}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_a_test_file_of_its_name_or_a_reason(module: str) -> None:
    if mirror(module).exists():
        assert module not in ELSEWHERE, "it has a test file now: take out its row"
    else:
        assert module in ELSEWHERE, f"write tests/{mirror(module).relative_to(TESTS)}, or say in a row why not"


def test_every_row_is_of_a_module_and_names_tests_that_exist() -> None:
    assert set(ELSEWHERE) <= set(MODULES)
    named = {name for why in ELSEWHERE.values() for name in re.findall(r"[\w/]*test_\w+\.py", why)}
    assert [name for name in sorted(named) if not (TESTS / name).exists()] == []
