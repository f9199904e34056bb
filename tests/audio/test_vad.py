"""Voice detection: speech is found, and noise is not taken for it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from livechat.audio.dsp import Resampler, from_float, level
from livechat.audio.vad import SpeechDetector


@pytest.fixture(scope="module")
def speech() -> npt.NDArray[np.int16]:
    """3.4 s of a human-like voice at 16 kHz, at an ordinary level."""
    pytest.importorskip("hibari", reason="pip install '.[offline]'")
    from hibari import Hibari

    voice = np.concatenate(list(Hibari().stream("Hello there, can you tell me what time it is now?", seed=0)))
    resampler = Resampler(24_000, 16_000)
    return np.frombuffer(resampler.feed(from_float(voice)) + resampler.flush(), np.int16)


def decisions(detector: SpeechDetector, sound: npt.NDArray[np.int16]) -> list[bool]:
    whole = len(sound) // 320 * 320
    return [detector.feed(sound[at : at + 320].tobytes()) for at in range(0, whole, 320)]


def test_speech_is_found_soon_and_its_end_after_the_hangover(speech: npt.NDArray[np.int16]) -> None:
    pause = np.zeros(16_000, np.int16)
    sound = np.concatenate([pause, speech, pause, speech, pause])
    heard = decisions(SpeechDetector(hangover_ms=400), sound)
    loud = [level(sound[at : at + 320].tobytes()) > -45 for at in range(0, len(sound) // 320 * 320, 320)]
    first = loud.index(True)
    last = len(loud) - 1 - loud[::-1].index(True)
    assert not any(heard[:first])
    assert heard.index(True) - first < 20
    end = len(heard) - 1 - heard[::-1].index(True)
    assert 0 < (end - last) * 20 <= 500
    spoken = [yes for yes, is_loud in zip(heard, loud, strict=True) if is_loud]
    assert sum(spoken) / len(spoken) > 0.9
    assert not heard[(first + last) // 2]  # the pause between the two


@pytest.mark.parametrize("name", ["silence", "white", "hum", "one bit"])
def test_what_is_no_voice_is_not_taken_for_one(name: str, speech: npt.NDArray[np.int16]) -> None:
    random = np.random.default_rng(1)
    seconds = np.arange(8 * 16_000) / 16_000
    sound = {
        "silence": np.zeros(len(seconds)),
        "white": random.normal(0, 2000, len(seconds)),
        "hum": sum((1500 / n * np.sin(2 * np.pi * 50 * n * seconds) for n in (1, 2, 3, 5)), np.zeros(1)),
        "one bit": random.integers(-1, 2, len(seconds)),
    }[name].astype(np.int16)
    assert not any(decisions(SpeechDetector(), sound))
    # And not for long if it begins where speech was cut off.
    detector = SpeechDetector()
    decisions(detector, speech[: 16_000 * 2])
    assert not any(decisions(detector, sound)[6 * 50 :])
