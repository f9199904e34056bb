"""The models that this server can behave as (docs/wire.md 0.3, 1.4, 2.2)."""

import re
from dataclasses import dataclass
from typing import Literal

WINDOW = 131_072  # tokens, of every model

VOICES = frozenset(
    re.findall(
        r"\w+",
        """
        Zephyr Puck Charon Kore Fenrir Leda Orus Aoede Callirrhoe Autonoe Enceladus Iapetus Umbriel Algieba
        Despina Erinome Algenib Rasalgethi Laomedeia Achernar Alnilam Schedar Gacrux Pulcherrima Achird
        Zubenelgenubi Vindemiatrix Sadachbia Sadaltager Sulafat
        """,
    )
)

Cadence = Literal["every second", "after turns", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """How one generation of models behaves."""

    thinking: Literal["budget", "level", "none", "required"]  # what thinkingConfig may hold, or must
    chunks: Literal["taken", "refused", "ignored"]  # realtimeInput.mediaChunks
    handles: Cadence
    native_2_5: bool = False  # proactivity and affective dialog exist; words are transcribed one by one
    activity: bool = True  # it sends voiceActivity
    empties: bool = False  # it sends an empty message before nearly every piece of sound
    utterances: bool = False  # it answers in several utterances, and turnComplete has an interactionStatus
    answers: bool = True


NATIVE_2_5 = Traits(thinking="budget", chunks="taken", handles="after turns", native_2_5=True, activity=False)
FLASH_3_1 = Traits(thinking="level", chunks="refused", handles="every second")
LIVE_3_8 = Traits(thinking="none", chunks="ignored", handles="every second", empties=True)
THINKING_3_8 = Traits(thinking="required", chunks="ignored", handles="every second", empties=True, utterances=True)
TRANSCRIBE = Traits(thinking="none", chunks="refused", handles="never", answers=False)

MODELS = {
    "gemini-3.8-live": LIVE_3_8,
    "gemini-3.8-live-extended-thinking": THINKING_3_8,
    "gemini-3.1-flash-live-preview": FLASH_3_1,
    "gemini-3.5-transcribe-live": TRANSCRIBE,
    "gemini-3.5-transcribe-live-preview": TRANSCRIBE,
    "gemini-2.5-flash-native-audio-latest": NATIVE_2_5,
    "gemini-2.5-flash-native-audio-preview-12-2025": NATIVE_2_5,
}
VERTEX_MODELS = {
    "gemini-3.8-live": LIVE_3_8,
    "gemini-live-2.5-flash-native-audio": NATIVE_2_5,
    "gemini-3.5-transcribe-live-preview": TRANSCRIBE,
}
