"""One process has a conversation at a time, where the file system has locks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from livechat.conversations.claims import Claims

_OTHER = """
import sys
from pathlib import Path
from livechat.conversations.claims import Claims
claims = Claims(Path(sys.argv[1]))
sys.stdout.write(str(claims.take("abc234")))
sys.stdout.flush()
sys.stdin.read()
"""


def test_another_process_has_it_until_that_ends(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "locks")
    command = [sys.executable, "-c", _OTHER, str(tmp_path / "locks")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.read(4) == b"True"
        assert not claims.take("abc234")
        assert claims.take("bcd345")
        other.kill()
    assert claims.take("abc234")
    claims.close()


def test_a_new_claim_gives_the_one_before_back(tmp_path: Path) -> None:
    one, other = Claims(tmp_path), Claims(tmp_path)
    assert one.take("abc234")
    assert one.take("bcd345")
    assert other.take("abc234")
    assert not other.take("bcd345")
    assert other.take("cde456")
    one.close()
    one.close()
    assert other.take("bcd345")
    other.close()


def test_what_is_erased_leaves_no_file(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "locks")
    assert claims.take("abc234")
    claims.erase("abc234")
    claims.close()
    claims.erase("abc234")
    assert list((tmp_path / "locks").iterdir()) == []


def test_a_name_that_is_no_id_is_no_path(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch()
    claims = Claims(tmp_path / "locks")
    assert claims.take("../outside")
    claims.erase("../outside")
    claims.close()
    assert outside.exists()
    assert not (tmp_path / "locks").exists()


def test_in_memory_everything_is_ones_own() -> None:
    claims = Claims(None)
    assert claims.take("abc234")
    claims.erase("abc234")
    claims.close()


def test_a_file_system_without_locks_keeps_nobody_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotImplementedError("no locks")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    claims = Claims(tmp_path)
    assert claims.take("abc234")
    assert "this file system has no locks (no locks)" in caplog.text
    claims.close()
