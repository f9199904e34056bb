"""The correlation tells an echo from a person."""

from __future__ import annotations

import numpy as np

from livechat.audio.echo_filter import PARTITIONS
from livechat.audio.gcc_phat import echo_peak
from livechat.audio.spectrum import FRAME, Sound, floating
from tests.support.conversation import samples
from tests.support.echo_room import MODEL_SPEECH


def peaks(heard: Sound) -> list[tuple[float, int]]:
    """Of every frame that is loud."""
    found: list[tuple[float, int]] = []
    for end in range((PARTITIONS + 2) * FRAME, len(heard), FRAME):
        sound = heard[end - 2 * FRAME : end]
        if np.mean(sound**2) > 1e-4:
            found.append(echo_peak(sound, floating(MODEL_SPEECH)[end - (PARTITIONS + 2) * FRAME : end]))
    return found


def test_an_echo_has_a_peak_however_quiet_it_is_and_a_person_has_none() -> None:
    """In a room where the direct sound is louder than its reverberation."""
    played = floating(MODEL_SPEECH)
    echo = 0.5 * np.roll(played, 960) + 0.2 * np.roll(played, 1200) + 0.1 * np.roll(played, 2100)
    heights, lags = zip(*peaks(echo.astype(np.float32)), strict=True)
    assert np.percentile(heights, 75) > 12  # a frame may miss it, ten do not
    high = [lag for height, lag in zip(heights, lags, strict=True) if height > 12]
    assert np.median(np.abs(np.array(high) - np.median(high))) < 3
    person = np.resize(samples("Go somewhere and do something."), len(MODEL_SPEECH))
    assert np.percentile([height for height, _ in peaks(floating(person))], 95) < 10


def test_silence_has_no_peak() -> None:
    assert echo_peak(np.zeros(2 * FRAME, np.float32), np.zeros((PARTITIONS + 2) * FRAME, np.float32))[0] == 0
