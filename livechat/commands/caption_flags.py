"""Which flags of the table (flags.py) `transcribe` and `translate` take."""

from livechat.models import Purpose

_SERVER = ("model", "offline", "endpoint", "ephemeral", "ca_file")
_LOGS = ("json", "quiet", "log_file", "faults")

CAPTION_FLAGS: dict[Purpose, tuple[str, ...]] = {
    "transcribe": ("language", "vocabulary", *_SERVER, "mic", "input", "fast", *_LOGS),
    "translate": (*_SERVER, "mic", "speaker", "echo", "input", "fast", "output", *_LOGS),
}
