"""Hours of captions through the SDK against the local server, in virtual time, with links that end."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS
from livechat.audio.sinks import NullSink
from livechat.captions.link_keeper import LinkKeeper
from livechat.captions.stream import CaptionStream
from livechat.errors import ConfigError, LivechatError, Notice
from livechat.events import Handover, LinkState, ModelText, Output, UserText
from livechat.models import Purpose
from livechat.server.fault_plan import parse
from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from livechat.session.link import Dialler
from livechat.settings import resolve
from tests.support.virtual_time import run

STEP = 120  # the loudness of an utterance is its number times this


class Numbers(Parrot):
    """Knows which utterance it hears by its loudness."""

    async def transcribe(self, pcm: bytes) -> str:
        loudest = int(np.abs(np.frombuffer(pcm, "<i2").astype(int)).max()) if pcm else 0
        return f"Number {round((loudest - 2_000) / STEP)}." if loudest else ""


class Loud:
    """The detector for sound that is either digital silence or speech."""

    voiced = False
    _left = 0

    def feed(self, frame: bytes) -> bool:
        self.voiced = frame != bytes(FRAME_BYTES)
        self._left = 30 if self.voiced else max(0, self._left - 1)
        return self._left > 0


class Speaker:
    """Says utterances of these lengths with these pauses after them, in seconds."""

    name = "a speaker"

    def __init__(self, *script: tuple[float, float]) -> None:
        self._script = script

    async def frames(self) -> AsyncIterator[bytes]:
        due = asyncio.get_running_loop().time()
        for n, (length, pause) in enumerate(self._script, 1):
            loud = np.full(FRAME_BYTES // 2, 2_000 + n * STEP, "<i2")
            loud[1::2] *= -1
            for frame in [loud.tobytes()] * round(length * 50) + [bytes(FRAME_BYTES)] * round(pause * 50):
                await asyncio.sleep(due - asyncio.get_running_loop().time())
                due += FRAME_MS / 1_000
                yield frame

    def close(self) -> None:
        """There is nothing to release."""


async def captions(
    purpose: Purpose, *script: tuple[float, float], faults: str = "", **more: Any
) -> tuple[list[Output], LivechatError | None]:
    """What is shown of the script, and the error that ended it."""
    shown: list[Output] = []
    async with Server(Numbers(), faults=parse(faults), **more) as server:
        settings = replace(resolve({}, purpose, endpoint=server.url), to="de", key="any")
        dialler = Dialler(settings, url=server.url, ca_pem=server.ca_pem.decode())
        links = LinkKeeper(dialler.dial, shown.append, lambda: (0, 0), random.Random(1).random)
        sink = NullSink() if purpose == "translate" else None
        stream = CaptionStream(
            links, Speaker(*script), Loud(), sink, shown.append, translating=purpose == "translate"
        )
        error = await stream.run()
    return shown, error


def lines(shown: list[Output]) -> list[str]:
    return [it.text for it in shown if isinstance(it, UserText) and it.final]


def numbers(count: int) -> list[str]:
    return [f"Number {n}." for n in range(1, count + 1)]


def test_each_utterance_is_a_line_and_grows_before_it_is_one() -> None:
    shown, error = run(captions("transcribe", (2.0, 1.0), (1.0, 3.0)))
    assert error is None
    assert lines(shown) == numbers(2)
    assert any(isinstance(it, UserText) and not it.final for it in shown)


def test_an_hour_of_it_is_written_down_across_the_servers_time_limits() -> None:
    script = [(6.0, 4.0)] * 200 + [(25.0, 0.7)] * 10  # 37 minutes
    shown, error = run(captions("transcribe", *script))
    assert error is None
    assert lines(shown)[:200] == numbers(200)
    handovers = [it for it in shown if isinstance(it, Handover)]
    assert len(handovers) == 4
    assert all("time limit" in it.cause for it in handovers)


def test_somebody_who_never_pauses_is_written_down_across_a_time_limit() -> None:
    shown, error = run(captions("transcribe", (200.0, 2.0), lifetime=90.0, notice=20.0))
    assert error is None
    assert set(lines(shown)) == {"Number 1."}
    seconds = 200 / len(lines(shown))
    assert 5 < seconds < 31
    assert all("time limit" in it.cause for it in shown if isinstance(it, Handover))


@pytest.mark.parametrize(
    "faults",
    [
        "#1: drop@12s", "drop@21s", "#1: drop@7.5s; #2: drop@3s", "#1: stall@9s", "#2: half-open@12s; #1: drop@3s",
        "#1: close:internal@15s", "#1: goaway@10s:6s", "#1: goaway-silent@11s:0.2s", "#1: http:503; #2: drop@4s",
        "#1: hang-up", "#1: no-setup", "#1: close:quota@8s", "#1: deaf@8s",
    ],
)  # fmt: skip
def test_no_utterance_is_lost_or_written_twice_whatever_a_link_does(faults: str) -> None:
    shown, error = run(captions("transcribe", *[(3.0, 2.0)] * 12, faults=faults))
    assert error is None
    assert lines(shown) == numbers(12)


@pytest.mark.parametrize("seed", range(12))
def test_random_links_cost_no_utterance(seed: int) -> None:
    die = random.Random(seed)
    plan = "; ".join(
        f"#{n}: {die.choice(['drop', 'stall', 'close:internal'])}@{die.uniform(0.5, 40):.1f}s" for n in range(1, 7)
    )
    script = [(die.uniform(0.6, 12), die.uniform(0.8, 6)) for _ in range(25)]
    shown, error = run(captions("transcribe", *script, faults=plan))
    assert error is None
    assert lines(shown) == numbers(25)


def test_a_translation_is_spoken_and_written_and_moves_to_the_next_link_between_two_utterances() -> None:
    shown, error = run(captions("translate", *[(3.0, 3.0)] * 40, lifetime=100.0, notice=30.0))
    assert error is None
    said = [it.text for it in shown if isinstance(it, ModelText) and it.final]
    assert re.findall(r"Number \d+\.", " ".join(said)) == numbers(40)
    causes = [it.cause for it in shown if isinstance(it, Handover)]
    assert len(causes) == 3
    assert set(causes) == {"the server's time limit for one connection"}


@pytest.mark.parametrize("faults", ["#1: drop@13s", "#1: stall@20s", "#1: close:internal@5s; #2: drop@9s"])
def test_a_translation_that_a_link_took_along_comes_from_the_next(faults: str) -> None:
    shown, error = run(captions("translate", *[(3.0, 3.0)] * 8, faults=faults))
    assert error is None
    said = " ".join(it.text for it in shown if isinstance(it, ModelText) and it.final)
    assert all(f"Number {n}." in said for n in range(1, 9))


def test_the_text_of_a_model_that_says_nothing_is_given_up_and_said_so() -> None:
    shown, error = run(captions("transcribe", (2.0, 1.0), (2.0, 1.0), faults="deaf@0s"))
    assert error is None
    assert lines(shown) == []
    assert len([it for it in shown if isinstance(it, Notice) and "no words" in it.message]) == 2


def test_an_idle_link_rests_and_is_dialled_again_for_the_next_word() -> None:
    shown, error = run(captions("transcribe", (2.0, 400.0), (2.0, 2.0)))
    assert error is None
    assert lines(shown) == numbers(2)
    assert any(isinstance(it, LinkState) and it.state == "resting" for it in shown)


def test_a_refusal_ends_it_with_the_reason() -> None:
    shown, error = run(captions("transcribe", (2.0, 1.0), faults="setup-close:bad-key"))
    assert isinstance(error, ConfigError)
    assert lines(shown) == []
