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
# Whether a model waits for the result of a function it calls, and whether a declaration may ask for the other.
Calls = Literal["block", "block by default", "go on by default", "go on"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """How one generation of models behaves."""

    thinking: Literal["budget", "level", "none", "required"]  # what thinkingConfig may hold, or must
    chunks: Literal["taken", "refused", "ignored"]  # realtimeInput.mediaChunks
    handles: Cadence
    calls: Calls = "block by default"
    native_2_5: bool = False  # proactivity, affective dialog and thoughts exist; words are transcribed one by one
    old_handles: bool = False  # handles are base64 of 56 characters, and no UUID
    seed_answers: bool = False  # the end of a history that the client loads is a question
    texts: bool = False  # it can answer in text instead of sound
    echoes: bool = False  # what is typed comes back as if it had been heard
    opens_empty: bool = False  # an empty serverContent comes before an answer
    activity: bool = True  # it sends voiceActivity
    empties: bool = False  # it sends an empty message before nearly every piece of sound
    proactive: bool = False  # it may choose to say nothing, without being asked to
    utterances: bool = False  # it answers in several utterances, and turnComplete has an interactionStatus
    answers: bool = True  # else it transcribes: words ahead of the final ones, and a turn without an answer
    translates: bool = False  # it says what it hears in another language, and takes nothing but sound


NATIVE_2_5 = Traits(
    thinking="budget", chunks="taken", handles="after turns", native_2_5=True, activity=False, old_handles=True,
    seed_answers=True,
)  # fmt: skip
HALF_CASCADE = Traits(
    thinking="none", chunks="taken", handles="after turns", activity=False, old_handles=True, seed_answers=True,
    texts=True,
)  # fmt: skip
FLASH_3_1 = Traits(
    thinking="level", chunks="refused", handles="every second", calls="block", echoes=True, opens_empty=True
)
LIVE_3_8 = Traits(
    thinking="none", chunks="ignored", handles="every second", calls="go on by default", empties=True, proactive=True
)
THINKING_3_8 = Traits(
    thinking="required",
    chunks="ignored",
    handles="every second",
    calls="go on",
    empties=True,
    utterances=True,
    proactive=True,
)
TRANSCRIBE = Traits(thinking="none", chunks="refused", handles="never", answers=False)
TRANSLATE = Traits(thinking="none", chunks="refused", handles="never", translates=True)

MODELS = {
    "gemini-3.8-live": LIVE_3_8,
    "gemini-3.8-live-extended-thinking": THINKING_3_8,
    "gemini-3.1-flash-live-preview": FLASH_3_1,
    "gemini-3.5-transcribe-live": TRANSCRIBE,
    "gemini-3.5-transcribe-live-preview": TRANSCRIBE,
    "gemini-3.5-live-translate-preview": TRANSLATE,
    "gemini-2.5-flash-native-audio-latest": NATIVE_2_5,
    "gemini-2.5-flash-native-audio-preview-12-2025": NATIVE_2_5,
}
VERTEX_MODELS = {
    "gemini-3.8-live": LIVE_3_8,
    "gemini-live-2.5-flash-native-audio": NATIVE_2_5,
    "gemini-3.5-transcribe-live-preview": TRANSCRIBE,
    "gemini-3.5-live-translate-preview": TRANSLATE,
}

# What `--as` takes. The last is switched off at Google, and programs that use it are still written.
PROFILES = {**VERTEX_MODELS, **MODELS, "gemini-live-2.5-flash-preview": HALF_CASCADE}

LANGUAGES_2_5 = frozenset(
    re.findall(
        r"[\w-]+",
        """
        ar-XA bn-IN cmn-CN de-DE en-AU en-GB en-IN en-US es-ES es-US fr-CA fr-FR gu-IN hi-IN id-ID it-IT ja-JP kn-IN
        ko-KR ml-IN mr-IN nl-NL pl-PL pt-BR ru-RU ta-IN te-IN th-TH tr-TR vi-VN
        """,
    )
)
